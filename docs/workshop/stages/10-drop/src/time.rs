//! The calls of users: sleeping.

use std::future::poll_fn;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::heart::current::{current, expect_current};
use crate::heart::key::TimerKey;
use crate::heart::timers::ticks_up;
use crate::trace;

/// The time since the loop of this thread was started.
#[track_caller]
pub fn uptime() -> Duration {
    expect_current("uptime").timers.uptime()
}

/// Waits for `duration`, counted from this call, and never less.
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    let deadline = expect_current("sleep").timers.uptime().saturating_add(duration);
    Sleep { deadline, state: State::New, at: Location::caller() }
}

/// The future of [`sleep`].
pub struct Sleep {
    deadline: Duration,
    state: State,
    at: &'static Location<'static>,
}

enum State {
    New,
    Set(TimerKey),
    Over,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let core = expect_current("a Sleep");
        match self.state {
            State::New => {
                let timer = core.timers.insert(ticks_up(self.deadline), cx.waker().clone(), self.at);
                trace::timer_set(timer.0.serial, timer.0.slot as usize, self.deadline, self.at);
                trace::wait(&format!("timer {}", timer.0.serial), self.at);
                self.state = State::Set(timer);
                Poll::Pending
            }
            State::Set(timer) => {
                // stage: hole "Sleep::poll"
                match core.timers.update(timer, cx.waker().clone()) {
                    Ok(before) => {
                        drop(before);
                        Poll::Pending
                    }
                    Err(_fired) => {
                        self.state = State::Over;
                        Poll::Ready(())
                    }
                }
                // stage: end
            }
            State::Over => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let State::Set(timer) = self.state else { return };
        // On another thread, or after the end of its loop, there is nothing to cancel.
        let Some(core) = current().filter(|core| core.number == timer.0.runtime) else { return };
        // stage: hole "drop of a Sleep"
        if let Some(waker) = core.timers.cancel(timer) {
            trace::timer_cancelled(timer.0.serial);
            drop(waker);
        }
        // stage: end
    }
}

/// The time was over first.
#[derive(Debug, PartialEq, Eq)]
pub struct Elapsed;

/// The output of a future, unless `duration` is over first. Then the future is dropped.
#[track_caller]
pub fn timeout<F: Future>(duration: Duration, future: F) -> impl Future<Output = Result<F::Output, Elapsed>> {
    let limit = sleep(duration);
    async move {
        let (mut future, mut limit) = (pin!(future), pin!(limit));
        poll_fn(|cx| {
            // stage: hole "timeout"
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            limit.as_mut().poll(cx).map(|()| Err(Elapsed))
            // stage: end
        })
        .await
    }
}
