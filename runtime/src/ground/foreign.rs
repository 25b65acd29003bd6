//! Foreign code: a future's poll, any drop of what a user made, a stored waker, an observer.
//!
//! It may do whatever this thread may do: spawn, wake, abort, drop a socket, panic. So no borrow of a store
//! is alive while it runs.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs foreign code whose panic belongs to no task: the panic hook has reported it, and the loop goes on.
pub(crate) fn without_panic(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        // Its drop could panic again.
        std::mem::forget::<Box<dyn Any + Send>>(payload);
    }
}
