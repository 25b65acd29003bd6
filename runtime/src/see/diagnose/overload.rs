//! Overload: a task that wakes itself again and again, and timers that pile up behind something slow.
//!
//! Both are seen in the event stream. Only whether a task that wakes itself waits for something, or makes
//! room for the others, is not; the latter is its right.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ground::event::{Cause, Event, TaskId};
use crate::heart::current::current;
use crate::task::take_yielded;

/// From how many polls on end, each of which the task itself asked for, one speaks of a storm.
const STORM: u32 = 200;

/// From how many late timers in a turn one speaks of a pile.
const PILE: u32 = 16;

/// How long nothing is said of timers after something was.
const QUIET: Duration = Duration::from_secs(1);

/// Whether the task woke itself because it yields, or has had its share of this poll.
fn made_room() -> bool {
    take_yielded() || current().is_some_and(|core| !core.may_complete())
}

/// What was seen, for a sentence.
#[derive(Clone, Copy)]
pub(super) enum Seen {
    /// A task woke itself in so many polls on end, for so long.
    Storm { task: TaskId, polls: u32, lasts: Duration },
    /// So many timers fired late in one turn; how late the worst was, and whose poll was the longest of
    /// the turn before.
    Pile { late: u32, worst: Duration, behind: Option<(TaskId, Duration)> },
}

/// Watches for both. What takes less than the limit is not worth a word.
pub(super) struct Overload {
    limit: Duration,
    streaks: BTreeMap<TaskId, Streak>,
    polled: Option<(TaskId, Duration)>,
    /// The longest poll since the timers were last looked at.
    longest: Option<(TaskId, Duration)>,
    late: u32,
    worst: Duration,
    told: Option<Duration>,
}

/// Polls on end that a task asked for by waking itself, and nobody else.
struct Streak {
    polls: u32,
    since: Duration,
    told: bool,
}

impl Overload {
    pub(super) fn new(limit: Duration) -> Self {
        let (streaks, worst) = (BTreeMap::new(), Duration::ZERO);
        Self { limit, streaks, polled: None, longest: None, late: 0, worst, told: None }
    }

    pub(super) fn note(&mut self, at: Duration, event: &Event<'_>) -> Option<Seen> {
        match *event {
            Event::PollStart { task } => {
                take_yielded();
                self.polled = Some((task, at));
                return self.pile(at);
            }
            Event::PollEnd { task, .. } => {
                let took = self.polled.take().map(|(_, since)| at.saturating_sub(since)).unwrap_or_default();
                if self.longest.is_none_or(|(_, longest)| longest < took) {
                    self.longest = Some((task, took));
                }
            }
            Event::Wake { task, cause: Cause::Task(by), queued: true } if task == by && !made_room() => {
                return self.woke_itself(task, at);
            }
            Event::Wake { task, .. } | Event::Finish { task, .. } => drop(self.streaks.remove(&task)),
            Event::TimerFired { late, .. } if late > self.limit => {
                self.late += 1;
                self.worst = self.worst.max(late);
            }
            Event::TurnEnd { .. } => return self.pile(at),
            _ => {}
        }
        None
    }

    fn woke_itself(&mut self, task: TaskId, at: Duration) -> Option<Seen> {
        let streak = self.streaks.entry(task).or_insert(Streak { polls: 0, since: at, told: false });
        streak.polls = streak.polls.saturating_add(1);
        let (polls, lasts) = (streak.polls, at.saturating_sub(streak.since));
        let is_storm = !streak.told && polls >= STORM && lasts > self.limit;
        streak.told |= is_storm;
        is_storm.then_some(Seen::Storm { task, polls, lasts })
    }

    /// The timers of this turn have fired.
    fn pile(&mut self, at: Duration) -> Option<Seen> {
        let (late, worst) = (std::mem::take(&mut self.late), std::mem::take(&mut self.worst));
        let behind = if late > 0 { self.longest.take() } else { None };
        let was_told = self.told.is_some_and(|told| at.saturating_sub(told) < QUIET);
        if late < PILE || was_told {
            return None;
        }
        self.told = Some(at);
        Some(Seen::Pile { late, worst, behind: behind.filter(|(_, took)| *took > self.limit) })
    }
}
