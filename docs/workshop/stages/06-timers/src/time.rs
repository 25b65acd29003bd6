//! The calls of users: sleeping.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::heart::current::expect_current;
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
