//! The concurrent primitives that the inbox is made of, under names of our own.
//!
//! `inbox.rs` is the one file in which threads meet. Its correctness is a matter of which of these
//! steps comes first, so it is checked by a model checker (`tests/loom`) that runs the very same file
//! over primitives of its own: the models bring their own `sync` module in place of this one.

pub(crate) use std::sync::atomic::{AtomicBool, Ordering, fence};
pub(crate) use std::sync::{Arc, RwLock};

pub(crate) use crossbeam_channel::{Receiver as Consumer, Sender as Producer, unbounded as queue};
pub(crate) use mio::Waker as Bell;
