//! Stage 5: spawn and JoinHandle.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::catch_unwind;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::leaf::yield_now;
use crate::{JoinError, Runtime, spawn, trace};

/// hint: JoinHandle::poll
#[test]
fn a_handle_brings_the_output() {
    let output = Runtime::new().block_on(async {
        let text = String::from("from a task");
        let handle = spawn(async move {
            yield_now().await;
            text
        });
        handle.await
    });
    assert_eq!(output.expect("it returns"), "from a task");
}

/// hint: take_outcome
#[test]
fn thirty_tasks_interleave() {
    let order = Rc::new(RefCell::new(Vec::new()));
    let sum: u32 = Runtime::new().block_on(async {
        let handles: Vec<_> = (0..30)
            .map(|n| {
                let order = Rc::clone(&order);
                spawn(async move {
                    for round in 0..3 {
                        order.borrow_mut().push((round, n));
                        yield_now().await;
                    }
                    n
                })
            })
            .collect();
        let mut sum = 0;
        for handle in handles {
            sum += handle.await.expect("it returns");
        }
        sum
    });
    assert_eq!(sum, 435);
    let rounds: Vec<(u32, u32)> = (0..3).flat_map(|round| (0..30).map(move |n| (round, n))).collect();
    assert_eq!(*order.borrow(), rounds, "each of them once, then each of them again");
}

/// hint: finish
#[test]
fn an_output_waits_for_a_late_join() {
    let runtime = Runtime::new();
    runtime.block_on(async {
        let handle = spawn(async { 7 });
        for _ in 0..3 {
            yield_now().await;
        }
        assert_eq!(handle.await.expect("it returned long ago"), 7);
    });
    assert_eq!(runtime.tasks(), 0, "and then the slot is free");
}

/// hint: detach
#[test]
fn dropping_the_handle_detaches_the_task() {
    let polls = Rc::new(Cell::new(0));
    let runtime = Runtime::new();
    runtime.block_on(async {
        let count = Rc::clone(&polls);
        drop(spawn(async move {
            for _ in 0..3 {
                count.set(count.get() + 1);
                yield_now().await;
            }
        }));
        for _ in 0..6 {
            yield_now().await;
        }
    });
    assert_eq!((polls.get(), runtime.tasks()), (3, 0), "it went on to its end, and left nothing");
}

/// hint: detach
#[test]
fn an_output_that_nobody_will_take_is_dropped() {
    let output = Rc::new(());
    let runtime = Runtime::new();
    runtime.block_on(async {
        let theirs = Rc::clone(&output);
        let handle = spawn(async move { theirs });
        yield_now().await;
        assert_eq!(Rc::strong_count(&output), 2, "it is there to be taken");
        drop(handle);
        trace::seen(&format!("the handle is dropped, and the output has {} owners", Rc::strong_count(&output)));
        assert_eq!(Rc::strong_count(&output), 1, "and is dropped with the handle");
    });
    assert_eq!(runtime.tasks(), 0);
}

/// hint: finish
#[test]
fn a_task_that_is_over_is_not_polled_again() {
    let (polls, waker) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(None::<Waker>)));
    Runtime::new().block_on(async {
        let (count, kept) = (Rc::clone(&polls), Rc::clone(&waker));
        let handle = spawn(poll_fn(move |cx| {
            count.set(count.get() + 1);
            *kept.borrow_mut() = Some(cx.waker().clone());
            Poll::Ready(())
        }));
        yield_now().await;
        for _ in 0..3 {
            waker.borrow().as_ref().expect("it was polled").wake_by_ref();
            yield_now().await;
        }
        handle.await.expect("it returned");
    });
    assert_eq!(polls.get(), 1);
}

/// hint: poll_task, and its end
#[test]
fn a_panic_belongs_to_its_task() {
    let ended = Runtime::new().block_on(async {
        let (bad, good) = (spawn(async { panic!("in the task") }), spawn(async { "the other goes on" }));
        let bad: Result<(), JoinError> = bad.await;
        (bad, good.await.expect("it returns"))
    });
    let (Err(JoinError::Panicked(payload)), good) = ended else { unreachable!("it panicked") };
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"in the task"));
    assert_eq!(good, "the other goes on");
}

/// A value whose shares are counted, and how many were left when the waker was called.
#[derive(Default)]
struct Looks {
    owned: Arc<()>,
    left: AtomicUsize,
}

impl Wake for Looks {
    fn wake(self: Arc<Self>) {
        self.left.store(Arc::strong_count(&self.owned), Ordering::SeqCst);
        trace::seen(&format!(
            "the joiner is woken, and what the task owned has {} owners",
            Arc::strong_count(&self.owned)
        ));
    }
}

/// Polls a handle with a waker that looks at what the task owned, and lets the task end at its second poll.
fn left_when_woken(panics: bool) -> usize {
    Runtime::new().block_on(async {
        let looks = Arc::new(Looks::default());
        let owned = Arc::clone(&looks.owned);
        let mut polls = 0;
        let handle = spawn(poll_fn(move |cx| {
            let _ = &owned;
            polls += 1;
            cx.waker().wake_by_ref();
            assert!(polls < 2 || !panics, "as the test wants it");
            if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
        }));
        let mut handle = pin!(handle);
        let waker = Waker::from(Arc::clone(&looks));
        assert!(handle.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        for _ in 0..3 {
            yield_now().await;
        }
        let left = looks.left.load(Ordering::SeqCst);
        assert_eq!(handle.await.is_err(), panics);
        left
    })
}

/// hint: poll_task, and its end
#[test]
fn all_that_a_task_owned_is_gone_when_its_joiner_is_woken() {
    assert_eq!(left_when_woken(false), 1, "2: the task's own share was still there; 0: nobody woke the joiner");
}

/// hint: poll_task, and its end
#[test]
fn all_that_a_task_owned_is_gone_after_a_panic_as_well() {
    assert_eq!(left_when_woken(true), 1, "2: the task's own share was still there; 0: nobody woke the joiner");
}

/// hint: JoinHandle::poll
#[test]
fn the_newest_joiner_is_the_one_that_is_woken() {
    Runtime::new().block_on(async {
        let mut handle = pin!(spawn(async { yield_now().await }));
        let old = Arc::new(Looks::default());
        let waker = Waker::from(Arc::clone(&old));
        assert!(handle.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        handle.await.expect("it returns");
        assert_eq!(old.left.load(Ordering::SeqCst), 0, "who polled before is not woken");
    });
}

/// Comes back into the runtime when it is dropped.
struct Spawns;

impl Drop for Spawns {
    fn drop(&mut self) {
        // Inside a borrow this panics, and the recording tells of it.
        let spawned = catch_unwind(|| drop(spawn(async {})));
        trace::seen(if spawned.is_ok() { "a drop came back and spawned" } else { "a drop came back into a borrow" });
        spawned.expect("what is dropped may come back into the runtime");
    }
}

impl Wake for Spawns {
    fn wake(self: Arc<Self>) {}
}

/// hint: detach
#[test]
fn what_a_detached_task_leaves_is_dropped_outside_of_the_store() {
    let runtime = Runtime::new();
    runtime.block_on(async {
        let ended = spawn(async { Spawns });
        yield_now().await;
        // Its output is dropped here.
        drop(ended);
        let mut waits = Box::pin(spawn(async { yield_now().await }));
        let waker = Waker::from(Arc::new(Spawns));
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        // And here the last of its joiner's waker.
        drop(waits);
        for _ in 0..3 {
            yield_now().await;
        }
    });
    assert_eq!(runtime.tasks(), 0);
}
