//! Telling the observers; and the two changes of a store, spawn and wake, that are told here.
//!
//! Spawning and waking are done and reported here. Waits are reported here, by the leaf futures. Observers are foreign
//! code: no borrow of a store is alive while they are called. Two verbs name the functions, here and elsewhere.
//! `observe` asks whether anybody observes, and makes the event only then. `tell` is called where somebody does.

use std::panic::{Location, resume_unwind};

use crate::ground::event::{Cause, Event, Place, TaskId, WaitsFor};
use crate::heart::core::Core;
use crate::heart::key::{TaskKey, WakeWord};
use crate::heart::tasks::Woken;

impl Core {
    /// Whether anybody observes. Observers are foreign code: where they are, no borrow may be alive.
    #[inline]
    pub(crate) fn is_observed(&self) -> bool {
        // The bench compiles the events out, to count what they cost where nobody observes.
        cfg!(not(oneloop_unobserved)) && self.observers.any.get()
    }

    /// Tells the observers, if there are any. The event is made only then.
    #[inline]
    pub(crate) fn observe<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        if self.is_observed() {
            self.tell(event);
        }
    }

    /// Tells the observers. It is never inlined, so that the code of a loop that nobody observes stays small.
    #[cold]
    #[inline(never)]
    pub(crate) fn tell<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        self.observers.tell(&|| self.timers.uptime(), event());
    }

    /// Like [`observe`](Self::observe), for a moment at which no task, waker or event is in the loop's hands. So an
    /// observer's panic may go on from here.
    #[inline]
    pub(crate) fn observe_between_steps<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        if self.is_observed() {
            self.tell(event);
            self.let_observers_panic();
        }
    }

    /// Lets the panic of an observer go on, if there was one.
    pub(crate) fn let_observers_panic(&self) {
        if let Some(payload) = self.observers.take_panic() {
            // If the loop was about to park, the panic prevents that: so nobody needs to ring.
            self.inbox.unparked();
            resume_unwind(payload);
        }
    }

    /// Spawns a task: puts it into the store, and reports it.
    #[inline]
    pub(crate) fn spawn<F>(&self, future: F, name: Option<&str>, at: &'static Location<'static>) -> TaskKey
    where
        F: Future<Output: 'static> + 'static,
    {
        let key = self.tasks.insert(future, at);
        if name.is_some() || self.is_observed() {
            self.introduce(key, name, at);
        }
        key
    }

    #[cold]
    fn introduce(&self, key: TaskKey, name: Option<&str>, at: &'static Location<'static>) {
        self.tasks.give_name(key, name, self.place.get());
        let at = self.place(at);
        self.observe(|| Event::Spawn { task: TaskId(key), by: self.cause(), name, at });
    }

    /// Wakes a task by its word.
    pub(crate) fn wake(&self, word: WakeWord, cause: Cause) {
        let woken = self.queue(word);
        if self.is_observed() {
            self.tell_woken(word, woken, cause);
        }
    }

    /// Queues the task that a word names. The caller reports it to the observers.
    #[inline]
    pub(crate) fn queue(&self, word: WakeWord) -> Woken {
        let woken = self.tasks.wake(word);
        if woken == Woken::Stale {
            self.counters.wakes_stale.add(1);
        }
        woken
    }

    /// Tells the observers of a wake, and of its answer.
    #[inline(always)]
    pub(crate) fn tell_woken(&self, word: WakeWord, woken: Woken, cause: Cause) {
        match self.tasks.named_by(word).map(TaskId) {
            Some(task) if woken != Woken::Stale => {
                self.tell(move || Event::Wake { task, cause, queued: woken == Woken::Queued });
            }
            _ => self.tell(move || Event::StaleWake { cause }),
        }
    }

    /// Reports that a leaf future keeps this task's waker, so the task waits. `None` if the waker is of no task here.
    pub(crate) fn observe_wait(&self, task: Option<TaskKey>, on: WaitsFor, at: &'static Location<'static>) {
        if let (true, Some(task)) = (self.is_observed(), task) {
            self.tell(move || Event::Wait { task: TaskId(task), on, at: self.place(at) });
        }
    }

    /// The place of an event: the one that the program has set (`see::at`), else this line of Rust.
    pub(crate) fn place(&self, at: &'static Location<'static>) -> Place {
        self.place.get().unwrap_or(at.into())
    }

    /// Reports that a task no longer waits for something, because the waker that it had left was taken back unwoken.
    #[cold]
    pub(crate) fn observe_wait_dropped(&self, task: Option<TaskKey>, on: WaitsFor) {
        if let Some(task) = task {
            self.observe(|| Event::WaitDropped { task: TaskId(task), on });
        }
    }
}
