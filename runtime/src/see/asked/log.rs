//! The log: one line a turn, on stderr. It is strace for the loop.
//!
//! `ONELOOP_LOG=1` attaches it to every runtime that is built. A line is written at the end of a turn, and begins with
//! the time at its beginning. So is a task logged that sleeps for ten milliseconds, and its joiner:
//!
//! ```text
//!     turn 1         0.000 s | polled 1 "main" 2 "reader" | parked 10 ms
//!     turn 2         0.010 s | polled 2 "reader" done 1 "main" done | timers fired 1 | woken by task 1 timer 1
//! ```

use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

use crate::ground::event::{Cause, Event, Finished, Observer, Polled, TaskId};
use crate::ground::shown::Shown;
use crate::ground::span::Span;
use crate::ground::wishes::is_wished;
use crate::see::model::numbered::Numbered;
use crate::see::model::words::several;
use crate::see::stderr;

/// How many tasks of one turn are named before the rest is only counted.
const NAMED: usize = 8;

/// Writes one line a turn.
#[derive(Default)]
pub(crate) struct Log {
    line: RefCell<Line>,
}

#[derive(Default)]
struct Line {
    names: Numbered<String>,
    began: Duration,
    inbox: usize,
    timers: usize,
    polls: Vec<(TaskId, &'static str)>,
    /// How many wakes each kind of cause made, in the order of the kinds' names.
    wakes: Vec<(&'static str, usize)>,
    parked: Option<(Duration, Option<Duration>)>,
    park: String,
}

impl Log {
    /// The log, if `ONELOOP_LOG` is set to anything but `0` or nothing.
    pub(crate) fn if_asked_for() -> Option<Rc<dyn Observer>> {
        is_wished("ONELOOP_LOG").then(|| Rc::new(Self::default()) as Rc<dyn Observer>)
    }
}

impl Observer for Log {
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        let line = &mut *self.line.borrow_mut();
        match *event {
            Event::TurnStart { inbox, .. } => (line.inbox, line.began) = (inbox, at),
            Event::Spawn { task, name: Some(name), .. } => {
                line.names.insert(task.as_u64(), name.to_owned());
            }
            // The end of `block_on`'s own future comes after its last turn, and its last poll in it.
            Event::PollEnd { task, outcome } => line.polled(
                task,
                match outcome {
                    Polled::Pending => "",
                    Polled::Ready => " done",
                    Polled::Panicked => " panicked",
                },
            ),
            Event::Finish { task, outcome: Finished::Aborted } => line.polled(task, " aborted"),
            Event::TimerFired { .. } => line.timers += 1,
            Event::Wake { cause, queued: true, .. } => line.woken(kind(cause)),
            Event::ParkStart { timeout } => line.parked = Some((at, timeout)),
            Event::ParkEnd { events } => line.parked_until(at, events),
            Event::TurnEnd { turn, .. } => {
                let text = line.finish(turn);
                stderr::log(text);
            }
            _ => {}
        }
    }
}

impl Line {
    fn woken(&mut self, by: &'static str) {
        match self.wakes.binary_search_by_key(&by, |(known, _)| *known) {
            Ok(place) => self.wakes[place].1 += 1,
            Err(place) => self.wakes.insert(place, (by, 1)),
        }
    }

    fn polled(&mut self, task: TaskId, how: &'static str) {
        match self.polls.last_mut() {
            Some(last) if last.0 == task => last.1 = how,
            _ => self.polls.push((task, how)),
        }
    }

    fn parked_until(&mut self, now: Duration, events: usize) {
        let Some((since, timeout)) = self.parked.take() else { return };
        self.park = match (timeout, events) {
            (Some(Duration::ZERO), _) => format!("looked, {}", several(events, "event")),
            (_, 0) => format!("parked {}", Span(now.saturating_sub(since))),
            (_, _) => format!("parked {}, {}", Span(now.saturating_sub(since)), several(events, "event")),
        };
    }

    /// Writes out the turn and makes ready for the next.
    fn finish(&mut self, turn: u64) -> String {
        let began = self.began.as_millis();
        let mut text = format!("turn {turn:<5} {:>5}.{:03} s", began / 1000, began % 1000);
        if self.inbox > 0 {
            let _ = write!(text, " | inbox {}", self.inbox);
        }
        if !self.polls.is_empty() {
            text.push_str(" | polled");
        }
        for (task, how) in self.polls.iter().take(NAMED) {
            match self.names.get(&task.as_u64()) {
                Some(name) => drop(write!(text, " {task} {}{how}", Shown(name))),
                None => drop(write!(text, " {task}{how}")),
            }
        }
        if let more @ 1.. = self.polls.len().saturating_sub(NAMED) {
            let _ = write!(text, " and {more} more");
        }
        if self.timers > 0 {
            let _ = write!(text, " | timers fired {}", self.timers);
        }
        if !self.park.is_empty() {
            let _ = write!(text, " | {}", self.park);
        }
        if !self.wakes.is_empty() {
            text.push_str(" | woken by");
        }
        for (by, count) in &self.wakes {
            let _ = write!(text, " {by} {count}");
        }
        text.push('\n');
        for (task, _) in self.polls.iter().filter(|(_, how)| !how.is_empty()) {
            self.names.remove(&task.as_u64());
        }
        let names = std::mem::take(&mut self.names);
        *self = Self { names, ..Self::default() };
        text
    }
}

fn kind(cause: Cause) -> &'static str {
    match cause {
        Cause::Task(_) => "task",
        Cause::Timer(_) => "timer",
        Cause::Source(_) => "source",
        Cause::Thread(_) => "thread",
        Cause::Outside => "outside",
    }
}
