//! The demos on HTTP as their users meet them: one program for all of these tests, so that those that wait do so
//! together.

#[path = "../../../tests/support/mod.rs"]
mod support;
#[path = "../../../tests/support/terminal.rs"]
mod terminal;

mod broker;
mod chat;
mod crawl;
mod downloads;
mod fast;
mod fetch;
mod game;
mod gateway;
mod hello_http;
mod manners;
mod promises;
mod shown;
mod stalled;
mod twins;
mod violations;
