//! Overload: a task that wakes itself again and again, and timers that pile up behind something slow.
//!
//! Both are seen in the event stream. Only whether a task that wakes itself waits for something, or makes
//! room for the others, is not; the latter is its right.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ground::event::{Cause, Event, TaskId};
use crate::heart::current::current;
use crate::see::model::numbered::Numbered;
use crate::task::take_yielded;

/// So many polls in a row, each of which the task itself asked for, are a self-wake storm.
const STORM: u32 = 200;

/// So many late timers in one turn are a pile.
const PILE: u32 = 16;

/// How long the next report of late timers has to wait after one.
const QUIET: Duration = Duration::from_secs(1);

/// Whether the task woke itself because it yields, or has had its share of this poll.
fn made_room() -> bool {
    take_yielded() || current().is_some_and(|core| !core.may_complete())
}

/// A finding, before its sentence is made.
#[derive(Clone, Copy)]
pub(super) enum Seen {
    /// A task woke itself in `polls` polls in a row, for so long.
    Storm { task: TaskId, polls: u32, lasts: Duration },
    /// `late` timers fired late in one turn. `worst` is the delay of the latest. `behind` is the task with the longest
    /// poll of the turn before.
    Pile { late: u32, worst: Duration, behind: Option<(TaskId, Duration)> },
}

/// Watches for both. A delay below the limit is not reported.
pub(super) struct Overload {
    limit: Duration,
    streaks: Numbered<Streak>,
    polled: Option<(TaskId, Duration)>,
    /// The longest poll since the timers were last looked at.
    longest: Option<(TaskId, Duration)>,
    late: u32,
    worst: Duration,
    told: Option<Duration>,
    held: Holds,
}

/// How long viewers have held the loop, and when. No task is to blame for what was late meanwhile.
#[derive(Default)]
struct Holds {
    /// For each hold: when it was over, and how long all holds together had lasted by then.
    known: VecDeque<(Duration, Duration)>,
    /// How long all holds together had lasted before the first of `known`.
    earlier: Duration,
    /// Holds up to this time are forgotten, because too many followed.
    forgotten: Duration,
}

/// How many holds are known at most.
const HOLDS: usize = 1024;

impl Holds {
    fn note(&mut self, until: Duration, lasted: Duration) {
        let before = self.known.back().map_or(self.earlier, |&(_, sum)| sum);
        self.known.push_back((until, before + lasted));
        if self.known.len() > HOLDS {
            (self.forgotten, self.earlier) = self.known.pop_front().unwrap_or_default();
        }
    }

    /// How much of the time from `since` to `now` nobody held the loop.
    fn free(&self, since: Duration, now: Duration) -> Duration {
        if since < self.forgotten {
            return Duration::ZERO;
        }
        let first = self.known.partition_point(|&(until, _)| until <= since);
        let before = first.checked_sub(1).map_or(self.earlier, |last| self.known[last].1);
        let all = self.known.back().map_or(self.earlier, |&(_, sum)| sum);
        now.saturating_sub(since).saturating_sub(all.saturating_sub(before))
    }
}

/// Polls in a row that a task asked for by waking itself, with no wake by others.
struct Streak {
    polls: u32,
    since: Duration,
    told: bool,
}

impl Overload {
    pub(super) fn new(limit: Duration) -> Self {
        let (streaks, worst) = (Numbered::default(), Duration::ZERO);
        Self { limit, streaks, polled: None, longest: None, late: 0, worst, told: None, held: Holds::default() }
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
            Event::Wake { task, .. } | Event::Finish { task, .. } => drop(self.streaks.remove(&task.as_u64())),
            Event::Held { lasted } => self.held.note(at, lasted),
            Event::TimerFired { late, .. } if late > self.limit => {
                let late = self.held.free(at.saturating_sub(late), at);
                if late > self.limit {
                    self.late += 1;
                    self.worst = self.worst.max(late);
                }
            }
            Event::TurnEnd { .. } => return self.pile(at),
            _ => {}
        }
        None
    }

    fn woke_itself(&mut self, task: TaskId, at: Duration) -> Option<Seen> {
        let begin = || Streak { polls: 0, since: at, told: false };
        let streak = self.streaks.get_or_insert_with(task.as_u64(), begin);
        streak.polls = streak.polls.saturating_add(1);
        let (polls, lasts) = (streak.polls, self.held.free(streak.since, at));
        let is_storm = !streak.told && polls >= STORM && lasts > self.limit;
        streak.told |= is_storm;
        is_storm.then_some(Seen::Storm { task, polls, lasts })
    }

    /// The timers of this turn have fired.
    fn pile(&mut self, at: Duration) -> Option<Seen> {
        if self.late == 0 {
            return None;
        }
        let (late, worst) = (std::mem::take(&mut self.late), std::mem::take(&mut self.worst));
        let behind = self.longest.take();
        let was_told = self.told.is_some_and(|told| at.saturating_sub(told) < QUIET);
        if late < PILE || was_told {
            return None;
        }
        self.told = Some(at);
        Some(Seen::Pile { late, worst, behind: behind.filter(|(_, took)| *took > self.limit) })
    }
}
