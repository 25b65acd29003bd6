//! Wakers: which of them is woken, and that none does harm wherever and whenever it is used.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Waker;
use std::time::Duration;

use oneloop::net::UnixStream;
use oneloop::time::{interval, sleep};
use oneloop::{Runtime, spawn};

use crate::kit::support::{Count, Foreign, Notes, my_waker, one_wake, poll_with, rounds};
use crate::kit::watch::{in_order, runtime, spawn_thread, unobserved, watch};

/// How many clones of a waker there are, by the count of its drops: none may be kept.
fn counting() -> (Waker, Count, Count) {
    let (wakes, dropped) = (Count::default(), Count::default());
    let (woken, gone) = (wakes.clone(), dropped.clone());
    (Foreign::waker(move || woken.add(), move || gone.add()), wakes, dropped)
}

/// Polls a future with one waker and then with another; lets it end; and returns how often each was
/// woken. The first must be gone by the second poll.
async fn polled_by_two<F: Future + Unpin>(mut future: F, ends: impl Future) -> (usize, usize) {
    let (first, first_wakes, first_dropped) = counting();
    let (second, second_wakes, second_dropped) = counting();
    assert!(poll_with(&mut future, &first).is_pending());
    drop(first);
    assert_eq!(first_dropped.get(), 0, "it is left with the runtime");
    assert!(poll_with(&mut future, &second).is_pending());
    assert_eq!(first_dropped.get(), 1, "the runtime keeps the latest waker only");
    drop(second);
    assert_eq!(second_dropped.get(), 0);
    ends.await;
    assert_eq!(second_dropped.get(), 1, "a waker that was woken is not kept");
    assert!(poll_with(&mut future, Waker::noop()).is_ready());
    (first_wakes.get(), second_wakes.get())
}

#[test]
fn a_future_that_is_polled_with_two_wakers_wakes_the_latest_alone() {
    watch(|| {
        in_order().block_on(async {
            let second = Duration::from_secs(1);
            assert_eq!(polled_by_two(sleep(second), sleep(second)).await, (0, 1));
            assert_eq!(polled_by_two(spawn(sleep(second)), sleep(2 * second)).await, (0, 1));
            let mut every = interval(second);
            every.tick().await;
            let tick = Box::pin(async move { every.tick().await });
            assert_eq!(polled_by_two(tick, sleep(second)).await, (0, 1));
        });
    });
}

#[test]
fn a_future_that_moves_to_another_task_wakes_that_task() {
    watch(|| {
        in_order().block_on(async {
            let (here, there) = (Count::default(), Count::default());
            let (send, receive) = std::sync::mpsc::channel();
            let first = spawn(here.polls(async move {
                let mut sleep = sleep(Duration::from_secs(1));
                let mut joins = spawn(rounds(10));
                assert!(poll_with(&mut sleep, &my_waker().await).is_pending());
                assert!(poll_with(&mut joins, &my_waker().await).is_pending());
                send.send((sleep, joins)).unwrap();
                pending::<()>().await;
            }));
            rounds(1).await;
            let (sleep, joins) = receive.recv().unwrap();
            let second = spawn(there.polls(async move {
                joins.await.unwrap();
                sleep.await;
            }));
            second.await.unwrap();
            assert_eq!((here.get(), there.get()), (1, 3));
            drop(first);
        });
    });
}

#[test]
fn clones_of_a_waker_are_equal_and_wakers_of_two_tasks_are_not() {
    watch(|| {
        unobserved().block_on(async {
            let (mine, other) = (my_waker().await, spawn(my_waker()).await.unwrap());
            assert!(mine.will_wake(&mine.clone()) && mine.will_wake(&my_waker().await));
            assert!(!mine.will_wake(&other) && !mine.will_wake(Waker::noop()));
        });
    });
}

/// Ends a task that lived in some slot, and gives its waker and the slot.
async fn leftover() -> (Waker, u32) {
    let task = spawn(my_waker());
    let slot = task.id().slot();
    (task.await.unwrap(), slot)
}

#[test]
fn a_wake_for_a_slots_former_tenant_wakes_nobody() {
    watch(|| {
        let runtime = unobserved();
        runtime.block_on(async {
            let (stale, slot) = leftover().await;
            stale.wake_by_ref();
            let polls = Count::default();
            let tenant = spawn(polls.polls(pending::<()>()));
            assert_eq!(tenant.id().slot(), slot);
            rounds(2).await;
            stale.wake_by_ref();
            stale.wake();
            rounds(2).await;
            assert_eq!(polls.get(), 1);
            assert_eq!(runtime.metrics().wakes_stale, 3);
            drop(tenant);
        });
    });
}

#[test]
fn a_wake_for_a_former_tenant_swallows_none_for_the_next_one() {
    watch(|| {
        for runtime in [runtime(), unobserved()] {
            runtime.block_on(async {
                let (stale, slot) = leftover().await;
                let (send, receive) = std::sync::mpsc::channel();
                let polls = Count::default();
                let tenant = spawn(polls.polls(async move {
                    send.send(my_waker().await).unwrap();
                    pending::<()>().await;
                }));
                assert_eq!(tenant.id().slot(), slot);
                rounds(1).await;
                let waker = receive.recv().unwrap();
                for round in 0..10 {
                    assert_eq!(polls.get(), 1 + round);
                    stale.wake_by_ref();
                    waker.wake_by_ref();
                    stale.wake_by_ref();
                    rounds(2).await;
                }
                drop(tenant);
            });
        }
    });
}

#[test]
fn a_wake_for_the_root_of_an_earlier_block_on_does_not_reach_the_next() {
    watch(|| {
        let runtime = unobserved();
        let stale = runtime.block_on(my_waker());
        stale.wake_by_ref();
        let polls = Count::default();
        runtime.block_on(async {
            let tenant = polls.polls(async {
                sleep(Duration::from_millis(1)).await;
            });
            stale.wake_by_ref();
            tenant.await;
        });
        assert_eq!(polls.get(), 2);
        assert_eq!(runtime.metrics().wakes_stale, 2);
        stale.wake();
    });
}

#[test]
fn a_task_that_is_over_is_not_woken_although_nobody_has_joined_it() {
    watch(|| {
        let runtime = unobserved();
        runtime.block_on(async {
            let (send, receive) = std::sync::mpsc::channel();
            let task = spawn(async move { send.send(my_waker().await).unwrap() });
            rounds(1).await;
            assert!(task.is_finished());
            let waker = receive.recv().unwrap();
            waker.wake();
            rounds(1).await;
            assert_eq!((runtime.metrics().wakes_stale, runtime.metrics().ready), (1, 0));
            task.await.unwrap();
        });
    });
}

#[test]
fn a_task_that_wakes_itself_in_its_last_poll_leaves_nothing_behind() {
    watch(|| {
        let runtime = unobserved();
        let wakes_and_ends = || async { my_waker().await.wake() };
        runtime.block_on(async {
            let joined = spawn(wakes_and_ends());
            drop(spawn(wakes_and_ends()));
            rounds(3).await;
            joined.await.unwrap();
            assert_eq!((runtime.metrics().ready, runtime.metrics().tasks), (0, 0));
            my_waker().await.wake();
        });
        assert_eq!(runtime.metrics().ready, 0);
    });
}

/// Uses a waker in all the ways in which one can be used.
fn use_up(waker: Waker) {
    let clone = waker.clone();
    waker.wake_by_ref();
    let another = clone.clone();
    another.wake();
    drop(waker);
    assert!(clone.will_wake(&clone.clone()));
    clone.wake();
}

#[test]
fn a_waker_that_outlives_its_task_is_harmless_on_any_thread() {
    watch(|| {
        let runtime = runtime();
        runtime.block_on(async {
            let (waker, _) = leftover().await;
            let (send, receive) = std::sync::mpsc::channel();
            let task = spawn(async move {
                send.send(my_waker().await).unwrap();
                pending::<()>().await;
            });
            rounds(1).await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
            let (aborted, clone) = (receive.recv().unwrap(), waker.clone());
            let wakers = [waker.clone(), aborted.clone()];
            spawn_thread(move || wakers.into_iter().for_each(use_up)).join().unwrap();
            [waker, aborted, clone].into_iter().for_each(use_up);
            sleep(Duration::from_millis(1)).await;
        });
        assert_eq!(runtime.metrics().wakes_remote, 2 * 3);
        assert_eq!(runtime.metrics().wakes_stale, 5 * 3);
    });
}

#[test]
fn a_waker_that_outlives_its_runtime_is_harmless_on_any_thread() {
    watch(|| {
        let gone = runtime();
        let waker = gone.block_on(async {
            let (waker, _) = leftover().await;
            [waker, my_waker().await]
        });
        drop(gone);
        waker.clone().into_iter().for_each(use_up);
        let polls = Count::default();
        let other = unobserved();
        other.block_on(polls.polls(async {
            waker.clone().into_iter().for_each(use_up);
            let wakers = waker.clone();
            spawn_thread(move || wakers.into_iter().for_each(use_up)).join().unwrap();
            sleep(Duration::from_millis(1)).await;
        }));
        assert_eq!(polls.get(), 2, "another runtime does not hear of them");
        assert_eq!(other.metrics().wakes_stale, 0);
    });
}

#[test]
fn a_waker_works_from_outside_its_runtime_and_from_inside_another() {
    watch(|| {
        let (here, other) = (in_order(), runtime());
        let polls = Count::default();
        let (send, receive) = std::sync::mpsc::channel();
        let task = here.block_on(async {
            let task = spawn(polls.polls(async move {
                send.send(my_waker().await).unwrap();
                pending::<()>().await;
            }));
            rounds(1).await;
            task
        });
        let waker = receive.recv().unwrap();
        waker.wake_by_ref();
        here.block_on(rounds(2));
        assert_eq!(polls.get(), 2);
        other.block_on(async { waker.wake_by_ref() });
        here.block_on(rounds(2));
        assert_eq!(polls.get(), 3);
        drop(task);
    });
}

#[test]
fn a_waker_of_a_runtime_on_another_thread_wakes_it_from_inside_this_one() {
    watch(|| {
        let (send, receive) = std::sync::mpsc::channel();
        let there = spawn_thread(move || {
            runtime().block_on(async {
                send.send(my_waker().await).unwrap();
                one_wake().await;
            });
        });
        Runtime::new().unwrap().block_on(async { receive.recv().unwrap().wake() });
        there.join().unwrap();
    });
}

/// Two tasks wait for two sockets. The one whose socket is ready first leaves another crate's waker, and the other its
/// own. Returns the order in which they are polled, and how many wakes the runtime counted.
fn order_of_a_batch(runtime: &Runtime) -> (String, u64) {
    let notes = Notes::default();
    runtime.block_on(async {
        let pairs = [(); 2].map(|()| UnixStream::pair().unwrap());
        let tasks = ["foreign", "own"].into_iter().zip(pairs).map(|(name, (here, there))| {
            let notes = notes.clone();
            let task = spawn(async move {
                let mut buffer = [0];
                let mut read = pin!(here.read(&mut buffer));
                poll_fn(|cx| {
                    let own = cx.waker().clone();
                    let foreign = name == "foreign";
                    let waker = if foreign { Foreign::waker(move || own.wake_by_ref(), || ()) } else { own };
                    poll_with(&mut read, &waker)
                })
                .await
                .unwrap();
                notes.add(name);
            });
            (task, there)
        });
        let tasks: Vec<_> = tasks.collect();
        rounds(2).await;
        for (_, there) in &tasks {
            assert_eq!(there.try_write(b"x").unwrap(), 1);
        }
        for (task, _) in tasks {
            task.await.unwrap();
        }
    });
    (notes.text(), runtime.metrics().wakes_local)
}

#[test]
#[cfg_attr(miri, ignore = "Miri's epoll knows no urgent data")]
#[cfg_attr(mio_unsupported_force_poll_poll, ignore = "mio's poll(2) backend tells events in no order")]
fn a_batch_of_events_wakes_in_its_order_whether_it_is_observed_or_not() {
    watch(|| {
        let (order, wakes) = order_of_a_batch(&runtime());
        assert_eq!(order_of_a_batch(&unobserved()), (order, wakes));
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri's epoll knows no urgent data")]
fn a_socket_wakes_the_task_of_another_runtime_whose_waker_was_left() {
    watch(|| {
        let other = unobserved();
        let waker = other.block_on(my_waker());
        let seen = other.metrics().wakes_remote;
        unobserved().block_on(async {
            let (here, there) = UnixStream::pair().unwrap();
            let mut buffer = [0];
            let mut read = pin!(here.read(&mut buffer));
            assert!(poll_with(&mut read, &waker).is_pending());
            assert_eq!(there.try_write(b"x").unwrap(), 1);
            sleep(Duration::from_millis(1)).await;
        });
        other.block_on(async {});
        assert_eq!(other.metrics().wakes_remote, seen + 1);
    });
}
