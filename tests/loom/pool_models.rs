//! The pool's models: jobs that come while its threads go idle, are about to end, or are told to.
//!
//! A job that is orphaned is one that everybody waits for, and loom tells of that as a deadlock. Each model
//! ends with the pool's own end, which waits for every thread: one that is never told is a deadlock, too.

use std::panic::Location;
use std::sync::Arc as Shared;
use std::sync::atomic::AtomicUsize as Tally;
use std::sync::atomic::Ordering;

use loom::sync::mpsc::{Receiver, channel};

use crate::ground::pool::{Limits, Pool};
use crate::time::let_time_pass;
use crate::{explore, explore_with};

fn pool(threads: usize) -> Pool {
    Pool::new(Limits { threads, jobs: 3 })
}

/// Submits a job, and gives what tells of its end.
#[must_use]
fn submit(pool: &Pool, work: impl FnOnce() + Send + 'static) -> Receiver<()> {
    let (tell, told) = channel();
    let work = Box::new(move || {
        work();
        tell.send(()).unwrap();
    });
    pool.submit(work, Location::caller()).expect("the pool is open, and there is room");
    told
}

/// The pool's end, which leaves nothing behind.
fn close(pool: &Pool) {
    assert!(pool.close(None).is_empty(), "no job is abandoned");
    assert_eq!(pool.threads(), 0);
}

#[test]
fn a_job_that_comes_while_the_last_thread_goes_idle_is_run() {
    explore(|| {
        let pool = pool(1);
        submit(&pool, || ()).recv().unwrap();
        submit(&pool, || ()).recv().unwrap();
        close(&pool);
    });
}

#[test]
fn a_job_that_comes_while_the_last_thread_ends_is_run() {
    for threads in [1, 2] {
        explore(move || {
            let pool = pool(threads);
            submit(&pool, || ()).recv().unwrap();
            let_time_pass();
            submit(&pool, || ()).recv().unwrap();
            close(&pool);
        });
    }
}

#[test]
fn a_job_gets_the_one_it_waits_for_while_a_thread_goes_idle() {
    explore_with(2, || {
        let pool = pool(2);
        submit(&pool, || ()).recv().unwrap();
        let (tell, told) = channel();
        let waits = submit(&pool, move || told.recv().unwrap());
        let comes = submit(&pool, move || tell.send(()).unwrap());
        waits.recv().unwrap();
        comes.recv().unwrap();
        close(&pool);
    });
}

#[test]
fn time_that_passes_while_a_job_is_on_its_way_does_not_orphan_it() {
    explore_with(2, || {
        let pool = pool(2);
        let first = submit(&pool, || ());
        let_time_pass();
        let second = submit(&pool, || ());
        let_time_pass();
        first.recv().unwrap();
        second.recv().unwrap();
        close(&pool);
    });
}

#[test]
fn the_end_waits_for_a_job_that_runs_and_drops_one_that_has_not_begun() {
    explore(|| {
        let (pool, begun, over) = (pool(1), Shared::new(Tally::new(0)), Shared::new(Tally::new(0)));
        for _ in 0..2 {
            let (begun, over) = (Shared::clone(&begun), Shared::clone(&over));
            let job = move || {
                begun.fetch_add(1, Ordering::Relaxed);
                loom::thread::yield_now();
                over.fetch_add(1, Ordering::Relaxed);
            };
            pool.submit(Box::new(job), Location::caller()).unwrap();
        }
        close(&pool);
        assert_eq!(begun.load(Ordering::Relaxed), over.load(Ordering::Relaxed), "what runs is waited for");
        assert!(pool.submit(Box::new(|| ()), Location::caller()).is_err(), "what comes later is refused");
        drop(pool);
        assert_eq!(
            (Shared::strong_count(&begun), Shared::strong_count(&over)),
            (1, 1),
            "what has not begun is dropped"
        );
    });
}

#[test]
fn the_end_reaches_every_thread_whether_it_is_idle_or_about_to_end() {
    for time_passes in [false, true] {
        explore_with(2, move || {
            let pool = pool(2);
            let (first, second) = (submit(&pool, || ()), submit(&pool, || ()));
            first.recv().unwrap();
            second.recv().unwrap();
            if time_passes {
                let_time_pass();
            }
            close(&pool);
        });
    }
}
