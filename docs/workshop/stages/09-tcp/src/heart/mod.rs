//! The heart: the files that have a counterpart of the same name in the project's `runtime/src/heart`.

pub(crate) mod budget;
pub mod core;
pub mod current;
pub mod heap;
pub mod key;
pub(crate) mod reactor;
pub mod ready;
pub mod runtime;
pub mod tasks;
pub mod timers;
pub mod turn;
pub mod waker;
pub mod wheel;
