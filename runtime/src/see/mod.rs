//! Seeing: what reads the event stream, and what reads the stores.
//!
//! ```text
//!     the loop --> an event --> its observers
//!                                 record/      the last events in a ring, and the state before them
//!                                 diagnose/    slow polls, lost wakers, circles of joins
//!                                 chrome/      a picture for the viewers of traces
//!                                 asked/       a log line a turn; and which of these the environment asks for
//!                 the ring  <-- serve/         the page, the monitor, the signals: on threads of their own
//!                 the stores <- model/dump     the task table, also where nobody has observed
//! ```
//!
//! Read `model/` first. Its `things` and `state` are what is known of a loop, and each event changes that by one step.
//! Its `words` and `ndjson` write it down, and `table` shows it to a person. Any folder can be read after that. Three
//! files are left. `told` has what a program says of itself. `helper` is a thread that ends with its owner. `stderr` is
//! written by a thread of its own.
//!
//! No turn needs anything here, and readers learn all that they know from events. The builder attaches those that it
//! or the environment asks for; [`attach`] adds any other.

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
pub use model::dump::{Dump, TaskRow, Wait, dump};
pub use model::numbered::Numbered;
pub use model::state::{Phase, State};
pub use model::things::{On, Past, Source, Task, TaskState, Timer, Waiting, Who};
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
    core.observers.add(Rc::new(observer), core.timers.uptime());
}
