//! hyper's timers: what the tests of whole connections do not show.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_lite::future::poll_once;
use hyper::rt::{Sleep, Timer as _};
use oneloop::interop::hyper::Timer;
use oneloop::time::Instant;

use crate::support::{run_virtual, timers};

fn place(sleep: &Pin<Box<dyn Sleep>>) -> *const () {
    (&raw const **sleep).cast()
}

#[test]
fn a_deadline_that_is_moved_keeps_its_place_and_ends_when_it_should() {
    run_virtual(async {
        let start = Instant::now();
        let mut sleep = Timer.sleep(Duration::from_secs(10));
        assert_eq!(poll_once(&mut sleep).await, None);
        let before = place(&sleep);
        for seconds in [20, 5, 30] {
            Timer.reset(&mut sleep, Timer.now() + Duration::from_secs(seconds));
            assert_eq!((place(&sleep), timers().await), (before, 1));
        }
        sleep.await;
        assert_eq!(start.elapsed(), Duration::from_secs(30));
    });
}

#[test]
fn a_sleep_that_has_ended_sleeps_again_after_a_reset() {
    run_virtual(async {
        let start = Instant::now();
        let mut sleep = Timer.sleep_until(Timer.now() + Duration::from_secs(1));
        sleep.as_mut().await;
        Timer.reset(&mut sleep, Timer.now() + Duration::from_secs(2));
        sleep.await;
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    });
}

/// A sleep of some other timer.
struct Foreign;

impl Future for Foreign {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        panic!("nobody sleeps in here any more");
    }
}

impl Sleep for Foreign {}

#[test]
fn a_sleep_of_another_timer_is_replaced() {
    run_virtual(async {
        let start = Instant::now();
        let mut sleep: Pin<Box<dyn Sleep>> = Box::pin(Foreign);
        Timer.reset(&mut sleep, Timer.now() + Duration::from_secs(2));
        sleep.await;
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    });
}
