//! Traits of other libraries, implemented on this runtime's types: each library behind the feature
//! that bears its name, all of them off by default.
//!
//! Many libraries need nothing from here, because they ask only for the traits of `std`, `futures-core`
//! and `futures-io`, and those hold of every type in this crate: async-tungstenite, futures-rustls,
//! futures-concurrency, async-channel and async-lock, and the `sync` types of tokio.

#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(feature = "hyper-util")]
pub mod hyper_util;
