//! Stage 6: timers. Any queue of deadlines passes the same tests.

use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::heart::timers::Queue;
use crate::leaf::yield_now;
use crate::time::{sleep, uptime};
use crate::{Runtime, spawn, trace};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Your queue, told event by event. A tick is a millisecond, and each look at what is due is a turn.
pub(crate) struct Told<T> {
    pub(crate) queue: Queue<T>,
    now: u64,
    turn: u64,
}

/// A tick as the time that the trace shows. The last ticks of all are beyond what it can count.
fn shown(tick: u64) -> Duration {
    Duration::from_nanos(tick.saturating_mul(1_000_000))
}

impl<T> Told<T> {
    pub(crate) fn new() -> Self {
        trace::anew();
        trace::enter(Some(Duration::ZERO));
        Self { queue: Queue::new(), now: 0, turn: 0 }
    }

    #[track_caller]
    pub(crate) fn insert(&mut self, deadline: u64, value: T) -> (u32, u64) {
        let (slot, serial) = self.queue.insert(deadline, value);
        trace::timer_set(serial, slot as usize, shown(deadline), Location::caller());
        (slot, serial)
    }

    pub(crate) fn remove(&mut self, slot: u32, serial: u64) -> Option<T> {
        let removed = self.queue.remove(slot, serial);
        if removed.is_some() {
            trace::timer_cancelled(serial);
        }
        removed
    }

    /// The tick until which a loop would sleep.
    pub(crate) fn next_deadline(&mut self) -> Option<u64> {
        let next = self.queue.next_deadline();
        trace::parked(next.map(|tick| shown(tick).saturating_sub(shown(self.now))), || ());
        next
    }

    pub(crate) fn advance(&mut self, to: u64) {
        (self.now, self.turn) = (to, self.turn + 1);
        trace::enter(Some(shown(to)));
        trace::turn_start(self.turn, 0);
        self.queue.advance(to);
    }

    /// Everything that is due, as deadline and value.
    pub(crate) fn due(&mut self) -> Vec<(u64, T)> {
        let mut due = Vec::new();
        while let Some(((_, serial), deadline, value)) = self.queue.pop_due() {
            trace::timer_fired(serial, shown(self.now).saturating_sub(shown(deadline)));
            due.push((deadline, value));
        }
        trace::turn_end(self.turn, 0);
        due
    }
}

/// hint: Heap::insert
#[test]
fn deadlines_come_in_order_and_none_before_its_tick() {
    let mut queue = Told::new();
    for (deadline, value) in [(30, "c"), (10, "a"), (20, "b"), (5000, "e"), (70, "d")] {
        queue.insert(deadline, value);
    }
    assert_eq!((queue.queue.len(), queue.next_deadline()), (5, Some(10)));
    queue.advance(9);
    assert_eq!(queue.due(), []);
    queue.advance(20);
    assert_eq!(queue.due(), [(10, "a"), (20, "b")]);
    queue.advance(1_000_000);
    assert_eq!(queue.due(), [(30, "c"), (70, "d"), (5000, "e")]);
    assert_eq!((queue.queue.len(), queue.next_deadline()), (0, None));
}

/// hint: Heap::insert
#[test]
fn deadlines_of_one_tick_come_in_the_order_of_their_making() {
    let mut queue = Told::new();
    queue.insert(1, "gone");
    queue.advance(1);
    assert_eq!(queue.due().len(), 1);
    for value in ["a", "b", "c", "d"] {
        queue.insert(64, value);
        // A slot that is used again must not stand before the others.
        let (slot, serial) = queue.insert(64, "removed");
        assert_eq!(queue.remove(slot, serial), Some("removed"));
    }
    queue.advance(64);
    assert_eq!(queue.due(), [(64, "a"), (64, "b"), (64, "c"), (64, "d")]);
}

/// hint: Heap::advance
#[test]
fn what_is_removed_does_not_come_and_what_is_late_comes_at_once() {
    let mut queue = Told::new();
    let (slot, serial) = queue.insert(10, "removed");
    queue.insert(20, "stays");
    assert_eq!(queue.remove(slot, serial), Some("removed"));
    assert_eq!((queue.remove(slot, serial), queue.queue.get_mut(slot, serial)), (None, None));
    queue.advance(100);
    queue.insert(3, "late");
    assert_eq!(queue.due(), [(20, "stays")], "what is inserted now waits for the next look");
    assert_eq!(queue.next_deadline().map(|tick| tick <= 100), Some(true), "which is at once");
    queue.advance(100);
    assert_eq!(queue.due().len(), 1);
}

/// hint: fire_timers
/// hint, if for too long: until_next
#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    let order = Rc::new(RefCell::new(Vec::new()));
    Runtime::virtual_clock().block_on(async {
        let handles: Vec<_> = [30, 10, 0, 20, 10]
            .into_iter()
            .map(|time| {
                let order = Rc::clone(&order);
                spawn(async move {
                    sleep(ms(time)).await;
                    order.borrow_mut().push((time, uptime()));
                })
            })
            .collect();
        for handle in handles {
            handle.await.expect("it returns");
        }
    });
    assert_eq!(*order.borrow(), [(0, ms(0)), (10, ms(10)), (10, ms(10)), (20, ms(20)), (30, ms(30))]);
}

/// hint: ticks_up
#[test]
fn a_sleep_is_never_too_short() {
    Runtime::virtual_clock().block_on(async {
        for micros in [1, 999, 1000, 1001, 1500, 2999] {
            let (before, time) = (uptime(), Duration::from_micros(micros));
            sleep(time).await;
            assert!(uptime() - before >= time, "a sleep of {time:?} took {:?}", uptime() - before);
        }
    });
    let before = Instant::now();
    Runtime::new().block_on(async { sleep(Duration::from_micros(20_500)).await });
    assert!(before.elapsed() >= Duration::from_micros(20_500));
}

/// hint: Heap::next_deadline
#[test]
fn a_nearer_deadline_shortens_the_park() {
    Runtime::virtual_clock().block_on(async {
        let far = spawn(async {
            sleep(ms(5000)).await;
            uptime()
        });
        yield_now().await;
        sleep(ms(10)).await;
        assert_eq!(uptime(), ms(10));
        assert_eq!(far.await.expect("it returns"), ms(5000));
    });
}

/// hint: park until the deadline
#[test]
fn a_long_sleep_is_one_park() {
    let runtime = Runtime::virtual_clock();
    runtime.block_on(async { sleep(Duration::from_secs(3600)).await });
    assert!(runtime.turns() <= 3, "an hour of sleep took {} turns", runtime.turns());
    let runtime = Runtime::new();
    runtime.block_on(async { sleep(ms(50)).await });
    assert!(runtime.turns() <= 6, "50 ms of sleep took {} turns", runtime.turns());
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// hint: Sleep::poll
#[test]
fn a_sleep_wakes_the_task_that_polled_it_last() {
    Runtime::virtual_clock().block_on(async {
        let mut sleeping = pin!(sleep(ms(10)));
        let old = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&old));
        assert!(sleeping.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            sleeping.as_mut().poll(cx)
        })
        .await;
        assert_eq!((polls, old.0.load(Ordering::SeqCst)), (2, 0));
        assert_eq!(uptime(), ms(10));
    });
}

/// hint: until_next
#[test]
fn a_task_that_never_rests_does_not_hold_up_a_sleep() {
    Runtime::new().block_on(async {
        spawn(async {
            loop {
                yield_now().await;
            }
        });
        let before = Instant::now();
        sleep(ms(20)).await;
        let took = before.elapsed();
        assert!(took >= ms(20) && took < ms(2000), "a sleep of 20 ms took {took:?}");
    });
}

/// hint: until_next
#[test]
fn a_deadline_that_has_passed_makes_no_park() {
    Runtime::new().block_on(async {
        let before = Instant::now();
        let late = spawn(async move {
            sleep(ms(10)).await;
            before.elapsed()
        });
        yield_now().await;
        // The loop can do nothing meanwhile, and its next deadline has passed when it asks.
        std::thread::sleep(ms(30));
        let took = late.await.expect("it returns");
        assert!(took >= ms(30) && took < ms(2000), "a sleep of 10 ms, held up for 30 ms, took {took:?}");
    });
}

/// hint: fire_timers
#[test]
fn all_that_is_due_fires_in_one_turn() {
    let runtime = Runtime::virtual_clock();
    runtime.block_on(async {
        let handles: Vec<_> = (0..50).map(|_| spawn(sleep(ms(10)))).collect();
        for handle in handles {
            handle.await.expect("it returns");
        }
    });
    assert!(runtime.turns() <= 10, "fifty sleeps to one deadline took {} turns", runtime.turns());
}
