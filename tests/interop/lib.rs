//! Nothing to import: the tests are the targets beside this file, and the recipes of the cookbook.

/// Every Rust block of the cookbook, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/cookbook.md")]
mod cookbook {}
