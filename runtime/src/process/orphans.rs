//! Children that nobody asks for any more.
//!
//! A process that has ended stays in the system's table, as a zombie, until its parent asks how. When a
//! [`Child`](crate::process::Child) is dropped before that, it is left here: one list for the whole
//! process, because a child may outlive its runtime. While there are any, each runtime that dropped one
//! has a task that goes through the list at every SIGCHLD. The list is gone through, too, whenever a
//! child is started.

use std::cell::Cell;
use std::panic::Location;
use std::process::Child;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::context::{Core, REGISTRY, at_home};
use crate::signal::{SignalKind, signal};

static ORPHANS: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// How often, and how long each time, a thread waits for a killed process to end.
const PATIENCE: (u32, Duration) = (100, Duration::from_millis(1));

/// Takes a child over from the runtime with this number, and waits for its end in the background.
pub(crate) fn adopt(mut child: Child, killed: bool, runtime: u32, at: &'static Location<'static>) {
    let runtime_ends = REGISTRY.exact(runtime).is_none();
    if has_ended(&mut child) || (runtime_ends && killed && ends_soon(&mut child)) {
        return;
    }
    orphans().push(child);
    at_home(runtime, move |core| wait_for_all(core, at));
}

/// Asks every orphan whether it has ended. Returns how many have not.
pub(crate) fn reap() -> usize {
    let mut orphans = orphans();
    orphans.retain_mut(|child| !has_ended(child));
    orphans.len()
}

fn orphans() -> MutexGuard<'static, Vec<Child>> {
    ORPHANS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A child that cannot be asked is not ours any more: somebody else has been told of its end.
fn has_ended(child: &mut Child) -> bool {
    !matches!(child.try_wait(), Ok(None))
}

/// Where the runtime itself is being dropped, no task will run again. A killed process is gone within a
/// moment, so the thread can as well wait for it.
fn ends_soon(child: &mut Child) -> bool {
    let (times, pause) = PATIENCE;
    (0..times).any(|_| {
        thread::sleep(pause);
        has_ended(child)
    })
}

/// Whether this runtime's task is there.
#[derive(Default)]
struct Waits(Cell<bool>);

fn wait_for_all(core: &Core, at: &'static Location<'static>) {
    let waits = core.extension::<Waits>();
    if !waits.0.replace(true) {
        let task = core.spawn(Box::pin(until_none_is_left(Waiting(waits))), Some("orphans".into()), at);
        drop(core.tasks.detach(task));
    }
}

async fn until_none_is_left(_waiting: Waiting) {
    // Without a descriptor to listen with, the next one that is dropped or started has to do.
    let Ok(mut ends) = signal(SignalKind::child()) else { return };
    while reap() > 0 && ends.recv().await.is_some() {}
}

/// However the task ends, the next orphan needs another.
struct Waiting(Rc<Waits>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.set(false);
    }
}
