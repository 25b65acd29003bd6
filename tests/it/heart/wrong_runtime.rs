//! Futures of one runtime in the hands of another, of none, or of another thread: they say what is
//! wrong when they are used there, and do no harm when they are dropped there.

use std::future::pending;
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Duration;

use oneloop::task::{Builder, JoinHandle, spawn_blocking, yield_now};
use oneloop::time::{Instant, Interval, Sleep, interval, interval_at, sleep, sleep_until, timeout, timeout_at};
use oneloop::{Handle, Runtime, see, spawn};

use crate::kit::support::{Count, panic_of, poll_with, rounds};
use crate::kit::watch::{in_order, spawn_thread, unobserved, watch};

/// One future of each kind, as its runtime gives them out.
struct Guests {
    new_sleep: Sleep,
    armed_sleep: Sleep,
    join: JoinHandle<()>,
    interval: Interval,
}

const SECOND: Duration = Duration::from_secs(1);

impl Guests {
    fn of(runtime: &Runtime) -> Self {
        runtime.block_on(async {
            let mut armed_sleep = sleep(SECOND);
            assert!(poll_with(&mut armed_sleep, Waker::noop()).is_pending());
            let join = spawn(async {
                sleep(SECOND).await;
            });
            rounds(1).await;
            Self { new_sleep: sleep(SECOND), armed_sleep, join, interval: interval(SECOND) }
        })
    }

    /// The sentence of each when it is polled here.
    fn say(&mut self) -> [String; 5] {
        let waker = Waker::noop();
        [
            panic_of(|| poll_with(&mut self.new_sleep, waker)),
            panic_of(|| poll_with(&mut self.armed_sleep, waker)),
            panic_of(|| poll_with(&mut self.join, waker)),
            panic_of(|| poll_with(&mut pin!(self.interval.tick()), waker)),
            panic_of(|| self.armed_sleep.reset(Instant::now())),
        ]
    }

    /// Lets them all end where they belong.
    fn go_home(self, runtime: &Runtime) {
        runtime.block_on(async move {
            self.new_sleep.await;
            self.armed_sleep.await;
            self.join.await.unwrap();
            let mut interval = self.interval;
            interval.tick().await;
        });
    }
}

fn refusals(place: &str) -> [String; 5] {
    [
        "a Sleep was polled",
        "a Sleep was polled",
        "a JoinHandle was polled",
        "an Interval was polled",
        "a Sleep was reset",
    ]
    .map(|did| {
        let way_out =
            "so use it on that runtime's thread, inside its block_on; RUST_BACKTRACE=1 shows the line that did";
        format!("{did} {place}, {way_out}")
    })
}

const NOWHERE: &str = "where no runtime is running: it belongs to the oneloop runtime it was created in";
const ELSEWHERE: &str = "inside another runtime: it belongs to the oneloop runtime it was created in";

#[test]
fn a_future_that_is_polled_where_no_runtime_runs_says_so() {
    watch(|| {
        let home = in_order();
        let mut guests = Guests::of(&home);
        assert_eq!(guests.say(), refusals(NOWHERE));
        let guests = spawn_thread(move || {
            assert_eq!(guests.say(), refusals(NOWHERE));
            guests
        })
        .join()
        .unwrap();
        guests.go_home(&home);
    });
}

#[test]
fn a_future_that_is_polled_in_another_runtime_says_so() {
    watch(|| {
        let (home, other) = (in_order(), in_order());
        let mut guests = Guests::of(&home);
        other.block_on(async { assert_eq!(guests.say(), refusals(ELSEWHERE)) });
        let said = other.block_on(async { spawn(async move { (guests.say(), guests) }).await.unwrap() });
        assert_eq!(said.0, refusals(ELSEWHERE));
        said.1.go_home(&home);
    });
}

#[test]
fn a_timeout_that_is_polled_elsewhere_says_so_unless_its_future_is_ready() {
    watch(|| {
        let home = in_order();
        let mut waits = Box::pin(home.block_on(async { timeout(SECOND, pending::<()>()) }));
        let mut ready = Box::pin(home.block_on(async { timeout(SECOND, async { 5 }) }));
        assert_eq!(panic_of(|| poll_with(&mut waits, Waker::noop())), refusals(NOWHERE)[0]);
        assert_eq!(poll_with(&mut ready, Waker::noop()), Poll::Ready(Ok(5)));
    });
}

#[test]
fn a_future_that_is_polled_after_its_runtime_says_so() {
    watch(|| {
        let home = in_order();
        let mut guests = Guests::of(&home);
        drop(home);
        assert_eq!(guests.say(), refusals(&format!("{NOWHERE} (which has been dropped)")));
        let other = unobserved();
        let mut guests = other.block_on(async { guests });
        other.block_on(async {
            assert_eq!(guests.say(), refusals(&format!("{ELSEWHERE} (which has been dropped)")));
        });
    });
}

#[test]
fn a_future_may_be_dropped_anywhere_and_is_forgotten_at_home() {
    watch(|| {
        let home = in_order();
        let ended = Count::default();
        let detached = |ended: Count| {
            home.block_on(async {
                spawn(async move {
                    sleep(SECOND).await;
                    ended.add();
                })
            })
        };
        drop((Guests::of(&home), detached(ended.clone())));
        let there = (Guests::of(&home), detached(ended.clone()));
        spawn_thread(move || drop(there)).join().unwrap();
        let there = (Guests::of(&home), detached(ended.clone()));
        in_order().block_on(async { drop(there) });
        home.block_on(async {
            sleep(Duration::from_millis(1)).await;
            assert_eq!(home.metrics().timers, 6, "those of the six tasks, which were detached and go on");
            sleep(2 * SECOND).await;
        });
        assert_eq!((ended.get(), home.metrics().tasks), (3, 0));
        let there = Guests::of(&home);
        drop(home);
        drop(there);
    });
}

#[test]
fn whatever_needs_a_runtime_says_so_where_there_is_none() {
    watch(|| {
        let now = Instant::now();
        let said = [
            ("oneloop::spawn", panic_of(|| spawn(async {}))),
            ("oneloop::task::Builder::spawn", panic_of(|| Builder::new().spawn(async {}))),
            ("oneloop::task::spawn_blocking", panic_of(|| spawn_blocking(|| ()))),
            ("oneloop::task::id", panic_of(oneloop::task::id)),
            ("oneloop::time::sleep", panic_of(|| sleep(SECOND))),
            ("oneloop::time::sleep_until", panic_of(|| sleep_until(now))),
            ("oneloop::time::timeout", panic_of(|| timeout(SECOND, pending::<()>()))),
            ("oneloop::time::timeout_at", panic_of(|| timeout_at(now, pending::<()>()))),
            ("oneloop::time::interval", panic_of(|| interval(SECOND))),
            ("oneloop::time::interval", panic_of(|| interval_at(now, SECOND))),
            ("Handle::current", panic_of(Handle::current)),
            ("oneloop::see::dump", panic_of(see::dump)),
        ];
        for (what, said) in said {
            let way_out =
                "needs a running oneloop runtime on this thread: call it inside oneloop::run or Runtime::block_on";
            assert_eq!(said, format!("{what} {way_out}"));
        }
    });
}

#[test]
fn a_future_that_is_ready_or_needs_no_runtime_runs_anywhere() {
    watch(|| {
        futures_lite::future::block_on(async {
            yield_now().await;
            assert!(Instant::now().elapsed() < SECOND);
        });
    });
}

#[test]
fn a_handle_of_a_runtime_that_is_gone_gives_an_error_and_its_last_numbers() {
    watch(|| {
        let runtime = in_order();
        runtime.block_on(rounds(3));
        let handle = runtime.handle();
        let metrics = runtime.metrics();
        drop(runtime);
        let error = handle.spawn(async || ()).unwrap_err();
        assert_eq!(error.to_string(), "the oneloop runtime has been dropped, so nothing can be spawned on it");
        assert_eq!(handle.metrics(), metrics);
        spawn_thread(move || assert!(handle.clone().spawn(async || ()).is_err())).join().unwrap();
    });
}

#[test]
fn what_a_user_holds_is_send_although_tasks_need_not_be() {
    fn is_send<T: Send>() {}
    fn is_send_and_sync<T: Send + Sync>() {}
    fn sends<T: Send>(_: &T) {}
    is_send_and_sync::<JoinHandle<std::rc::Rc<()>>>();
    is_send_and_sync::<(Sleep, Interval, Handle, oneloop::task::AbortHandle, oneloop::task::YieldNow)>();
    is_send::<oneloop::task::JoinError>();
    watch(|| {
        in_order().block_on(async {
            sends(&timeout(SECOND, async { 5 }));
            let mut every = interval(SECOND);
            sends(&every.tick());
        });
    });
}
