//! A base as a state.

use std::time::Duration;

use crate::ground::event::Place;
use crate::heart::key::Key;
use crate::see::model::state::State;
use crate::see::model::things;
use crate::see::record::base::Base;
use crate::see::record::base::parts::{Source, Task, Timer, Wait};

impl Base {
    /// The base as a state, made anew. `places` are the ring's.
    pub(in crate::see::record) fn state(&self, places: &[Place]) -> State {
        // Two loops that write into one ring at a time may leave a number that it never gave.
        let unknown = Place { file: "?", line: 0, column: 0 };
        let at = |number: u32| places.get(number as usize).copied().unwrap_or(unknown);
        let in_queue = |(key, task): (Key, &Task)| task.queued.map(|ticket| (ticket, key.serial));
        let mut ready: Vec<_> = self.tasks.iter().filter_map(in_queue).collect();
        ready.sort_unstable();
        State {
            at: Duration::from_nanos(self.at),
            turn: self.turn,
            phase: self.phase,
            running: self.running.map(|running| running.serial),
            ready: ready.into_iter().map(|(_, serial)| serial).collect(),
            tasks: self.tasks.iter().map(|(key, task)| (key.serial, task.shown(key.slot, at))).collect(),
            timers: self.timers.iter().map(|(key, timer)| (key.serial, timer.shown(key.slot, at))).collect(),
            sources: self.sources.iter().map(|(key, source)| (key.serial, source.shown(key.slot, at))).collect(),
        }
    }
}

impl Task {
    fn shown(&self, slot: u32, at: impl Fn(u32) -> Place) -> things::Task {
        let since = Duration::from_nanos(self.since);
        let wait = |wait: &Wait| {
            let (on, since) = (wait.on.into(), Duration::from_nanos(wait.since));
            things::Waiting { on, at: at(wait.place), since }
        };
        things::Task {
            state: self.state,
            queued: self.queued.is_some(),
            polls: self.polls,
            longest: Duration::from_nanos(self.longest),
            woken: self.woken.map(|(by, at)| (by, Duration::from_nanos(at))),
            waits: self.waits.iter().map(wait).collect(),
            joined_by: self.joined_by.map(|joiner| joiner.serial),
            ..things::Task::new(slot, self.name.as_deref(), self.by, at(self.place), since)
        }
    }
}

impl Timer {
    fn shown(&self, slot: u32, at: impl Fn(u32) -> Place) -> things::Timer {
        let Self { deadline, by, place, waiter } = *self;
        let (deadline, waiter) = (Duration::from_nanos(deadline), waiter.map(|task| task.serial));
        things::Timer { slot, deadline, by, at: at(place), waiter }
    }
}

impl Source {
    fn shown(&self, slot: u32, at: impl Fn(u32) -> Place) -> things::Source {
        let numbers = |waiters: &[Key]| waiters.iter().map(|waiter| waiter.serial).collect();
        things::Source {
            readers: numbers(&self.readers),
            writers: numbers(&self.writers),
            ..things::Source::new(slot, self.resource, self.ready, self.by, at(self.place))
        }
    }
}
