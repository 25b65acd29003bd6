//! A base as a state.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::ground::event::Place;
use crate::heart::key::Key;
use crate::see::model::numbered::Numbered;
use crate::see::model::state::State;
use crate::see::model::things::{self, On};
use crate::see::record::base::Base;
use crate::see::record::base::parts::{Source, Task, Ticket, Timer, Wait};

impl Base {
    /// The base as a state, made anew. `places` are the ring's.
    pub(in crate::see::record) fn state(&self, places: &[Place]) -> State {
        // None is: the places are copied after the events that name them.
        let unknown = Place { file: "?", line: 0, column: 0 };
        let at = |number: u32| places.get(number as usize).copied().unwrap_or(unknown);
        let in_queue = |(key, task): (Key, &Task)| task.queued.map(|ticket| (ticket.get(), key.serial));
        let mut ready: Vec<_> = self.tasks.iter().filter_map(in_queue).collect();
        ready.sort_unstable();
        let tasks = self.tasks.iter().map(|(key, task)| (key.serial, task.shown(key.slot, at)));
        let timers = self.timers.iter().map(|(key, timer)| (key.serial, timer.shown(key.slot, at)));
        let sources = self.sources.iter().map(|(key, source)| (key.serial, source.shown(key.slot, at)));
        let mut state = State {
            at: Duration::from_nanos(self.at),
            turn: self.turn,
            phase: self.phase,
            running: self.running.map(NonZeroU64::get),
            ready: ready.into_iter().map(|(_, serial)| serial).collect(),
            tasks: tasks.collect(),
            timers: timers.collect(),
            sources: sources.collect(),
        };
        for (on, wait) in self.waits().values() {
            let (at, since) = (at(wait.place), Duration::from_nanos(wait.since));
            // One whose task is gone waits no more.
            state.wait(wait.task.serial, things::Waiting { on: *on, at, since });
        }
        state
    }

    /// All waits, by their tickets.
    fn waits(&self) -> Numbered<(On, Wait)> {
        let mut waits = Numbered::default();
        let mut add = |on, wait: &Wait| {
            waits.insert(wait.ticket.map_or(0, Ticket::get), (on, *wait));
        };
        for (key, timer) in self.timers.iter() {
            timer.waiter.iter().for_each(|wait| add(On::Timer(key.serial), wait));
        }
        for (key, with_task) in self.waits.iter() {
            with_task.joined_by.iter().for_each(|wait| add(On::Join(key.serial), wait));
            with_task.others.iter().for_each(|(number, wait)| add(On::Other(*number), wait));
        }
        for (key, source) in self.sources.iter() {
            source.readers.iter().for_each(|wait| add(On::Read(key.serial), wait));
            source.writers.iter().for_each(|wait| add(On::Write(key.serial), wait));
        }
        waits
    }
}

impl Task {
    /// All but its waits, here and below.
    fn shown(&self, slot: u32, at: impl Fn(u32) -> Place) -> things::Task {
        let since = Duration::from_nanos(self.since);
        things::Task {
            state: self.state,
            queued: self.queued.is_some(),
            polls: self.polls,
            longest: Duration::from_nanos(self.longest),
            woken: self.woken.map(|(by, at)| (by.who(), Duration::from_nanos(at))),
            ..things::Task::new(slot, self.name.as_deref(), self.by.who(), at(self.place), since)
        }
    }
}

impl Timer {
    fn shown(&self, slot: u32, at: impl Fn(u32) -> Place) -> things::Timer {
        let (deadline, by, at) = (Duration::from_nanos(self.deadline), self.by.who(), at(self.place));
        things::Timer { slot, deadline, by, at, waiter: None }
    }
}

impl Source {
    fn shown(&self, slot: u32, at: impl Fn(u32) -> Place) -> things::Source {
        things::Source::new(slot, self.resource, self.ready, self.by.who(), at(self.place))
    }
}
