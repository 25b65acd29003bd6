//! Stage 4: tasks, the queue, a waker, one turn.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::heart::current::expect_current;
use crate::heart::ready::Ready;
use crate::leaf::{Event, yield_now};
use crate::{Runtime, spawn, trace};

type Log = Rc<RefCell<Vec<String>>>;

fn log(log: &Log, text: impl ToString) {
    log.borrow_mut().push(text.to_string());
}

/// hint: Ready::pop
#[test]
fn the_queue_is_first_in_first_out_while_things_come_and_go() {
    let mut queue = Ready::new(None);
    (1..=3).for_each(|n| queue.push(n));
    assert_eq!((queue.pop(), queue.pop()), (Some(1), Some(2)));
    (4..=5).for_each(|n| queue.push(n));
    assert_eq!(queue.len(), 3);
    let rest: Vec<i32> = std::iter::from_fn(|| queue.pop()).collect();
    assert_eq!((rest, queue.len()), (vec![3, 4, 5], 0));
}

/// hint: Ready::begin_round
#[test]
fn a_seed_picks_another_order_and_the_same_each_time() {
    let order_after = |alone: std::ops::Range<i32>, seed| {
        let mut queue = Ready::new(Some(seed));
        for n in alone {
            queue.push(n);
            assert_eq!(queue.pop(), Some(n));
        }
        (0..8).for_each(|n| queue.push(n));
        let all: Vec<i32> = std::iter::from_fn(|| queue.pop()).collect();
        trace::seen(&format!("seed {seed} picks {all:?}"));
        all
    };
    let order = |seed| order_after(0..0, seed);
    let mut first = order(1);
    assert_eq!(order(1), first, "the same seed is the same order");
    assert_ne!(first, order(2), "another seed is another order");
    assert_eq!(order_after(0..3, 1), first, "where only one is left, there is nothing to pick");
    first.sort_unstable();
    assert_eq!(first, [0, 1, 2, 3, 4, 5, 6, 7], "and all of them come");
}

/// hint: poll_ready
#[test]
fn tasks_run_in_the_order_in_which_they_were_spawned() {
    let order: Log = Log::default();
    Runtime::new().block_on(async {
        for n in 0..5 {
            let order = Rc::clone(&order);
            spawn(async move { log(&order, n) });
        }
        log(&order, "main goes first");
        yield_now().await;
    });
    assert_eq!(*order.borrow(), ["main goes first", "0", "1", "2", "3", "4"]);
}

/// hint: Tasks::next
#[test]
fn a_wake_during_its_own_poll_queues_the_task_again() {
    let polls = Rc::new(Cell::new(0));
    Runtime::new().block_on(async {
        let done = Event::new();
        let (count, set) = (Rc::clone(&polls), done.clone());
        spawn(poll_fn(move |cx| {
            count.set(count.get() + 1);
            if count.get() == 3 {
                set.set();
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
        done.wait().await;
    });
    assert_eq!(polls.get(), 3);
}

/// hint: Tasks::next
#[test]
fn tasks_that_yield_take_turns() {
    let order: Log = Log::default();
    Runtime::new().block_on(async {
        for name in ["a", "b"] {
            let order = Rc::clone(&order);
            spawn(async move {
                for n in 0..3 {
                    log(&order, format!("{name}{n}"));
                    yield_now().await;
                }
            });
        }
        for _ in 0..5 {
            yield_now().await;
        }
    });
    assert_eq!(*order.borrow(), ["a0", "b0", "a1", "b1", "a2", "b2"]);
}

/// A task that keeps its waker here, counts its polls, and ends with the second.
fn keeper(waker: &Rc<RefCell<Option<Waker>>>, polls: &Rc<Cell<u32>>) -> impl Future<Output = ()> + use<> {
    let (waker, polls) = (Rc::clone(waker), Rc::clone(polls));
    poll_fn(move |cx| {
        polls.set(polls.get() + 1);
        *waker.borrow_mut() = Some(cx.waker().clone());
        if polls.get() == 2 { Poll::Ready(()) } else { Poll::Pending }
    })
}

/// hint: Tasks::wake
#[test]
fn a_burst_of_wakes_is_one_poll() {
    let (waker, polls) = (Rc::default(), Rc::default());
    let runtime = Runtime::new();
    runtime.block_on(async {
        let (kept, count): (Rc<RefCell<Option<Waker>>>, Rc<Cell<u32>>) = (Rc::clone(&waker), Rc::clone(&polls));
        spawn(poll_fn(move |cx| {
            count.set(count.get() + 1);
            *kept.borrow_mut() = Some(cx.waker().clone());
            Poll::<()>::Pending
        }));
        yield_now().await;
        for _ in 0..10 {
            waker.borrow().as_ref().expect("it was polled").wake_by_ref();
        }
        for _ in 0..3 {
            yield_now().await;
        }
    });
    assert_eq!(polls.get(), 2, "its first poll, and one more for ten wakes");
}

/// hint: wake
#[test]
fn waking_does_not_poll() {
    let order: Log = Log::default();
    Runtime::new().block_on(async {
        let (event, theirs) = (Event::new(), Rc::clone(&order));
        let waits = event.wait();
        spawn(async move {
            waits.await;
            log(&theirs, "the task goes on");
        });
        yield_now().await;
        event.set();
        log(&order, "the task that woke it goes on first");
        yield_now().await;
    });
    assert_eq!(*order.borrow(), ["the task that woke it goes on first", "the task goes on"]);
}

/// hint: poll_ready
#[test]
fn a_turn_polls_at_most_so_many() {
    let runtime = Runtime::new().polls_per_turn(10);
    runtime.block_on(async {
        spawn(async {
            for _ in 0..1000 {
                yield_now().await;
            }
        });
        for _ in 0..100 {
            yield_now().await;
        }
    });
    assert!(runtime.turns() >= 20, "two hundred polls, ten a turn, were {} turns", runtime.turns());
}

/// hint: Tasks::wake
#[test]
fn a_wake_for_a_former_tenant_swallows_none_for_the_next() {
    let (old, new) = (Rc::default(), Rc::default());
    let (old_polls, new_polls) = (Rc::default(), Rc::default());
    Runtime::new().block_on(async {
        spawn(keeper(&old, &old_polls));
        yield_now().await;
        let old: Waker = old.borrow_mut().take().expect("it was polled");
        old.wake_by_ref();
        yield_now().await;
        assert_eq!(old_polls.get(), 2, "it is over, and its slot is free");
        spawn(keeper(&new, &new_polls));
        yield_now().await;
        old.wake();
        let new: Waker = new.borrow_mut().take().expect("it was polled");
        new.wake();
        for _ in 0..3 {
            yield_now().await;
        }
    });
    assert_eq!(new_polls.get(), 2, "the wake that was meant for it was swallowed");
}

/// A task that ends while its wake is in the queue leaves that entry there.
/// hint: Tasks::next
#[test]
fn an_entry_of_a_former_tenant_is_thrown_away() {
    let order: Log = Log::default();
    Runtime::new().block_on(async {
        let theirs = Rc::clone(&order);
        spawn(poll_fn(move |cx| {
            cx.waker().wake_by_ref();
            let other = Rc::clone(&theirs);
            spawn(async move { log(&other, "it was queued first") });
            Poll::Ready(())
        }));
        yield_now().await;
        let mine = Rc::clone(&order);
        // It gets the slot of the one that is over, and stands last in the queue.
        spawn(async move { log(&mine, "the new tenant") });
        for _ in 0..3 {
            yield_now().await;
        }
    });
    assert_eq!(*order.borrow(), ["it was queued first", "the new tenant"]);
}

/// hint: wake
#[test]
fn a_wake_for_another_runtime_wakes_nobody_here() {
    let (theirs, mine) = (Rc::default(), Rc::default());
    let (their_polls, my_polls) = (Rc::default(), Rc::default());
    let other = Runtime::new();
    other.block_on(async {
        spawn(keeper(&theirs, &their_polls));
        yield_now().await;
    });
    Runtime::new().block_on(async {
        // The same slot and the same serial as the other's task.
        spawn(keeper(&mine, &my_polls));
        yield_now().await;
        let stranger: Waker = theirs.borrow_mut().take().expect("it was polled");
        stranger.wake();
        yield_now().await;
    });
    assert_eq!(my_polls.get(), 1, "a word names its runtime, too");
}

/// hint: poll_ready
#[test]
fn a_loop_that_nobody_can_wake_says_so() {
    let stands = std::panic::catch_unwind(|| Runtime::new().block_on(Event::new().wait()));
    let payload = stands.expect_err("nobody sets the event");
    let says = payload.downcast_ref::<&str>().map_or_else(
        || payload.downcast_ref::<String>().cloned().unwrap_or_default(),
        ToString::to_string,
    );
    assert!(says.contains("nobody can wake"), "{says}");
}

/// Tells when it is dropped.
struct Tells(Rc<()>);

impl Drop for Tells {
    fn drop(&mut self) {
        trace::seen("what the ended task owned is dropped");
    }
}

/// hint: poll_task
#[test]
fn one_that_is_over_is_dropped_and_one_that_waits_goes_at_the_end() {
    let shared = Rc::new(());
    let runtime = Runtime::new();
    runtime.block_on(async {
        let (ends, waits) = (Tells(Rc::clone(&shared)), Rc::clone(&shared));
        // It owns its share until it is dropped itself.
        spawn(poll_fn(move |_| {
            let _ = &ends.0;
            Poll::Ready(())
        }));
        spawn(async move {
            Event::new().wait().await;
            drop(waits);
        });
        yield_now().await;
    });
    assert_eq!((Rc::strong_count(&shared), runtime.tasks()), (2, 1));
    drop(runtime);
    assert_eq!(Rc::strong_count(&shared), 1);
}

struct CountsTasksWhenDropped(Rc<Cell<usize>>);

impl Drop for CountsTasksWhenDropped {
    fn drop(&mut self) {
        self.0.set(expect_current("the test").tasks.len());
        trace::seen(&format!("what the task owned is dropped, and {} tasks have a slot", self.0.get()));
    }
}

/// hint: poll_task
#[test]
fn a_task_has_its_slot_until_all_that_it_owned_is_gone() {
    let tasks = Rc::new(Cell::new(0));
    let owned = CountsTasksWhenDropped(Rc::clone(&tasks));
    Runtime::new().block_on(async {
        spawn(poll_fn(move |_| {
            let _ = &owned;
            Poll::Ready(())
        }));
        yield_now().await;
    });
    assert_eq!(tasks.get(), 2, "the root and the task itself: a slot is free when its tenant is gone, and not before");
}
