//! The calls of users: spawning.

use std::panic::Location;

use crate::heart::current::expect_current;

/// Starts a task on the loop that runs on this thread. It is polled when its turn comes, and not in here.
#[track_caller]
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    expect_current("spawn").spawn(Box::pin(future), Location::caller());
}
