//! The four protocols as their clients meet them.

#[path = "../../../tests/support/mod.rs"]
mod support;

mod promises;
mod protocols;
