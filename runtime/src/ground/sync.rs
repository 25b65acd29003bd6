//! The concurrent primitives that the inbox and the pool are made of, under names of our own.
//!
//! In `queue.rs`, `inbox.rs` and `pool.rs` threads meet, and nowhere else in the heart. Their correctness is a matter of which
//! step comes first, so a model checker checks them (`tests/loom`). It runs the very same files over primitives of
//! its own: the models bring their own `sync` module in place of this one.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock};
pub(crate) use std::thread;

pub(crate) use mio::Waker as Bell;
