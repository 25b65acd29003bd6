//! Intervals: on the beat, and what becomes of ticks that nobody took in time.

use std::task::{Context, Waker};
use std::time::Duration;

use oneloop::time::{Instant, Interval, MissedTickBehavior, interval, interval_at, sleep, sleep_until, timeout};

use crate::kit::support::{Count, Foreign, panic_of, poll_with};
use crate::kit::watch::{in_order, watch};

const SECOND: Duration = Duration::from_secs(1);

/// The documentation of `MissedTickBehavior`, with its drawing.
const DOCUMENTED: &str = include_str!("../../../runtime/src/time/interval.rs");

/// The drawing of one behaviour: for each tick, when it was planned and when it is taken.
fn drawn(behavior: &str) -> Vec<(u64, u64)> {
    let start = format!("///     {behavior} ");
    let line = DOCUMENTED.lines().find_map(|line| line.strip_prefix(&start)).expect("the drawing has this line");
    // Its meaning is written behind it, with a wide space between.
    let ticks = line.trim().split("   ").next().unwrap_or_default();
    ticks
        .split(',')
        .map(|tick| {
            let (planned, taken) = tick.split_once(" at ").unwrap_or((tick, tick));
            (planned.trim().parse().expect("a time"), taken.trim().parse().expect("a time"))
        })
        .collect()
}

#[test]
fn missed_ticks_are_treated_as_the_documentation_draws_it() {
    use MissedTickBehavior::{Burst, Delay, Skip};
    watch(|| {
        for behavior in [Burst, Delay, Skip] {
            let drawn = drawn(&format!("{behavior:?}"));
            assert!(drawn.len() >= 3, "{drawn:?}");
            let ticks: Vec<_> = in_order().block_on(async {
                let start = Instant::now();
                let mut every = interval(Duration::from_millis(10));
                every.set_missed_tick_behavior(behavior);
                assert_eq!((every.tick().await, every.missed_tick_behavior()), (start, behavior));
                sleep(Duration::from_millis(35)).await;
                let mut ticks = Vec::new();
                for _ in &drawn {
                    let planned = every.tick().await.duration_since(start).as_millis() as u64;
                    ticks.push((planned, start.elapsed().as_millis() as u64));
                }
                ticks
            });
            assert_eq!(ticks, drawn, "{behavior:?}");
        }
    });
}

#[test]
fn the_first_tick_comes_at_once_or_at_the_start_that_was_asked_for() {
    watch(|| {
        in_order().block_on(async {
            let start = Instant::now();
            let (mut now, mut later) = (interval(SECOND), interval_at(start + 10 * SECOND, SECOND));
            assert_eq!((now.tick().await, start.elapsed()), (start, Duration::ZERO));
            assert_eq!((now.tick().await, start.elapsed()), (start + SECOND, SECOND));
            for n in 10..13 {
                assert_eq!((later.tick().await, start.elapsed()), (start + n * SECOND, n * SECOND));
            }
            let mut past = interval_at(start, 5 * SECOND);
            let taken = [past.tick().await, past.tick().await, past.tick().await, past.tick().await];
            assert_eq!(taken, [0, 5, 10, 15].map(|n| start + n * SECOND));
            assert_eq!(start.elapsed(), 15 * SECOND);
        });
    });
}

#[test]
fn a_beat_that_is_finer_than_a_millisecond_does_not_drift() {
    watch(|| {
        in_order().block_on(async {
            let (start, period) = (Instant::now(), Duration::from_micros(300));
            let mut every = interval(period);
            for n in 0..1000 {
                assert_eq!(every.tick().await, start + n * period);
                let late = start.elapsed() - n * period;
                assert!(late < Duration::from_millis(1), "tick {n} is {late:?} late");
            }
        });
    });
}

#[test]
fn a_delayed_beat_stays_as_it_is_while_ticks_are_only_milliseconds_late() {
    watch(|| {
        in_order().block_on(async {
            let start = Instant::now();
            let mut every = interval(SECOND);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for n in 0..10 {
                sleep_until(start + n * SECOND + Duration::from_millis(5)).await;
                assert_eq!(every.tick().await, start + n * SECOND);
            }
        });
    });
}

#[test]
fn a_skipped_beat_keeps_to_its_plan_however_late_its_ticks_are_taken() {
    watch(|| {
        in_order().block_on(async {
            let start = Instant::now();
            let mut every = interval(SECOND);
            every.set_missed_tick_behavior(MissedTickBehavior::Skip);
            for late in [0, 999, 1000, 1001, 2500, 86_400_000] {
                every.tick().await;
                sleep(Duration::from_millis(late)).await;
                let (planned, taken) = (every.tick().await, Instant::now());
                let next = every.tick().await;
                assert_eq!((next - start).as_nanos() % SECOND.as_nanos(), 0);
                assert!(planned <= taken && taken < next && next - taken <= SECOND, "{late}");
            }
        });
    });
}

#[test]
fn a_tick_that_was_awaited_in_vain_is_not_lost() {
    watch(|| {
        in_order().block_on(async {
            let start = Instant::now();
            let mut every = interval(10 * SECOND);
            every.tick().await;
            for _ in 0..3 {
                assert!(timeout(3 * SECOND, every.tick()).await.is_err());
            }
            assert_eq!((every.tick().await, start.elapsed()), (start + 10 * SECOND, 10 * SECOND));
        });
    });
}

#[test]
fn a_reset_begins_the_beat_anew() {
    watch(|| {
        in_order().block_on(async {
            let start = Instant::now();
            let mut every = interval(10 * SECOND);
            every.tick().await;
            sleep(4 * SECOND).await;
            every.reset();
            assert_eq!((every.tick().await, every.period()), (start + 14 * SECOND, 10 * SECOND));
            // Also while a tick is awaited: the task that waits is woken for the new one.
            assert!(timeout(SECOND, every.tick()).await.is_err());
            every.reset();
            assert_eq!((every.tick().await, start.elapsed()), (start + 25 * SECOND, 25 * SECOND));
        });
    });
}

#[test]
fn a_period_of_zero_is_refused_with_a_sentence() {
    watch(|| {
        in_order().block_on(async {
            let says = "an interval's period must be longer than zero";
            assert_eq!(panic_of(|| interval(Duration::ZERO)), says);
            assert_eq!(panic_of(|| interval_at(Instant::now(), Duration::ZERO)), says);
        });
    });
}

#[test]
fn a_period_too_long_for_the_clock_ticks_once() {
    watch(|| {
        let runtime = in_order();
        runtime.block_on(async {
            for behavior in [MissedTickBehavior::Burst, MissedTickBehavior::Delay, MissedTickBehavior::Skip] {
                let mut every = interval(Duration::MAX);
                every.set_missed_tick_behavior(behavior);
                every.tick().await;
                assert!(timeout(86_400 * SECOND, every.tick()).await.is_err());
                every.reset();
                assert!(timeout(86_400 * SECOND, every.tick()).await.is_err());
            }
            assert_eq!(runtime.metrics().timers, 0, "a dropped interval leaves no timer");
        });
    });
}

#[test]
fn an_interval_wakes_the_task_that_asked_it_last() {
    watch(|| {
        in_order().block_on(async {
            let mut every = interval(SECOND);
            every.tick().await;
            fn tick(every: &mut Interval, waker: &Waker) -> bool {
                every.poll_tick(&mut Context::from_waker(waker)).is_ready()
            }
            let (first, second) = (Count::default(), Count::default());
            let counting = |count: &Count| {
                let count = count.clone();
                Foreign::waker(move || count.add(), || ())
            };
            assert!(!tick(&mut every, &counting(&first)) && !tick(&mut every, &counting(&second)));
            sleep(SECOND).await;
            assert_eq!((first.get(), second.get()), (0, 1));
            assert!(tick(&mut every, Waker::noop()));
        });
    });
}

#[test]
fn a_tick_that_is_given_up_leaves_no_timer_and_no_waker() {
    watch(|| {
        let runtime = in_order();
        runtime.block_on(async {
            let (start, gone) = (Instant::now(), Count::default());
            let mut every = interval(SECOND);
            every.tick().await;
            for _ in 0..3 {
                let told = gone.clone();
                let waker = Foreign::waker(|| (), move || told.add());
                assert!(poll_with(&mut Box::pin(every.tick()), &waker).is_pending());
                assert_eq!(runtime.metrics().timers, 0);
            }
            assert_eq!(gone.get(), 3);
            // No tick is lost by it, and none comes early.
            assert!(timeout(SECOND / 2, every.tick()).await.is_err());
            assert_eq!(every.tick().await, start + SECOND);
            sleep(SECOND * 2).await;
            assert_eq!((every.tick().await, every.tick().await), (start + SECOND * 2, start + SECOND * 3));
        });
    });
}
