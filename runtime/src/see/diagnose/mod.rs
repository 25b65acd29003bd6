//! The diagnosis: what keeps a program from going on, said in a sentence while it happens.
//!
//! It is an observer that looks at the stores when the loop is about to sleep. It is also a thread that watches the
//! loop from outside, since a loop in a slow poll can report nothing itself. Each finding is told once: as an event,
//! and on stderr if that is asked for.

mod circle;
pub(super) mod counted;
mod names;
mod once;
mod outside;
pub(crate) mod overload;
mod watch;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::ground::event::{Event, Finding, Observer, Polled, TaskId};
use crate::ground::span::Span;
use crate::ground::wishes::is_wished;
use crate::heart::core::Core;
use crate::heart::current::{current, with_current};
use crate::see::asked::to_file;
use crate::see::diagnose::circle::Circles;
use crate::see::diagnose::counted::{kept_wakers, take_bereft};
use crate::see::diagnose::names::Names;
use crate::see::diagnose::once::Once;
use crate::see::diagnose::outside::{somebody_outside, waits_of};
use crate::see::diagnose::overload::{Overload, Seen};
use crate::see::diagnose::watch::{Poll, Watch, lock, report};
use crate::see::model::dump::Dump;
use crate::see::model::slots::Slots;
use crate::see::model::things::TaskState;
use crate::see::serve;

/// Looks for what keeps a program from going on.
pub(crate) struct Diagnosis {
    slow_poll: Duration,
    /// When the poll that is going on began, by the runtime's clock.
    started: Cell<Option<Duration>>,
    /// The poll that is going on, for the watching thread.
    poll: Arc<Mutex<Option<Poll>>>,
    names: Arc<Names>,
    told: RefCell<Told>,
    /// The runtime's number, once it has told of anything.
    runtime: Cell<u32>,
    on_stderr: bool,
    watch: Option<Watch>,
}

/// A finding: a sentence, and what belongs to it.
struct Found {
    kind: Finding,
    task: Option<TaskId>,
    lines: Vec<String>,
}

/// The facts that the diagnosis has learnt from events, and its findings.
struct Told {
    names: Arc<Names>,
    /// Tasks that returned `Pending` since the loop last slept and left no waker, or whose last waker went.
    pending: Once,
    /// The tasks without a waker that are reported.
    forgotten: Slots<()>,
    circles: Circles,
    overload: Overload,
    /// The task of the last slow poll, which may be over by the time that timers are late for it.
    slow: Option<(TaskId, String)>,
    /// The tasks of the circles that are reported.
    in_circles: Slots<()>,
    asleep_for_ever: bool,
    /// The findings to be told when no borrow is alive.
    found: Vec<Found>,
}

impl Diagnosis {
    /// A diagnosis, if the builder or `ONELOOP_DIAGNOSE` asks for one. A user who records or watches a
    /// program wants to see what is found, too, but has not asked for lines on stderr.
    pub(crate) fn if_asked_for(by_builder: bool, slow_poll: Duration) -> Option<Rc<dyn Observer>> {
        let on_stderr = by_builder || is_wished("ONELOOP_DIAGNOSE");
        let is_asked_for = on_stderr || to_file::is_asked_for() || serve::is_asked_for();
        is_asked_for.then(|| Rc::new(Self::new(slow_poll, on_stderr)) as Rc<dyn Observer>)
    }

    /// With `on_stderr`, what is found is reported there too, and a slow poll also while it goes on.
    fn new(slow_poll: Duration, on_stderr: bool) -> Self {
        let (poll, names) = (Arc::new(Mutex::new(None)), Arc::new(Names::default()));
        // Without the thread a slow poll is still reported, when it is over.
        let watch = if on_stderr { Watch::new(Arc::clone(&poll), Arc::clone(&names), slow_poll).ok() } else { None };
        let told = RefCell::new(Told::new(Arc::clone(&names), slow_poll));
        let (started, runtime) = (Cell::new(None), Cell::new(0));
        Self { slow_poll, started, poll, names, told, runtime, on_stderr, watch }
    }

    /// Runs at every poll, so it makes nothing that only a finding needs.
    fn poll_started(&self, task: TaskId, told: Duration) {
        // An observer that was told before may have held the loop.
        let now = |core: &Rc<Core>| (!core.observers.reading.is_only_noted()).then(|| core.timers.uptime());
        let started = with_current(now).flatten().unwrap_or(told);
        self.started.set(Some(started));
        self.runtime.set(task.0.0.runtime);
        if self.watch.is_some() {
            *lock(&self.poll) = Some(Poll { task, since: Instant::now(), reported: false });
        }
    }

    fn poll_ended(&self, task: TaskId, outcome: Polled, now: Duration) {
        if self.watch.is_some() {
            lock(&self.poll).take();
        }
        let told = &mut *self.told.borrow_mut();
        if let Some(started) = self.started.take().filter(|started| now.saturating_sub(*started) > self.slow_poll) {
            let (of, took) = (told.describe(task), now.saturating_sub(started));
            let text = format!("{of} ran for {} in one poll, and nothing else could", Span(took));
            told.slow = Some((task, of));
            told.found(Finding::SlowPoll, Some(task), vec![text]);
        }
        // If its last waker goes later, that is counted as it goes.
        if outcome == Polled::Pending && kept_wakers(task.0) == 0 {
            told.pending.insert(task);
        }
    }

    /// Runs when the loop is about to sleep. A task that waits now, and has no waker left, waits for ever.
    fn look_for_forgotten(&self, core: &Core) {
        let told = &mut *self.told.borrow_mut();
        told.suspect_bereft(core);
        for task in told.pending.take() {
            if !core.tasks.is_waiting(task.0) || kept_wakers(task.0) > 0 {
                continue;
            }
            if is_called(core) {
                told.pending.insert(task);
            } else if told.forgotten.add(task.0.0) {
                let described = told.describe(task);
                let text = format!("nobody can wake {described}: it returned Pending, and no waker of it is left");
                told.found(Finding::NobodyCanWake, Some(task), vec![text]);
            }
        }
    }

    /// Runs when the loop is about to sleep. If tasks wait for each other, and nobody else holds a waker of theirs,
    /// they wait for ever, whatever else goes on.
    fn look_for_circles(&self, core: &Core) {
        let told = &mut *self.told.borrow_mut();
        for circle in told.circles.closed() {
            let is_known = circle.iter().any(|task| told.in_circles.get(task.0.0).is_some());
            if is_known || circle.iter().any(|task| kept_wakers(task.0) > 1) || is_called(core) {
                continue;
            }
            circle.iter().for_each(|task| told.in_circles.put(task.0.0, ()));
            let chain: Vec<_> = circle.iter().map(ToString::to_string).collect();
            let mut lines =
                vec![format!("tasks wait for each other in a circle: task {}", chain.join(" waits for task "))];
            lines.extend(circle.iter().take(circle.len() - 1).map(|task| told.describe(*task)));
            told.found(Finding::EveryoneWaits, circle.first().copied(), lines);
        }
    }

    /// Runs when the loop is about to sleep until somebody outside wakes it. If nobody can, it reports who waits for
    /// whom.
    fn look_for_the_end(&self, core: &Core) {
        if core.reactor.is_awaited() || core.outside_waits.get() > 0 || somebody_outside(core) || is_called(core) {
            return;
        }
        let told = &mut *self.told.borrow_mut();
        if std::mem::replace(&mut told.asleep_for_ever, true) {
            return;
        }
        let mut lines = vec![String::from("the loop sleeps for ever: nothing outside can wake it")];
        let mut waits_unseen = false;
        for task in Dump::of(core).tasks.iter().filter(|task| task.state == TaskState::Waiting) {
            let (waits, is_unseen) = waits_of(task);
            waits_unseen |= is_unseen;
            lines.push(format!("{} waits for {}", told.describe(task.id), waits.join(", ")));
        }
        if waits_unseen {
            lines.push(String::from(
                "who could end such a wait, by giving up a lock say, is one of these tasks, or gone",
            ));
        }
        told.found(Finding::EveryoneWaits, None, lines);
    }

    /// Tells what was found. No borrow is alive.
    fn tell(&self, core: &Core) {
        let found = std::mem::take(&mut self.told.borrow_mut().found);
        for Found { kind, task, lines } in found {
            let on_stderr = lines.iter().enumerate().filter(|_| self.on_stderr);
            on_stderr.for_each(|(n, line)| report(if n == 0 { "" } else { "    " }, line));
            let text = lines.join("; ");
            core.tell(|| Event::Finding { kind, task, text: &text });
        }
    }
}

/// Whether a thread has sent something since the loop made up its mind to sleep. To be asked after the
/// wakers were counted: a wake is sent first, and only then is its waker gone.
fn is_called(core: &Core) -> bool {
    !core.incoming.is_empty()
}

impl Observer for Diagnosis {
    fn on_event(&self, now: Duration, event: &Event<'_>) {
        self.told.borrow_mut().note(now, event);
        match *event {
            Event::Spawn { task, name, at, .. } => self.names.learn(task, name, at),
            Event::Wait { task, on, at } => self.names.waits(task, on, at),
            Event::PollStart { task } => self.poll_started(task, now),
            Event::PollEnd { task, outcome } => self.poll_ended(task, outcome, now),
            Event::Finish { task, .. } => self.told.borrow_mut().forget(task),
            // A loop that never sleeps takes them too: else they would become more and more.
            Event::TurnEnd { .. } => current().iter().for_each(|core| self.told.borrow_mut().suspect_bereft(core)),
            Event::ParkStart { timeout } if timeout != Some(Duration::ZERO) => current().iter().for_each(|core| {
                self.look_for_forgotten(core);
                self.look_for_circles(core);
                if timeout.is_none() {
                    self.look_for_the_end(core);
                }
            }),
            _ => {}
        }
        if !self.told.borrow().found.is_empty() {
            current().iter().for_each(|core| self.tell(core));
        }
    }

    /// A finding, which it says aloud, is told in an event of its own.
    fn only_notes(&self) -> bool {
        true
    }

    /// No finding is about these, and a busy loop tells many.
    fn wants_details(&self) -> bool {
        false
    }
}

impl Drop for Diagnosis {
    /// Nobody takes what is left of a runtime that ends.
    fn drop(&mut self) {
        drop(take_bereft(self.runtime.get()));
    }
}

impl Told {
    fn new(names: Arc<Names>, slow_poll: Duration) -> Self {
        Self {
            names,
            pending: Once::default(),
            forgotten: Slots::default(),
            circles: Circles::default(),
            overload: Overload::new(slow_poll),
            slow: None,
            in_circles: Slots::default(),
            asleep_for_ever: false,
            found: Vec::new(),
        }
    }

    fn note(&mut self, now: Duration, event: &Event<'_>) {
        self.circles.note(event);
        let (kind, task, text) = match self.overload.note(now, event) {
            None => return,
            Some(Seen::Storm { task, polls, lasts }) => {
                let (of, lasts) = (self.describe(task), Span(lasts));
                let text = format!(
                    "{of} has woken itself in {polls} polls on end, for {lasts}, and keeps the loop from sleeping: \
                     if it waits for something, let that wake it"
                );
                (Finding::SelfWakeStorm, Some(task), text)
            }
            Some(Seen::Pile { late, worst, behind }) => {
                let behind = behind.map_or_else(
                    || String::from("the loop had too much else to do"),
                    |(task, took)| format!("{} ran for {} in one poll before", self.describe_slow(task), Span(took)),
                );
                let text = format!("{late} timers fired together, up to {} late: {behind}", Span(worst));
                (Finding::TimerPileUp, None, text)
            }
        };
        self.found(kind, task, vec![text]);
    }

    /// Notes the tasks that wait and have lost their last waker. A ready task is looked at when it is polled.
    fn suspect_bereft(&mut self, core: &Core) {
        let named = take_bereft(core.number).filter_map(|word| core.tasks.named_by(word));
        named.filter(|task| core.tasks.is_waiting(*task)).for_each(|task| self.pending.insert(TaskId(task)));
    }

    fn found(&mut self, kind: Finding, task: Option<TaskId>, lines: Vec<String>) {
        self.found.push(Found { kind, task, lines });
    }

    fn describe(&self, task: TaskId) -> String {
        self.names.known(task).to_string()
    }

    fn describe_slow(&self, task: TaskId) -> String {
        match &self.slow {
            Some((slow, of)) if *slow == task => of.clone(),
            _ => self.describe(task),
        }
    }

    fn forget(&mut self, task: TaskId) {
        self.names.forget(task);
        self.pending.remove(task);
        self.forgotten.take(task.0.0);
        self.in_circles.take(task.0.0);
    }
}

#[cfg(test)]
#[test]
fn a_lost_last_waker_is_remembered_for_a_turn_and_by_live_runtimes() {
    use std::future::poll_fn;
    use std::task::Poll;

    use crate::heart::runtime::Runtime;
    use crate::see::diagnose::counted::bereft;
    use crate::task::{spawn, yield_now};

    let runtime = Runtime::builder().virtual_clock().diagnose(true).build().expect("a runtime");
    let (number, early, late) = runtime.block_on(async {
        let number = current().expect("it runs").number;
        for _ in 0..100 {
            for _ in 0..10 {
                drop(spawn(async {
                    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
                }));
            }
            yield_now().await;
            assert!(bereft(number) <= 64, "{} in a loop that never sleeps", bereft(number));
        }
        let waker = || poll_fn(|cx| Poll::Ready(cx.waker().clone()));
        (number, spawn(waker()).await.unwrap(), spawn(waker()).await.unwrap())
    });
    drop(early);
    assert_eq!(bereft(number), 1, "nobody has looked yet");
    drop(runtime);
    drop(late);
    assert_eq!(bereft(number), 0, "the runtime is gone");
}
