//! A base as a state.

use std::time::Duration;

use crate::ground::event::Place;
use crate::heart::key::Key;
use crate::see::model::state::State;
use crate::see::model::things::{self, On};
use crate::see::record::base::Base;
use crate::see::record::base::parts::{Source, Task, Timer, Wait};

impl Base {
    /// The base as a state, made anew. `places` are the ring's.
    pub(in crate::see::record) fn state(&self, places: &[Place]) -> State {
        // None is: the places are copied after the events that name them.
        let unknown = Place { file: "?", line: 0, column: 0 };
        let at = |number: u32| places.get(number as usize).copied().unwrap_or(unknown);
        let in_queue = |(key, task): (Key, &Task)| task.queued.map(|ticket| (ticket, key.serial));
        let mut ready: Vec<_> = self.tasks.iter().filter_map(in_queue).collect();
        ready.sort_unstable();
        let is_there = |wait: &&Wait| self.tasks.get(wait.task).is_some();
        let tasks = self.tasks.iter().map(|(key, task)| (key.serial, task.shown(key.slot, is_there, at)));
        let timers = self.timers.iter().map(|(key, timer)| (key.serial, timer.shown(key.slot, is_there, at)));
        let sources = self.sources.iter().map(|(key, source)| (key.serial, source.shown(key.slot, is_there, at)));
        let mut state = State {
            at: Duration::from_nanos(self.at),
            turn: self.turn,
            phase: self.phase,
            running: self.running.map(|running| running.serial),
            ready: ready.into_iter().map(|(_, serial)| serial).collect(),
            tasks: tasks.collect(),
            timers: timers.collect(),
            sources: sources.collect(),
        };
        for (on, wait) in self.waits() {
            let Some(task) = state.tasks.get_mut(&wait.task.serial) else { continue };
            task.waits.push(things::Waiting { on, at: at(wait.place), since: Duration::from_nanos(wait.since) });
        }
        state
    }

    /// All waits, in the order of their tickets.
    fn waits(&self) -> Vec<(On, &Wait)> {
        let of_timers = self
            .timers
            .iter()
            .flat_map(|(key, timer)| timer.waiter.iter().map(move |wait| (On::Timer(key.serial), wait)));
        let of_tasks = self.tasks.iter().flat_map(|(key, task)| {
            let joined = task.joined_by.iter().map(move |wait| (On::Join(key.serial), wait));
            joined.chain(task.others.iter().map(|(number, wait)| (On::Other(*number), wait)))
        });
        let of_sources = self.sources.iter().flat_map(|(key, source)| {
            let readers = source.readers.iter().map(move |wait| (On::Read(key.serial), wait));
            readers.chain(source.writers.iter().map(move |wait| (On::Write(key.serial), wait)))
        });
        let mut waits: Vec<_> = of_timers.chain(of_tasks).chain(of_sources).collect();
        waits.sort_unstable_by_key(|(_, wait)| wait.ticket);
        waits
    }
}

impl Task {
    /// All but its waits.
    fn shown(&self, slot: u32, is_there: impl Fn(&&Wait) -> bool, at: impl Fn(u32) -> Place) -> things::Task {
        let since = Duration::from_nanos(self.since);
        things::Task {
            state: self.state,
            queued: self.queued.is_some(),
            polls: self.polls,
            longest: Duration::from_nanos(self.longest),
            woken: self.woken.map(|(by, at)| (by, Duration::from_nanos(at))),
            joined_by: self.joined_by.as_ref().filter(is_there).map(|wait| wait.task.serial),
            ..things::Task::new(slot, self.name.as_deref(), self.by, at(self.place), since)
        }
    }
}

impl Timer {
    fn shown(&self, slot: u32, is_there: impl Fn(&&Wait) -> bool, at: impl Fn(u32) -> Place) -> things::Timer {
        let waiter = self.waiter.as_ref().filter(is_there).map(|wait| wait.task.serial);
        let (deadline, by, at) = (Duration::from_nanos(self.deadline), self.by, at(self.place));
        things::Timer { slot, deadline, by, at, waiter }
    }
}

impl Source {
    fn shown(&self, slot: u32, is_there: impl Fn(&&Wait) -> bool, at: impl Fn(u32) -> Place) -> things::Source {
        let numbers = |waiters: &[Wait]| waiters.iter().filter(&is_there).map(|wait| wait.task.serial).collect();
        things::Source {
            readers: numbers(&self.readers),
            writers: numbers(&self.writers),
            ..things::Source::new(slot, self.resource, self.ready, self.by, at(self.place))
        }
    }
}
