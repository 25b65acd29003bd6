//! The page in a real browser: what a person would see and press, seen and pressed by a machine.
//!
//! The tests look for chromium. If it is missing they say so and pass, unless `ONELOOP_BROWSER=required`
//! is set: then they fail. `ONELOOP_BROWSER=no` skips them where it is there. Each has a browser of its own,
//! with a profile that is thrown away.

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
