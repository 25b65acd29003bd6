//! The pool's queue, as the model checker knows it: many threads wait there, each until there is something
//! for it or until its time is up. loom knows no time, so it is up when a model says so.

use std::collections::VecDeque;
use std::sync::mpsc::SendError;
use std::sync::{Arc as Shared, Mutex};
use std::time::Duration;

pub(crate) use crossbeam_channel::RecvTimeoutError;

/// How often time has passed. Under its lock a queue is looked at, and its condition tells of either.
struct Time {
    passed: loom::sync::Mutex<u32>,
    changed: loom::sync::Condvar,
}

loom::lazy_static! {
    static ref TIME: Time = Time { passed: loom::sync::Mutex::new(0), changed: loom::sync::Condvar::new() };
}

/// From here on the time is up of everybody who waits now.
pub(crate) fn let_time_pass() {
    *TIME.passed.lock().unwrap() += 1;
    TIME.changed.notify_all();
}

pub(crate) fn unbounded<M>() -> (Sender<M>, Receiver<M>) {
    let messages = Shared::default();
    (Sender(Shared::clone(&messages)), Receiver(messages))
}

pub(crate) struct Sender<M>(Shared<Mutex<VecDeque<M>>>);

impl<M> Sender<M> {
    pub(crate) fn send(&self, message: M) -> Result<(), SendError<M>> {
        let _looked_at_by_nobody = TIME.passed.lock().unwrap();
        self.0.lock().unwrap().push_back(message);
        TIME.changed.notify_all();
        Ok(())
    }
}

pub(crate) struct Receiver<M>(Shared<Mutex<VecDeque<M>>>);

impl<M> Clone for Receiver<M> {
    fn clone(&self) -> Self {
        Self(Shared::clone(&self.0))
    }
}

impl<M> Receiver<M> {
    /// A job that is there is taken, though the time be up.
    pub(crate) fn recv_timeout(&self, _until_time_passes: Duration) -> Result<M, RecvTimeoutError> {
        let mut passed = TIME.passed.lock().unwrap();
        let began = *passed;
        loop {
            if let Some(message) = self.pop() {
                return Ok(message);
            }
            if *passed != began {
                return Err(RecvTimeoutError::Timeout);
            }
            passed = TIME.changed.wait(passed).unwrap();
        }
    }

    pub(crate) fn try_iter(&self) -> impl Iterator<Item = M> {
        std::iter::from_fn(|| {
            let _looked_at_by_nobody_else = TIME.passed.lock().unwrap();
            self.pop()
        })
    }

    fn pop(&self) -> Option<M> {
        self.0.lock().unwrap().pop_front()
    }
}
