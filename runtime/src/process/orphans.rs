//! Children that nobody asks for any more.
//!
//! A process that has ended stays in the system's table, as a zombie, until its parent asks how it ended. When a
//! [`Child`](crate::process::Child) is dropped before that, it is left here. There is one list for the whole
//! process, because a child may outlive its runtime. Each runtime that dropped a child has a task while the list is
//! not empty. The task goes through the list at every SIGCHLD, and now and then without one. So does every start
//! of a child.

use std::cell::Cell;
use std::future::poll_fn;
use std::panic::Location;
use std::process::Child;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use crate::heart::core::Core;
use crate::heart::current::{REGISTRY, at_home};
use crate::process::look::{Look, UNAWAITED};
use crate::signal::{SignalKind, signal};

static ORPHANS: Mutex<Vec<Orphan>> = Mutex::new(Vec::new());

struct Orphan {
    child: Child,
    /// Whether it was killed, and so is to end within a moment.
    killed: bool,
}

/// How often a thread asks for the end of killed processes, and how long it sleeps between.
const PATIENCE: (u32, Duration) = (100, Duration::from_millis(1));

/// Takes a child over from the runtime with this number, and waits for its end in the background.
pub(crate) fn adopt(child: Child, killed: bool, runtime: u32, at: &'static Location<'static>) {
    let mut orphan = Orphan { child, killed };
    if orphan.has_ended() {
        return;
    }
    orphans().push(orphan);
    at_home(runtime, move |core| wait_for_all(core, at));
    if REGISTRY.exact(runtime).is_none() {
        wait_for_killed();
    }
}

/// Asks every orphan whether it has ended. Returns how many have not.
pub(crate) fn reap() -> usize {
    let mut orphans = orphans();
    orphans.retain_mut(|orphan| !orphan.has_ended());
    orphans.len()
}

fn orphans() -> MutexGuard<'static, Vec<Orphan>> {
    ORPHANS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Orphan {
    /// A child that cannot be asked is not ours any more: somebody else has been told of its end.
    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

/// If no task will run again, because the runtime ends, the thread waits itself: killed processes are gone within a
/// moment. Those that were not killed may go on for ever.
fn wait_for_killed() {
    let (times, pause) = PATIENCE;
    for _ in 0..times {
        reap();
        if !orphans().iter().any(|orphan| orphan.killed) {
            break;
        }
        thread::sleep(pause);
    }
}

/// Whether this runtime's task is there.
#[derive(Default)]
struct Waits(Cell<bool>);

fn wait_for_all(core: &Core, at: &'static Location<'static>) {
    let waits = core.annex.get::<Waits>();
    if !waits.0.replace(true) {
        let task = core.spawn(Box::pin(until_none_is_left(Waiting(waits), at)), Some("orphans"), at);
        drop(core.tasks.detach(task));
    }
}

async fn until_none_is_left(_waiting: Waiting, at: &'static Location<'static>) {
    // Without a descriptor to listen with, the looks have to do.
    let (mut ends, mut look) = (signal(SignalKind::child()).ok(), Look::new(UNAWAITED));
    while reap() > 0 {
        poll_fn(|cx| match ends.as_mut().map(|ends| ends.poll_at(cx, at)) {
            Some(Poll::Ready(Some(()))) => Poll::Ready(()),
            _ => look.poll(cx, at),
        })
        .await;
    }
}

/// However the task ends, the next orphan needs another. It ends early when its runtime does.
struct Waiting(Rc<Waits>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.set(false);
        wait_for_killed();
    }
}
