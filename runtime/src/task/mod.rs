//! Tasks: spawning, joining, aborting, yielding, scopes, and work that blocks.
//!
//! Combinators, channels and locks come from other crates, and run here as they are: `futures_lite::future::{or, race, zip}`
//! where tokio has `select!` and `join!`, and `async-channel`, `async-lock` and `event-listener` for its `sync`.

mod asker;
mod blocking;
mod cancel_at_every_await;
mod consume_budget;
mod heard;
mod join;
mod scope;
mod scope_error;
mod scoped_handle;
mod spawn;
mod yield_now;

pub use crate::ground::event::TaskId;
pub use blocking::spawn_blocking;
pub use cancel_at_every_await::cancel_at_every_await;
pub use consume_budget::consume_budget;
pub(crate) use heard::Heard;
pub(crate) use join::panic_text;
pub use join::{AbortHandle, JoinError, JoinHandle};
pub use scope::{Canceller, Scope, scope};
pub use scope_error::{Cancelled, Failure, ScopeError};
pub use scoped_handle::ScopedJoinHandle;
pub use spawn::{Builder, id, spawn};
pub(crate) use yield_now::take_yielded;
pub use yield_now::{YieldNow, yield_now};
