//! Tasks: what is spawned runs, in order, takes turns, and is dropped in the end.

use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::thread;

use super::tools::{Cell, Count, Notes, OnDrop, Wakers, rounds, run, task, until, yield_now};
use crate::adapter::Runtime;

pub(super) fn a_future_that_is_ready_is_polled_once<R: Runtime>() {
    let polls = Count::default();
    run::<R, _>(polls.polls(ready(())));
    assert_eq!(polls.get(), 1);
}

pub(super) fn whatever_is_spawned_runs<R: Runtime>() {
    let ran = Count::default();
    let count = ran.clone();
    run::<R, _>(async move {
        for _ in 0..1000 {
            let count = count.clone();
            R::spawn(async move { count.add() });
        }
        until(|| count.get() == 1000).await;
    });
    assert_eq!(ran.get(), 1000);
}

pub(super) fn spawning_does_not_poll<R: Runtime>() {
    run::<R, _>(async {
        let ran = Count::default();
        let count = ran.clone();
        R::spawn(async move { count.add() });
        assert_eq!(ran.get(), 0, "the task ran inside of spawn");
        until(|| ran.get() == 1).await;
    });
}

pub(super) fn tasks_run_in_the_order_in_which_they_were_spawned<R: Runtime>() {
    let notes = Notes::default();
    let there = notes.clone();
    run::<R, _>(async move {
        let ran = Count::default();
        for n in 0..100 {
            let (notes, ran) = (there.clone(), ran.clone());
            R::spawn(async move {
                notes.add(n);
                ran.add();
            });
        }
        until(|| ran.get() == 100).await;
    });
    assert_eq!(notes.take(), (0..100).collect::<Vec<_>>());
}

pub(super) fn a_task_may_spawn_tasks_that_spawn_tasks<R: Runtime>() {
    fn grow<R: Runtime>(depth: usize, leaves: Count) {
        R::spawn(async move {
            if depth == 0 {
                leaves.add();
            } else {
                grow::<R>(depth - 1, leaves.clone());
                grow::<R>(depth - 1, leaves);
            }
        });
    }
    run::<R, _>(async {
        let leaves = Count::default();
        grow::<R>(8, leaves.clone());
        until(|| leaves.get() == 256).await;
    });
}

pub(super) fn a_hundred_thousand_tasks_end<R: Runtime>() {
    run::<R, _>(async {
        let ended = Count::default();
        for _ in 0..100_000 {
            let ended = ended.clone();
            R::spawn(async move {
                yield_now().await;
                ended.add();
            });
        }
        until(|| ended.get() == 100_000).await;
    });
}

pub(super) fn tasks_that_yield_take_turns<R: Runtime>() {
    let notes = Notes::default();
    let there = notes.clone();
    run::<R, _>(async move {
        let players = [0, 1].map(|player| {
            let notes = there.clone();
            task::<R, _>(async move {
                for _ in 0..50 {
                    notes.add(player);
                    yield_now().await;
                }
            })
        });
        for player in players {
            player.await;
        }
    });
    let played = notes.take();
    for turn in played.chunks(2).take(40) {
        assert!(turn.contains(&0) && turn.contains(&1), "a task ran twice before the other: {played:?}");
    }
}

pub(super) fn a_task_that_never_rests_does_not_starve_the_others<R: Runtime>() {
    run::<R, _>(async {
        let (over, seen) = (Count::default(), Count::default());
        let stop = over.clone();
        R::spawn(async move { until(|| stop.get() > 0).await });
        let count = seen.clone();
        R::spawn(async move {
            rounds(10).await;
            count.add();
        });
        rounds(50).await;
        assert_eq!(seen.get(), 1, "ten rounds took more than fifty");
        over.add();
        rounds(2).await;
    });
}

pub(super) fn a_future_is_dropped_when_it_is_over<R: Runtime>() {
    run::<R, _>(async {
        let dropped = Count::default();
        let owned = dropped.at_drop();
        let mut owner = Some(owned);
        task::<R, _>(poll_fn(move |_| {
            let _owner = &mut owner;
            Poll::Ready(())
        }))
        .await;
        rounds(2).await;
        assert_eq!(dropped.get(), 1, "the task is over, and its future is still there");
    });
}

pub(super) fn a_future_may_spawn_when_it_is_dropped<R: Runtime>() {
    run::<R, _>(async {
        let ran = Count::default();
        let count = ran.clone();
        let owned = OnDrop(Some(move || R::spawn(async move { count.add() })));
        R::spawn(async move { drop(owned) });
        until(|| ran.get() == 1).await;
    });
}

pub(super) fn the_end_of_the_root_is_the_end_though_a_task_waits<R: Runtime>() {
    let wakers = Wakers::default();
    let there = wakers.clone();
    run::<R, _>(async move {
        R::spawn(there.one_wake());
        until(|| there.len() == 1).await;
    });
    assert_eq!(wakers.len(), 1, "somebody could still wake the task");
}

pub(super) fn a_task_that_waits_is_dropped_at_the_end<R: Runtime>() {
    let dropped = Count::default();
    let owned = dropped.at_drop();
    run::<R, _>(async move {
        R::spawn(async move {
            let _owned = owned;
            pending::<()>().await;
        });
        rounds(2).await;
    });
    assert_eq!(dropped.get(), 1);
}

pub(super) fn a_task_that_keeps_its_own_waker_is_dropped_at_the_end<R: Runtime>() {
    let dropped = Count::default();
    let owned = dropped.at_drop();
    run::<R, _>(async move {
        R::spawn(async move {
            let _owned = owned;
            let mut kept = Vec::new();
            poll_fn(move |cx| {
                kept.push(cx.waker().clone());
                Poll::<()>::Pending
            })
            .await;
        });
        rounds(2).await;
    });
    assert_eq!(dropped.get(), 1, "the task keeps itself alive");
}

pub(super) fn a_panic_in_a_task_leaves_the_others_running<R: Runtime>() {
    run::<R, _>(async {
        let other = task::<R, _>(async {
            rounds(5).await;
            7
        });
        R::spawn(async { panic!("this panic is meant to be") });
        assert_eq!(other.await, 7);
    });
}

pub(super) fn a_panic_in_the_root_reaches_the_caller<R: Runtime>() {
    let caught = catch_unwind(AssertUnwindSafe(|| R::run(async { panic!("from the root") })));
    let payload = caught.expect_err("the panic got lost");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"from the root"));
    assert_eq!(run::<R, _>(async { 7 }), 7, "the next runtime works");
}

pub(super) fn runtimes_follow_each_other_on_one_thread<R: Runtime>() {
    for n in 0..100 {
        let cell = Cell::new();
        let there = cell.clone();
        let got = run::<R, _>(async move {
            R::spawn(async move { there.put(n) });
            cell.take().await
        });
        assert_eq!(got, n);
    }
}

pub(super) fn a_runtime_runs_on_each_of_several_threads<R: Runtime>() {
    let threads: Vec<_> = (0..4)
        .map(|n| {
            thread::spawn(move || {
                run::<R, _>(async move {
                    let parts = (0..100).map(|part| {
                        task::<R, _>(async move {
                            yield_now().await;
                            part
                        })
                    });
                    let mut sum = n;
                    for part in parts.collect::<Vec<_>>() {
                        sum += part.await;
                    }
                    sum
                })
            })
        })
        .collect();
    for (n, thread) in threads.into_iter().enumerate() {
        assert_eq!(thread.join().expect("the thread's runtime works"), 4950 + n);
    }
}
