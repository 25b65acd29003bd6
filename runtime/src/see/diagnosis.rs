//! The diagnosis: what keeps a program from going on, said in a sentence while it happens.
//!
//! It is an observer that asks the stores when the loop is about to sleep, and a thread that looks over
//! its shoulder, since a loop that is held up by a slow poll can say nothing itself. It reports on
//! stderr, each finding once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::context::{Core, current};
use crate::event::{Event, Observer, Place, Polled, TaskId};
use crate::key::TaskKey;
use crate::see::circle::Circles;
use crate::see::dump::{Dump, TaskState};
use crate::waker::{kept_wakers, take_bereft, word_of};

/// Looks for what keeps a program from going on.
pub(crate) struct Diagnosis {
    slow_poll: Duration,
    /// The poll that is going on, for the watching thread.
    poll: Arc<Mutex<Option<Poll>>>,
    told: RefCell<Told>,
}

/// A poll, from its start.
struct Poll {
    of: String,
    /// For the watching thread, which cannot read the runtime's clock.
    since: Instant,
    /// By the runtime's clock.
    started: Duration,
    reported: bool,
}

#[derive(Default)]
struct Told {
    /// Names and lines, by task.
    tasks: BTreeMap<TaskId, (Option<String>, Place)>,
    /// The line of the future that each task waited for last.
    waited_at: BTreeMap<TaskId, Place>,
    /// Tasks that returned `Pending` since the loop last slept.
    pending: BTreeSet<TaskId>,
    /// Findings that are reported.
    forgotten: BTreeSet<TaskId>,
    circles: Circles,
    /// The tasks of those that are reported.
    in_circles: BTreeSet<TaskId>,
    asleep_for_ever: bool,
}

impl Diagnosis {
    pub(crate) fn is_asked_for() -> bool {
        std::env::var_os("ONELOOP_DIAGNOSE").is_some_and(|value| !value.is_empty() && value != "0")
    }

    pub(crate) fn new(slow_poll: Duration) -> Self {
        let poll = Arc::new(Mutex::new(None));
        let (watched, pause) = (Arc::downgrade(&poll), slow_poll / 4);
        let watch = move || {
            while let Some(poll) = watched.upgrade() {
                report_if_slow(&poll, slow_poll);
                drop(poll);
                std::thread::sleep(pause.max(Duration::from_millis(1)));
            }
        };
        // Without the thread a slow poll is still reported, when it is over.
        let _ = std::thread::Builder::new().name(String::from("oneloop-watch")).spawn(watch);
        Self { slow_poll, poll, told: RefCell::default() }
    }

    fn poll_started(&self, task: TaskId, started: Duration) {
        let of = self.told.borrow().describe(task);
        *lock(&self.poll) = Some(Poll { of, since: Instant::now(), started, reported: false });
    }

    fn poll_ended(&self, task: TaskId, outcome: Polled, now: Duration) {
        let ended = lock(&self.poll).take();
        if let Some(Poll { of, started, .. }) = ended.filter(|poll| now.saturating_sub(poll.started) > self.slow_poll) {
            let took = now.saturating_sub(started);
            report(format_args!("{of} ran for {took:.0?} in one poll, and nothing else could"));
        }
        if outcome == Polled::Pending {
            self.told.borrow_mut().pending.insert(task);
        }
    }

    /// The loop is about to sleep. Whoever waits now, and has no waker left, waits for ever.
    fn look_for_forgotten(&self, core: &Core) {
        let mut told = self.told.borrow_mut();
        let mut suspects: BTreeSet<_> = std::mem::take(&mut told.pending);
        suspects.extend(take_bereft(core.number).into_iter().filter_map(|word| core.tasks.named_by(word)).map(TaskId));
        for task in suspects {
            if core.tasks.is_waiting(task.0) && kept_wakers(task.0) == 0 && told.forgotten.insert(task) {
                let described = told.describe(task);
                report(format_args!("nobody can wake {described}: it returned Pending, and no waker of it is left"));
            }
        }
    }

    /// The loop is about to sleep. Where tasks wait for each other, and nobody else holds a waker of
    /// theirs, they do so for ever, whatever else goes on.
    fn look_for_circles(&self) {
        let mut told = self.told.borrow_mut();
        for circle in told.circles.closed() {
            let is_known = circle.iter().any(|task| told.in_circles.contains(task));
            if is_known || circle.iter().any(|task| kept_wakers(task.0) > 1) {
                continue;
            }
            told.in_circles.extend(&circle);
            let chain: Vec<_> = circle.iter().map(ToString::to_string).collect();
            report(format_args!("tasks wait for each other in a circle: task {}", chain.join(" waits for task ")));
            for task in &circle[..circle.len() - 1] {
                report(format_args!("    {}", told.describe(*task)));
            }
        }
    }

    /// The loop is about to sleep until somebody outside wakes it. Where nobody can, it says who waits
    /// for whom.
    fn look_for_the_end(&self, core: &Core) {
        if core.reactor.is_awaited() || core.jobs_away.get() > 0 || somebody_outside(core) {
            return;
        }
        let mut told = self.told.borrow_mut();
        if std::mem::replace(&mut told.asleep_for_ever, true) {
            return;
        }
        let dump = Dump::of(core);
        report(format_args!("the loop sleeps for ever: nothing outside can wake it"));
        let mut waits_unseen = 0;
        for task in dump.tasks.iter().filter(|task| task.state == TaskState::Waiting) {
            let mut waits: Vec<_> = task.waits.iter().map(ToString::to_string).collect();
            match kept_wakers(task.id.0).saturating_sub(waits.len()) {
                0 if waits.is_empty() => waits.push(String::from("nothing: no waker of it is left")),
                0 => {}
                unseen => {
                    waits_unseen += 1;
                    waits.push(unseen_wait(unseen));
                }
            }
            report(format_args!("    {} waits for {}", told.describe(task.id), waits.join(", ")));
        }
        if waits_unseen > 0 {
            report(format_args!(
                "    who could end such a wait, by giving up a lock say, is one of these tasks, or gone"
            ));
        }
    }
}

impl Observer for Diagnosis {
    fn on_event(&self, now: Duration, event: &Event<'_>) {
        self.told.borrow_mut().circles.note(event);
        match *event {
            Event::Spawn { task, name, at, .. } => {
                self.told.borrow_mut().tasks.insert(task, (name.map(String::from), at));
            }
            Event::Wait { task, at, .. } => drop(self.told.borrow_mut().waited_at.insert(task, at)),
            Event::PollStart { task } => self.poll_started(task, now),
            Event::PollEnd { task, outcome } => self.poll_ended(task, outcome, now),
            Event::Finish { task, .. } => self.told.borrow_mut().forget(task),
            Event::ParkStart { timeout } if timeout != Some(Duration::ZERO) => {
                let Some(core) = current() else { return };
                self.look_for_forgotten(&core);
                self.look_for_circles();
                if timeout.is_none() {
                    self.look_for_the_end(&core);
                }
            }
            _ => {}
        }
    }
}

impl Told {
    fn describe(&self, task: TaskId) -> String {
        let mut text = format!("task {task}");
        if let Some((name, at)) = self.tasks.get(&task) {
            let name = name.as_ref().map_or_else(String::new, |name| format!(" {name:?}"));
            text = format!("{text}{name} (spawned at {at}");
            if let Some(waited_at) = self.waited_at.get(&task) {
                text = format!("{text}, last waited at {waited_at}");
            }
            text.push(')');
        }
        text
    }

    fn forget(&mut self, task: TaskId) {
        self.tasks.remove(&task);
        self.waited_at.remove(&task);
        self.pending.remove(&task);
        self.forgotten.remove(&task);
        self.in_circles.remove(&task);
    }
}

/// A waker says whose it is, not who keeps it: of what is no timer, socket or join, no more is known.
fn unseen_wait(wakers: usize) -> String {
    let wakers = if wakers == 1 { String::from("a waker") } else { format!("{wakers} wakers") };
    format!("something outside the runtime that keeps {wakers} of it, such as a lock or a channel")
}

/// Whether anybody but the loop's own tasks may hold one of their wakers, or a handle that spawns.
/// Wakers that wait for a task's end are the loop's own; those in a channel may be anybody's.
fn somebody_outside(core: &Core) -> bool {
    // The registry and the core have one each.
    if Arc::strong_count(&core.inbox) > 2 {
        return true;
    }
    let mut joiners: BTreeMap<TaskKey, usize> = BTreeMap::new();
    core.tasks.each_joiner(|_, waker| {
        let task = word_of(waker).and_then(|word| core.tasks.named_by(word));
        *joiners.entry(task.unwrap_or(TaskKey::NOBODY)).or_default() += 1;
    });
    let rows = core.tasks.rows(core.current_task());
    let mut waiting = rows.iter().map(|row| row.key).filter(|key| core.tasks.is_waiting(*key));
    let other_threads = threads().is_none_or(|threads| threads > 2);
    other_threads && waiting.any(|key| kept_wakers(key) > joiners.get(&key).copied().unwrap_or(0))
}

/// How many threads this process has, where the system says.
fn threads() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}

fn report_if_slow(poll: &Mutex<Option<Poll>>, limit: Duration) {
    let mut poll = lock(poll);
    if let Some(poll) = poll.as_mut().filter(|poll| !poll.reported && poll.since.elapsed() > limit) {
        poll.reported = true;
        report(format_args!("{} has been running for {:.0?} and holds up the loop", poll.of, poll.since.elapsed()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn report(finding: fmt::Arguments<'_>) {
    use std::io::Write as _;
    // Where stderr is closed or full there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "oneloop: {finding}");
}
