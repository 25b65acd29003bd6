//! The end of the clock: time that is too long to be counted is refused or cut where it is asked for, and
//! no sum that anybody makes later can fail.

use std::panic::Location;
use std::time::Duration;

use oneloop::event::{Event, Observer};
use oneloop::see::{ChromeTrace, Recording, Ring};
use oneloop::time::{
    Instant, MissedTickBehavior, Sleep, advance, interval, interval_at, sleep, sleep_until, timeout, timeout_at,
};
use oneloop::{Runtime, see, spawn};

use crate::kit::support::{Folder, alone_with, panic_of};
use crate::kit::watch::{builder, in_order, watch};

const SECOND: Duration = Duration::from_secs(1);

/// The last instant that the system's clock can show, to the second.
fn last_instant() -> Instant {
    let (mut instant, mut step) = (Instant::now(), Duration::from_secs(1 << 62));
    while step >= SECOND {
        match instant.checked_add(step) {
            Some(later) => instant = later,
            None => step /= 2,
        }
    }
    instant
}

/// Uses the clock in every way there is.
async fn use_the_clock() {
    let now = Instant::now();
    for length in [Duration::ZERO, Duration::from_nanos(1), SECOND, Duration::from_secs(1 << 33), Duration::MAX] {
        let _ = timeout(length, sleep(length)).await;
        let _ = timeout(SECOND, std::future::pending::<()>()).await;
        let mut asleep = Box::pin(sleep(length));
        Sleep::reset(&mut asleep, Instant::now());
        asleep.await;
    }
    sleep_until(now).await;
    let _ = timeout_at(last_instant(), sleep_until(last_instant())).await;
    for behavior in [MissedTickBehavior::Burst, MissedTickBehavior::Delay, MissedTickBehavior::Skip] {
        for mut every in [interval(SECOND), interval(Duration::MAX), interval_at(last_instant(), SECOND)] {
            every.set_missed_tick_behavior(behavior);
            let _ = timeout(Duration::MAX, every.tick()).await;
            let _ = timeout(Duration::MAX, every.tick()).await;
            every.reset();
            let _ = timeout(Duration::MAX, every.tick()).await;
        }
    }
    assert!(now.elapsed() < Duration::MAX);
    spawn(async { sleep(SECOND).await }).await.unwrap();
    let _ = see::dump().to_string();
}

#[test]
fn a_step_beyond_the_end_of_the_clock_leads_to_its_end_and_all_goes_on() {
    watch(|| {
        for step in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs(1 << 60)] {
            in_order().block_on(async {
                advance(step);
                use_the_clock().await;
                advance(step);
                use_the_clock().await;
            });
        }
    });
}

#[test]
fn a_sleep_to_the_end_of_the_clock_ends_there_and_all_goes_on() {
    watch(|| {
        in_order().block_on(async {
            sleep(Duration::MAX).await;
            use_the_clock().await;
        });
    });
}

/// An observer that calculates with what it is told.
struct Sums;

impl Observer for Sums {
    fn on_event(&self, at: Duration, _: &Event<'_>) {
        assert!(at.checked_add(Duration::from_secs(1 << 60)).is_some(), "{at:?} leaves no room for a sum");
    }
}

#[test]
fn no_sum_of_an_observer_fails_at_the_end_of_the_clock() {
    let folder = Folder::new();
    let path = &*folder.file("recording");
    let written = [("ONELOOP_RECORD", path), ("ONELOOP_LOG", "1"), ("ONELOOP_DIAGNOSE", "1"), ("ONELOOP_SEE", "1")];
    alone_with(&written, || {
        let (ring, chrome) = (Ring::new(10_000), ChromeTrace::new());
        let building = builder().virtual_clock().diagnose(true).slow_poll(SECOND).observer(Sums);
        let runtime = building.observer(ring.clone()).observer(chrome.clone()).build().unwrap();
        runtime.block_on(async {
            sleep(SECOND).await;
            advance(Duration::MAX);
            use_the_clock().await;
        });
        let mut told = Vec::new();
        chrome.write_to(&mut told).unwrap();
        assert!(String::from_utf8(told).unwrap().ends_with("]}\n"));
        drop(runtime);
        let mut text = Vec::new();
        ring.write_to(&mut text).unwrap();
        Recording::read(&text[..]).unwrap();
    });
}

#[test]
fn a_sum_beyond_the_clock_is_refused_on_the_callers_line() {
    let told = |sum: fn()| {
        let place = std::sync::Arc::new(std::sync::Mutex::new(None));
        let theirs = std::sync::Arc::clone(&place);
        std::panic::set_hook(Box::new(move |info| {
            *theirs.lock().unwrap() = info.location().map(|at| at.file().to_owned());
        }));
        let said = panic_of(sum);
        drop(std::panic::take_hook());
        (said, place.lock().unwrap().take())
    };
    alone_with(&[], || {
        let sums: [fn(); 4] = [
            || _ = std::hint::black_box(Instant::now() + Duration::MAX),
            || _ = std::hint::black_box(Instant::now() - Duration::MAX),
            || {
                let mut now = Instant::now();
                now += Duration::MAX;
            },
            || {
                let mut now = Instant::now();
                now -= Duration::MAX;
            },
        ];
        for sum in sums {
            let (said, at) = told(sum);
            assert!(said.contains("the clock cannot show"), "{said}");
            assert_eq!(at.as_deref(), Some(Location::caller().file()));
        }
    });
    // Without a virtual clock, too.
    Runtime::new().unwrap().block_on(async { assert!(Instant::now().checked_add(Duration::MAX).is_none()) });
}
