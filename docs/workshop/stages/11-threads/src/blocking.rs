//! Work that blocks, on threads of its own.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use crate::leaf::Event;

type Job = Box<dyn FnOnce() + Send>;

/// How many threads there are at most.
const THREADS: usize = 4;

struct Pool {
    state: Mutex<State>,
    news: Condvar,
}

struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

static POOL: Pool = Pool {
    state: Mutex::new(State { jobs: VecDeque::new(), threads: 0, idle: 0 }),
    news: Condvar::new(),
};

/// Runs `work` on a thread that may block, and waits for its result.
pub async fn spawn_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (result, done) = (Arc::new(Mutex::new(None)), Event::new());
    let (theirs, set) = (Arc::clone(&result), done.clone());
    submit(Box::new(move || {
        let value = work();
        // stage: hole "the end of a job"
        *theirs.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        set.set();
        // stage: end
    }));
    done.wait().await;
    let value = result.lock().unwrap_or_else(PoisonError::into_inner).take();
    value.expect("the result is there before the news of it")
}

/// Queues a job, and starts a thread if none is idle.
fn submit(job: Job) {
    let mut state = POOL.state.lock().unwrap_or_else(PoisonError::into_inner);
    state.jobs.push_back(job);
    if state.idle == 0 && state.threads < THREADS {
        state.threads += 1;
        thread::spawn(work);
    } else {
        POOL.news.notify_one();
    }
}

fn work() {
    let mut state = POOL.state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        while let Some(job) = state.jobs.pop_front() {
            drop(state);
            job();
            state = POOL.state.lock().unwrap_or_else(PoisonError::into_inner);
        }
        state.idle += 1;
        state = POOL.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
    }
}
