//! Green threads as their clients meet them.

#[path = "../../../tests/support/mod.rs"]
mod support;

mod green;
mod promises;
