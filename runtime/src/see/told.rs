//! Told: what a program says of itself, where the loop cannot know it.
//!
//! Tasks may be written in another language. They have lines that no `Location` names, and wait for things that are no
//! leaf future of this crate. The program says so here, and every reader of the events shows it.

use std::fmt;

use crate::ground::event::{Event, Place, TaskId, WaitsFor};
use crate::heart::core::Core;
use crate::heart::current::{current, expect_current, with_current};
use crate::heart::key::TaskKey;

/// Whether anybody observes the runtime that runs on this thread. Names and places, say, are made only then.
///
/// False where no runtime does. An observer may come at any time.
///
/// ```
/// assert!(!oneloop::see::is_observed());
/// oneloop::run(async {
///     oneloop::see::attach(oneloop::see::Ring::new(1000));
///     assert!(oneloop::see::is_observed());
/// });
/// ```
pub fn is_observed() -> bool {
    with_current(|core| core.is_observed()) == Some(true)
}

/// Calls `f`, and gives `place` as the line of all that happens meanwhile. It covers spawned tasks, new timers and
/// sources, waits and aborts. Without it, that is the line of Rust. Around a `block_on` it is the place of the root
/// future alone.
///
/// # Panics
///
/// If no runtime runs on this thread.
///
/// ```
/// use oneloop::event::Place;
///
/// oneloop::run(async {
///     oneloop::see::attach(oneloop::see::Ring::new(1000));
///     let task = oneloop::see::at(Place::new("app.py", 3), || oneloop::spawn(std::future::pending::<()>()));
///     assert!(oneloop::see::dump().to_string().contains("app.py:3"));
///     task.abort();
/// });
/// ```
#[track_caller]
pub fn at<R>(place: Place, f: impl FnOnce() -> R) -> R {
    struct Before<'a>(&'a Core, Option<Place>);

    impl Drop for Before<'_> {
        fn drop(&mut self) {
            self.0.place.set(self.1);
        }
    }

    let core = expect_current("oneloop::see::at");
    let _before = Before(&core, core.place.replace(Some(place)));
    f()
}

/// Tells that the task that is being polled waits for something that is no leaf of this crate, at a line of the
/// program. The wait ends when the guard is dropped, which is best done at the task's next poll.
///
/// Nothing is told where nobody observes, or where no task is being polled. Waking the task stays the teller's affair.
///
/// # Panics
///
/// If no runtime runs on this thread.
///
/// ```
/// use oneloop::event::{Place, WaitsFor};
///
/// oneloop::run(async {
///     let told = oneloop::see::wait(WaitsFor::Other(1), Place::new("app.py", 7));
///     oneloop::task::yield_now().await;
///     drop(told);
/// });
/// ```
#[track_caller]
#[must_use = "the wait ends when the guard is dropped"]
pub fn wait(on: WaitsFor, at: Place) -> ToldWait {
    let core = expect_current("oneloop::see::wait");
    let task = core.current_task().filter(|_| core.is_observed());
    if let Some(task) = task {
        core.tell(|| Event::Wait { task: TaskId(task), on, at });
    }
    ToldWait { task, on }
}

/// A wait that was told, until it is dropped. Made by [`wait`].
#[must_use = "the wait ends when the guard is dropped"]
pub struct ToldWait {
    task: Option<TaskKey>,
    on: WaitsFor,
}

impl Drop for ToldWait {
    fn drop(&mut self) {
        let Some(task) = self.task else { return };
        if let Some(core) = current().filter(|core| core.number == task.0.runtime) {
            if !core.tasks.is_over(task) {
                core.observe_wait_dropped(Some(task), self.on);
            }
        }
    }
}

impl fmt::Debug for ToldWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToldWait({})", self.on)
    }
}
