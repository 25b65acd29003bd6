//! The page in a real browser: what a person would see and press, seen and pressed by a machine.
//!
//! They are run by `bash .ci/run browser`, which sets `ONELOOP_BROWSER=required`: then they fail if there is no
//! chromium. Without that they say so in a line and pass, as a Rust toolchain has to do for the others. Each has a
//! browser of its own, with a profile that is thrown away.

mod chrome;
mod frames;
mod live;
mod model;
mod page;
mod program;
mod replay;
mod story;
mod strangers;
mod watch;
mod words;
