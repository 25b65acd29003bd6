//! The watchdog: no test may hang, and one that does shows what its loops did last.
//!
//! A test's body runs inside [`watch`]. The runtimes that it builds by [`builder`], [`runtime`] or
//! [`sim`] write their events into one ring. If the body is not over in time, the watchdog prints the
//! test's name and that ring, and ends the process: a loop that hangs cannot be stopped from outside.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::Location;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use oneloop::event::{Event, Observer};
use oneloop::{Builder, Runtime};

/// How long a test may take unless it says otherwise.
const LIMIT: Duration = Duration::from_secs(20);

/// The variable that says how many times slower everything is, as under a sanitizer: `10`.
const PATIENCE: &str = "ONELOOP_TEST_PATIENCE";

fn patience() -> u32 {
    std::env::var(PATIENCE).ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// How many events the ring keeps.
const KEPT: usize = 40;

thread_local! {
    static RING: RefCell<Option<Ring>> = const { RefCell::new(None) };
}

/// The last events of one test's runtimes, oldest first.
#[derive(Clone, Default)]
struct Ring(Arc<Mutex<VecDeque<String>>>);

impl Observer for Ring {
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = if lines.len() < KEPT { String::new() } else { lines.pop_front().unwrap_or_default() };
        line.clear();
        let _ = write!(line, "{at:?} {event:?}");
        lines.push_back(line);
    }
}

/// A ring for the sake of which no clock is read.
struct Quiet(Ring);

impl Observer for Quiet {
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        self.0.on_event(at, event);
    }

    fn only_notes(&self) -> bool {
        true
    }
}

/// Runs a test's body, and ends the process if it takes longer than twenty seconds.
#[track_caller]
pub(crate) fn watch<T>(body: impl FnOnce() -> T) -> T {
    let _watch = Watch::new(LIMIT);
    body()
}

/// The same as a guard, with a limit of one's own: the test is watched until it is dropped.
pub(crate) struct Watch {
    over: Option<Sender<()>>,
    dog: Option<thread::JoinHandle<()>>,
    before: Option<Ring>,
}

impl Watch {
    #[track_caller]
    pub(crate) fn new(limit: Duration) -> Self {
        let at = Location::caller();
        let test = thread::current().name().unwrap_or("a test").to_owned();
        let ring = Ring::default();
        let before = RING.replace(Some(ring.clone()));
        let (over, is_over) = channel();
        let dog = thread::spawn(move || {
            if is_over.recv_timeout(limit * patience()) == Err(RecvTimeoutError::Timeout) {
                bark(&test, at, limit, &ring);
                std::process::abort();
            }
        });
        Self { over: Some(over), dog: Some(dog), before }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(dog) = self.dog.take() {
            let _ = dog.join();
        }
        RING.set(self.before.take());
    }
}

/// Tells what hangs. Not by `eprintln`: what a test prints is kept back until it is over.
fn bark(test: &str, at: &Location<'_>, limit: Duration, Ring(ring): &Ring) {
    let mut text = format!("\n{test} ({at}) is not over after {limit:?}; its runtimes' last events are:\n");
    let lines = ring.lock().unwrap_or_else(PoisonError::into_inner);
    if lines.is_empty() {
        text.push_str("    none: it has built no runtime here, or that has not begun\n");
    }
    for line in lines.iter() {
        let _ = writeln!(text, "    {line}");
    }
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

fn ring() -> Ring {
    RING.with_borrow(|ring| ring.clone().expect("a test's body runs inside watch(|| ..)"))
}

/// A runtime's builder whose events the watchdog keeps.
pub(crate) fn builder() -> Builder {
    Runtime::builder().observer(ring())
}

/// The same for a runtime that reads its clock as if the watchdog kept nothing.
pub(crate) fn quiet_builder() -> Builder {
    Runtime::builder().observer(Quiet(ring()))
}

/// A watched runtime with the real clock.
pub(crate) fn runtime() -> Runtime {
    builder().build().expect("the system gives an event queue")
}

/// A watched runtime with the virtual clock, and tasks in the order that the seed gives.
pub(crate) fn sim(seed: u64) -> Runtime {
    builder().virtual_clock().seed(seed).build().expect("the system gives an event queue")
}

/// A watched runtime with the virtual clock, and tasks in the order in which they become ready.
pub(crate) fn in_order() -> Runtime {
    builder().virtual_clock().build().expect("the system gives an event queue")
}

/// A runtime without an observer, and so on the paths that it takes when nobody looks.
pub(crate) fn unobserved() -> Runtime {
    let _must_be_watched = ring();
    Runtime::new().expect("the system gives an event queue")
}

/// A thread of the same test: what it builds, the same watchdog watches.
pub(crate) fn spawn_thread<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    let ring = ring();
    thread::spawn(move || {
        RING.set(Some(ring));
        body()
    })
}

#[test]
fn a_test_that_hangs_is_ended_and_shows_its_last_events() {
    let output = crate::kit::support::child(|| {
        let _watch = Watch::new(Duration::from_millis(100));
        runtime().block_on(async {
            oneloop::task::yield_now().await;
            std::future::pending::<()>().await;
        });
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("a_test_that_hangs") && said.contains("is not over after 100ms"), "{said}");
    let (woken, parked) = (said.find("Wake {"), said.find("ParkStart { timeout: None }"));
    assert!(woken.is_some() && woken < parked, "{said}");
}

#[test]
fn a_test_that_ends_in_time_is_left_alone_and_its_threads_are_watched_too() {
    crate::kit::support::alone(|| {
        let watched = Watch::new(Duration::from_secs(10));
        let there = spawn_thread(|| sim(1).block_on(async { ring().0.lock().unwrap().len() }));
        assert!(there.join().unwrap() > 0);
        in_order().block_on(async {});
        unobserved().block_on(async {});
        drop(watched);
    });
}
