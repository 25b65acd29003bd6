//! A base as a state, and a state as a base.

use std::sync::Arc;
use std::time::Duration;

use crate::ground::event::{SourceId, TaskId, TimerId, WaitsFor};
use crate::heart::key::{Key, SourceKey, TaskKey, TimerKey};
use crate::see::model::state::State;
use crate::see::model::things::{self, On};
use crate::see::record::base::sources::Source;
use crate::see::record::base::{Base, Task, Ticket, Timer, Wait};
use crate::see::record::packed::nanos;

impl Base {
    /// The base as a state, made anew.
    pub(in crate::see::record) fn state(&self) -> State {
        let in_queue =
            |(ticket, key): &&(Ticket, Key)| self.tasks.get(*key).is_some_and(|task| task.queued == Some(*ticket));
        State {
            at: Duration::from_nanos(self.at),
            turn: self.turn,
            phase: self.phase,
            running: self.running.map(|running| running.serial),
            ready: self.queue.places.iter().filter(in_queue).map(|(_, key)| key.serial).collect(),
            tasks: self.tasks.iter().map(|(key, task)| (key.serial, task.shown(key.slot))).collect(),
            timers: self.timers.iter().map(|(key, timer)| (key.serial, timer.shown(key.slot))).collect(),
            sources: self.sources.iter().map(|(key, source)| (key.serial, source.shown(key.slot))).collect(),
        }
    }

    /// The base of a loop that looks like this.
    pub(in crate::see::record) fn of(state: &State) -> Self {
        let mut base = Self { at: nanos(state.at), turn: state.turn, phase: state.phase, ..Self::default() };
        for (id, timer) in &state.timers {
            let (deadline, by, at) = (nanos(timer.deadline), timer.by, timer.at);
            base.timers.put(key(timer.slot, *id), Timer { deadline, by, at, waiter: None });
        }
        for (id, source) in &state.sources {
            let (resource, ready, by, at) = (source.resource, source.ready, source.by, source.at);
            let made = Source { resource, ready, by, at, readers: Vec::new(), writers: Vec::new() };
            base.sources.put(key(source.slot, *id), made);
        }
        for (id, task) in &state.tasks {
            let name = task.name.as_deref().map(Arc::from);
            let mut made = Task::new(name, task.by, task.at, nanos(task.since));
            (made.state, made.polls, made.longest) = (task.state, task.polls, nanos(task.longest));
            made.woken = task.woken.map(|(by, at)| (by, nanos(at)));
            base.tasks.put(key(task.slot, *id), made);
        }
        for id in &state.ready {
            let Some(key) = state.tasks.get(id).map(|task| key(task.slot, *id)) else { continue };
            let ticket = base.queue.join(key);
            base.tasks.get_mut(key).into_iter().for_each(|task| task.queued = Some(ticket));
        }
        for (id, task) in &state.tasks {
            for wait in &task.waits {
                base.wait(key(task.slot, *id), on(state, wait.on), wait.at, nanos(wait.since));
            }
        }
        base.running = state.running.and_then(|id| state.tasks.get(&id).map(|task| key(task.slot, id)));
        base
    }
}

/// A key that belongs to no runtime, as those in records do.
fn key(slot: u32, serial: u64) -> Key {
    Key { runtime: 0, slot, serial }
}

/// A thing that is waited for, with the slot that it has in this state.
fn on(state: &State, on: On) -> WaitsFor {
    let timer = |id| TimerId(TimerKey(key(state.timers.get(&id).map_or(0, |timer| timer.slot), id)));
    let source = |id| SourceId(SourceKey(key(state.sources.get(&id).map_or(0, |source| source.slot), id)));
    let task = |id| TaskId(TaskKey(key(state.tasks.get(&id).map_or(0, |task| task.slot), id)));
    match on {
        On::Timer(id) => WaitsFor::Timer(timer(id)),
        On::Read(id) => WaitsFor::Read(source(id)),
        On::Write(id) => WaitsFor::Write(source(id)),
        On::Join(id) => WaitsFor::Join(task(id)),
        On::Other(number) => WaitsFor::Other(number),
    }
}

impl Task {
    fn shown(&self, slot: u32) -> things::Task {
        let since = Duration::from_nanos(self.since);
        let wait =
            |wait: &Wait| things::Waiting { on: wait.on.into(), at: wait.at, since: Duration::from_nanos(wait.since) };
        things::Task {
            state: self.state,
            queued: self.queued.is_some(),
            polls: self.polls,
            longest: Duration::from_nanos(self.longest),
            woken: self.woken.map(|(by, at)| (by, Duration::from_nanos(at))),
            waits: self.waits.iter().map(wait).collect(),
            joined_by: self.joined_by.map(|joiner| joiner.serial),
            ..things::Task::new(slot, self.name.as_deref(), self.by, self.at, since)
        }
    }
}

impl Timer {
    fn shown(&self, slot: u32) -> things::Timer {
        let Self { deadline, by, at, waiter } = *self;
        things::Timer { slot, deadline: Duration::from_nanos(deadline), by, at, waiter: waiter.map(|task| task.serial) }
    }
}

impl Source {
    fn shown(&self, slot: u32) -> things::Source {
        let numbers = |waiters: &[Key]| waiters.iter().map(|waiter| waiter.serial).collect();
        things::Source {
            readers: numbers(&self.readers),
            writers: numbers(&self.writers),
            ..things::Source::new(slot, self.resource, self.ready, self.by, self.at)
        }
    }
}
