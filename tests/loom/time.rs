//! A condition, as the model checker knows it, with time. loom knows no time, so it passes when a model says so.

use std::sync::atomic::{AtomicUsize as Tally, Ordering};
use std::sync::{Arc as Shared, LockResult, Mutex as PlainMutex, PoisonError};
use std::time::Duration;

use loom::sync::MutexGuard;

/// How often time has passed, and all conditions, to be told of it. loom changes threads at its own operations only, so
/// it need not know this lock.
struct Time {
    passed: Tally,
    conditions: PlainMutex<Vec<Shared<loom::sync::Condvar>>>,
}

loom::lazy_static! {
    static ref TIME: Time = Time { passed: Tally::new(0), conditions: PlainMutex::default() };
}

/// From here on the time is up of everybody who waits now.
pub(crate) fn let_time_pass() {
    TIME.passed.fetch_add(1, Ordering::Relaxed);
    let conditions = TIME.conditions.lock().unwrap().clone();
    conditions.iter().for_each(|condition| condition.notify_all());
}

pub(crate) struct Condvar(Shared<loom::sync::Condvar>);

impl Default for Condvar {
    fn default() -> Self {
        let condition = Shared::new(loom::sync::Condvar::new());
        TIME.conditions.lock().unwrap().push(Shared::clone(&condition));
        Self(condition)
    }
}

/// Whether the time was up.
pub(crate) struct TimedOut(bool);

impl TimedOut {
    pub(crate) fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    /// It may return without a reason, as the real one may.
    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.0.wait(guard)
    }

    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        _until_time_passes: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, TimedOut)> {
        let began = TIME.passed.load(Ordering::Relaxed);
        let waited = |guard| (guard, TimedOut(TIME.passed.load(Ordering::Relaxed) != began));
        self.0.wait(guard).map(waited).map_err(|poisoned| PoisonError::new(waited(poisoned.into_inner())))
    }
}
