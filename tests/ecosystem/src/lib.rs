//! Files that a program of your own may copy: quinn's runtime and hickory's. The recipes of docs/services.md are
//! compiled and run from here, too: `cargo test --manifest-path tests/ecosystem/Cargo.toml` does that.

pub mod hickory_runtime;
pub mod quinn_runtime;
pub mod servers;

/// Every Rust block of the page.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/services.md")]
mod services {}
