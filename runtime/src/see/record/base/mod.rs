//! The base: what a loop looked like before the oldest event that is kept.
//!
//! The loop applies each event to it that is forgotten, mostly while nobody looks, so that has to be cheap. Tasks,
//! timers and sources are found by their slots, and each wait by the thing that is waited for. A record is applied as
//! it is: no map is searched and no event is made. A [`State`](crate::see::State) is made of the base only when
//! somebody asks for one. The rules are those of [`State::apply`](crate::see::State::apply), and tests hold the two
//! equal after every event.

mod parts;
mod sources;
mod states;
mod unread;

use crate::ground::event::{SourceId, TaskId, TimerId, WaitsFor};
use crate::ground::packed::{Packed, kind, readiness};
use crate::heart::key::{Key, SourceKey, TaskKey, TimerKey};
use crate::see::model::slots::Slots;
use crate::see::model::state::Phase;
use crate::see::model::things::TaskState;
use crate::see::record::base::parts::{Source, Task, Tickets, Timer, Unread, Wait};
use crate::see::record::segment::Segment;

/// A loop between two events.
#[derive(Default)]
pub(in crate::see::record) struct Base {
    at: u64,
    turn: u64,
    phase: Phase,
    running: Option<Key>,
    tickets: Tickets,
    tasks: Slots<Task>,
    timers: Slots<Timer>,
    sources: Slots<Source>,
    /// The rest of what a base is made of that belongs to a loop that ran already.
    unread: Option<Box<Unread>>,
}

impl Base {
    /// Takes the base some events further, and returns how many. All of it must be read: see
    /// [`read_on`](Self::read_on).
    pub(in crate::see::record) fn apply_all(&mut self, events: impl Iterator<Item = Packed>, segment: &Segment) -> u64 {
        debug_assert!(self.unread.is_none(), "an event is applied to a base that is not read to its end");
        let mut applied = 0;
        for event in events {
            self.at = event.at;
            // Those that a busy loop tells most often are compiled in here.
            match event.kind() {
                kind::POLL_START => self.poll_started(event.key()),
                kind::POLL_END => self.poll_ended(event.key(), event.more == 0),
                kind::WAKE => self.woken(&event),
                kind::WAIT => self.wait(event.key(), event.waits_for(), event.place, event.at),
                kind::TIMER_SET => self.timer_set(&event),
                kind::TIMER_FIRED => {
                    self.phase = Phase::Timers;
                    self.timers.take(event.key());
                }
                kind::TIMER_CANCELLED => drop(self.timers.take(event.key())),
                _ => self.apply(&event, segment),
            }
            applied += 1;
        }
        applied
    }

    #[inline(never)]
    fn apply(&mut self, record: &Packed, segment: &Segment) {
        match record.kind() {
            kind::WAIT_DROPPED => self.wait_dropped(record.key(), record.waits_for()),
            kind::FINISH => self.finished(record.key()),
            kind::SPAWN => self.spawned(record, segment),
            kind::TURN_START => (self.turn, self.phase) = (record.it, Phase::Inbox),
            kind::TURN_END => self.phase = Phase::Idle,
            kind::PARK_START => self.phase = Phase::Park,
            kind::ABORT => self.enqueue(record.key()),
            kind::SOURCE_OPENED => self.source_opened(record, segment),
            kind::SOURCE_READY => self.source_ready(record.key(), readiness(record.more)),
            kind::SOURCE_DRAINED => self.source_drained(record.key(), readiness(record.more)),
            kind::SOURCE_CLOSED => drop(self.sources.take(record.key())),
            _ => {}
        }
    }

    #[inline(always)]
    fn poll_started(&mut self, key: Key) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        (task.queued, task.state, task.since) = (None, TaskState::Running, self.at);
        task.polls = task.polls.saturating_add(1);
        (self.phase, self.running) = (Phase::Poll, Some(key));
    }

    #[inline(always)]
    fn poll_ended(&mut self, key: Key, is_pending: bool) {
        self.running = None;
        let Some(task) = self.tasks.get_mut(key) else { return };
        task.longest = task.longest.max(self.at.saturating_sub(task.since));
        // Any other outcome means that its end is under way.
        if is_pending {
            task.state = if task.queued.is_some() { TaskState::Ready } else { TaskState::Waiting };
            task.since = self.at;
        }
    }

    #[inline(always)]
    fn woken(&mut self, record: &Packed) {
        let Some(task) = self.tasks.get_mut(record.key()) else { return };
        task.woken = Some((record.who(), self.at));
        if record.more == 1 {
            task.enqueue(&mut self.tickets, self.at);
        }
    }

    #[inline(always)]
    fn timer_set(&mut self, record: &Packed) {
        let set = Timer { deadline: record.more, by: record.who(), place: record.place, waiter: None };
        self.timers.put(record.key(), set);
    }

    fn enqueue(&mut self, key: Key) {
        if let Some(task) = self.tasks.get_mut(key) {
            task.enqueue(&mut self.tickets, self.at);
        }
    }

    fn spawned(&mut self, record: &Packed, segment: &Segment) {
        let key = record.key();
        // Nobody lives in a slot twice. In a recording that says so, the first tenant has gone unnoticed.
        self.tasks.key_at(key.slot).into_iter().for_each(|before| self.finished(before));
        self.tasks.put(key, Task::new(segment.text_of(record), record.who(), record.place, self.at));
        self.enqueue(key);
    }

    fn finished(&mut self, key: Key) {
        self.running = self.running.filter(|running| *running != key);
        self.tasks.take(key);
    }

    /// A task begins to wait for something, or goes on. For a deadline, and for a task's end, one waits at a time.
    fn wait(&mut self, task: Key, on: WaitsFor, place: u32, since: u64) {
        if self.tasks.get(task).is_none() {
            return;
        }
        let wait = Wait { task, place, since, ticket: self.tickets.next() };
        match on {
            WaitsFor::Timer(TimerId(TimerKey(timer))) => {
                self.timers.get_mut(timer).into_iter().for_each(|timer| wait.alone_in(&mut timer.waiter));
            }
            WaitsFor::Join(TaskId(TaskKey(other))) => {
                self.tasks.get_mut(other).into_iter().for_each(|other| wait.alone_in(&mut other.joined_by));
            }
            WaitsFor::Read(SourceId(SourceKey(source))) | WaitsFor::Write(SourceId(SourceKey(source))) => {
                let waiters = self.sources.get_mut(source).map(|source| source.waiters(on));
                waiters.into_iter().for_each(|waiters| wait.among(waiters, &self.tasks));
            }
            WaitsFor::Other(number) => {
                let Some(Task { others, .. }) = self.tasks.get_mut(task) else { return };
                match others.iter_mut().find(|(known, _)| *known == number) {
                    Some((_, known)) => known.place = place,
                    None => others.push((number, wait)),
                }
            }
        }
    }

    fn wait_dropped(&mut self, task: Key, on: WaitsFor) {
        match on {
            WaitsFor::Timer(TimerId(TimerKey(timer))) => {
                self.timers.get_mut(timer).and_then(|timer| timer.waiter.take_if(|wait| wait.task == task));
            }
            WaitsFor::Join(TaskId(TaskKey(other))) => {
                self.tasks.get_mut(other).and_then(|other| other.joined_by.take_if(|wait| wait.task == task));
            }
            WaitsFor::Read(SourceId(SourceKey(source))) | WaitsFor::Write(SourceId(SourceKey(source))) => {
                let waiters = self.sources.get_mut(source).map(|source| source.waiters(on));
                waiters.into_iter().for_each(|waiters| waiters.retain(|wait| wait.task != task));
            }
            WaitsFor::Other(number) => {
                let waiting = self.tasks.get_mut(task);
                waiting.into_iter().for_each(|task| task.others.retain(|(known, _)| *known != number));
            }
        }
    }
}
