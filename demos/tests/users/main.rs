//! The demos as their users meet them: one program for all of these tests, so that those that wait do so together.

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/terminal.rs"]
mod terminal;

mod demos;
mod graceful;
mod headers;
mod manners;
mod promises;
mod recordings;
mod shown;
mod stalled;
mod wedge;
