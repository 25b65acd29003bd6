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

use std::num::NonZeroU64;

use crate::ground::event::{SourceId, TaskId, TimerId, WaitsFor};
use crate::ground::packed::{Packed, kind, readiness};
use crate::heart::key::{Key, SourceKey, TaskKey, TimerKey};
use crate::see::model::slots::Slots;
use crate::see::model::state::Phase;
use crate::see::model::things::TaskState;
use crate::see::record::base::parts::{Source, Task, Tickets, Timer, Unread, Wait, Waits};
use crate::see::record::segment::{Segment, Words};

/// A loop between two events.
#[derive(Default)]
pub(in crate::see::record) struct Base {
    at: u64,
    turn: u64,
    phase: Phase,
    /// The running task's number. None is 0.
    running: Option<NonZeroU64>,
    tickets: Tickets,
    tasks: Slots<Task>,
    /// By the slots of their tasks.
    waits: Slots<Waits>,
    timers: Slots<Timer>,
    sources: Slots<Source>,
    /// The rest of what a base is made of that belongs to a loop that ran already.
    unread: Option<Box<Unread>>,
}

impl Base {
    /// Takes the base some events further, and returns how many. All of it must be read: see
    /// [`read_on`](Self::read_on).
    pub(in crate::see::record) fn apply_all(&mut self, events: &[Words], segment: &Segment) -> u64 {
        debug_assert!(self.unread.is_none(), "an event is applied to a base that is not read to its end");
        let mut left = events;
        while let [event, rest @ ..] = left {
            left = rest;
            // Those that a busy loop tells most often are compiled in here.
            match event.kind() {
                kind::POLL_START => left = self.poll(event, rest),
                kind::POLL_END => self.poll_ended(event),
                kind::WAKE => self.woken(event),
                kind::WAIT => self.begins_to_wait(event),
                kind::TIMER_SET => left = self.timer_set(event, rest),
                kind::TIMER_FIRED => {
                    self.phase = Phase::Timers;
                    self.timers.remove(event.key());
                }
                kind::TIMER_CANCELLED => self.timers.remove(event.key()),
                kind::SPAWN => self.spawned(event, segment),
                kind::FINISH => self.finished(event.key()),
                _ => self.apply(&event.packed(), segment),
            }
        }
        self.at = events.last().map_or(self.at, Words::at);
        events.len() as u64
    }

    #[inline(never)]
    fn apply(&mut self, record: &Packed, segment: &Segment) {
        match record.kind() {
            kind::WAIT_DROPPED => self.wait_dropped(record.key(), record.waits_for()),
            kind::TURN_START => (self.turn, self.phase) = (record.it, Phase::Inbox),
            kind::TURN_END => self.phase = Phase::Idle,
            kind::PARK_START => self.phase = Phase::Park,
            kind::ABORT => self.enqueue(record.key(), record.at),
            kind::SOURCE_OPENED => self.source_opened(record, segment),
            kind::SOURCE_READY => self.source_ready(record.key(), readiness(record.more)),
            kind::SOURCE_DRAINED => self.source_drained(record.key(), readiness(record.more)),
            kind::SOURCE_CLOSED => self.sources.remove(record.key()),
            _ => {}
        }
    }

    /// Begins a poll, and applies those events behind it that are about the polled task, as long as no other comes: so
    /// the task is looked up once for all of these. Returns the events that are left.
    #[inline(always)]
    fn poll<'a>(&mut self, start: &Words, mut left: &'a [Words]) -> &'a [Words] {
        let serial = start.serial();
        let Some(task) = self.tasks.get_mut(start.key()) else { return left };
        task.poll_started(start.at());
        (self.phase, self.running) = (Phase::Poll, NonZeroU64::new(serial));
        while let [event, rest @ ..] = left {
            // A timer or a source may have the same number, but in other kinds of events.
            match event.kind() {
                _ if event.serial() != serial => break,
                kind::WAKE => task.woken(event, &mut self.tickets),
                kind::POLL_END => {
                    task.poll_ended(event);
                    self.running = None;
                }
                kind::FINISH => {
                    self.finished(start.key());
                    return rest;
                }
                _ => break,
            }
            left = rest;
        }
        left
    }

    #[inline(always)]
    fn poll_ended(&mut self, event: &Words) {
        self.running = None;
        if let Some(task) = self.tasks.get_mut(event.key()) {
            task.poll_ended(event);
        }
    }

    #[inline(always)]
    fn woken(&mut self, event: &Words) {
        if let Some(task) = self.tasks.get_mut(event.key()) {
            task.woken(event, &mut self.tickets);
        }
    }

    /// Sets a timer, unless it is waited for and cancelled right away. Then these two events are applied, too, and
    /// nothing is left of any. Returns the events that are left.
    #[inline(always)]
    fn timer_set<'a>(&mut self, event: &Words, rest: &'a [Words]) -> &'a [Words] {
        match rest {
            [wait, end, behind @ ..] if end.is_end_of(event) && wait.is_wait_for(event) => behind,
            _ => {
                let set = Timer { deadline: event.more(), by: event.by(), place: event.place(), waiter: None };
                self.timers.put(event.key(), set);
                rest
            }
        }
    }

    fn enqueue(&mut self, key: Key, at: u64) {
        if let Some(task) = self.tasks.get_mut(key) {
            task.enqueue(&mut self.tickets, at);
        }
    }

    #[inline(always)]
    fn spawned(&mut self, event: &Words, segment: &Segment) {
        let key = event.key();
        // Nobody lives in a slot twice. In a recording that says so, the first tenant has gone unnoticed.
        self.tasks.key_at(key.slot).into_iter().for_each(|before| self.finished(before));
        self.tasks.put_with(key, || {
            let task = Task::new(segment.text(event.more()), event.by(), event.place(), event.at());
            // It is last in the ready queue.
            Task { queued: self.tickets.next(), state: TaskState::Ready, ..task }
        });
    }

    #[inline(never)]
    fn finished(&mut self, key: Key) {
        self.running.take_if(|running| running.get() == key.serial);
        let gone = self.tasks.take(key);
        if gone.as_ref().is_some_and(|task| task.has_waits) {
            self.waits_over(key);
        }
    }

    /// Few tasks have waits, so this is no part of `finished`.
    #[inline(never)]
    fn waits_over(&mut self, task: Key) {
        self.waits.remove(task);
    }

    #[inline(never)]
    fn begins_to_wait(&mut self, event: &Words) {
        let wait = event.packed();
        self.wait(wait.key(), wait.waits_for(), wait.place, wait.at);
    }

    /// A task begins to wait for something, or goes on. For a deadline, and for a task's end, one waits at a time.
    #[inline(always)]
    fn wait(&mut self, task: Key, on: WaitsFor, place: u32, since: u64) {
        // The one that runs is there.
        if self.running.is_none_or(|running| running.get() != task.serial) && self.tasks.get(task).is_none() {
            return;
        }
        let wait = Wait { task, place, since, ticket: self.tickets.next() };
        match on {
            WaitsFor::Timer(TimerId(TimerKey(timer))) => {
                self.timers.get_mut(timer).into_iter().for_each(|timer| wait.alone_in(&mut timer.waiter));
            }
            WaitsFor::Join(TaskId(TaskKey(other))) => {
                self.waits_with(other).into_iter().for_each(|waits| wait.alone_in(&mut waits.joined_by));
            }
            WaitsFor::Read(SourceId(SourceKey(source))) | WaitsFor::Write(SourceId(SourceKey(source))) => {
                let waiters = self.sources.get_mut(source).map(|source| source.waiters(on));
                waiters.into_iter().for_each(|waiters| wait.among(waiters, &self.tasks));
            }
            WaitsFor::Other(number) => {
                let Some(Waits { others, .. }) = self.waits_with(task) else { return };
                match others.iter_mut().find(|(known, _)| *known == number) {
                    Some((_, known)) => known.place = place,
                    None => others.push((number, wait)),
                }
            }
        }
    }

    /// The waits that stand with this task, if it is there.
    fn waits_with(&mut self, task: Key) -> Option<&mut Waits> {
        let Task { has_waits, .. } = self.tasks.get_mut(task)?;
        if !std::mem::replace(has_waits, true) {
            self.waits.put(task, Waits::default());
        }
        self.waits.get_mut(task)
    }

    fn wait_dropped(&mut self, task: Key, on: WaitsFor) {
        match on {
            WaitsFor::Timer(TimerId(TimerKey(timer))) => {
                self.timers.get_mut(timer).and_then(|timer| timer.waiter.take_if(|wait| wait.task == task));
            }
            WaitsFor::Join(TaskId(TaskKey(other))) => {
                self.waits.get_mut(other).and_then(|waits| waits.joined_by.take_if(|wait| wait.task == task));
            }
            WaitsFor::Read(SourceId(SourceKey(source))) | WaitsFor::Write(SourceId(SourceKey(source))) => {
                let waiters = self.sources.get_mut(source).map(|source| source.waiters(on));
                waiters.into_iter().for_each(|waiters| waiters.retain(|wait| wait.task != task));
            }
            WaitsFor::Other(number) => {
                let waits = self.waits.get_mut(task);
                waits.into_iter().for_each(|waits| waits.others.retain(|(known, _)| *known != number));
            }
        }
    }
}
