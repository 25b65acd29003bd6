//! The order of things: who is polled when, how often, and how much of a turn anybody gets.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use oneloop::event::{Event, Observer};
use oneloop::spawn;
use oneloop::task::{JoinHandle, yield_now};
use oneloop::time::{interval, sleep};

use crate::kit::support::{Count, Notes, alone, join_all, my_waker, one_wake, rounds};
use crate::kit::watch::{builder, in_order, runtime, spawn_thread, unobserved, watch};

#[test]
fn ready_tasks_run_in_the_order_in_which_they_became_ready() {
    watch(|| {
        let notes = Notes::default();
        in_order().block_on(async {
            let task = |name: char| {
                let notes = notes.clone();
                spawn(async move {
                    for round in 0..3 {
                        notes.add(&format!("{name}{round}"));
                        yield_now().await;
                    }
                })
            };
            let _ = join_all(['a', 'b', 'c'].map(task)).await;
        });
        assert_eq!(notes.text(), "a0 b0 c0 a1 b1 c1 a2 b2 c2");
    });
}

#[test]
fn woken_tasks_run_in_the_order_of_their_wakes() {
    watch(|| {
        let notes = Notes::default();
        unobserved().block_on(async {
            let (mut wakers, mut tasks) = (Vec::new(), Vec::new());
            for n in 0..5 {
                let notes = notes.clone();
                let (waker, task) = waiting(&Count::default(), move || notes.add(&n)).await;
                wakers.push(waker);
                tasks.push(task);
            }
            for n in [3, 0, 4, 3, 1, 2, 0] {
                wakers[n].wake_by_ref();
            }
            let _ = join_all(tasks).await;
        });
        assert_eq!(notes.text(), "3 0 4 1 2");
    });
}

/// A task that waits for the waker that comes with it, and then does something and ends.
async fn waiting(polls: &Count, then: impl FnOnce() + 'static) -> (Waker, JoinHandle<()>) {
    let waker = Rc::new(Cell::new(None));
    let leave = Rc::clone(&waker);
    let task = spawn(polls.polls(async move {
        leave.set(Some(my_waker().await));
        one_wake().await;
        then();
    }));
    loop {
        match waker.take() {
            Some(waker) => return (waker, task),
            None => yield_now().await,
        }
    }
}

#[test]
fn a_task_that_is_woken_a_hundred_thousand_times_is_polled_once() {
    watch(|| {
        let runtime = unobserved();
        runtime.block_on(async {
            let polls = Count::default();
            let (waker, task) = waiting(&polls, || ()).await;
            for _ in 0..100_000 {
                waker.wake_by_ref();
            }
            assert_eq!(runtime.metrics().ready, 1, "the queue holds a task once");
            rounds(3).await;
            assert!(task.is_finished());
            assert_eq!(polls.get(), 2);
        });
    });
}

#[test]
fn a_task_woken_again_and_again_does_not_run_twice_before_others() {
    watch(|| {
        let notes = Notes::default();
        unobserved().block_on(async {
            let notes = |name: &'static str| {
                let notes = notes.clone();
                async move {
                    for n in 0..3 {
                        notes.add(&format!("{name}{n}"));
                        yield_now().await;
                    }
                }
            };
            let (send, receive) = std::sync::mpsc::channel();
            let eager = notes("eager");
            let eager = spawn(async move {
                send.send(my_waker().await).unwrap();
                one_wake().await;
                eager.await;
            });
            rounds(1).await;
            let waker = receive.recv().unwrap();
            (0..3).for_each(|_| waker.wake_by_ref());
            let _ = join_all([eager, spawn(notes("other"))]).await;
        });
        assert_eq!(notes.text(), "eager0 other0 eager1 other1 eager2 other2");
    });
}

#[test]
fn a_slots_former_tenant_leaves_no_place_in_the_queue_to_the_next() {
    watch(|| {
        let notes = Notes::default();
        unobserved().block_on(async {
            let wakes_itself = spawn(async { my_waker().await.wake() });
            let ends = spawn(async {});
            let slots = [ends.id().slot(), wakes_itself.id().slot()];
            rounds(1).await;
            // The first of these is over, and still stands in the queue.
            wakes_itself.await.unwrap();
            ends.await.unwrap();
            let tasks = ["first", "second"].map(|name| {
                let notes = notes.clone();
                spawn(async move { notes.add(name) })
            });
            assert_eq!([0, 1].map(|n| tasks[n].id().slot()), slots, "each has a slot of theirs");
            let _ = join_all(tasks).await;
        });
        assert_eq!(notes.text(), "first second");
    });
}

#[test]
fn a_task_that_wakes_itself_while_it_is_polled_is_polled_once_more() {
    watch(|| {
        for runtime in [runtime(), unobserved()] {
            let polls = Count::default();
            runtime.block_on(async {
                let mut left = 10;
                let task = spawn(polls.polls(poll_fn(move |cx| {
                    left -= 1;
                    (0..1000).for_each(|_| cx.waker().wake_by_ref());
                    if left == 0 { Poll::Ready(()) } else { Poll::Pending }
                })));
                rounds(10).await;
                assert!(task.is_finished());
            });
            assert_eq!(polls.get(), 10);
        }
    });
}

#[test]
fn the_root_future_is_polled_only_when_it_is_woken() {
    watch(|| {
        let polls = Count::default();
        let runtime = in_order();
        runtime.block_on(polls.polls(async {
            for _ in 0..100 {
                drop(spawn(rounds(50)));
            }
            sleep(Duration::from_millis(1)).await;
        }));
        assert!(runtime.metrics().turns > 50);
        assert_eq!(polls.get(), 2);
    });
}

/// How many polls each turn made.
#[derive(Clone, Default)]
struct PollsPerTurn(Rc<std::cell::RefCell<Vec<usize>>>);

impl Observer for PollsPerTurn {
    fn on_event(&self, _at: Duration, event: &Event<'_>) {
        if let Event::TurnEnd { polls, .. } = event {
            self.0.borrow_mut().push(*polls);
        }
    }
}

#[test]
fn a_turn_makes_as_many_polls_as_it_was_told_and_no_more() {
    watch(|| {
        for limit in [1, 2, 3, 64, 1000] {
            let turns = PollsPerTurn::default();
            let runtime = builder().polls_per_turn(limit).observer(turns.clone()).build().unwrap();
            runtime.block_on(async {
                let tasks: Vec<_> = (0..200).map(|_| spawn(rounds(2))).collect();
                let _ = join_all(tasks).await;
            });
            let turns = turns.0.take();
            assert!(turns.iter().all(|polls| *polls <= limit), "{limit}: {turns:?}");
            assert!(turns.contains(&limit) || limit > 202, "{limit}: {turns:?}");
        }
    });
}

#[test]
fn tasks_that_are_always_ready_do_not_hold_up_a_timer_that_is_due() {
    watch(|| {
        let runtime = builder().polls_per_turn(8).build().unwrap();
        let spins = Count::default();
        runtime.block_on(async {
            let spinners: Vec<_> = (0..3).map(|_| spin(&spins)).collect();
            let mut due = Box::pin(sleep(Duration::from_millis(1)));
            assert!(futures_lite::future::poll_once(&mut due).await.is_none());
            std::thread::sleep(Duration::from_millis(3));
            let before = spins.get();
            due.await;
            // The rest of the turn, and those who stood before this task in the queue.
            assert!(spins.get() - before <= 8 + 3, "{} polls before the timer's task", spins.get() - before);
            drop(spinners);
        });
    });
}

#[test]
fn tasks_that_are_always_ready_do_not_hold_up_what_another_thread_sent() {
    watch(|| {
        let runtime = builder().polls_per_turn(8).build().unwrap();
        let spins = Count::default();
        runtime.block_on(async {
            let spinners: Vec<_> = (0..3).map(|_| spin(&spins)).collect();
            rounds(10).await;
            let (waker, handle) = (my_waker().await, oneloop::Handle::current());
            let before = spins.get();
            let arrived = Count::default();
            let sent = arrived.clone();
            let thread = spawn_thread(move || {
                handle.spawn(move || async move { sent.add() }).unwrap();
                waker.wake();
            });
            thread.join().unwrap();
            one_wake().await;
            assert_eq!(arrived.get(), 1);
            assert!(spins.get() - before <= 8 + 3 + 1, "{} polls before it", spins.get() - before);
            drop(spinners);
        });
    });
}

fn spin(spins: &Count) -> JoinHandle<()> {
    let spins = spins.clone();
    spawn(async move {
        loop {
            spins.add();
            yield_now().await;
        }
    })
}

/// The most that one of two tasks did between two polls of the other.
async fn greatest_share(greedy: impl Future<Output = ()> + 'static, done: &Count) -> usize {
    let greedy = spawn(greedy);
    let (mut share, mut before) = (0, done.get());
    while !greedy.is_finished() {
        yield_now().await;
        share = share.max(done.get() - before);
        before = done.get();
    }
    greedy.await.unwrap();
    share
}

#[test]
fn a_task_whose_joins_are_always_ready_does_not_starve_its_siblings() {
    watch(|| {
        in_order().block_on(async {
            let over: Vec<_> = (0..1000).map(|n| spawn(async move { n })).collect();
            rounds(1).await;
            assert!(over.iter().all(JoinHandle::is_finished));
            let done = Count::default();
            let joined = done.clone();
            let greedy = async move {
                for (n, task) in over.into_iter().enumerate() {
                    assert_eq!(task.await.unwrap(), n);
                    joined.add();
                }
            };
            let share = greatest_share(greedy, &done).await;
            assert_eq!(done.get(), 1000);
            assert!((1..=128).contains(&share), "{share} joins in one poll");
        });
    });
}

#[test]
fn a_task_whose_ticks_are_always_due_does_not_starve_its_siblings() {
    watch(|| {
        in_order().block_on(async {
            let mut every = interval(Duration::from_micros(1));
            sleep(Duration::from_millis(5)).await;
            let done = Count::default();
            let ticked = done.clone();
            let greedy = async move {
                for _ in 0..5000 {
                    every.tick().await;
                    ticked.add();
                }
            };
            let share = greatest_share(greedy, &done).await;
            assert_eq!(done.get(), 5000);
            assert!((1..=128).contains(&share), "{share} ticks in one poll");
        });
    });
}

#[test]
fn joining_a_thousand_tasks_at_once_does_not_spin() {
    watch(|| {
        let polls = Count::default();
        in_order().block_on(async {
            let tasks: Vec<_> = (0..1000).map(|_| spawn(sleep(Duration::from_secs(1)))).collect();
            let joined = polls.polls(join_all(tasks)).await;
            assert!(joined.into_iter().all(|task| task.is_ok()));
        });
        // One to wait; then all end before this one's turn comes, and a poll may take 128 of them.
        assert_eq!(polls.get(), 1 + 1000_usize.div_ceil(128));
    });
}

#[test]
fn a_task_that_waits_for_ever_costs_one_poll() {
    watch(|| {
        let polls = Count::default();
        in_order().block_on(async {
            drop(spawn(polls.polls(pending::<()>())));
            for _ in 0..100 {
                sleep(Duration::from_secs(1)).await;
            }
        });
        assert_eq!(polls.get(), 1);
    });
}

#[test]
fn a_loop_with_nothing_to_do_does_nothing() {
    // The end of somebody else's child would be a signal here, and end the park.
    alone(|| {
        let polls = Count::default();
        let runtime = runtime();
        let handle = runtime.handle();
        runtime.block_on(polls.polls(async {
            let waker = my_waker().await;
            let thread = spawn_thread(move || {
                while handle.metrics().parks == 0 {
                    std::thread::yield_now();
                }
                std::thread::sleep(Duration::from_millis(100));
                waker.wake();
            });
            one_wake().await;
            thread.join().unwrap();
        }));
        let did = runtime.metrics();
        assert_eq!((polls.get(), did.turns, did.parks, did.wakes_remote), (2, 2, 1, 1));
    });
}
