//! Runtimes inside, after and beside each other.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use oneloop::task::yield_now;
use oneloop::time::{Instant, sleep};
use oneloop::{Handle, Runtime, spawn};

use crate::kit::support::{Count, alone, my_waker, on_drop, panic_of, poll_with, rounds};
use crate::kit::watch::{in_order, runtime, spawn_thread, unobserved, watch};

const REFUSED: &str = "block_on was called inside a running oneloop runtime: one thread runs one loop, \
                       so .await the future here, or spawn it";

#[test]
fn a_nested_block_on_is_refused_with_a_sentence_and_the_outer_one_goes_on() {
    watch(|| {
        let (outer, inner) = (in_order(), runtime());
        outer.block_on(async {
            assert_eq!(panic_of(|| outer.block_on(async {})), REFUSED);
            assert_eq!(panic_of(|| inner.block_on(async {})), REFUSED);
            assert_eq!(panic_of(|| oneloop::run(async {})), REFUSED);
            let task = spawn(async { panic_of(|| oneloop::run(async {})) });
            assert_eq!(task.await.unwrap(), REFUSED);
            sleep(Duration::from_secs(1)).await;
        });
        assert_eq!(inner.block_on(async { 5 }), 5);
    });
}

#[test]
fn a_block_on_inside_a_destructor_is_refused_too() {
    watch(|| {
        let said = Rc::new(RefCell::new(Vec::new()));
        let runtime = unobserved();
        runtime.block_on(async {
            for _ in 0..2 {
                let said = Rc::clone(&said);
                let nests = on_drop(move || said.borrow_mut().push(panic_of(|| oneloop::run(async {}))));
                drop(spawn(async move {
                    let _nests = nests;
                    pending::<()>().await;
                }));
            }
            rounds(1).await;
        });
        drop(runtime);
        assert_eq!(said.take(), [REFUSED, REFUSED]);
    });
}

#[test]
fn the_future_of_block_on_may_borrow_and_need_not_be_send() {
    watch(|| {
        let (text, cell) = (String::from("borrowed"), Cell::new(0));
        let length = oneloop::run(async {
            yield_now().await;
            cell.set(text.len());
            &text
        });
        assert_eq!((length, cell.get()), (&text, 8));
    });
}

#[test]
fn tasks_wait_where_they_are_between_two_calls_of_block_on() {
    watch(|| {
        let (first, second) = (in_order(), in_order());
        let (here, there) = (Count::default(), Count::default());
        let ticks = |ticks: &Count| {
            let ticks = ticks.clone();
            async move {
                loop {
                    sleep(Duration::from_secs(1)).await;
                    ticks.add();
                }
            }
        };
        let tasks = [(&first, &here), (&second, &there)].map(|(on, by)| on.block_on(async { spawn(ticks(by)) }));
        for round in 1..=3 {
            first.block_on(async { sleep(Duration::from_millis(1100)).await });
            second.block_on(async { sleep(Duration::from_millis(2200)).await });
            assert_eq!((here.get(), there.get()), (round, 2 * round));
        }
        drop(first);
        second.block_on(async { sleep(Duration::from_millis(1100)).await });
        assert_eq!((here.get(), there.get()), (3, 7));
        drop(tasks);
    });
}

#[test]
fn runtimes_follow_each_other_on_one_thread() {
    watch(|| {
        for n in 0..100 {
            let runtime = if n % 2 == 0 { unobserved() } else { runtime() };
            let task = runtime.block_on(async { spawn(async move { n }).await.unwrap() });
            assert_eq!(task, n);
        }
    });
}

#[test]
fn a_runtime_may_be_made_and_dropped_inside_another() {
    watch(|| {
        let dropped = Count::default();
        let (outer, inner) = (in_order(), in_order());
        let guard = dropped.at_drop();
        let waits = inner.block_on(async {
            let task = spawn(async move {
                let _guard = guard;
                sleep(Duration::from_secs(1)).await;
            });
            rounds(1).await;
            task
        });
        outer.block_on(async {
            let outer_id = oneloop::task::id();
            let sibling = spawn(sleep(Duration::from_secs(2)));
            drop(inner);
            assert_eq!(dropped.get(), 1);
            drop(waits);
            drop(Runtime::new().unwrap());
            assert_eq!(oneloop::task::id(), outer_id);
            sibling.await.unwrap();
        });
    });
}

#[test]
fn each_runtime_has_its_own_clock() {
    watch(|| {
        let (first, second) = (in_order(), in_order());
        let hour = Duration::from_secs(3600);
        let start = first.block_on(async { Instant::now() });
        first.block_on(async { sleep(hour).await });
        second.block_on(async { assert!(start.elapsed() < hour) });
        first.block_on(async { assert_eq!(start.elapsed(), hour) });
        assert!(start.elapsed() < hour, "outside any runtime the clock is the system's");
    });
}

#[test]
fn two_runtimes_on_two_threads_can_talk_through_their_handles() {
    watch(|| {
        let (send, receive) = std::sync::mpsc::channel::<Handle>();
        let (bounces, count) = (Count::default(), Count::default());
        let counted = count.clone();
        let there = spawn_thread(move || {
            runtime().block_on(async move {
                send.send(Handle::current()).unwrap();
                while counted.get() < 1000 {
                    sleep(Duration::from_millis(1)).await;
                }
            });
        });
        let other = receive.recv().unwrap();
        runtime().block_on(async {
            bounce(&Handle::current(), other, 1000, count.clone(), bounces.clone());
            while count.get() < 1000 {
                sleep(Duration::from_millis(1)).await;
            }
        });
        there.join().unwrap();
        assert_eq!(bounces.get(), 1000);
    });
}

/// Spawns a task on the other runtime that spawns one on this, and so on.
fn bounce(here: &Handle, there: Handle, times: usize, count: Count, tasks: Count) {
    let here = here.clone();
    if times == 0 {
        return;
    }
    let target = there.clone();
    let spawned = target.spawn(move || async move {
        yield_now().await;
        tasks.add();
        count.add();
        bounce(&there, here, times - 1, count, tasks);
    });
    // The last ones may find their runtime gone.
    let _ = spawned;
}

#[test]
fn what_a_thread_local_keeps_of_a_runtime_may_be_dropped_with_the_thread() {
    alone(|| {
        thread_local! {
            static KEPT: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
        }
        for used_before in [true, false] {
            let thread = std::thread::spawn(move || {
                if used_before {
                    oneloop::run(async {});
                }
                KEPT.with_borrow_mut(Vec::clear);
                let runtime = Runtime::new().unwrap();
                runtime.block_on(async {
                    let (mut armed, waker) = (sleep(Duration::from_secs(9)), my_waker().await);
                    assert!(poll_with(&mut armed, &waker).is_pending());
                    let wakes = on_drop(move || waker.wake());
                    let kept: [Box<dyn Any>; 2] =
                        [Box::new((armed, wakes)), Box::new((spawn(pending::<()>()), Handle::current()))];
                    KEPT.with_borrow_mut(|all| all.extend(kept));
                });
                drop(runtime);
            });
            thread.join().unwrap();
        }
    });
}
