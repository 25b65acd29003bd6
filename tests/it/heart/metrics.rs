//! Metrics: what is counted, and when.

use std::future::pending;
use std::time::Duration;

use oneloop::time::sleep;
use oneloop::{Handle, spawn};

use crate::kit::support::{alone, my_waker, one_wake, poll_with, rounds};
use crate::kit::watch::{in_order, spawn_thread, unobserved, watch};

#[test]
fn a_new_runtime_has_nothing_and_has_done_nothing() {
    watch(|| {
        let runtime = unobserved();
        assert_eq!(runtime.metrics(), oneloop::Metrics::default());
        runtime.block_on(async {});
        let did = runtime.metrics();
        assert_eq!((did.turns, did.polls, did.parks, did.tasks, did.ready), (1, 1, 0, 0, 0));
    });
}

#[test]
fn live_counts_follow_the_tasks_and_timers() {
    watch(|| {
        let runtime = in_order();
        let holds = || {
            let now = runtime.metrics();
            (now.tasks, now.ready, now.timers)
        };
        runtime.block_on(async {
            assert_eq!(holds(), (0, 0, 0));
            let sleeps: Vec<_> = (1..=3).map(|n| spawn(sleep(Duration::from_secs(n)))).collect();
            assert_eq!(holds(), (3, 3, 0));
            rounds(1).await;
            assert_eq!(holds(), (3, 0, 3));
            let mut own = sleep(Duration::from_secs(2));
            assert!(poll_with(&mut own, &my_waker().await).is_pending());
            assert_eq!(holds(), (3, 0, 4));
            own.await;
            assert_eq!(holds(), (1, 0, 1), "the second sleeper's timer was set before this task's");
            sleeps[2].abort();
            assert_eq!(holds(), (1, 1, 1));
            rounds(1).await;
            assert_eq!(holds(), (0, 0, 0), "tasks that are over do not count, joined or not");
        });
    });
}

#[test]
fn totals_count_each_turn_poll_park_and_wake() {
    // The end of somebody else's child would be a signal here, and end a park.
    alone(|| {
        let runtime = in_order();
        runtime.block_on(async {
            let task = spawn(sleep(Duration::from_secs(1)));
            task.await.unwrap();
            let waker = my_waker().await;
            let gone = spawn(my_waker()).await.unwrap();
            gone.wake();
            let handle = Handle::current();
            let thread = spawn_thread(move || {
                while handle.metrics().parks < 2 {
                    std::thread::yield_now();
                }
                waker.wake();
            });
            one_wake().await;
            thread.join().unwrap();
        });
        let did = runtime.metrics();
        // The task and this future were polled twice for the sleep; then both once, and this once more.
        assert_eq!((did.turns, did.polls, did.parks), (3, 2 + 2 + 1 + 1 + 1, 2));
        // By the timer, by the two joins, and by the waker of the task that was gone.
        assert_eq!((did.wakes_local, did.wakes_remote, did.wakes_stale), (4, 1, 1));
    });
}

#[test]
fn a_handle_on_another_thread_sees_the_loop_as_of_its_last_turn() {
    watch(|| {
        let runtime = unobserved();
        let handle = runtime.handle();
        runtime.block_on(async {
            let waiting: Vec<_> = (0..7).map(|_| spawn(pending::<()>())).collect();
            sleep(Duration::from_millis(1)).await;
            let waker = my_waker().await;
            let seen = spawn_thread(move || {
                while handle.metrics().parks < 2 {
                    std::thread::yield_now();
                }
                waker.wake();
                handle.metrics()
            });
            one_wake().await;
            let seen = seen.join().unwrap();
            assert_eq!(seen.tasks, 7);
            drop(waiting);
        });
        assert_eq!(runtime.handle().metrics(), runtime.metrics());
    });
}
