//! Stage 9: TCP, and an echo server.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use mio::net::UnixStream;

use crate::heart::budget::OPERATIONS_PER_POLL;
use crate::heart::current::expect_current;
use crate::heart::reactor::Direction;
use crate::io::Socket;
use crate::net::{TcpListener, TcpStream, echo, serve};
use crate::time::sleep;
use crate::{Runtime, spawn, trace};

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0".parse().expect("it is an address")).expect("a port is free");
    let addr = listener.local_addr().expect("it has one");
    (listener, addr)
}

/// hint: read
#[test]
fn what_is_sent_comes_back() {
    Runtime::new().block_on(async {
        let (listener, addr) = listen();
        let server = spawn(async move { echo(listener.accept().await?).await });
        let client = TcpStream::connect(addr).await.expect("it listens");
        let mut buffer = [0; 64];
        for _ in 0..2 {
            client.write_all(b"hello").await.expect("it writes");
            assert_eq!(client.read(&mut buffer).await.expect("it reads"), 5);
            assert_eq!(&buffer[..5], b"hello");
        }
        drop(client);
        let echoed = server.await.expect("it returns").expect("it echoes");
        trace::seen(&format!("echo returned {echoed} bytes"));
        assert_eq!(echoed, 10, "echo returns the bytes of all its reads");
    });
}

/// hint: echo
#[test]
fn the_end_comes_after_the_data() {
    Runtime::new().block_on(async {
        let (listener, addr) = listen();
        spawn(serve(listener));
        let client = TcpStream::connect(addr).await.expect("it listens");
        client.write_all(b"one").await.expect("it writes");
        client.shutdown(Shutdown::Write).expect("it ends its side");
        let (mut all, mut buffer) = (Vec::new(), [0; 2]);
        loop {
            match client.read(&mut buffer).await.expect("the other side is open") {
                0 => break,
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
        assert_eq!(all, b"one");
        assert_eq!(client.read(&mut buffer).await.expect("an end stays one"), 0);
    });
}

/// hint: write_all
#[test]
fn what_does_not_fit_at_once_is_written_by_and_by() {
    Runtime::new().block_on(async {
        let (listener, addr) = listen();
        let size = 8_000_000;
        let reader = spawn(async move {
            let stream = listener.accept().await.expect("somebody connects");
            sleep(Duration::from_millis(50)).await;
            let (mut total, mut buffer) = (0, vec![0; 65536]);
            loop {
                match stream.read(&mut buffer).await.expect("it reads") {
                    0 => return total,
                    count => total += count,
                }
            }
        });
        let client = TcpStream::connect(addr).await.expect("it listens");
        client.write_all(&vec![7; size]).await.expect("it writes");
        drop(client);
        assert_eq!(reader.await.expect("it returns"), size);
    });
}

/// hint: write_all
#[test]
fn a_write_to_a_peer_that_is_gone_is_an_error() {
    Runtime::new().block_on(async {
        let (listener, addr) = listen();
        let peer = spawn(async move { drop(listener.accept().await.expect("somebody connects")) });
        let client = TcpStream::connect(addr).await.expect("it listens");
        peer.await.expect("it returns");
        // More than the kernel takes for one who does not read.
        let written = client.write_all(&vec![7; 8_000_000]).await;
        trace::seen(if written.is_ok() { "everything is written" } else { "the write has failed" });
        let kind = written.expect_err("nobody will read it").kind();
        assert!(matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{kind:?}");
    });
}

/// hint: connect
#[test]
fn a_refused_connection_is_an_error() {
    Runtime::new().block_on(async {
        let (listener, addr) = listen();
        drop(listener);
        let refused = TcpStream::connect(addr).await.map(drop);
        trace::seen(if refused.is_ok() { "it is connected" } else { "the connect has failed" });
        assert_eq!(refused.expect_err("nobody listens").kind(), ErrorKind::ConnectionRefused);
    });
}

/// hint: connect
#[test]
fn nobody_is_connected_before_there_is_a_peer() {
    Runtime::new().block_on(async {
        let (_listener, addr) = listen();
        // More than the kernel keeps for one who never accepts. The last of them stay on their way.
        let (mut connected, mut on_their_way) = (Vec::new(), Vec::new());
        poll_fn(|cx| {
            for _ in 0..200 {
                // Each has a full share, as if it were a task of its own.
                expect_current("the test").renew_budget();
                let mut connect = Box::pin(TcpStream::connect(addr));
                match connect.as_mut().poll(cx) {
                    Poll::Ready(client) => connected.push(client.expect("it listens")),
                    Poll::Pending => on_their_way.push(connect),
                }
            }
            Poll::Ready(())
        })
        .await;
        for client in &connected {
            client.peer_addr().expect("a connect was over before anybody was at the other end");
        }
    });
}

/// hint: echo
#[test]
#[cfg(target_os = "linux")]
fn a_peer_that_resets_is_an_error_and_no_end() {
    Runtime::new().block_on(async {
        let (listener, addr) = listen();
        let mut peer = std::net::TcpStream::connect(addr).expect("it listens");
        peer.write_all(b"abc").expect("it writes");
        peer.set_nonblocking(true).expect("it is a socket");
        let server = spawn(async move { echo(listener.accept().await?).await });
        let mut looks = 0;
        while peer.peek(&mut [0]).is_err() {
            looks += 1;
            assert!(looks < 500, "echo has sent nothing back");
            sleep(Duration::from_millis(1)).await;
        }
        // The answer is there. Linux tells the other side by a reset that it was closed unread.
        drop(peer);
        let echoed = server.await.expect("it returns").map_err(|error| error.kind());
        trace::seen(&format!("echo returned {echoed:?}"));
        assert_eq!(echoed, Err(ErrorKind::ConnectionReset));
    });
}

/// hint: connect
/// hint, if left its waker with nobody: must_yield
#[test]
fn two_hundred_clients_are_served_at_once() {
    const BYTES: usize = 100_000;
    Runtime::new().block_on(async {
        let (listener, addr) = listen();
        spawn(serve(listener));
        let clients: Vec<_> = (0..200)
            .map(|number: usize| {
                spawn(async move {
                    let client = Rc::new(TcpStream::connect(addr).await.expect("it listens"));
                    let writes = Rc::clone(&client);
                    let writer = spawn(async move {
                        writes.write_all(&vec![number as u8; BYTES]).await.expect("it writes");
                        writes.shutdown(Shutdown::Write).expect("it ends its side");
                    });
                    let (mut total, mut buffer) = (0, vec![0; 32768]);
                    loop {
                        let count = client.read(&mut buffer).await.expect("it reads");
                        if count == 0 {
                            break;
                        }
                        assert!(buffer[..count].iter().all(|byte| *byte == number as u8), "another client's bytes");
                        total += count;
                    }
                    writer.await.expect("it returns");
                    total
                })
            })
            .collect();
        for client in clients {
            assert_eq!(client.await.expect("it returns"), BYTES);
        }
    });
}

fn socket() -> Socket<UnixStream> {
    let (one, _peer) = UnixStream::pair().expect("the kernel gives a pair");
    Socket::new(one, "unix stream").expect("it is registered")
}

/// hint: within its share
/// hint, if left its waker with nobody: must_yield
#[test]
fn one_who_always_has_data_lets_the_others_run() {
    let (operations, is_over) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let (counted, ends) = (Rc::clone(&operations), Rc::clone(&is_over));
    Runtime::new().block_on(async move {
        let greedy = spawn(async move {
            let socket = socket();
            while !is_over.get() {
                socket.attempt(Direction::Write, |_: &UnixStream| Ok(())).await.expect("it always can");
                operations.set(operations.get() + 1);
                assert!(operations.get() < 100_000, "100,000 operations, and nobody else had a turn");
            }
        });
        let other = spawn(async move { ends.set(true) });
        other.await.expect("it returns");
        greedy.await.expect("it returns");
    });
    assert_eq!(counted.get(), OPERATIONS_PER_POLL + 1, "a whole share, and one operation that had begun");
}

/// hint: within its share
#[test]
fn waiting_takes_nothing_from_the_share() {
    Runtime::new().block_on(async {
        let socket = socket();
        poll_fn(|cx| {
            for _ in 0..2 * OPERATIONS_PER_POLL {
                let blocked = |_: &UnixStream| -> io::Result<()> { Err(ErrorKind::WouldBlock.into()) };
                assert!(pin!(socket.attempt(Direction::Read, blocked)).poll(cx).is_pending());
            }
            let mut can = pin!(socket.attempt(Direction::Write, |_: &UnixStream| Ok(())));
            assert!(can.as_mut().poll(cx).is_ready(), "an attempt that came to nothing was counted");
            assert_eq!(expect_current("the test").tasks.ready(), 0, "who waits is woken by the kernel, and not by its own poll");
            Poll::Ready(())
        })
        .await;
    });
}

/// hint: must_yield
#[test]
fn a_share_that_is_used_up_is_full_again_at_the_next_poll() {
    Runtime::new().block_on(async {
        let (socket, polls) = (socket(), Cell::new(0));
        let counted = poll_fn(|cx| {
            polls.set(polls.get() + 1);
            for done in 0.. {
                let mut can = pin!(socket.attempt(Direction::Write, |_: &UnixStream| Ok(())));
                if can.as_mut().poll(cx).is_pending() {
                    assert_eq!(done, OPERATIONS_PER_POLL);
                    break;
                }
            }
            if polls.get() == 3 { Poll::Ready(()) } else { Poll::Pending }
        });
        counted.await;
        let core = expect_current("the test");
        core.operations_left.set(0);
        core.spend();
        trace::seen(&format!("nothing was left, and one more was spent: {} are left", core.operations_left.get()));
        assert!(!core.may_complete(), "nothing less one is nothing");
    });
}
