//! A task that wakes itself all the time: a busy loop in disguise.
//!
//! ```text
//! ONELOOP_SEE=1 cargo run --release --bin self_wake -- --real
//! cargo run --release --bin self_wake
//! ```
//!
//! Watch: two tasks wait for the same flag. `asker` looks, wakes itself and returns `Pending`,
//! so that it is polled again at once: other tasks run in between, and it gets its answer. But the loop
//! never parks, and a processor is kept busy by a program that only waits. The diagnosis names the task
//! that wakes itself. `waiter` leaves its waker with the flag, and is polled twice in all.
//!
//! On the virtual clock each look takes a millisecond, since there time passes only when the loop
//! sleeps, or when work is pretended. It prints how often each was polled.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use clap::Parser;
use oneloop::task::Builder;
use oneloop::time::{Instant, sleep};
use oneloop_demos::{Stage, flags, say};

/// A task that wakes itself until a flag is set, beside one that waits for it.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    stage: Stage,
}

/// Says once that something has happened.
#[derive(Default)]
struct Flag {
    set: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl Flag {
    fn set(&self) {
        self.set.set(true);
        let waiter = self.waiter.take();
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

fn main() -> ExitCode {
    flags::<Args>().stage.play(scene)
}

async fn scene(stage: Stage) {
    let start = Instant::now();
    let flag = Rc::new(Flag::default());
    let asker = Builder::new().name("asker").spawn(ask(stage, Rc::clone(&flag)));
    let waiter = Builder::new().name("waiter").spawn(wait(Rc::clone(&flag)));
    sleep(Duration::from_millis(300)).await;
    flag.set();
    say(start, "the flag is set");
    let (asked, waited) = (asker.await.expect("it only asks"), waiter.await.expect("it only waits"));
    say(start, format_args!("asker needed {asked} polls to see it, waiter {waited}"));
}

/// Asks again and again, and returns how often.
async fn ask(stage: Stage, flag: Rc<Flag>) -> u32 {
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        stage.work(Duration::from_millis(1));
        if flag.set.get() {
            return Poll::Ready(polls);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Leaves its waker with the flag, and returns how often it was polled.
async fn wait(flag: Rc<Flag>) -> u32 {
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        if flag.set.get() {
            return Poll::Ready(polls);
        }
        flag.waiter.replace(Some(cx.waker().clone()));
        Poll::Pending
    })
    .await
}
