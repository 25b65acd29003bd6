//! Sleeping: never too short, never in anybody's way.

use std::time::{Duration, Instant};

use super::tools::{Cell, Count, Notes, either, lock, processor_time, rounds, run, task, until, yield_now};
use crate::adapter::Runtime;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(super) fn a_sleep_is_never_too_short<R: Runtime>() {
    run::<R, _>(async {
        let sleeps = (0..300_u64).map(|n| {
            task::<R, _>(async move {
                // Odd microseconds, spread over 30 ms.
                let asked = Duration::from_nanos(n * 101_003);
                let start = Instant::now();
                R::sleep(asked).await;
                (asked, start.elapsed())
            })
        });
        for sleep in sleeps.collect::<Vec<_>>() {
            let (asked, slept) = sleep.await;
            assert!(slept >= asked, "slept {slept:?} instead of {asked:?}");
        }
    });
}

pub(super) fn sleeps_end_in_the_order_of_their_deadlines<R: Runtime>() {
    let notes = Notes::default();
    let there = notes.clone();
    run::<R, _>(async move {
        let ended = Count::default();
        for n in [3, 0, 4, 1, 2] {
            let (notes, ended) = (there.clone(), ended.clone());
            R::spawn(async move {
                R::sleep(ms(10 + 10 * n as u64)).await;
                notes.add(n);
                ended.add();
            });
        }
        until(|| ended.get() == 5).await;
    });
    assert_eq!(notes.take(), [0, 1, 2, 3, 4]);
}

pub(super) fn a_hundred_sleeps_take_the_time_of_one<R: Runtime>() {
    let start = Instant::now();
    run::<R, _>(async {
        let sleeps: Vec<_> = (0..100).map(|_| task::<R, _>(async { R::sleep(ms(100)).await })).collect();
        for sleep in sleeps {
            sleep.await;
        }
    });
    assert!(start.elapsed() < ms(1000), "they took {:?}", start.elapsed());
}

pub(super) fn a_sleep_of_zero_ends<R: Runtime>() {
    run::<R, _>(async {
        for _ in 0..100 {
            R::sleep(Duration::ZERO).await;
        }
    });
}

pub(super) fn a_sleep_counts_from_the_call<R: Runtime>() {
    run::<R, _>(async {
        let sleep = R::sleep(ms(300));
        std::thread::sleep(ms(300));
        let start = Instant::now();
        sleep.await;
        assert!(start.elapsed() < ms(150), "another {:?} after the first poll", start.elapsed());
    });
}

pub(super) fn a_sleep_that_is_dropped_keeps_nobody_waiting<R: Runtime>() {
    let start = Instant::now();
    run::<R, _>(async {
        either(R::sleep(Duration::from_secs(3600)), async {
            R::sleep(ms(10)).await;
        })
        .await;
        drop(R::sleep(Duration::from_secs(3600)));
        for _ in 0..1000 {
            let polled = task::<R, _>(either(R::sleep(Duration::from_secs(3600)), yield_now()));
            polled.await;
        }
    });
    assert!(start.elapsed() < ms(2000), "the end came after {:?}", start.elapsed());
}

pub(super) fn a_sleep_that_moves_to_another_task_wakes_that_task<R: Runtime>() {
    run::<R, _>(async {
        let cell = Cell::new();
        let moved = cell.clone();
        R::spawn(async move {
            let mut sleep = Box::pin(R::sleep(ms(50)));
            assert!(futures_lite::future::poll_once(&mut sleep).await.is_none());
            moved.put(sleep);
            futures_lite::future::pending::<()>().await;
        });
        let sleep = cell.take().await;
        let start = Instant::now();
        task::<R, _>(sleep).await;
        assert!(start.elapsed() < ms(1000), "woken after {:?}", start.elapsed());
    });
}

pub(super) fn a_sleep_too_long_for_the_clock_does_not_end<R: Runtime>() {
    run::<R, _>(async {
        for far in [Duration::MAX, Duration::from_secs(u64::from(u32::MAX) * 1000), Duration::from_secs(40 * 86_400)] {
            let first = either(
                async {
                    R::sleep(far).await;
                    "the far one"
                },
                async {
                    R::sleep(ms(10)).await;
                    "the near one"
                },
            );
            assert_eq!(first.await, "the near one", "of {far:?}");
        }
    });
}

pub(super) fn sleeping_takes_few_polls<R: Runtime>() {
    run::<R, _>(async {
        let polls = Count::default();
        task::<R, _>(polls.polls(async { R::sleep(ms(200)).await })).await;
        assert!(polls.get() <= 3, "{} polls for one sleep", polls.get());
    });
}

pub(super) fn sleeping_takes_no_processor_time<R: Runtime>() {
    run::<R, _>(async {
        R::sleep(ms(10)).await;
        let before = processor_time();
        R::sleep(ms(1000)).await;
        let spent = processor_time() - before;
        assert!(spent < ms(20), "{spent:?} of processor time in a second of sleep");
    });
}

pub(super) fn a_loop_that_was_busy_ends_all_overdue_sleeps<R: Runtime>() {
    let notes = Notes::default();
    let there = notes.clone();
    run::<R, _>(async move {
        let ended = Count::default();
        for n in [2, 0, 3, 1] {
            let (notes, ended) = (there.clone(), ended.clone());
            R::spawn(async move {
                R::sleep(ms(5 + 10 * n as u64)).await;
                notes.add(n);
                ended.add();
            });
        }
        rounds(2).await;
        std::thread::sleep(ms(100));
        let start = Instant::now();
        until(|| ended.get() == 4).await;
        assert!(start.elapsed() < ms(500));
    });
    assert_eq!(notes.take(), [0, 1, 2, 3], "in the order of their deadlines");
}

pub(super) fn a_task_that_never_rests_does_not_delay_a_sleep<R: Runtime>() {
    run::<R, _>(async {
        let over = Count::default();
        let stop = over.clone();
        R::spawn(async move { until(|| stop.get() > 0).await });
        let start = Instant::now();
        R::sleep(ms(50)).await;
        assert!(start.elapsed() < ms(500), "{:?} instead of 50 ms", start.elapsed());
        over.add();
        rounds(2).await;
    });
}

pub(super) fn a_wake_from_another_thread_does_not_wait_for_the_next_deadline<R: Runtime>() {
    run::<R, _>(async {
        let cell = Cell::new();
        let there = cell.clone();
        std::thread::spawn(move || {
            std::thread::sleep(ms(50));
            there.put(Instant::now());
        });
        let woken = either(
            async {
                R::sleep(Duration::from_secs(5)).await;
                None
            },
            async { Some(cell.take().await) },
        );
        let woken = woken.await.expect("the wake waited for the deadline");
        assert!(woken.elapsed() < ms(500), "it took {:?}", woken.elapsed());
    });
}

pub(super) fn ten_thousand_sleeps_end<R: Runtime>() {
    let early = std::sync::Arc::new(std::sync::Mutex::new(0));
    let count = std::sync::Arc::clone(&early);
    run::<R, _>(async move {
        let ended = Count::default();
        for n in 0..10_000_u64 {
            let (ended, count) = (ended.clone(), std::sync::Arc::clone(&count));
            R::spawn(async move {
                let (asked, start) = (ms(n * 7919 % 200), Instant::now());
                R::sleep(asked).await;
                *lock(&count) += usize::from(start.elapsed() < asked);
                ended.add();
            });
        }
        while ended.get() < 10_000 {
            R::sleep(ms(5)).await;
        }
    });
    assert_eq!(*lock(&early), 0, "so many were early");
}
