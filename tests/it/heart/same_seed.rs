//! Same seed, same run: a program on the virtual clock is a function of its seed.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use oneloop::net::TcpListener;
use oneloop::task::{JoinHandle, yield_now};
use oneloop::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use oneloop::{Runtime, spawn};

use crate::kit::support::{Numbers, join_all, my_waker, on_drop, one_wake, rounds};
use crate::kit::trace::Trace;
use crate::kit::watch::{builder, in_order, sim, spawn_thread, watch};

/// Tasks that sleep, yield, spawn, join, abort, panic and wake each other as the dice fall. The dice are
/// shared, so that any change of order changes all that follows.
async fn program(dice: Rc<RefCell<Numbers>>, wakers: Rc<RefCell<Vec<Waker>>>, depth: usize) -> u64 {
    let roll = |sides: u64| dice.borrow_mut().below(sides);
    let waker = my_waker().await;
    wakers.borrow_mut().push(waker);
    let mut children: Vec<JoinHandle<u64>> = Vec::new();
    for _ in 0..12 {
        match roll(9) {
            0 => sleep(Duration::from_micros(roll(4000))).await,
            1 => rounds(roll(3) as usize).await,
            2 | 3 if depth < 4 => {
                let child = program(Rc::clone(&dice), Rc::clone(&wakers), depth + 1);
                children.push(spawn(async move { Box::pin(child).await }));
            }
            4 => children.iter().take(1).for_each(JoinHandle::abort),
            5 if !children.is_empty() => {
                let _ = timeout(Duration::from_millis(2), children.remove(0)).await;
            }
            6 => {
                let waker = roll(wakers.borrow().len() as u64);
                let waker = wakers.borrow()[waker as usize].clone();
                waker.wake();
            }
            7 => {
                let mut every = interval(Duration::from_millis(1 + roll(3)));
                every.set_missed_tick_behavior(MissedTickBehavior::Skip);
                every.tick().await;
                every.tick().await;
            }
            _ => {
                let wakes = wakers.borrow()[0].clone();
                let dropped = on_drop(move || wakes.wake());
                spawn(async move {
                    let _dropped = dropped;
                    yield_now().await;
                })
                .abort();
            }
        }
    }
    let mut sum = roll(100);
    for child in children {
        sum += child.await.unwrap_or(1);
    }
    sum
}

/// The whole trace of the program with this seed, with the times of all events.
fn trace(seed: Option<u64>) -> Vec<String> {
    let trace = Trace::timed();
    let builder = builder().virtual_clock().observer(trace.clone());
    let runtime = seed.into_iter().fold(builder, oneloop::Builder::seed).build().unwrap();
    runtime.block_on(async {
        let dice = Rc::new(RefCell::new(Numbers(99)));
        let programs = (0..5).map(|_| spawn(program(Rc::clone(&dice), Rc::default(), 0)));
        let _ = join_all(programs.collect::<Vec<_>>()).await;
    });
    drop(runtime);
    trace.take()
}

#[test]
fn the_same_seed_gives_the_same_trace_in_every_run_and_on_every_thread() {
    watch(|| {
        for seed in [None, Some(0), Some(1), Some(u64::MAX)] {
            let first = trace(seed);
            assert!(first.len() > 500, "{}", first.len());
            // Another runtime's number, another thread, and other addresses must not show.
            let _shifts_addresses = vec![0_u8; 4096];
            let _shifts_numbers = in_order();
            assert_eq!(trace(seed), first);
            assert_eq!(spawn_thread(move || trace(seed)).join().unwrap(), first);
        }
    });
}

#[test]
fn other_seeds_give_other_traces() {
    watch(|| {
        let traces: BTreeSet<_> = (0..20).map(|seed| trace(Some(seed))).chain([trace(None)]).collect();
        assert_eq!(traces.len(), 21);
    });
}

/// The order in which four tasks run that are ready at the same time.
fn order(runtime: &Runtime) -> Vec<u32> {
    let order = Rc::new(RefCell::new(Vec::new()));
    runtime.block_on(async {
        let tasks = [0, 1, 2, 3].map(|n| {
            let order = Rc::clone(&order);
            spawn(async move { order.borrow_mut().push(n) })
        });
        let _ = join_all(tasks).await;
    });
    order.take()
}

#[test]
fn seeds_reach_every_order_and_no_seed_keeps_to_the_queues() {
    watch(|| {
        let orders: BTreeSet<_> = (0..500).map(|seed| order(&sim(seed))).collect();
        assert_eq!(orders.len(), 4 * 3 * 2);
        assert!((0..10).all(|_| order(&in_order()) == [0, 1, 2, 3]));
    });
}

#[test]
fn a_seed_works_with_the_real_clock_too() {
    watch(|| {
        let orders: BTreeSet<_> = (0..50).map(|seed| order(&builder().seed(seed).build().unwrap())).collect();
        assert!(orders.len() > 5, "{orders:?}");
    });
}

#[test]
fn with_a_seed_every_task_that_is_ready_gets_its_turn() {
    watch(|| {
        let runtime = sim(11);
        runtime.block_on(async {
            let spinners: Vec<_> = (0..10)
                .map(|_| {
                    spawn(async {
                        loop {
                            yield_now().await;
                        }
                    })
                })
                .collect();
            rounds(1000).await;
            spinners.iter().for_each(JoinHandle::abort);
            assert!(join_all(spinners).await.into_iter().all(|spinner: Result<(), _>| spinner.is_err()));
        });
    });
}

#[test]
fn the_virtual_clock_stands_still_while_anything_can_run() {
    watch(|| {
        in_order().block_on(async {
            let start = Instant::now();
            drop(spawn(sleep(Duration::from_millis(1))));
            rounds(1000).await;
            std::thread::sleep(Duration::from_millis(5));
            assert_eq!(start.elapsed(), Duration::ZERO);
            sleep(Duration::from_millis(1)).await;
            assert_eq!(start.elapsed(), Duration::from_millis(1));
        });
    });
}

#[test]
fn the_virtual_clock_jumps_exactly_to_the_next_deadline() {
    watch(|| {
        let trace = Trace::timed();
        let runtime = builder().virtual_clock().observer(trace.clone()).build().unwrap();
        runtime.block_on(async {
            let sleeps = [3, 1, 2000, 1].map(|seconds| spawn(sleep(Duration::from_secs(seconds))));
            let _ = join_all(sleeps).await;
        });
        let fired: Vec<_> = trace.take().into_iter().filter(|line| line.contains("fired")).collect();
        let expected = ["1s timer 2", "1s timer 4", "3s timer 1", "2000s timer 3"];
        assert_eq!(fired, expected.map(|fires| format!("{fires} fired 0ns late")));
        assert_eq!(runtime.metrics().turns, 4);
    });
}

#[test]
fn the_virtual_clock_stands_still_between_two_calls_of_block_on() {
    watch(|| {
        let runtime = in_order();
        let start = runtime.block_on(async { Instant::now() });
        let task = runtime.block_on(async { spawn(sleep(Duration::from_secs(5))) });
        std::thread::sleep(Duration::from_millis(5));
        runtime.block_on(async { sleep(Duration::from_secs(2)).await });
        runtime.block_on(async { assert_eq!(start.elapsed(), Duration::from_secs(2)) });
        runtime.block_on(task).unwrap();
        runtime.block_on(async { assert_eq!(start.elapsed(), Duration::from_secs(5)) });
    });
}

#[test]
fn the_virtual_clock_does_not_jump_while_a_socket_is_awaited() {
    watch(|| {
        in_order().block_on(async {
            let (start, hour) = (Instant::now(), Duration::from_secs(3600));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let (here, handle) = (listener.local_addr().unwrap(), oneloop::Handle::current());
            let connects = spawn_thread(move || {
                while handle.metrics().parks == 0 {
                    std::thread::yield_now();
                }
                std::net::TcpStream::connect(here)
            });
            let accepted = timeout(hour, listener.accept()).await;
            assert!(accepted.is_ok() && start.elapsed() < hour);
            connects.join().unwrap().unwrap();
            // The listener is still there, but nobody awaits it.
            let waited = start.elapsed();
            sleep(hour).await;
            assert_eq!((start.elapsed() - waited).as_secs(), hour.as_secs());
        });
    });
}

#[test]
fn a_wake_from_another_thread_ends_a_wait_on_the_virtual_clock() {
    watch(|| {
        in_order().block_on(async {
            let (start, waker) = (Instant::now(), my_waker().await);
            let handle = oneloop::Handle::current();
            let thread = spawn_thread(move || {
                while handle.metrics().parks == 0 {
                    std::thread::yield_now();
                }
                waker.wake();
            });
            one_wake().await;
            thread.join().unwrap();
            assert!(start.elapsed() < Duration::from_secs(60));
        });
    });
}
