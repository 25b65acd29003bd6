//! Blocking work: jobs for the pool's threads, joined like tasks.
//!
//! A job has two halves. One is a closure that a thread of the pool runs. The other is a task that waits for its
//! result, so that joining, aborting and panics are those of any task. The result comes home through the inbox, and
//! if nobody waits for it by then, home is where it is dropped.

use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::ground::event::thread_number;
use crate::ground::failure::Abort;
use crate::ground::foreign::without_panic;
use crate::ground::wishes::{Deaf, is_deaf};
use crate::heart::core::{Core, Message};
use crate::heart::current::expect_current;
use crate::heart::inbox::Inbox;
use crate::task::join::JoinHandle;

/// Runs a closure that blocks, or computes for long, on a thread of the runtime's pool.
///
/// The pool starts threads when jobs outnumber them, up to
/// [`max_blocking_threads`](crate::Builder::max_blocking_threads), and ends those that had nothing to
/// do for ten seconds. Further jobs wait their turn.
///
/// Aborting the handle takes back a job that has not started. One that has started goes on to its end,
/// and its result is dropped on the loop's thread. Dropping the runtime waits for jobs that have
/// started; [`Runtime::shutdown_timeout`](crate::Runtime::shutdown_timeout) does not wait for ever.
///
/// A panic of the closure is the error of the handle. So is a refusal
/// ([`is_refused`](crate::task::JoinError::is_refused)): too many jobs, or no thread to be had.
///
/// # Panics
///
/// If no runtime runs on this thread.
///
/// ```
/// # oneloop::run(async {
/// let sum = oneloop::task::spawn_blocking(|| (1..=1000_u64).sum::<u64>());
/// assert_eq!(sum.await.unwrap(), 500_500);
/// # });
/// ```
#[doc(alias("to_thread", "run_in_executor", "block_in_place", "unblock", "run_sync"))]
#[track_caller]
pub fn spawn_blocking<F, T>(work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let core = expect_current("oneloop::task::spawn_blocking");
    let at = Location::caller();
    let job = Arc::new(Mutex::new(Job::Waiting(None)));
    let task = core.spawn(Outcome(Arc::clone(&job)), None, at);
    let home = Arc::downgrade(&core.inbox);
    if let Err(why) = core.pool.submit(Box::new(thread_half(work, job, home)), at) {
        core.tasks.abort(task, Abort::Refused(why));
    } else {
        core.outside_waits.set(core.outside_waits.get() + 1);
    }
    JoinHandle::new(task, at)
}

enum Job<T> {
    /// The result is not here yet; this is who waits for it.
    Waiting(Option<Waker>),
    Done(thread::Result<T>),
    /// Nobody waits any more.
    Unwanted,
}

type Shared<T> = Arc<Mutex<Job<T>>>;

/// The pool thread's part. It keeps the inbox, and does not look it up in the registry. The end of a runtime takes the
/// inbox out of there, and then waits for this thread.
fn thread_half<F, T>(work: F, job: Shared<T>, home: Weak<Inbox<Message>>) -> impl FnOnce() + Send + 'static
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let mut work = Work(Some(work));
    // If the loop does not heed `ONELOOP_SEE` and its like, neither do the loops that its jobs build.
    let is_deaf = is_deaf();
    move || {
        let _deaf = Deaf::new(is_deaf);
        let wanted = work.0.take_if(|_| !is_unwanted(&job));
        let result = wanted.map(|work| catch_unwind(AssertUnwindSafe(work)));
        // If it was taken back before it began, what it captured is dropped here.
        drop(work);
        if let Some(inbox) = home.upgrade() {
            let come_home = Box::new(move |core: &Core| come_home(core, &job, result));
            // A loop that does not wait for this thread any more is gone: then the result is dropped here.
            let _ = inbox.send(Message::Run(come_home, thread_number()));
        }
    }
}

/// A closure that may be dropped before it runs, on any thread. A panic in that drop belongs to no task.
struct Work<F>(Option<F>);

impl<F> Drop for Work<F> {
    fn drop(&mut self) {
        without_panic(|| drop(self.0.take()));
    }
}

/// The loop's part, when the result is there.
fn come_home<T>(core: &Core, job: &Shared<T>, result: Option<thread::Result<T>>) {
    core.outside_waits.set(core.outside_waits.get() - 1);
    let Some(result) = result else { return };
    let mut state = job.lock().unwrap_or_else(PoisonError::into_inner);
    match std::mem::replace(&mut *state, Job::Unwanted) {
        Job::Waiting(waker) => {
            *state = Job::Done(result);
            drop(state);
            waker.into_iter().for_each(Waker::wake);
        }
        Job::Unwanted | Job::Done(_) => {
            drop(state);
            drop(result);
        }
    }
}

fn is_unwanted<T>(job: &Shared<T>) -> bool {
    matches!(*job.lock().unwrap_or_else(PoisonError::into_inner), Job::Unwanted)
}

/// The task's half.
struct Outcome<T>(Shared<T>);

impl<T> Future for Outcome<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // A task's waker is always ours, so it may be left under a lock.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, Job::Waiting(Some(cx.waker().clone()))) {
            Job::Done(Ok(output)) => Poll::Ready(output),
            Job::Done(Err(payload)) => {
                drop(state);
                resume_unwind(payload)
            }
            Job::Waiting(_) | Job::Unwanted => Poll::Pending,
        }
    }
}

impl<T> Drop for Outcome<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = std::mem::replace(&mut *state, Job::Unwanted);
        drop(state);
        drop(left);
    }
}
