//! Timers: never early, in order, each once, and none in the way of another.

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use oneloop::task::spawn_blocking;
use oneloop::time::{Instant, Sleep, advance, sleep, sleep_until, timeout, timeout_at};
use oneloop::{Handle, Runtime, spawn};

use crate::kit::support::{Count, Foreign, Notes, Numbers, join_all, my_waker, one_wake, poll_with, rounds};
use crate::kit::watch::{in_order, runtime, sim, spawn_thread, unobserved, watch};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Sleeps that are polled by hand, and a sorted list that says what must come of them.
struct Model {
    start: Instant,
    numbers: Numbers,
    sleeps: HashMap<u64, Sleep>,
    /// By the millisecond at which a sleep is due, and then by the order in which they were set.
    sorted: BTreeMap<(u128, u64), u64>,
    due: HashMap<u64, (u128, u64)>,
    last: u64,
    woken: Arc<Mutex<Vec<u64>>>,
}

impl Model {
    fn new(seed: u64) -> Self {
        let (sleeps, sorted, due, woken) = Default::default();
        Self { start: Instant::now(), numbers: Numbers(seed), sleeps, sorted, due, last: 0, woken }
    }

    /// Near ones mostly, and far ones of every magnitude.
    fn duration(&mut self) -> Duration {
        let magnitude = self.numbers.below(20);
        match magnitude {
            0 => Duration::ZERO,
            1 => Duration::from_nanos(self.numbers.below(3_000_000)),
            2 => Duration::MAX,
            3..=9 => Duration::from_millis(self.numbers.below(1 << magnitude)),
            _ => Duration::from_micros(self.numbers.below(1 << (2 * magnitude))),
        }
    }

    fn set(&mut self, name: u64, deadline: Instant) {
        self.last += 1;
        // Rounded up to whole milliseconds. An overdue one is due now.
        let tick = deadline.max(Instant::now()).duration_since(self.start).as_nanos().div_ceil(1_000_000);
        self.sorted.insert((tick, self.last), name);
        self.due.insert(name, (tick, self.last));
    }

    fn unset(&mut self, name: u64) {
        if let Some(key) = self.due.remove(&name) {
            self.sorted.remove(&key);
        }
    }

    fn insert(&mut self) {
        let (name, woken) = (self.last + 1, Arc::clone(&self.woken));
        let mut new = sleep(self.duration());
        let waker = Foreign::waker(move || woken.lock().unwrap().push(name), || ());
        assert!(poll_with(&mut new, &waker).is_pending());
        self.set(name, new.deadline());
        self.sleeps.insert(name, new);
    }

    fn any(&mut self) -> u64 {
        1 + self.numbers.below(self.last + 1)
    }

    fn reset(&mut self) {
        let (name, later) = (self.any(), self.duration());
        let deadline = Instant::now().checked_add(later).unwrap_or(self.start);
        // A sleep that has fired has no waker to be woken by until it is polled again.
        if self.due.contains_key(&name) {
            self.sleeps.get_mut(&name).unwrap().reset(deadline);
            self.unset(name);
            self.set(name, deadline);
        }
    }

    fn cancel(&mut self) {
        let name = self.any();
        self.unset(name);
        self.sleeps.remove(&name);
    }

    async fn advance(&mut self) {
        let before = Instant::now();
        let by = Duration::from_millis(self.numbers.below(1 << self.numbers.0.trailing_ones().min(20)));
        sleep(by).await;
        assert_eq!(before.elapsed(), by);
        let now = self.start.elapsed().as_millis();
        let later = self.sorted.split_off(&(now + 1, 0));
        let fired: Vec<u64> = std::mem::replace(&mut self.sorted, later).into_values().collect();
        assert_eq!(std::mem::take(&mut *self.woken.lock().unwrap()), fired);
        for name in fired {
            self.due.remove(&name);
            if name % 2 == 0 {
                assert!(poll_with(self.sleeps.get_mut(&name).unwrap(), Waker::noop()).is_ready());
            }
        }
    }
}

#[test]
fn what_fires_is_what_a_sorted_list_says_in_its_order() {
    watch(|| {
        for seed in 1..=3 {
            let runtime = if seed == 1 { sim(1) } else { Runtime::builder().virtual_clock().build().unwrap() };
            runtime.block_on(async {
                let mut model = Model::new(seed * 0x9e37_79b9);
                for _ in 0..15_000 {
                    match model.numbers.below(10) {
                        0..=4 => model.insert(),
                        5 | 6 => model.reset(),
                        7 | 8 => model.cancel(),
                        _ => model.advance().await,
                    }
                }
                let pending = model.due.len() as u64;
                assert_eq!(runtime.metrics().timers, pending);
                model.sleeps.clear();
                assert_eq!(runtime.metrics().timers, 0);
            });
        }
    });
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines_and_then_of_their_setting() {
    watch(|| {
        let notes = Notes::default();
        in_order().block_on(async {
            let tasks = [30, 10, 20, 10, 30, 10].into_iter().enumerate().map(|(n, seconds)| {
                let notes = notes.clone();
                spawn(async move {
                    sleep(seconds * SECOND).await;
                    notes.add(&format!("{seconds}.{n}"));
                })
            });
            let _ = join_all(tasks.collect::<Vec<_>>()).await;
        });
        assert_eq!(notes.text(), "10.1 10.3 10.5 20.2 30.0 30.4");
    });
}

#[test]
fn a_sleep_of_zero_or_into_the_past_ends_in_the_next_turn() {
    watch(|| {
        in_order().block_on(async {
            let start = Instant::now();
            sleep(SECOND).await;
            let notes = Notes::default();
            for make in [|_| sleep(Duration::ZERO), |start| sleep_until(start)] {
                let polls = Count::default();
                let (before, note) = (notes.clone(), notes.clone());
                let zero = spawn(polls.polls(async move {
                    note.add("begins");
                    make(start).await;
                    note.add("ends");
                }));
                drop(spawn(async move { before.add("sibling") }));
                zero.await.unwrap();
                assert_eq!(notes.text(), "begins sibling ends");
                assert_eq!((polls.get(), start.elapsed()), (2, SECOND));
            }
        });
    });
}

#[test]
fn a_task_that_sleeps_for_zero_again_and_again_holds_up_no_other_timer() {
    watch(|| {
        in_order().block_on(async {
            let zeros = Count::default();
            let count = zeros.clone();
            let greedy = spawn(async move {
                loop {
                    sleep(Duration::ZERO).await;
                    count.add();
                    if count.get() > 1000 {
                        pending::<()>().await;
                    }
                }
            });
            let start = Instant::now();
            timeout(SECOND, pending::<()>()).await.unwrap_err();
            assert_eq!((zeros.get(), start.elapsed()), (1001, SECOND));
            drop(greedy);
        });
        // With the real clock time goes on, and so must the others.
        runtime().block_on(async {
            let greedy = spawn(async {
                loop {
                    sleep(Duration::ZERO).await;
                }
            });
            sleep(Duration::from_millis(10)).await;
            greedy.abort();
        });
    });
}

/// A sleep that a waker's hook can get hold of.
type Shared = Arc<Mutex<Option<Sleep>>>;

/// Two sleeps that end at the same time; when the first one's waker is woken, `meddle` gets the second,
/// which is due by then but has not fired. Gives how often the second's waker was woken in the first
/// second and by the end.
fn meddling(meddle: impl Fn(&mut Option<Sleep>) + Send + Sync + 'static) -> (usize, usize) {
    watch(|| {
        in_order().block_on(async {
            let wakes = Count::default();
            let (second, count) = (Shared::default(), wakes.clone());
            let theirs = Arc::clone(&second);
            let mut first = sleep(SECOND);
            let meddles = Foreign::waker(move || meddle(&mut theirs.lock().unwrap()), || ());
            assert!(poll_with(&mut first, &meddles).is_pending());
            let mut sleeps = sleep(SECOND);
            assert!(poll_with(&mut sleeps, &Foreign::waker(move || count.add(), || ())).is_pending());
            *second.lock().unwrap() = Some(sleeps);
            let (third, start) = (spawn(sleep(SECOND)), Instant::now());
            sleep(SECOND).await;
            let at_once = wakes.get();
            third.await.unwrap();
            assert_eq!(start.elapsed(), SECOND, "the next one fires as if nothing had happened");
            sleep(10 * SECOND).await;
            if let Some(mut second) = second.lock().unwrap().take() {
                assert!(poll_with(&mut second, Waker::noop()).is_ready());
            }
            (at_once, wakes.get())
        })
    })
}

#[test]
fn a_sleep_dropped_in_the_wake_of_its_own_batch_does_not_fire() {
    assert_eq!(meddling(|sleep| drop(sleep.take())), (0, 0));
}

#[test]
fn a_sleep_that_is_reset_to_the_past_while_it_is_about_to_fire_fires_once() {
    let to_the_past = |sleep: &mut Option<Sleep>| sleep.as_mut().unwrap().reset(Instant::now() - SECOND);
    let (at_once, in_all) = meddling(to_the_past);
    assert!(at_once <= in_all && in_all == 1, "{at_once} {in_all}");
}

#[test]
fn a_sleep_that_is_put_off_while_it_is_about_to_fire_fires_later_and_once() {
    assert_eq!(meddling(|sleep| sleep.as_mut().unwrap().reset(Instant::now() + SECOND)), (0, 1));
}

#[test]
fn a_sleep_that_is_forgotten_in_the_wake_of_another_fires_all_the_same() {
    assert_eq!(meddling(|sleep| std::mem::forget(sleep.take())), (1, 1));
}

#[test]
fn a_sleep_can_be_reset_before_and_after_its_end() {
    watch(|| {
        in_order().block_on(async {
            let start = Instant::now();
            let mut sleeps = sleep(10 * SECOND);
            sleeps.reset(start + SECOND);
            (&mut sleeps).await;
            assert!(sleeps.is_elapsed() && start.elapsed() == SECOND);
            (&mut sleeps).await;
            assert_eq!(start.elapsed(), SECOND, "once ready it stays ready");
            sleeps.reset(start + 3 * SECOND);
            assert!(!sleeps.is_elapsed() && sleeps.deadline() == start + 3 * SECOND);
            (&mut sleeps).await;
            assert_eq!(start.elapsed(), 3 * SECOND);
            // Armed, and then made shorter and longer.
            for seconds in [1, 9] {
                let until = Instant::now() + seconds * SECOND;
                sleeps.reset(Instant::now() + 5 * SECOND);
                assert!(poll_with(&mut sleeps, &my_waker().await).is_pending());
                sleeps.reset(until);
                (&mut sleeps).await;
                assert_eq!(Instant::now(), until);
            }
        });
    });
}

#[test]
fn cancelling_a_timer_affects_no_other() {
    watch(|| {
        let runtime = in_order();
        runtime.block_on(async {
            let fired = Count::default();
            let mut sleeps: Vec<_> = (0..1000_u32)
                .map(|n| {
                    let fired = fired.clone();
                    let mut new = sleep(SECOND + MILLISECOND * (n % 7) * (n % 7) * (n % 7));
                    assert!(poll_with(&mut new, &Foreign::waker(move || fired.add(), || ())).is_pending());
                    Some(new)
                })
                .collect();
            sleeps.iter_mut().step_by(3).for_each(|sleep| drop(sleep.take()));
            assert_eq!(runtime.metrics().timers, 666);
            sleep(2 * SECOND).await;
            assert_eq!((fired.get(), runtime.metrics().timers), (666, 0));
        });
    });
}

#[test]
fn ten_thousand_real_sleeps_off_the_milliseconds_beat_are_never_early() {
    watch(|| {
        unobserved().block_on(async {
            let mut numbers = Numbers(7);
            let sleeps = (0..10_000).map(|_| {
                let asked = Duration::from_nanos(numbers.below(30_000_000));
                spawn(async move {
                    let start = std::time::Instant::now();
                    sleep(asked).await;
                    let slept = start.elapsed();
                    assert!(slept >= asked, "{slept:?} instead of {asked:?}");
                })
            });
            assert!(join_all(sleeps.collect::<Vec<_>>()).await.into_iter().all(|slept| slept.is_ok()));
        });
    });
}

/// The tick of a deadline is counted from the tick that runs, not from the start, where an earlier sleep has kept
/// that tick. The two must agree, also where a nanosecond decides.
#[test]
fn a_sleep_ends_at_the_first_tick_that_is_not_before_its_deadline() {
    watch(|| {
        sim(1).block_on(async {
            let (start, mut numbers) = (Instant::now(), Numbers(11));
            for round in 0..3000 {
                advance(Duration::from_nanos(numbers.below(2_500_000)));
                let now = start.elapsed().as_nanos() as u64;
                let to_the_tick = now.next_multiple_of(1_000_000) - now;
                let whole = numbers.below(4) * 1_000_000;
                let asked = match round % 4 {
                    0 => numbers.below(30_000_000),
                    1 => whole,
                    2 => whole + to_the_tick,
                    _ => whole + to_the_tick + 1,
                };
                if numbers.below(2) == 0 {
                    drop(sleep(Duration::ZERO));
                }
                sleep(Duration::from_nanos(asked)).await;
                assert_eq!(start.elapsed().as_nanos() as u64, (now + asked).next_multiple_of(1_000_000), "{asked}");
            }
        });
    });
}

/// A loop that sleeps wakes up on the beat. One that never rests looks at its timers at every moment, also
/// just before a deadline.
#[test]
fn a_loop_that_never_rests_fires_no_timer_early() {
    watch(|| {
        unobserved().block_on(async {
            let spinner = spawn(rounds(usize::MAX));
            for n in 1..=50 {
                let asked = Duration::from_micros(37 * n);
                let start = std::time::Instant::now();
                sleep(asked).await;
                let slept = start.elapsed();
                assert!(slept >= asked, "{slept:?} instead of {asked:?}");
            }
            spinner.abort();
        });
    });
}

#[test]
fn a_deadline_off_the_milliseconds_beat_is_rounded_up_to_it() {
    watch(|| {
        in_order().block_on(async {
            for nanos in [1, 999, 1_000, 500_000, 999_999, 1_000_000, 1_000_001, 1_999_999, 2_000_000] {
                let start = Instant::now();
                sleep(Duration::from_nanos(nanos)).await;
                assert_eq!(start.elapsed(), Duration::from_millis(nanos.div_ceil(1_000_000)));
            }
        });
    });
}

#[test]
fn near_timers_are_exact_at_every_uptime_and_beside_far_ones() {
    watch(|| {
        let runtime = Runtime::builder().virtual_clock().build().unwrap();
        runtime.block_on(async {
            let start = Instant::now();
            let endless: Vec<_> = (0..3).map(|_| spawn(sleep(Duration::MAX))).collect();
            for edge in (1..=10).map(|digit| 64_u64.pow(digit)) {
                for uptime in [edge - 63, edge - 1, edge, edge + 1] {
                    sleep_until(start + Duration::from_millis(uptime)).await;
                    let at = start.elapsed();
                    assert!(at.as_millis() >= u128::from(uptime));
                    let ends = [1, 2, 62, 63, 64, 65, 4095, 4096, 4097].map(|near| {
                        spawn(async move {
                            let far = spawn(sleep(Duration::from_millis(edge)));
                            sleep(Duration::from_millis(near)).await;
                            far.abort();
                            start.elapsed() - at - Duration::from_millis(near)
                        })
                    });
                    for late in join_all(ends).await {
                        assert_eq!(late.unwrap(), Duration::ZERO, "at an uptime of {uptime} ms");
                    }
                }
            }
            assert!(endless.iter().all(|task| !task.is_finished()));
        });
    });
}

#[test]
fn a_sleep_too_long_for_the_clock_is_one_that_does_not_end() {
    watch(|| {
        let runtime = runtime();
        runtime.block_on(async {
            let long =
                [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs(1 << 40), 365 * 86_400 * SECOND];
            let tasks = long.map(|long| spawn(async move { timeout(long, sleep(long)).await }));
            let far = Instant::now() + Duration::from_secs(1 << 50);
            let until = spawn(async move { timeout_at(far, sleep_until(far)).await });
            for _ in 0..5 {
                sleep(MILLISECOND).await;
            }
            assert!(tasks.iter().chain([&until]).all(|task| !task.is_finished()));
            assert!(Instant::now().checked_add(Duration::MAX).is_none());
        });
        let did = runtime.metrics();
        assert!(did.parks <= 10 && did.turns <= 20, "a far timer must not make the loop spin: {did:?}");
    });
}

#[test]
fn a_timer_that_another_thread_sets_shortens_a_park_that_has_begun() {
    watch(|| {
        let runtime = runtime();
        let handle = runtime.handle();
        runtime.block_on(async {
            let waker = my_waker().await;
            let far = spawn(sleep(3600 * SECOND));
            let thread = spawn_thread(move || {
                while handle.metrics().parks == 0 {
                    std::thread::yield_now();
                }
                let near = move || async move {
                    sleep(MILLISECOND).await;
                    waker.wake();
                };
                handle.spawn(near).unwrap();
            });
            one_wake().await;
            thread.join().unwrap();
            drop(far);
        });
    });
}

#[test]
fn timers_that_came_due_while_the_loop_was_busy_fire_once_and_in_order() {
    watch(|| {
        let notes = Notes::default();
        let polls = Count::default();
        runtime().block_on(async {
            let soon = Instant::now() + Duration::from_millis(100);
            let tasks = [4, 1, 3, 2].map(|ms| {
                let notes = notes.clone();
                spawn(polls.polls(async move {
                    sleep_until(soon + Duration::from_millis(ms)).await;
                    notes.add(&ms);
                }))
            });
            rounds(1).await;
            std::thread::sleep(Duration::from_millis(120));
            let _ = join_all(tasks).await;
        });
        assert_eq!((notes.text().as_str(), polls.get()), ("1 2 3 4", 2 * 4));
    });
}

#[test]
fn the_virtual_clock_does_not_jump_while_a_blocking_job_is_away() {
    watch(|| {
        in_order().block_on(async {
            let (start, handle) = (Instant::now(), Handle::current());
            let job = spawn_blocking(move || {
                while handle.metrics().parks == 0 {
                    std::thread::yield_now();
                }
                std::thread::sleep(Duration::from_millis(30));
            });
            let first = futures_lite::future::or(
                async {
                    job.await.unwrap();
                    "the job"
                },
                async {
                    sleep(3600 * SECOND).await;
                    "the timer"
                },
            );
            assert_eq!(first.await, "the job");
            let waited = start.elapsed();
            assert!(MILLISECOND <= waited && waited < 60 * SECOND, "what was really waited: {waited:?}");
            sleep(3600 * SECOND).await;
            assert_eq!(start.elapsed().as_secs(), 3600 + waited.as_secs());
        });
    });
}

#[test]
fn a_timeout_prefers_a_future_that_is_ready_in_time() {
    watch(|| {
        in_order().block_on(async {
            assert_eq!(timeout(Duration::ZERO, async { 5 }).await, Ok(5));
            assert_eq!(timeout_at(Instant::now() - SECOND, async { 5 }).await, Ok(5));
            assert_eq!(timeout(SECOND, sleep(SECOND)).await, Ok(()), "both at the same moment");
            let slow = async {
                sleep(SECOND).await;
                sleep(MILLISECOND).await;
            };
            assert!(timeout(SECOND, slow).await.is_err());
        });
        // However late the loop asks.
        runtime().block_on(async {
            let both = timeout(Duration::from_millis(2), sleep(MILLISECOND));
            let both = spawn(both);
            rounds(1).await;
            std::thread::sleep(Duration::from_millis(10));
            assert!(both.await.unwrap().is_ok());
        });
    });
}

#[test]
fn a_timeout_that_runs_out_has_dropped_its_future_and_says_so() {
    watch(|| {
        let runtime = in_order();
        runtime.block_on(async {
            let (start, dropped) = (Instant::now(), Count::default());
            let guard = dropped.at_drop();
            let endless = async move {
                let _guard = guard;
                sleep(Duration::MAX).await;
            };
            let mut waits = Some(Box::pin(timeout(3 * SECOND, endless)));
            let elapsed = waits.as_mut().unwrap().await.unwrap_err();
            assert_eq!((start.elapsed(), dropped.get()), (3 * SECOND, 1));
            assert_eq!(runtime.metrics().timers, 0);
            assert_eq!(elapsed.to_string(), "the time allowed ran out");
            let error = std::io::Error::from(elapsed);
            assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
            drop(waits.take());
            assert!(timeout(Duration::ZERO, pending::<()>()).await.is_err());
            assert!(timeout_at(start, pending::<()>()).await.is_err());
            assert_eq!(start.elapsed(), 3 * SECOND);
        });
    });
}

#[test]
fn a_timeout_counts_from_the_call_and_not_from_the_first_poll() {
    watch(|| {
        in_order().block_on(async {
            let start = Instant::now();
            let (waits, sleeps) = (timeout(3 * SECOND, pending::<()>()), sleep(4 * SECOND));
            sleep(2 * SECOND).await;
            assert!(waits.await.is_err());
            assert_eq!(start.elapsed(), 3 * SECOND);
            sleeps.await;
            assert_eq!(start.elapsed(), 4 * SECOND);
        });
    });
}

#[test]
fn a_leaked_sleep_keeps_nobody_from_ending() {
    watch(|| {
        let (runtime, dropped) = (in_order(), Count::default());
        runtime.block_on(async {
            let gone = dropped.clone();
            let mut leaked = sleep(SECOND);
            assert!(poll_with(&mut leaked, &Foreign::waker(|| (), move || gone.add())).is_pending());
            std::mem::forget(leaked);
            let mut far = Box::pin(sleep(Duration::MAX));
            let gone = dropped.clone();
            assert!(poll_with(&mut far, &Foreign::waker(|| (), move || gone.add())).is_pending());
            Box::leak(Box::new(far));
            // A task that leaks what it waits for, and ends by an abort while that is armed.
            let task = spawn(async {
                let leaked = Box::leak(Box::new(sleep(5 * SECOND)));
                leaked.await;
            });
            rounds(1).await;
            task.abort();
            assert!(task.await.is_err());
            sleep(10 * SECOND).await;
            assert_eq!((dropped.get(), runtime.metrics().timers), (1, 1));
        });
        drop(runtime);
        assert_eq!(dropped.get(), 2);
    });
}

#[test]
fn instants_count_as_the_standard_librarys_do() {
    watch(|| {
        in_order().block_on(async {
            let start = Instant::now();
            sleep(SECOND).await;
            let now = Instant::now();
            assert_eq!((now - start, start - now, now.duration_since(start)), (SECOND, Duration::ZERO, SECOND));
            assert_eq!(start.checked_duration_since(now), None);
            assert_eq!(start.saturating_duration_since(now), Duration::ZERO);
            assert_eq!((start + SECOND, now - SECOND, now.checked_sub(SECOND)), (now, start, Some(start)));
            let (mut later, mut earlier) = (start, now);
            later += SECOND;
            earlier -= SECOND;
            assert_eq!((later, earlier, start < now), (now, start, true));
            assert_eq!(Instant::from(now.into_std()), Instant::from_std(now.into()));
            let mut tick = pin!(sleep_until(now));
            tick.as_mut().await;
            assert!(tick.is_elapsed());
        });
    });
}
