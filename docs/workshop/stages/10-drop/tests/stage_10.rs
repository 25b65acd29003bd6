//! Stage 10: drop, abort, timeout. Nothing is left.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use mio::net::UnixStream;

use crate::heart::current::expect_current;
use crate::heart::reactor::Direction;
use crate::io::Socket;
use crate::leaf::{Event, yield_now};
use crate::time::{Elapsed, sleep, timeout, uptime};
use crate::{JoinError, JoinHandle, Runtime, spawn, trace};

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(10);

/// Whether somebody still waits for a socket.
fn is_awaited() -> bool {
    let is_awaited = expect_current("the test").reactor.is_awaited();
    trace::seen(if is_awaited { "somebody is still in the list" } else { "nobody is in the list" });
    is_awaited
}

/// hint: drop of a Sleep
#[test]
fn a_dropped_sleep_leaves_no_timer() {
    let runtime = Runtime::virtual_clock();
    runtime.block_on(async {
        assert_eq!(timeout(SHORT, sleep(LONG)).await, Err(Elapsed));
        assert_eq!(uptime(), SHORT);
    });
    assert_eq!(runtime.timers_and_sockets(), (0, 0));
}

/// hint: timeout
#[test]
fn a_timeout_gives_an_output_that_is_there() {
    Runtime::virtual_clock().block_on(async {
        assert_eq!(timeout(LONG, async { 7 }).await, Ok(7));
        assert_eq!(uptime(), Duration::ZERO, "it waits no longer than it must");
        // Both come at the same tick, and the output is there when the task is polled.
        let event = Event::new();
        let sets = event.clone();
        spawn(async move {
            sleep(SHORT).await;
            sets.set();
        });
        yield_now().await;
        assert_eq!(timeout(SHORT, event.wait()).await, Ok(()), "the time is over, and the output is there");
    });
}

/// hint: Source::remove
#[test]
fn an_abandoned_read_leaves_no_waker() {
    let runtime = Runtime::new();
    runtime.block_on(async {
        let (one, _peer) = UnixStream::pair().expect("the kernel gives a pair");
        let socket = Socket::new(one, "unix stream").expect("it is registered");
        for _ in 0..3 {
            let read = socket.attempt(Direction::Read, |mut io: &UnixStream| io.read(&mut [0]));
            assert!(timeout(SHORT, read).await.is_err(), "nobody writes");
        }
        assert!(!is_awaited(), "three who have gone away are still in the list");
    });
    assert_eq!(runtime.timers_and_sockets(), (0, 0));
}

/// hint: drop of a Wait
#[test]
fn an_event_forgets_who_went_away() {
    Runtime::virtual_clock().block_on(async {
        let event = Event::new();
        for _ in 0..3 {
            assert!(timeout(SHORT, event.wait()).await.is_err());
        }
        assert_eq!(event.waiting(), 0);
        // A waker may look at the event when it is dropped, and then no lock is held.
        let mut wait = Box::pin(event.wait());
        let waker = Waker::from(Arc::new(Looks(event.clone())));
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        drop(wait);
        assert_eq!(event.waiting(), 0);
    });
}

/// Looks at an event when it is dropped.
struct Looks(Event);

impl Drop for Looks {
    fn drop(&mut self) {
        let _is_set = self.0.is_set();
    }
}

impl Wake for Looks {
    fn wake(self: Arc<Self>) {}
}

/// hint: Source::remove
#[test]
fn one_who_goes_away_leaves_the_others_waiting() {
    Runtime::new().block_on(async {
        let (one, mut peer) = UnixStream::pair().expect("the kernel gives a pair");
        let socket = Rc::new(Socket::new(one, "unix stream").expect("it is registered"));
        let theirs = Rc::clone(&socket);
        let stays = spawn(async move { theirs.attempt(Direction::Read, |mut io: &UnixStream| io.read(&mut [0])).await });
        yield_now().await;
        let read = socket.attempt(Direction::Read, |mut io: &UnixStream| io.read(&mut [0]));
        assert!(timeout(SHORT, read).await.is_err(), "nobody has written yet");
        peer.write_all(b"x").expect("there is room for a byte");
        assert_eq!(stays.await.expect("it returns").expect("it reads"), 1);
    });
}

/// hint: Source::remove
/// hint, if the loop parked: abort
#[test]
fn the_second_of_two_readers_is_forgotten_as_well() {
    Runtime::new().block_on(async {
        let (one, _peer) = UnixStream::pair().expect("the kernel gives a pair");
        let socket = Rc::new(Socket::new(one, "unix stream").expect("it is registered"));
        let theirs = Rc::clone(&socket);
        let first = spawn(async move { theirs.attempt(Direction::Read, |mut io: &UnixStream| io.read(&mut [0])).await });
        yield_now().await;
        let second = socket.attempt(Direction::Read, |mut io: &UnixStream| io.read(&mut [0]));
        assert!(timeout(SHORT, second).await.is_err(), "nobody writes");
        first.abort();
        assert!(matches!(first.await, Err(JoinError::Aborted)));
        assert!(!is_awaited(), "both have gone away, and one is still in the list");
    });
}

/// hint: drop of a Wait
#[test]
fn one_who_leaves_an_event_takes_no_others_waker() {
    Runtime::virtual_clock().block_on(async {
        let event = Event::new();
        let stays = spawn(event.wait());
        yield_now().await;
        assert!(timeout(SHORT, event.wait()).await.is_err(), "nobody has set it yet");
        assert_eq!(event.waiting(), 1);
        event.set();
        assert_eq!(timeout(SHORT, stays).await.map(|joined| joined.is_ok()), Ok(true), "who stays is woken");
    });
}

/// hint: abort
#[test]
fn an_aborted_task_is_joined_with_the_reason() {
    let runtime = Runtime::virtual_clock();
    let owned = Rc::new(());
    runtime.block_on(async {
        let theirs = Rc::clone(&owned);
        let task = spawn(async move {
            sleep(LONG).await;
            drop(theirs);
        });
        yield_now().await;
        task.abort();
        task.abort();
        assert_eq!(Rc::strong_count(&owned), 2, "abort by itself drops nothing");
        assert!(matches!(task.await, Err(JoinError::Aborted)));
        assert_eq!(Rc::strong_count(&owned), 1);
        assert_eq!(uptime(), Duration::ZERO);
    });
    assert_eq!((runtime.tasks(), runtime.timers_and_sockets()), (0, (0, 0)));
}

/// hint: abort
#[test]
fn an_abort_of_a_task_that_is_ready_queues_it_no_second_time() {
    Runtime::new().block_on(async {
        let task = spawn(async {});
        let ready = || {
            let ready = expect_current("the test").tasks.ready();
            trace::seen(&format!("{ready} entries are in the queue"));
            ready
        };
        assert_eq!(ready(), 1);
        task.abort();
        assert_eq!(ready(), 1, "it had its place in the queue, and its turn will come");
        assert!(matches!(task.await, Err(JoinError::Aborted)));
        let waits = spawn(Event::new().wait());
        yield_now().await;
        waits.abort();
        waits.abort();
        assert_eq!(ready(), 1, "a second abort finds the note of the first");
        assert!(matches!(waits.await, Err(JoinError::Aborted)));
    });
}

/// hint: abort
#[test]
fn an_abort_after_the_end_changes_nothing() {
    Runtime::new().block_on(async {
        let task = spawn(async { 7 });
        yield_now().await;
        assert!(task.is_finished());
        task.abort();
        yield_now().await;
        assert_eq!(task.await.expect("it had returned"), 7);
    });
}

/// hint: abort
#[test]
fn a_task_that_aborts_itself_is_dropped_at_its_next_turn() {
    let (handle, went_on) = (Rc::new(RefCell::new(None::<JoinHandle<()>>)), Rc::new(Cell::new(false)));
    Runtime::new().block_on(async {
        let (own, flag) = (Rc::clone(&handle), Rc::clone(&went_on));
        let task = spawn(async move {
            own.borrow().as_ref().expect("it was put there").abort();
            yield_now().await;
            flag.set(true);
        });
        *handle.borrow_mut() = Some(task);
        for _ in 0..4 {
            yield_now().await;
        }
        let task = handle.borrow_mut().take().expect("it is there");
        assert!(matches!(task.await, Err(JoinError::Aborted)));
    });
    assert!(!went_on.get());
}

/// hint: drop of a Sleep
#[test]
fn nothing_is_left_of_a_task_that_waited_for_everything() {
    let runtime = Runtime::new();
    let event = Event::new();
    runtime.block_on(async {
        let (one, _peer) = UnixStream::pair().expect("the kernel gives a pair");
        let socket = Socket::new(one, "unix stream").expect("it is registered");
        let waits = event.wait();
        let task = spawn(async move {
            let read = socket.attempt(Direction::Read, |mut io: &UnixStream| io.read(&mut [0]));
            let _ = timeout(LONG, timeout(LONG, read)).await;
            waits.await;
        });
        yield_now().await;
        assert_eq!(expect_current("the test").timers.len(), 2);
        task.abort();
        assert!(matches!(task.await, Err(JoinError::Aborted)));
    });
    assert_eq!((runtime.tasks(), runtime.timers_and_sockets(), event.waiting()), (0, (0, 0), 0));
}
