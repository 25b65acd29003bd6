//! The API as its users meet it.

#[path = "../../../tests/support/mod.rs"]
mod support;

mod api;
mod promises;
