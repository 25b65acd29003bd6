//! A base of a loop that runs already: made of a copy of its stores, in shares.
//!
//! The copy comes from a [`Copying`](crate::see::model::live::Copying), and has each thing as it was found. To put each
//! into its place takes longer. The loop does that in shares too, while it runs on; or a looker does all of it, on a
//! thread of their own.

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::ground::event::{SourceId, TaskId, TimerId, WaitsFor, nanos};
use crate::heart::key::{Key, SourceKey, TaskKey, TimerKey};
use crate::heart::tasks::peek::Row;
use crate::see::model::live::{Live, LiveTimer, LiveWait};
use crate::see::model::things::TaskState;
use crate::see::record::base::Base;
use crate::see::record::base::parts::{Source, Task, Timer, Unread};
use crate::see::record::places::Places;
use crate::see::record::segment::By;

impl Base {
    /// The base of a loop with these stores. No event may be applied before all of it is read.
    pub(in crate::see::record) fn of(live: Live) -> Self {
        let (at, turn, phase) = (nanos(live.at), live.turn, live.phase());
        let unread = Unread {
            running: live.running,
            tasks: live.tasks.into_iter(),
            ready: live.ready.into_iter(),
            timers: live.timers.into_iter(),
            sources: live.sources.into_iter(),
            waits: live.waits.into_iter(),
        };
        Self { at, turn, phase, unread: Some(Box::new(unread)), ..Self::default() }
    }

    /// Reads on, at most `most` things. Returns whether all is read.
    pub(in crate::see::record) fn read_on(&mut self, most: usize, places: &Places) -> bool {
        let Some(mut unread) = self.unread.take() else { return true };
        let is_over = (0..most).any(|_| !self.read_one(&mut unread, places));
        if !is_over {
            self.unread = Some(unread);
        }
        is_over
    }

    /// Reads the next thing, if there is one.
    fn read_one(&mut self, unread: &mut Unread, places: &Places) -> bool {
        if let Some(row) = unread.tasks.next() {
            self.read_task(&row, unread.running == Some(row.key), places);
        } else if let Some(word) = unread.ready.next() {
            let key = self.tasks.key_at(word.slot() as u32).filter(|key| word.fits(key.serial));
            key.into_iter().for_each(|key| self.enqueue(key, self.at));
        } else if let Some(timer) = unread.timers.next() {
            self.read_timer(&timer, places);
        } else if let Some((SourceId(SourceKey(key)), ready, at)) = unread.sources.next() {
            let (by, place, readers, writers) = (By::OUTSIDE, places.number(at), Vec::new(), Vec::new());
            self.sources.put(plain(key), Source { resource: None, ready, by, place, readers, writers });
        } else if let Some(wait) = unread.waits.next() {
            self.read_wait(&wait, places);
        } else {
            return false;
        }
        true
    }

    fn read_task(&mut self, row: &Row, is_running: bool, places: &Places) {
        if row.is_over() {
            return;
        }
        let (key, name) = (plain(row.key.0), row.info.name.clone().or_else(|| row.shown_name().map(Arc::from)));
        let mut task = Task::new(name, By::OUTSIDE, places.number(row.info.at), self.at);
        task.state = row.state_off_queue();
        if is_running {
            (task.state, self.running) = (TaskState::Running, NonZeroU64::new(key.serial));
        }
        self.tasks.put(key, task);
    }

    fn read_timer(&mut self, timer: &LiveTimer, places: &Places) {
        let (TimerId(TimerKey(key)), place) = (timer.timer, places.number(timer.at));
        let (key, deadline) = (plain(key), nanos(timer.deadline));
        self.timers.put(key, Timer { deadline, by: By::OUTSIDE, place, waiter: None });
        if let Some(TaskKey(task)) = timer.waiter {
            self.wait(plain(task), WaitsFor::Timer(TimerId(TimerKey(key))), place, self.at);
        }
    }

    fn read_wait(&mut self, &LiveWait { task: TaskKey(task), on, at }: &LiveWait, places: &Places) {
        let source = |SourceId(SourceKey(key))| SourceId(SourceKey(plain(key)));
        let known = at.map(|at| places.number(at));
        let (on, place) = match on {
            WaitsFor::Read(it) => (WaitsFor::Read(source(it)), known),
            WaitsFor::Write(it) => (WaitsFor::Write(source(it)), known),
            WaitsFor::Join(TaskId(TaskKey(other))) => {
                let other = plain(other);
                (WaitsFor::Join(TaskId(TaskKey(other))), self.tasks.get(other).map(|other| other.place))
            }
            WaitsFor::Timer(_) | WaitsFor::Other(_) => return,
        };
        place.into_iter().for_each(|place| self.wait(plain(task), on, place, self.at));
    }
}

/// A key that belongs to no runtime, as those in records do.
fn plain(key: Key) -> Key {
    Key { runtime: 0, ..key }
}
