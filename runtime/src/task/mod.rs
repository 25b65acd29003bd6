//! Tasks: spawning, joining, aborting, yielding, and work that blocks.

mod blocking;
mod join;
mod spawn;
mod yield_now;

pub use crate::event::TaskId;
pub use blocking::spawn_blocking;
pub use join::{AbortHandle, JoinError, JoinHandle};
pub use spawn::{Builder, id, spawn};
pub use yield_now::{YieldNow, yield_now};
