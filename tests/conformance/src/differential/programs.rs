//! The programs, written once in the names that both runtimes have. This file is compiled twice, as a
//! child of `on_oneloop.rs` and of `on_tokio.rs`; each brings its runtime's `net`, `process`, `spawn`,
//! `task`, `time` and I/O traits, and the few functions that differ.

#![allow(clippy::async_yields_async, reason = "a handle outlives its runtime here")]

use std::any::Any;
use std::cell::RefCell;
use std::future::{pending, poll_fn, ready};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket as StdUdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use socket2::SockRef;

use super::*;
use crate::Seen;

/// A program, and what it is about.
type Program = (&'static str, fn() -> Seen);

pub(crate) const PROGRAMS: &[Program] = &[
    ("orders", orders),
    ("joins", joins),
    ("aborts", aborts),
    ("panics", panics),
    ("the end of a runtime", the_end),
    ("the wrong place", the_wrong_place),
    ("sleeps", sleeps),
    ("timeouts", timeouts),
    ("intervals", intervals),
    ("TCP", tcp),
    ("TCP errors", tcp_errors),
    ("UDP", udp),
    ("Unix sockets", unix),
    ("blocking work", blocking),
    ("child processes", children),
];

const MS: Duration = Duration::from_millis(1);

/// The account of all tasks of a program.
#[derive(Clone, Default)]
struct Notes(Rc<RefCell<Seen>>);

impl Notes {
    fn add(&self, what: &str, how: impl std::fmt::Display) {
        self.0.borrow_mut().push(format!("{what}: {how}"));
    }

    fn debug(&self, what: &str, how: impl std::fmt::Debug) {
        self.add(what, format_args!("{how:?}"));
    }

    /// The kind of an error, or that there was none.
    fn kind<T>(&self, what: &str, result: io::Result<T>) {
        match result {
            Ok(_) => self.add(what, "no error"),
            Err(error) => self.add(what, format_args!("{:?}", error.kind())),
        }
    }
}

/// Runs a program that writes things down.
fn noted<F: Future<Output = ()>>(paused: bool, program: impl FnOnce(Notes) -> F) -> Seen {
    let notes = Notes::default();
    run(paused, program(notes.clone()));
    notes.0.take()
}

async fn rounds(rounds: usize) {
    for _ in 0..rounds {
        task::yield_now().await;
    }
}

fn joined<T: std::fmt::Debug>(result: Result<T, task::JoinError>) -> String {
    match result {
        Ok(output) => format!("{output:?}"),
        Err(error) if error.is_cancelled() => "cancelled".into(),
        Err(error) if error.is_panic() => format!("panicked with {:?}", words(&*error.into_panic())),
        Err(error) => format!("{error:?}"),
    }
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}

fn panics_with<T>(f: impl FnOnce() -> T) -> String {
    catch_unwind(AssertUnwindSafe(f)).map_or_else(|payload| words(&*payload), |_| "no panic".into())
}

/// Writes down that it is dropped.
struct Dropped(Notes, &'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add(self.1, "dropped");
    }
}

fn orders() -> Seen {
    noted(false, async |notes| {
        for n in 0..4 {
            let notes = notes.clone();
            drop(spawn(async move {
                notes.add("spawned", n);
                let inner = notes.clone();
                drop(spawn(async move { inner.add("spawned by a task", n) }));
            }));
        }
        notes.add("root", "goes on after spawning");
        rounds(5).await;
        let order: Rc<RefCell<Vec<u32>>> = Rc::default();
        for n in 0..4 {
            let order = Rc::clone(&order);
            drop(spawn(async move {
                task::yield_now().await;
                order.borrow_mut().push(n);
            }));
        }
        rounds(5).await;
        notes.debug("four tasks that yield once go on in the order", order.take());
        let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
        for n in 0..4 {
            let (notes, wakers) = (notes.clone(), Rc::clone(&wakers));
            drop(spawn(async move {
                let mut waits = true;
                poll_fn(|cx| {
                    if std::mem::take(&mut waits) {
                        wakers.borrow_mut().push(cx.waker().clone());
                        return Poll::Pending;
                    }
                    Poll::Ready(())
                })
                .await;
                notes.add("woken", n);
            }));
        }
        rounds(3).await;
        for n in [2, 0, 3, 1] {
            wakers.borrow()[n].wake_by_ref();
        }
        rounds(3).await;
        let polls = Rc::new(std::cell::Cell::new(0));
        let count = Rc::clone(&polls);
        drop(spawn(poll_fn(move |cx| {
            count.set(count.get() + 1);
            (0..5).for_each(|_| cx.waker().wake_by_ref());
            if count.get() < 3 { Poll::Pending } else { Poll::Ready(()) }
        })));
        rounds(6).await;
        notes.add("five wakes a poll, polls", polls.get());
    })
}

fn joins() -> Seen {
    noted(false, async |notes| {
        notes.add("output", joined(spawn(async { 7 }).await));
        let handle = spawn(async { "early" });
        notes.add("finished before it ran", handle.is_finished());
        rounds(2).await;
        notes.add("finished after it ran", handle.is_finished());
        notes.add("output of one that is over", joined(handle.await));
        let there = notes.clone();
        drop(spawn(async move {
            rounds(2).await;
            there.add("a task whose handle was dropped", "runs to its end");
        }));
        rounds(4).await;
        let owned = Dropped(notes.clone(), "what a task owned");
        let done = spawn(async move {
            let _owned = owned;
        });
        notes.add("its join", joined(done.await));
        let unwanted = Dropped(notes.clone(), "an output that nobody took");
        drop(spawn(async move { unwanted }));
        rounds(2).await;
        let mut twice = spawn(async { 1 });
        notes.add("first join", joined((&mut twice).await));
        let mut twice = pin!(twice);
        let again = poll_fn(|cx| {
            let panicked = catch_unwind(AssertUnwindSafe(|| twice.as_mut().poll(cx).is_ready())).is_err();
            Poll::Ready(if panicked { "panics" } else { "does not panic" })
        });
        notes.add("second join", again.await);
        notes.debug("ids differ", task::spawn_blocking(|| ()).id() != task::spawn_blocking(|| ()).id());
    })
}

fn aborts() -> Seen {
    noted(false, async |notes| {
        let owned = Dropped(notes.clone(), "of a task that was aborted before its first poll");
        let never = spawn(async move {
            let _owned = owned;
            unreachable!("it was aborted");
        });
        never.abort();
        notes.add("abort", "returns");
        notes.add("aborted before its first poll", joined::<()>(never.await));
        let owned = Dropped(notes.clone(), "of a task that was aborted while it waited");
        let waits = spawn(async move {
            let _owned = owned;
            pending::<()>().await;
        });
        rounds(2).await;
        waits.abort();
        waits.abort();
        notes.add("finished at once", waits.is_finished());
        notes.add("aborted while it waited", joined(waits.await));
        let over = spawn(async { 7 });
        rounds(2).await;
        over.abort();
        notes.add("aborted when it was over", joined(over.await));
        let ready = spawn(async { 8 });
        rounds(2).await;
        let other = ready.abort_handle();
        other.abort();
        notes.add("aborted by an abort handle when it was over", joined(ready.await));
        let itself = spawn(async {
            let me = Rc::new(RefCell::new(None::<task::AbortHandle>));
            let mine = Rc::clone(&me);
            let inner = spawn(async move {
                rounds(2).await;
                if let Some(me) = mine.borrow().as_ref() {
                    me.abort();
                }
                task::yield_now().await;
                "went on"
            });
            *me.borrow_mut() = Some(inner.abort_handle());
            inner.await
        });
        notes.add("aborted by itself", joined(itself.await.expect("the outer task")));
        let last_words = spawn(async { "the output of a poll in which it was aborted" });
        notes.add("not aborted", joined(last_words.await));
    })
}

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("in the drop");
    }
}

fn panics() -> Seen {
    noted(false, async |notes| {
        notes.add("a panic with words", joined::<()>(spawn(async { panic!("some words") }).await));
        let n = 7;
        notes.add("a panic with a number in its words", joined::<()>(spawn(async move { panic!("{n} words") }).await));
        let error = spawn(async { std::panic::panic_any(7_u8) }).await.expect_err("it panics");
        notes.add("a panic with a number", error.into_panic().downcast_ref::<u8>() == Some(&7));
        notes.add("the others", joined(spawn(async { "go on" }).await));
        let mut owned = Some(PanicsInDrop);
        let after = spawn(poll_fn(move |_| {
            let _owner = &mut owned;
            Poll::Ready("the output")
        }));
        notes.add("a future that panics when it is dropped after its end", joined(after.await));
        let waits = spawn(async {
            let _owned = PanicsInDrop;
            pending::<()>().await;
        });
        rounds(2).await;
        waits.abort();
        notes.add("a future that panics when it is dropped by an abort", joined(waits.await));
        drop(spawn(async { PanicsInDrop }));
        rounds(2).await;
        notes.add("an output that panics when nobody takes it", "and the loop goes on");
        let display = spawn(async { panic!("some words") }).await.map(|(): ()| ()).expect_err("it panics").to_string();
        notes.add("a panic's error names the words", display.contains("some words"));
        let aborted = spawn(pending::<()>());
        aborted.abort();
        let display = aborted.await.expect_err("it was aborted").to_string();
        notes.add("an abort's error names the place", display.contains(".rs:"));
    })
}

fn the_end() -> Seen {
    let (notes, dropped) = (Notes::default(), Notes::default());
    let (inside, gone) = (notes.clone(), dropped.clone());
    let kept = run(false, async move {
        let owned = Dropped(gone.clone(), "of a task that waited");
        drop(spawn(async move {
            let _owned = owned;
            pending::<()>().await;
        }));
        let owned = Dropped(gone, "of a task that was never polled");
        let last = spawn(pending::<()>());
        rounds(2).await;
        drop(spawn(async move { drop(owned) }));
        inside.add("root", "is over");
        last
    });
    // Neither promises an order.
    let mut dropped = dropped.0.take();
    dropped.sort_unstable();
    notes.0.borrow_mut().extend(dropped);
    notes.add("a task of a runtime that is gone is finished", kept.is_finished());
    notes.add("the second runtime", run(false, async { "works" }));
    notes.0.take()
}

fn the_wrong_place() -> Seen {
    let notes = Notes::default();
    let says = |words: &str| if words == "no panic" { "no panic" } else { "a panic" };
    notes.add("a sleep outside", says(&panics_with(|| drop(time::sleep(MS)))));
    notes.add("a spawn outside", says(&panics_with(|| drop(spawn(async {})))));
    notes.add("a timeout outside", says(&panics_with(|| drop(time::timeout(MS, ready(()))))));
    notes.add("a loop in a loop", says(&run(false, async { panics_with(|| run(false, async {})) })));
    notes.add("a panic of the root", panics_with(|| run(false, async { panic!("the root's") })));
    notes.0.take()
}

fn sleeps() -> Seen {
    noted(true, async |notes| {
        let start = time::Instant::now();
        for n in [30, 10, 20] {
            let notes = notes.clone();
            drop(spawn(async move {
                time::sleep(n * MS).await;
                notes.debug("a sleep of so many milliseconds ends at", (n, start.elapsed().as_millis()));
            }));
        }
        time::sleep(100 * MS).await;
        notes.debug("all sleeps", start.elapsed());
        time::sleep_until(start + 50 * MS).await;
        notes.debug("a sleep into the past takes", start.elapsed() - 100 * MS);
        let mut sleep = pin!(time::sleep(MS));
        reset(&mut sleep, time::Instant::now() + 70 * MS);
        sleep.await;
        notes.debug("a sleep that was reset", start.elapsed());
        let dropped = time::timeout(5 * MS, time::sleep(Duration::from_secs(3600))).await;
        notes.add("an hour in five milliseconds", if dropped.is_err() { "given up" } else { "over" });
        notes.debug("it took", start.elapsed());
        let forever = time::timeout(Duration::from_secs(86_400 * 365), time::sleep(Duration::MAX)).await;
        notes.add("the longest sleep there is, after a year", if forever.is_err() { "goes on" } else { "is over" });
        let zero = Rc::new(std::cell::Cell::new(0));
        let other = Rc::clone(&zero);
        drop(spawn(async move { other.set(1) }));
        time::sleep(Duration::ZERO).await;
        notes.add("others ran during a sleep of zero", zero.get());
    })
}

fn timeouts() -> Seen {
    noted(true, async |notes| {
        notes.debug("one that is ready", time::timeout(MS, async { 7 }).await.ok());
        notes.debug("one that is ready, in no time", time::timeout(Duration::ZERO, ready(7)).await.ok());
        notes.debug("one that never is", time::timeout(MS, pending::<()>()).await.ok());
        let late = time::Instant::now();
        time::sleep(5 * MS).await;
        notes.debug("one that is ready, until a time that is past", time::timeout_at(late, ready(7)).await.ok());
        notes.debug("one that waits, until a time that is past", time::timeout_at(late, pending::<()>()).await.ok());
        let owned = Dropped(notes.clone(), "what the future owned");
        let given_up = time::timeout(MS, async move {
            let _owned = owned;
            pending::<()>().await;
        });
        let elapsed = given_up.await.expect_err("it never ends");
        notes.add("it", "has been given up");
        notes.add("the error's words", elapsed.to_string());
        notes.debug("as an error of I/O", io::Error::from(elapsed).kind());
        let nested = time::timeout(20 * MS, time::timeout(10 * MS, pending::<()>())).await;
        notes.add("the inner of two", if matches!(nested, Ok(Err(_))) { "comes first" } else { "is too late" });
        let both = time::timeout(10 * MS, time::sleep(10 * MS)).await;
        notes.add("a sleep as long as its limit", if both.is_ok() { "is in time" } else { "is too late" });
    })
}

fn intervals() -> Seen {
    use time::MissedTickBehavior::{Burst, Delay, Skip};
    noted(true, async |notes| {
        for (name, behavior) in [("burst", Burst), ("delay", Delay), ("skip", Skip)] {
            let start = time::Instant::now();
            let mut interval = time::interval(10 * MS);
            interval.set_missed_tick_behavior(behavior);
            let mut ticks = Vec::new();
            for n in 0..8 {
                let planned = interval.tick().await;
                ticks.push(((planned - start).as_millis(), start.elapsed().as_millis()));
                if n == 2 {
                    time::sleep(35 * MS).await;
                }
            }
            notes.debug(&format!("{name}: planned and real"), ticks);
        }
        let start = time::Instant::now();
        let mut interval = time::interval_at(start + 7 * MS, 10 * MS);
        interval.tick().await;
        notes.debug("an interval that starts later", start.elapsed());
        interval.tick().await;
        notes.debug("and goes on", start.elapsed());
        interval.reset();
        interval.tick().await;
        notes.debug("and was reset", start.elapsed());
        let zero = panics_with(|| drop(time::interval(Duration::ZERO)));
        notes.add("a period of zero", if zero == "no panic" { "no panic" } else { "a panic" });
    })
}

const ANY_PORT: &str = "127.0.0.1:0";

async fn pair() -> (net::TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind(ANY_PORT).await.expect("loopback has a port");
    let here = net::TcpStream::connect(listener.local_addr().expect("it has one")).await.expect("it listens");
    (here, listener.accept().await.expect("the connection was made").0)
}

fn tcp() -> Seen {
    noted(false, async |notes| {
        let (mut here, mut there) = pair().await;
        notes.add("addresses", here.local_addr().ok() == there.peer_addr().ok());
        notes.debug("nodelay at first", here.nodelay().ok());
        here.set_nodelay(true).expect("it can be set");
        notes.debug("nodelay when set", here.nodelay().ok());
        notes.debug("time to live", here.ttl().ok());
        here.write_all(b"0123456789").await.expect("a write");
        let mut some = [0; 4];
        notes.debug("a peek", (there.peek(&mut some).await.ok(), some));
        notes.debug("a read", (there.read(&mut some).await.ok(), some));
        notes.debug("a read into nothing", there.read(&mut []).await.ok());
        let mut rest = [0; 6];
        notes.debug("an exact read", (there.read_exact(&mut rest).await.is_ok(), rest));
        notes.kind("a try when there is nothing", there.try_read(&mut some));
        notes.debug("a try to write", here.try_write(b"abc").ok());
        there.readable().await.expect("bytes are on their way");
        notes.debug("a try when there is something", there.try_read(&mut some).ok());
        end_writing(&mut here).await;
        notes.debug("the end", there.read(&mut some).await.ok());
        notes.debug("the end again", there.read(&mut some).await.ok());
        notes.kind("a write after the end of writing", here.write_all(b"x").await);
        there.write_all(b"the other way").await.expect("that way is open");
        drop(there);
        let mut all = String::new();
        here.read_to_string(&mut all).await.expect("to the end");
        notes.add("the other way", all);
        let (mut here, mut there) = pair().await;
        here.write_all(b"ab").await.expect("a write");
        end_writing(&mut here).await;
        notes.kind("an exact read beyond the end", there.read_exact(&mut rest).await);
        let megabyte: Vec<u8> = (0..1 << 20).map(|n: u32| (n ^ n >> 8) as u8).collect();
        let sent = megabyte.clone();
        let (mut here, mut there) = pair().await;
        let writer = spawn(async move {
            here.write_all(&sent).await.expect("somebody reads");
            end_writing(&mut here).await;
        });
        let mut got = Vec::new();
        there.read_to_end(&mut got).await.expect("to the end");
        writer.await.expect("the writer");
        notes.add("a megabyte is the same", got == megabyte);
        let (here, there) = pair().await;
        let here = std_stream(here);
        notes.kind("a read of the std stream", io::Read::read(&mut &here, &mut some));
        drop(there);
    })
}

fn tcp_errors() -> Seen {
    noted(false, async |notes| {
        let listener = net::TcpListener::bind(ANY_PORT).await.expect("loopback has a port");
        let addr = listener.local_addr().expect("it has one");
        notes.kind("a port in use", net::TcpListener::bind(addr).await);
        drop(listener);
        notes.kind("nobody listens", net::TcpStream::connect(addr).await);
        notes.kind("nobody listens on any", net::TcpStream::connect(&[addr, addr][..]).await);
        notes.kind("no address at all", net::TcpStream::connect(&[] as &[SocketAddr]).await);
        notes.kind("an address without a port", net::TcpStream::connect("127.0.0.1").await);
        notes.kind("a port that is no number", net::TcpStream::connect("127.0.0.1:http!").await);
        notes.kind("an address that is not ours", net::TcpListener::bind("192.0.2.1:0").await);
        let (mut here, there) = pair().await;
        let there = std_stream(there);
        SockRef::from(&there).set_linger(Some(Duration::ZERO)).expect("it can be told not to linger");
        let reading = spawn(async move {
            let read = here.read(&mut [0; 8]).await;
            (here, read)
        });
        rounds(3).await;
        drop(there);
        let (mut here, read) = reading.await.expect("the reader");
        notes.kind("a reset", read);
        notes.debug("a read after it", here.read(&mut [0; 8]).await.ok());
        notes.kind("a write after it", here.write_all(b"x").await);
        notes.kind("its peer's address", here.peer_addr());
        let (here, mut there) = pair().await;
        drop(here);
        let error = loop {
            if let Err(error) = there.write_all(&[0; 1000]).await {
                break error;
            }
        };
        notes.add(
            "a write to a peer that is gone",
            matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
        );
    })
}

fn udp() -> Seen {
    noted(false, async |notes| {
        let one = net::UdpSocket::bind(ANY_PORT).await.expect("loopback has a port");
        let two = net::UdpSocket::bind(ANY_PORT).await.expect("loopback has a port");
        let (to_one, to_two) = (one.local_addr().expect("it has one"), two.local_addr().expect("it has one"));
        notes.kind("a send without a peer", one.send(b"x").await);
        notes.debug("a send", one.send_to(b"hello", to_two).await.ok());
        let mut buffer = [0; 3];
        let (length, from) = two.recv_from(&mut buffer).await.expect("a datagram");
        notes.debug("a datagram longer than the buffer", (length, buffer, from == to_one));
        notes.debug("an empty datagram is sent", one.send_to(b"", to_two).await.ok());
        notes.debug("an empty datagram", two.recv_from(&mut buffer).await.ok().map(|(length, _)| length));
        notes.kind("a try when there is none", two.try_recv_from(&mut buffer));
        notes.debug(
            "one that is too long",
            one.send_to(&[0; 70_000], to_two).await.err().and_then(|e| e.raw_os_error()),
        );
        one.connect(to_two).await.expect("it can be connected");
        notes.add("its peer", one.peer_addr().ok() == Some(to_two));
        StdUdpSocket::bind(ANY_PORT).and_then(|third| third.send_to(b"third", to_one)).expect("a datagram");
        two.send_to(b"two", to_one).await.expect("a datagram");
        notes.debug("a connected socket hears its peer", (one.recv(&mut buffer).await.ok(), buffer));
        drop(two);
        one.send(b"x").await.expect("nobody has said no yet");
        notes.kind("a refusal", one.recv(&mut buffer).await);
        notes.kind("a port in use", net::UdpSocket::bind(to_one).await);
    })
}

fn unix() -> Seen {
    noted(false, async |notes| {
        let folder = tempfile::tempdir().expect("a folder for sockets");
        let path = folder.path().join("socket");
        notes.kind("no such path", net::UnixStream::connect(&path).await);
        let listener = net::UnixListener::bind(&path).expect("a free path");
        notes.kind("a path in use", net::UnixListener::bind(&path));
        let mut here = net::UnixStream::connect(&path).await.expect("it listens");
        let (mut there, _) = listener.accept().await.expect("the connection was made");
        here.write_all(b"hello").await.expect("a write");
        drop(here);
        let mut all = String::new();
        there.read_to_string(&mut all).await.expect("to the end");
        notes.add("what was said", all);
        drop(listener);
        notes.add("the path when the listener is gone", if path.exists() { "is still there" } else { "is gone" });
        notes.kind("a path that nobody listens on", net::UnixStream::connect(&path).await);
        notes.kind("a path that is too long", net::UnixListener::bind(folder.path().join("x".repeat(200))));
        let (mut one, mut two) = net::UnixStream::pair().expect("a pair");
        one.write_all(b"ab").await.expect("a write");
        let mut both = [0; 2];
        two.read_exact(&mut both).await.expect("a read");
        notes.debug("a pair", both);
        let (one, two) = net::UnixDatagram::pair().expect("a pair");
        one.send(b"abc").await.expect("a datagram");
        one.send(b"").await.expect("a datagram");
        let mut buffer = [0; 8];
        notes.debug("datagrams", (two.recv(&mut buffer).await.ok(), two.recv(&mut buffer).await.ok()));
        folder.close().expect("the folder can go");
    })
}

fn blocking() -> Seen {
    noted(false, async |notes| {
        notes.add("its output", joined(task::spawn_blocking(|| 7).await));
        notes.add("its panic", joined::<()>(task::spawn_blocking(|| panic!("in a thread")).await));
        let here = std::thread::current().id();
        let there = task::spawn_blocking(move || std::thread::current().id() == here).await;
        notes.add("on the loop's thread", joined(there));
        let jobs: Vec<_> = (0..100).map(|n| task::spawn_blocking(move || n)).collect();
        let mut sum = 0;
        for job in jobs {
            sum += job.await.expect("a job");
        }
        notes.add("a hundred", sum);
        let beside = Rc::new(std::cell::Cell::new(0));
        let count = Rc::clone(&beside);
        let counter = spawn(async move {
            loop {
                count.set(count.get() + 1);
                task::yield_now().await;
            }
        });
        task::spawn_blocking(|| std::thread::sleep(20 * MS)).await.expect("a job");
        counter.abort();
        notes.add("the loop goes on meanwhile", beside.get() > 10);
    })
}

fn children() -> Seen {
    noted(false, async |notes| {
        let shell = |script: &str| {
            let mut command = process::Command::new("sh");
            command.arg("-c").arg(script);
            command
        };
        notes.debug("a code", shell("exit 3").status().await.ok().and_then(|status| status.code()));
        let output = shell("echo out; echo err >&2").output().await.expect("it runs");
        notes.debug("outputs", (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)));
        notes.kind("no such program", process::Command::new("no-such-program-here").spawn());
        let mut sleeper = shell("exec sleep 100").spawn().expect("it runs");
        notes.add("it has an id", sleeper.id().is_some());
        notes.add("over at once", sleeper.try_wait().expect("it can be asked").is_some());
        sleeper.start_kill().expect("it can be killed");
        let status = sleeper.wait().await.expect("it ends");
        notes.debug("killed by", std::os::unix::process::ExitStatusExt::signal(&status));
        notes.add("waited for again", sleeper.wait().await.is_ok());
        notes.debug("its id when it is over", sleeper.id());
    })
}
