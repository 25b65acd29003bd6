//! A loop's account of itself: events, recordings, traces, the diagnosis, and the server.

mod chrome;
mod diagnosis;
mod events;
mod events_example;
mod guests;
#[cfg(target_os = "linux")]
mod last_words;
mod log;
#[cfg(target_os = "linux")]
mod lookers;
mod monitor;
mod names;
mod observers;
mod recordings;
mod server;
mod shared_paths;
mod stalled_readers;
mod told;
mod vocabulary;
