//! Wakers: none is lost, none lies, and none outlives its use.

use std::future::poll_fn;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use super::tools::{Cell, Count, Notes, OnDrop, Wakers, rounds, run, task, until};
use crate::adapter::Runtime;

pub(super) fn a_task_that_is_not_woken_is_not_polled<R: Runtime>() {
    run::<R, _>(async {
        let (wakers, polls) = (Wakers::default(), Count::default());
        R::spawn(polls.polls(wakers.one_wake()));
        until(|| wakers.len() == 1).await;
        rounds(100).await;
        assert_eq!(polls.get(), 1);
        wakers.take().remove(0).wake();
        rounds(2).await;
        assert_eq!(polls.get(), 2);
    });
}

pub(super) fn a_wake_during_the_poll_is_kept<R: Runtime>() {
    run::<R, _>(async {
        let polls = Count::default();
        let seen = polls.clone();
        task::<R, _>(poll_fn(move |cx| {
            seen.add();
            cx.waker().wake_by_ref();
            if seen.get() < 3 { Poll::Pending } else { Poll::Ready(()) }
        }))
        .await;
        assert_eq!(polls.get(), 3);
    });
}

pub(super) fn wakes_before_a_poll_are_one_poll<R: Runtime>() {
    run::<R, _>(async {
        let (wakers, polls) = (Wakers::default(), Count::default());
        let waits = wakers.clone();
        R::spawn(polls.polls(async move {
            for _ in 0..2 {
                waits.one_wake().await;
            }
        }));
        until(|| wakers.len() == 1).await;
        let waker = wakers.take().remove(0);
        for _ in 0..1000 {
            waker.wake_by_ref();
        }
        rounds(10).await;
        assert_eq!(polls.get(), 2, "a thousand wakes before one poll");
        wakers.take().remove(0).wake();
        rounds(2).await;
    });
}

pub(super) fn woken_tasks_run_in_the_order_of_their_wakes<R: Runtime>() {
    let notes = Notes::default();
    let there = notes.clone();
    run::<R, _>(async move {
        let wakers = Wakers::default();
        for n in 0..10 {
            let (wait, notes) = (wakers.one_wake(), there.clone());
            R::spawn(async move {
                wait.await;
                notes.add(n);
            });
            until(|| wakers.len() == n + 1).await;
        }
        let order = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7];
        let kept = wakers.take();
        order.into_iter().for_each(|n: usize| kept[n].wake_by_ref());
        rounds(20).await;
    });
    assert_eq!(notes.take(), [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]);
}

pub(super) fn wakes_by_value_by_reference_and_by_a_clone_all_count<R: Runtime>() {
    run::<R, _>(async {
        let wakers = Wakers::default();
        let waits = wakers.clone();
        let waiting = task::<R, _>(async move {
            for _ in 0..3 {
                waits.one_wake().await;
            }
            7
        });
        for way in 0..3 {
            until(|| wakers.len() == 1).await;
            let waker = wakers.take().remove(0);
            match way {
                0 => waker.wake_by_ref(),
                1 => {
                    let clone = waker.clone();
                    clone.wake();
                }
                _ => waker.wake(),
            }
        }
        assert_eq!(waiting.await, 7);
    });
}

pub(super) fn clones_of_a_waker_are_known_as_the_same_and_those_of_two_tasks_are_not<R: Runtime>() {
    run::<R, _>(async {
        let wakers = Wakers::default();
        R::spawn(wakers.one_wake());
        R::spawn(wakers.one_wake());
        until(|| wakers.len() == 2).await;
        let kept = wakers.take();
        assert!(kept[0].will_wake(&kept[0].clone()));
        assert!(!kept[0].will_wake(&kept[1]));
        kept.into_iter().for_each(std::task::Waker::wake);
        rounds(2).await;
    });
}

pub(super) fn a_waker_that_is_dropped_wakes_nobody<R: Runtime>() {
    run::<R, _>(async {
        let (wakers, polls) = (Wakers::default(), Count::default());
        R::spawn(polls.polls(wakers.one_wake()));
        until(|| wakers.len() == 1).await;
        drop(wakers.take());
        rounds(20).await;
        assert_eq!(polls.get(), 1);
    });
}

pub(super) fn a_waker_that_outlives_its_task_is_harmless<R: Runtime>() {
    run::<R, _>(async {
        let (wakers, polls) = (Wakers::default(), Count::default());
        let first = task::<R, _>(polls.polls(wakers.one_wake()));
        until(|| wakers.len() == 1).await;
        let stale = wakers.take().remove(0);
        stale.wake_by_ref();
        first.await;
        let others = Count::default();
        let next = Wakers::default();
        R::spawn(others.polls(next.one_wake()));
        until(|| next.len() == 1).await;
        let from_elsewhere = stale.clone();
        thread::spawn(move || from_elsewhere.wake()).join().expect("a stale wake from another thread");
        (0..100).for_each(|_| stale.wake_by_ref());
        rounds(20).await;
        assert_eq!(polls.get(), 2, "a task that is over was polled");
        next.take().remove(0).wake();
        rounds(3).await;
        assert!(others.get() >= 2, "the stale wakes swallowed the real one");
    });
}

pub(super) fn a_waker_that_outlives_its_runtime_is_harmless<R: Runtime>() {
    let wakers = Wakers::default();
    let there = wakers.clone();
    run::<R, _>(poll_fn(move |cx| {
        let waits = there.clone();
        let mut pinned = std::pin::pin!(waits.one_wake());
        assert!(std::future::Future::poll(pinned.as_mut(), cx).is_pending());
        Poll::Ready(())
    }));
    let stale = wakers.take().remove(0);
    let from_elsewhere = stale.clone();
    thread::spawn(move || from_elsewhere.wake()).join().expect("a stale wake from another thread");
    stale.wake();
    assert_eq!(run::<R, _>(async { 7 }), 7);
}

pub(super) fn a_wake_from_another_thread_reaches_a_loop_that_sleeps<R: Runtime>() {
    for pause in [1, 20, 100] {
        let cell = Cell::new();
        let there = cell.clone();
        let late = run::<R, _>(async move {
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(pause));
                there.put(Instant::now());
            });
            cell.take().await.elapsed()
        });
        assert!(late < Duration::from_millis(500), "the wake arrived after {late:?}");
    }
}

pub(super) fn a_wake_while_the_loop_is_busy_is_kept<R: Runtime>() {
    let cell = Cell::new();
    let there = cell.clone();
    let got = run::<R, _>(async move {
        let waits = cell.clone();
        let waiting = task::<R, _>(async move { waits.take().await });
        rounds(2).await;
        // The loop's thread itself waits for the wake to be made.
        thread::spawn(move || there.put(7)).join().expect("the other thread");
        waiting.await
    });
    assert_eq!(got, 7);
}

pub(super) fn of_a_hundred_thousand_wakes_from_four_threads_the_last_is_not_lost<R: Runtime>() {
    const THREADS: usize = 4;
    const WAKES: usize = 25_000;
    let sent = Count::default();
    let total = sent.clone();
    run::<R, _>(async move {
        let mut started = false;
        poll_fn(move |cx| {
            if !std::mem::replace(&mut started, true) {
                for _ in 0..THREADS {
                    let (waker, sent) = (cx.waker().clone(), sent.clone());
                    thread::spawn(move || {
                        for _ in 0..WAKES {
                            sent.add();
                            waker.wake_by_ref();
                        }
                    });
                }
            }
            if sent.get() == THREADS * WAKES { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    });
    assert_eq!(total.get(), THREADS * WAKES);
}

pub(super) fn two_loops_wake_each_other<R: Runtime>() {
    let (here, there) = (Cell::new(), Cell::new());
    let (to_here, from_here) = (here.clone(), there.clone());
    let other = thread::spawn(move || {
        run::<R, _>(async move {
            for n in 0..1000 {
                assert_eq!(from_here.take().await, n);
                to_here.put(n);
            }
        });
    });
    run::<R, _>(async move {
        for n in 0..1000 {
            there.put(n);
            assert_eq!(here.take().await, n);
        }
    });
    other.join().expect("the other loop");
}

pub(super) fn a_task_may_wake_another_when_it_is_dropped<R: Runtime>() {
    run::<R, _>(async {
        let wakers = Wakers::default();
        let waiting = task::<R, _>(wakers.one_wake());
        until(|| wakers.len() == 1).await;
        let waker = wakers.take().remove(0);
        let owned = OnDrop(Some(move || waker.wake()));
        R::spawn(async move {
            let _owned = owned;
        });
        waiting.await;
    });
}
