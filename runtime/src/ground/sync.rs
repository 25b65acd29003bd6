//! The concurrent primitives that the inbox and the pool are made of, under names of our own.
//!
//! Threads meet in `queue.rs`, `registry.rs` and `pool.rs`, and in the heart's `inbox.rs`. Their correctness is a matter
//! of which step comes first, so a model checker checks them (`tests/loom`). It runs the very same files over primitives
//! of its own: the models bring their own `sync` module in place of this one.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock};
pub(crate) use std::thread;

pub(crate) use mio::Waker as Bell;
