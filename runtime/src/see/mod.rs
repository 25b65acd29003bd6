//! Seeing: what reads the event stream, and what reads the stores.
//!
//! The readers of the stream know nothing else of the runtime, which is why they stand below it: the
//! builder attaches those that the environment asks for. [`dump`] asks the stores.

mod asked;
mod chrome;
mod diagnose;
mod helper;
mod model;
mod record;
mod serve;
mod stderr;
mod told;

use std::rc::Rc;

use crate::ground::event::Observer;
use crate::heart::current::expect_current;

pub(crate) use asked::asked_for;
pub(crate) use serve::show_if_asked;

pub use chrome::ChromeTrace;
pub use model::dump::{Dump, Past, TaskRow, Wait, dump};
pub use model::numbered::Numbered;
pub use model::state::{Phase, State};
pub use model::things::{On, Source, Task, TaskState, Timer, Waiting, Who};
pub use model::whole::Occasion;
pub use record::recording::Recording;
pub use record::ring::{Batch, Ring};
pub use serve::{Server, serve, serve_with_token};
pub use told::{ToldWait, at, is_observed, wait};

/// Adds an observer to the runtime that runs on this thread. It is told of every event from here on,
/// before the observers that were there. If a poll is going on, it is told of its end.
///
/// # Panics
///
/// If no runtime runs on this thread.
///
/// ```
/// use std::{cell::Cell, rc::Rc, time::Duration};
/// use oneloop::event::{Event, Observer};
///
/// struct Timers(Rc<Cell<u32>>);
///
/// impl Observer for Timers {
///     fn on_event(&self, _at: Duration, event: &Event<'_>) {
///         self.0.set(self.0.get() + u32::from(matches!(event, Event::TimerFired { .. })));
///     }
/// }
///
/// oneloop::run(async {
///     let fired = Rc::new(Cell::new(0));
///     oneloop::see::attach(Timers(fired.clone()));
///     oneloop::time::sleep(Duration::from_millis(1)).await;
///     assert_eq!(fired.get(), 1);
/// });
/// ```
#[track_caller]
pub fn attach(observer: impl Observer) {
    let core = expect_current("oneloop::see::attach");
    core.attach(Rc::new(observer));
}
