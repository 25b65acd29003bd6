//! The pool: threads for work that blocks.
//!
//! It knows jobs, not futures: how a job's result comes back to the loop is the business of
//! `task/blocking.rs`. Jobs wait in a queue; threads are started when jobs outnumber them and end
//! when they have had nothing to do for a while. One rule keeps a job from being orphaned:
//!
//! ```text
//!     threads >= min(unfinished jobs, limit)        at every moment at which the lock is free
//! ```
//!
//! One lock guards the queue and the counts. A job counts as unfinished from when it is queued until after it has run.
//! So a thread that is about to take a job is not mistaken for a free one. A thread ends only where no job waits.
//! `tests/loom` tries every interleaving of this file, too.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::ground::sync::{Arc, Condvar, Mutex, MutexGuard, thread};

/// Something to be run on a thread of the pool. It must not panic.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// How long a thread waits for another job before it ends.
const IDLE: Duration = Duration::from_secs(10);

struct Job {
    work: Work,
    at: &'static Location<'static>,
}

/// The most threads, and the most jobs that are not finished.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) threads: usize,
    pub(crate) jobs: usize,
}

/// Blocking jobs that had not ended when their runtime did. Returned by
/// [`Runtime::shutdown_timeout`](crate::Runtime::shutdown_timeout).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[must_use = "abandoned jobs go on running; somebody should know"]
pub struct Abandoned {
    jobs: Vec<&'static Location<'static>>,
}

impl Abandoned {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// The lines that spawned them.
    pub fn jobs(&self) -> &[&'static Location<'static>] {
        &self.jobs
    }
}

impl fmt::Display for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} blocking jobs abandoned", self.jobs.len())?;
        self.jobs.iter().try_for_each(|at| write!(f, ", one spawned at {at}"))
    }
}

/// The pool.
pub(crate) struct Pool {
    limits: Limits,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Told to a thread that waits for a job; to all of them, when there will be no more.
    a_job_came: Condvar,
    a_thread_ended: Condvar,
}

#[derive(Default)]
struct State {
    /// The jobs that no thread has taken yet.
    waiting: VecDeque<Job>,
    /// How many wait or run.
    unfinished: usize,
    /// By number. They are few, and one that ends is looked for.
    threads: Vec<(u64, thread::JoinHandle<()>)>,
    /// Those that have nothing more to do, and are ending.
    ended: Vec<thread::JoinHandle<()>>,
    last_thread: u64,
    /// The lines that spawned the jobs that are being run, by thread.
    running: Vec<(u64, &'static Location<'static>)>,
    closed: bool,
}

impl Pool {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, shared: Arc::default() }
    }

    /// How many jobs are not finished.
    pub(crate) fn jobs(&self) -> usize {
        self.shared.lock().unfinished
    }

    /// How many threads there are.
    pub(crate) fn threads(&self) -> usize {
        self.shared.lock().threads.len()
    }

    /// Queues a job.
    ///
    /// # Errors
    ///
    /// If there are too many jobs, if there is no thread and none could be started, or if the pool is closed. The
    /// sentence says which. The job is dropped.
    pub(crate) fn submit(&self, work: Work, at: &'static Location<'static>) -> Result<(), String> {
        let mut state = self.shared.lock();
        if state.closed {
            return Err(String::from("its runtime is shutting down"));
        }
        let Limits { threads, jobs } = self.limits;
        if state.unfinished >= jobs {
            return Err(format!(
                "{jobs} jobs are waiting or running already on {} threads; \
                 spawn fewer at a time, or raise Builder::max_blocking_jobs",
                state.threads.len()
            ));
        }
        if state.threads.len() <= state.unfinished && state.threads.len() < threads {
            match self.start_thread(&mut state) {
                Err(error) if state.threads.is_empty() => {
                    return Err(format!("the system refused it a thread: {error}"));
                }
                // The threads that are there will get to it.
                Ok(()) | Err(_) => {}
            }
        }
        state.unfinished += 1;
        state.waiting.push_back(Job { work, at });
        self.shared.a_job_came.notify_one();
        Ok(())
    }

    fn start_thread(&self, state: &mut State) -> io::Result<()> {
        let number = state.last_thread + 1;
        let shared = Arc::clone(&self.shared);
        let name = format!("blocking-{number}");
        let thread = thread::Builder::new().name(name).spawn(move || shared.work(number))?;
        state.last_thread = number;
        state.threads.push((number, thread));
        state.ended.clear();
        Ok(())
    }

    /// Drops what is queued and waits, for at most `limit`, until what is running has ended. Returns
    /// the jobs that have not.
    pub(crate) fn close(&self, limit: Option<Duration>) -> Abandoned {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut state = self.shared.lock();
        state.closed = true;
        self.shared.a_job_came.notify_all();
        let dropped = std::mem::take(&mut state.waiting);
        state.unfinished -= dropped.len();
        // A job may own anything, and is dropped without the lock.
        drop((state, dropped));
        let mut state = self.shared.lock();
        while !state.threads.is_empty() {
            let Some(deadline) = deadline else {
                state = self.shared.a_thread_ended.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                break;
            };
            let waited = self.shared.a_thread_ended.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let abandoned = Abandoned { jobs: state.running.iter().map(|(_, at)| *at).collect() };
        let ended = std::mem::take(&mut state.ended);
        drop(state);
        for thread in ended {
            // A thread of the pool runs jobs that do not panic.
            let _ = thread.join();
        }
        abandoned
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of a thread.
    fn work(&self, number: u64) {
        let mut state = self.lock();
        while !state.closed {
            if let Some(job) = state.waiting.pop_front() {
                state.running.push((number, job.at));
                drop(state);
                (job.work)();
                state = self.lock();
                state.running.retain(|(thread, _)| *thread != number);
                state.unfinished -= 1;
                continue;
            }
            let waited = self.a_job_came.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            if waited.1.timed_out() && state.waiting.is_empty() {
                break;
            }
        }
        self.end(state, number);
    }

    fn end(&self, mut state: MutexGuard<'_, State>, number: u64) {
        if let Some(place) = state.threads.iter().position(|(thread, _)| *thread == number) {
            let (_, ended) = state.threads.swap_remove(place);
            state.ended.push(ended);
        }
        self.a_thread_ended.notify_all();
    }
}
