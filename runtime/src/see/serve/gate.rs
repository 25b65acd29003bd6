//! The gate: where the loop can be held, stepped and slowed down.
//!
//! The loop passes it before each event is told, on its own thread. Viewers control it from theirs. While nobody does,
//! a pass costs one look at a flag. The loop is held before a poll or before a turn, where none of its tasks' code
//! runs. It is never held inside a poll: the task might hold a lock that other threads want.
//!
//! ```text
//!                 pause                    before the next poll
//!     running ------------> about to stop ----------------------> held at "poll"
//!        ^  \-- until wake of a task -> it is woken -> before the next poll -> held at "wake"
//!        |                                                                |
//!        +------- resume, or no viewer for two seconds -------------------+
//!                                          step: as far as the next poll, or the next turn
//! ```
//!
//! The loop must never wait here for anybody who does not want it held. So the lock is taken for a few assignments at a
//! time. And a held loop goes on by itself when nobody has been watching for a while.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::ground::event::Event;
use crate::see::model::json::object;

/// After how long without a viewer a held loop goes on by itself.
const ALONE: Duration = Duration::from_secs(2);

/// A viewer's wish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Command {
    /// Stop before the next poll.
    Pause,
    /// Go on.
    Resume,
    /// One poll, then stop before the next.
    StepPoll,
    /// Go on to where the next turn starts.
    StepTurn,
    /// Go on until the task with this number has been woken, then stop before the next poll.
    UntilWake(u64),
    /// Wait this long before each poll.
    Slow(Duration),
}

/// The place where the loop is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Held {
    /// Before the poll of this task.
    Poll(u64),
    /// Before a turn.
    Turn,
    /// Before the poll of the second task, after the first was woken.
    Wake(u64, u64),
}

/// The loop's orders for the next occasion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wish {
    Run,
    StopAtPoll,
    /// Stop before the first poll after this task was woken.
    StopAfterWake(u64),
    /// Pass this many polls, then stop at the next.
    Polls(u32),
    /// Stop at the start of a turn, this many turns from here.
    Turns(u32),
    UntilWake(u64),
}

/// Whether the loop runs. Its `Display` is the line that viewers are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Status {
    held: Option<Held>,
    delay: Duration,
    /// How often it has changed: a loop that is held again after a step is news.
    changes: u64,
}

/// The gate.
pub(super) struct Gate {
    /// False while there is nothing to do but to pass.
    engaged: Arc<AtomicBool>,
    control: Mutex<Control>,
    changed: Condvar,
}

struct Control {
    wish: Wish,
    status: Status,
    /// The loop waits before a poll, because a viewer wants it slow.
    slowed: bool,
    viewers: usize,
    /// When somebody last was there, or said something.
    last_seen: Instant,
}

impl Gate {
    pub(super) fn new() -> Self {
        let last_seen = Instant::now();
        let status = Status { held: None, delay: Duration::ZERO, changes: 0 };
        let control = Control { wish: Wish::Run, status, slowed: false, viewers: 0, last_seen };
        Self { engaged: Arc::default(), control: Mutex::new(control), changed: Condvar::new() }
    }

    /// Is true while the loop has to pass.
    pub(super) fn engaged(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.engaged)
    }

    /// Called on the loop's thread while the gate is engaged, before the event is told. It returns when the loop may go
    /// on, and how long that was if anybody held or slowed it.
    pub(super) fn pass(&self, event: &Event<'_>) -> Option<Duration> {
        let began = Instant::now();
        let waited = match *event {
            Event::PollStart { task } => self.before_poll(task.as_u64()),
            Event::TurnStart { .. } => self.before_turn(),
            Event::Wake { task, .. } => {
                let mut control = self.lock();
                if control.wish == Wish::UntilWake(task.as_u64()) {
                    control.wish = Wish::StopAfterWake(task.as_u64());
                }
                false
            }
            _ => false,
        };
        waited.then(|| began.elapsed())
    }

    /// Whether the loop had to wait here.
    #[cold]
    fn before_poll(&self, task: u64) -> bool {
        let mut control = self.lock();
        let began = Instant::now();
        let mut slowed = false;
        // A step need not be slow: a viewer who steps sees each.
        while matches!(control.wish, Wish::Run | Wish::UntilWake(_)) {
            let left = control.status.delay.saturating_sub(began.elapsed());
            if left.is_zero() {
                control.slowed = false;
                self.disengage_if_idle(&control);
                return slowed;
            }
            (slowed, control.slowed) = (true, true);
            control = self.wait(control, left);
        }
        control.slowed = false;
        match control.wish {
            Wish::StopAtPoll => self.hold(control, Held::Poll(task)),
            Wish::StopAfterWake(woken) => self.hold(control, Held::Wake(woken, task)),
            Wish::Polls(_) => {
                control.one_poll_less();
                slowed
            }
            Wish::Run | Wish::Turns(_) | Wish::UntilWake(_) => slowed,
        }
    }

    #[cold]
    fn before_turn(&self) -> bool {
        let mut control = self.lock();
        control.leave_if_alone();
        match control.wish {
            Wish::Turns(0 | 1) => return self.hold(control, Held::Turn),
            Wish::Turns(more) => control.wish = Wish::Turns(more - 1),
            _ => {}
        }
        false
    }

    /// Holds the loop until it is wished otherwise. If that is a poll and it is held before one, this is
    /// the one.
    fn hold(&self, mut control: MutexGuard<'_, Control>, at: Held) -> bool {
        control.wish = Wish::StopAtPoll;
        control.say(Some(at));
        self.changed.notify_all();
        while control.wish == Wish::StopAtPoll {
            control = self.wait(control, ALONE);
        }
        if at != Held::Turn {
            control.one_poll_less();
        }
        control.say(None);
        self.changed.notify_all();
        true
    }

    /// Waits until something changes, for at most `limit`.
    fn wait<'a>(&self, control: MutexGuard<'a, Control>, limit: Duration) -> MutexGuard<'a, Control> {
        let alone_in = control.alone_in().map_or(limit, |alone| alone.min(limit));
        let waited = self.changed.wait_timeout(control, alone_in.max(Duration::from_millis(1)));
        let (mut control, _) = waited.unwrap_or_else(PoisonError::into_inner);
        control.leave_if_alone();
        control
    }

    fn disengage_if_idle(&self, control: &Control) {
        if control.wish == Wish::Run && control.status.delay.is_zero() {
            self.engaged.store(false, Ordering::Relaxed);
        }
    }

    /// Turns the gate.
    pub(super) fn command(&self, command: Command) {
        let mut control = self.lock();
        control.last_seen = Instant::now();
        match (command, control.wish) {
            (Command::Pause, _) => control.wish = Wish::StopAtPoll,
            (Command::Resume, _) => control.wish = Wish::Run,
            // A viewer who asks for two steps at once gets two.
            (Command::StepPoll, Wish::Polls(asked)) => control.wish = Wish::Polls(asked.saturating_add(1)),
            (Command::StepPoll, _) => control.wish = Wish::Polls(1),
            (Command::StepTurn, Wish::Turns(asked)) => control.wish = Wish::Turns(asked.saturating_add(1)),
            (Command::StepTurn, _) => control.wish = Wish::Turns(1),
            (Command::UntilWake(task), _) => control.wish = Wish::UntilWake(task),
            (Command::Slow(delay), _) => {
                control.status.delay = delay;
                control.status.changes += 1;
            }
        }
        self.engaged.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// A viewer is there until the guard is dropped.
    pub(super) fn viewer(&self) -> Viewer<'_> {
        self.lock().viewers += 1;
        Viewer(self)
    }

    /// Whether the loop waits for a viewer, held or slowed.
    pub(super) fn is_closed(&self) -> bool {
        let control = self.lock();
        control.slowed || control.status.held.is_some()
    }

    /// Whether the loop runs, as of now.
    pub(super) fn status(&self) -> Status {
        self.lock().status
    }

    /// Returns when the status is another than `known`, or after `limit`.
    pub(super) fn status_after(&self, known: Status, limit: Duration) -> Status {
        let control = self.lock();
        if control.status != known {
            return control.status;
        }
        let waited = self.changed.wait_timeout(control, limit);
        waited.unwrap_or_else(PoisonError::into_inner).0.status
    }

    fn lock(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    fn say(&mut self, held: Option<Held>) {
        self.status.held = held;
        self.status.changes += 1;
    }

    fn one_poll_less(&mut self) {
        match self.wish {
            Wish::Polls(0 | 1) => self.wish = Wish::StopAtPoll,
            Wish::Polls(more) => self.wish = Wish::Polls(more - 1),
            _ => {}
        }
    }

    /// How long until the loop goes on because nobody watches; `None` while somebody does.
    fn alone_in(&self) -> Option<Duration> {
        (self.viewers == 0).then(|| ALONE.saturating_sub(self.last_seen.elapsed()))
    }

    /// Nobody is left who could let the loop go on.
    fn leave_if_alone(&mut self) {
        if self.alone_in() == Some(Duration::ZERO) {
            self.wish = Wish::Run;
            if !self.status.delay.is_zero() {
                self.status.delay = Duration::ZERO;
                self.status.changes += 1;
            }
        }
    }
}

/// Somebody who watches.
pub(super) struct Viewer<'a>(&'a Gate);

impl Drop for Viewer<'_> {
    fn drop(&mut self) {
        let mut control = self.0.lock();
        control.viewers -= 1;
        control.last_seen = Instant::now();
        // The held loop looks at the clock from here on.
        self.0.changed.notify_all();
    }
}

impl Status {
    /// Whether the loop is held.
    pub(super) fn is_held(self) -> bool {
        self.held.is_some()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        object(f, |line| {
            match self.held {
                None => line.text("status", "running").number("delay", self.delay.as_millis()),
                Some(Held::Poll(next)) => line.text("status", "held").text("at", "poll").number("next", next),
                Some(Held::Turn) => line.text("status", "held").text("at", "turn"),
                Some(Held::Wake(task, next)) => {
                    line.text("status", "held").text("at", "wake").number("task", task).number("next", next)
                }
            };
        })
    }
}
