//! Traits of other libraries, implemented on this runtime's types: each library behind the feature
//! that bears its name, all of them off by default.
//!
//! Many libraries need nothing from here: async-tungstenite, futures-rustls, futures-concurrency, async-channel,
//! async-lock, and the `sync` types of tokio. They ask only for the traits of `std`, `futures-core` and `futures-io`,
//! which this crate's types implement.

#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(feature = "hyper-util")]
pub mod hyper_util;
