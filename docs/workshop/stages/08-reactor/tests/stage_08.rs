//! Stage 8: the reactor.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mio::net::UnixStream;

use crate::heart::current::expect_current;
use crate::heart::reactor::{Direction, Latches, WaiterId, Waiting, token};
use crate::io::Socket;
use crate::leaf::yield_now;
use crate::time::sleep;
use crate::{Runtime, spawn, trace};

fn pair() -> (Socket<UnixStream>, Socket<UnixStream>) {
    let (one, two) = UnixStream::pair().expect("the kernel gives a pair");
    let socket = |io| Socket::new(io, "unix stream").expect("it is registered");
    (socket(one), socket(two))
}

async fn read(socket: &Socket<UnixStream>, bytes: usize) -> Vec<u8> {
    let mut buffer = vec![0; bytes];
    let count = socket.attempt(Direction::Read, |mut io: &UnixStream| io.read(&mut buffer)).await.expect("it reads");
    buffer.truncate(count);
    buffer
}

async fn write(socket: &Socket<UnixStream>, bytes: &[u8]) -> usize {
    socket.attempt(Direction::Write, |mut io: &UnixStream| io.write(bytes)).await.expect("it writes")
}

/// hint: attempt
#[test]
fn what_is_written_at_one_end_is_read_at_the_other() {
    Runtime::new().block_on(async {
        let (one, two) = pair();
        assert_eq!(write(&one, b"now").await, 3);
        assert_eq!(read(&two, 10).await, b"now");
        spawn(async move {
            sleep(Duration::from_millis(20)).await;
            write(&one, b"later").await;
        });
        assert_eq!(read(&two, 10).await, b"later");
    });
}

/// hint: would_block
#[test]
fn an_attempt_that_would_block_waits_for_the_kernel() {
    let runtime = Runtime::new();
    let attempts = Cell::new(0);
    runtime.block_on(async {
        let (one, two) = pair();
        spawn(async move {
            sleep(Duration::from_millis(30)).await;
            write(&one, b"x").await;
        });
        let byte = two.attempt(Direction::Read, |mut io: &UnixStream| {
            attempts.set(attempts.get() + 1);
            assert!(attempts.get() < 10, "it tries again and again, though the kernel said nothing");
            io.read(&mut [0])
        });
        assert_eq!(byte.await.expect("it reads"), 1);
    });
    assert_eq!(attempts.get(), 2, "one that would block, and one when the kernel has spoken");
    assert!(runtime.turns() < 10, "30 ms of waiting took {} turns", runtime.turns());
}

/// hint: attempt
#[test]
fn what_one_event_brought_may_take_several_reads() {
    Runtime::new().block_on(async {
        let (one, two) = pair();
        spawn(async move {
            yield_now().await;
            write(&one, b"abcdef").await;
            sleep(Duration::from_millis(10)).await;
        });
        for expected in [b"ab", b"cd", b"ef"] {
            assert_eq!(read(&two, 2).await, expected);
        }
    });
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Fills the way from this socket to its peer, until a write would block.
fn fill(socket: &Socket<UnixStream>) {
    while (&socket.io).write(&[0; 65536]).is_ok() {}
}

/// hint: dispatch
#[test]
fn an_event_to_read_wakes_the_reader_and_not_the_writer() {
    Runtime::new().block_on(async {
        let (one, two) = pair();
        fill(&two);
        let (reader, writer) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let mut byte = [0];
        let mut reading = pin!(two.attempt(Direction::Read, |mut io: &UnixStream| io.read(&mut byte)));
        let mut writing = pin!(two.attempt(Direction::Write, |mut io: &UnixStream| io.write(&[0])));
        let wakers = (Waker::from(Arc::clone(&reader)), Waker::from(Arc::clone(&writer)));
        assert!(reading.as_mut().poll(&mut Context::from_waker(&wakers.0)).is_pending());
        assert!(writing.as_mut().poll(&mut Context::from_waker(&wakers.1)).is_pending());
        sleep(Duration::from_millis(5)).await;
        let before = (reader.get(), writer.get());
        write(&one, b"x").await;
        sleep(Duration::from_millis(20)).await;
        let woken = (reader.get() - before.0, writer.get() - before.1);
        trace::seen(&format!("the reader was woken {} times, the writer {} times", woken.0, woken.1));
        assert_eq!(woken, (1, 0));
    });
}

/// hint: wait for a source
#[test]
fn a_reader_and_a_writer_wait_at_the_same_time() {
    Runtime::new().block_on(async {
        let (one, two) = pair();
        let two = Rc::new(two);
        fill(&two);
        let (reads, writes) = (Rc::clone(&two), Rc::clone(&two));
        let reader = spawn(async move { read(&reads, 1).await });
        let writer = spawn(async move { write(&writes, b"y").await });
        for _ in 0..3 {
            yield_now().await;
        }
        write(&one, b"x").await;
        assert_eq!(reader.await.expect("it returns"), b"x");
        while (&one.io).read(&mut [0; 65536]).is_ok_and(|count| count > 0) {}
        assert_eq!(writer.await.expect("it returns"), 1);
        let is_awaited = expect_current("the test").reactor.is_awaited();
        trace::seen(if is_awaited { "somebody is counted as waiting" } else { "nobody is counted as waiting" });
        assert!(!is_awaited, "both were woken, and are still counted as waiting");
    });
}

/// hint: wait for a source
#[test]
fn an_attempt_wakes_the_task_that_polled_it_last() {
    Runtime::new().block_on(async {
        let (one, two) = pair();
        let old = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&old));
        let mut reading = pin!(two.attempt(Direction::Read, |mut io: &UnixStream| io.read(&mut [0])));
        assert!(reading.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        spawn(async move {
            sleep(Duration::from_millis(10)).await;
            write(&one, b"x").await;
        });
        assert_eq!(reading.await.expect("it reads"), 1);
        assert_eq!(old.get(), 0);
    });
}

/// hint: look_at_kernel
#[test]
fn a_spurious_event_is_harmless() {
    Runtime::new().block_on(async {
        let (one, two) = pair();
        let key = two.key;
        let reader = spawn(async move { read(&two, 1).await });
        yield_now().await;
        expect_current("the test").reactor.dispatch(token(key.0), Latches::ready(Direction::Read));
        // It is woken with the next look at the kernel, finds nothing, and waits again.
        sleep(Duration::from_millis(10)).await;
        write(&one, b"x").await;
        assert_eq!(reader.await.expect("it returns"), b"x");
    });
}

/// hint: dispatch
#[test]
fn an_event_for_a_former_tenant_is_nobodys() {
    Runtime::new().block_on(async {
        let (one, _peer) = pair();
        let stale = token(one.key.0);
        drop(one);
        let (new, _peer) = pair();
        assert_eq!(token(new.key.0).0 as u32, stale.0 as u32, "it has the slot");
        let reactor = &expect_current("the test").reactor;
        reactor.would_block(new.key, Direction::Read);
        reactor.dispatch(stale, Latches::ready(Direction::Read));
        let is_ready = reactor.is_ready(new.key, Direction::Read);
        trace::seen(&format!("an event of the former tenant came; the new one may read: {is_ready}"));
        assert!(!is_ready, "an event of yesterday is no news of today's socket");
    });
}

/// hint: attempt
#[test]
fn an_attempt_that_was_interrupted_is_made_again_at_once() {
    let attempts = Cell::new(0);
    Runtime::new().block_on(async {
        let (one, _peer) = pair();
        let mut written = pin!(one.attempt(Direction::Write, |_: &UnixStream| {
            attempts.set(attempts.get() + 1);
            if attempts.get() == 1 { Err(ErrorKind::Interrupted.into()) } else { Ok(()) }
        }));
        let polled = written.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        trace::seen(&format!("after {} attempts the poll returns {polled:?}", attempts.get()));
        assert!(matches!(polled, Poll::Ready(Ok(()))), "a signal is no error, and no reason to wait");
    });
    assert_eq!(attempts.get(), 2);
}

/// hint: would_block
#[test]
fn news_of_one_direction_leaves_the_other_as_it_was() {
    Runtime::new().block_on(async {
        let (one, _peer) = pair();
        let reactor = &expect_current("the test").reactor;
        let ready = || {
            let ready = [Direction::Read, Direction::Write].map(|direction| reactor.is_ready(one.key, direction));
            trace::seen(&format!("it may read: {}, and write: {}", ready[0], ready[1]));
            ready
        };
        reactor.would_block(one.key, Direction::Read);
        assert_eq!(ready(), [false, true], "the kernel has said nothing of writing");
        reactor.would_block(one.key, Direction::Write);
        reactor.dispatch(token(one.key.0), Latches::ready(Direction::Read));
        reactor.dispatch(token(one.key.0), Latches::ready(Direction::Write));
        assert_eq!(ready(), [true, true], "an event adds to what was said before");
    });
}

/// hint: wait for a source
#[test]
fn an_owner_waits_in_both_directions_and_sharers_beside_each_other() {
    Runtime::new().block_on(async {
        let (one, _peer) = pair();
        let core = expect_current("the test");
        let [owner, sharer] = [WaiterId::OWNER, WaiterId::SHARER];
        let waits = [(Direction::Read, owner), (Direction::Write, owner), (Direction::Read, sharer), (Direction::Read, sharer)];
        let counts = waits.map(|(direction, waiter)| {
            let count = Arc::new(Count::default());
            let waker = Waker::from(Arc::clone(&count));
            let replaced = core.reactor.wait(one.key, Waiting { waiter, direction, waker, at: Location::caller() });
            assert!(replaced.is_none(), "nobody waited there before");
            count
        });
        for direction in [Direction::Read, Direction::Write] {
            core.reactor.dispatch(token(one.key.0), Latches::ready(direction));
        }
        sleep(Duration::from_millis(10)).await;
        assert_eq!(counts.map(|count| count.get()), [1; 4]);
    });
}

/// hint: wait for a source
#[test]
fn two_readers_of_one_socket_wait_at_the_same_time() {
    Runtime::new().block_on(async {
        let (one, two) = pair();
        let two = Rc::new(two);
        let readers: Vec<_> = (0..2).map(|_| Rc::clone(&two)).map(|two| spawn(async move { read(&two, 1).await })).collect();
        for _ in 0..3 {
            yield_now().await;
        }
        write(&one, b"ab").await;
        let mut read = Vec::new();
        for reader in readers {
            read.extend(reader.await.expect("it returns"));
        }
        assert_eq!(read, b"ab");
    });
}
