//! Sockets: every byte, in order, to the end; and errors of the kind that a blocking socket gives.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use socket2::SockRef;

use super::tools::{Cell, Count, either, rounds, run, task, until, yield_now};
use crate::adapter::{Runtime, Stream};

const SECOND: Duration = Duration::from_secs(1);

/// A connection with both ends on the loop.
async fn pair<R: Runtime>() -> (Stream, Stream) {
    let mut listener = R::listen().await.expect("loopback has a port");
    let here = R::connect(listener.addr()).await.expect("the listener listens");
    (here, listener.accept().await.expect("the connection was made"))
}

/// A connection with one end on the loop, while the other is a blocking socket.
async fn half<R: Runtime>() -> (Stream, std::net::TcpStream) {
    let mut listener = R::listen().await.expect("loopback has a port");
    let there = std::net::TcpStream::connect(listener.addr()).expect("the listener listens");
    there.set_read_timeout(Some(10 * SECOND)).expect("a blocking socket has a time limit");
    (listener.accept().await.expect("the connection was made"), there)
}

/// A server that sends back whatever comes, on every connection.
async fn echo_server<R: Runtime>() -> SocketAddr {
    let mut listener = R::listen().await.expect("loopback has a port");
    let addr = listener.addr();
    R::spawn(async move {
        loop {
            let mut stream = listener.accept().await.expect("the next connection");
            R::spawn(async move {
                let mut buffer = [0; 1000];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    stream.write_all(&buffer[..read]).await.expect("the client reads");
                }
            });
        }
    });
    addr
}

/// Bytes that are not the same everywhere.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n ^ n >> 8 ^ n >> 16) as u8).collect()
}

async fn read_to_end(stream: &mut Stream) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.map(|_| all)
}

pub(super) fn what_is_sent_comes_back<R: Runtime>() {
    run::<R, _>(async {
        let mut stream = R::connect(echo_server::<R>().await).await.expect("the server listens");
        for n in 0..100 {
            let sent = bytes(n * 37 + 1);
            stream.write_all(&sent).await.expect("the server reads");
            let mut got = vec![0; sent.len()];
            stream.read_exact(&mut got).await.expect("the server writes");
            assert_eq!(got, sent);
        }
    });
}

pub(super) fn a_megabyte_goes_each_way_at_once<R: Runtime>() {
    run::<R, _>(async {
        let (here, there) = pair::<R>().await;
        let ends = [here, there].map(|stream| {
            task::<R, _>(async move {
                let (mut reader, mut writer) = futures_lite::io::split(stream);
                let wrote = task::<R, _>(async move {
                    writer.write_all(&bytes(1 << 20)).await.expect("the other end reads");
                    writer.close().await.expect("a writing side can be ended");
                });
                let mut got = Vec::new();
                reader.read_to_end(&mut got).await.expect("the other end writes");
                wrote.await;
                got
            })
        });
        for end in ends {
            assert!(end.await == bytes(1 << 20), "other bytes arrived than were sent");
        }
    });
}

pub(super) fn a_small_buffer_leaves_the_rest_for_the_next_read<R: Runtime>() {
    run::<R, _>(async {
        let (mut here, mut there) = half::<R>().await;
        there.write_all(&bytes(5000)).expect("a write to loopback");
        let mut got = Vec::new();
        while got.len() < 5000 {
            let mut one = [0];
            assert_eq!(here.read(&mut one).await.expect("there is more"), 1);
            got.push(one[0]);
        }
        assert_eq!(got, bytes(5000));
    });
}

pub(super) fn the_end_comes_after_the_data<R: Runtime>() {
    run::<R, _>(async {
        for length in [0, 1, 10_000] {
            let (mut here, mut there) = half::<R>().await;
            there.write_all(&bytes(length)).expect("a write to loopback");
            drop(there);
            assert_eq!(read_to_end(&mut here).await.expect("an orderly end"), bytes(length));
            assert_eq!(here.read(&mut [0; 8]).await.expect("the end stays the end"), 0);
        }
    });
}

pub(super) fn ending_the_writing_side_leaves_the_reading_side<R: Runtime>() {
    run::<R, _>(async {
        let (mut here, mut there) = half::<R>().await;
        here.write_all(b"question").await.expect("a write to loopback");
        here.close().await.expect("a writing side can be ended");
        let mut asked = String::new();
        there.read_to_string(&mut asked).expect("the question, and its end");
        assert_eq!(asked, "question");
        there.write_all(b"answer").expect("the reading side is open");
        drop(there);
        assert_eq!(read_to_end(&mut here).await.expect("the answer"), b"answer");
    });
}

pub(super) fn dropping_a_connection_ends_it<R: Runtime>() {
    run::<R, _>(async {
        let (here, mut there) = half::<R>().await;
        drop(here);
        rounds(2).await;
        assert_eq!(there.read(&mut [0; 8]).expect("an orderly end"), 0);
    });
}

pub(super) fn a_refused_connection_is_an_error_of_that_kind<R: Runtime>() {
    run::<R, _>(async {
        let listener = R::listen().await.expect("loopback has a port");
        let addr = listener.addr();
        drop(listener);
        let error = R::connect(addr).await.err().expect("nobody listens there");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    });
}

/// Closes a blocking socket so that the other end is reset.
fn reset(stream: std::net::TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket can be told not to linger");
    drop(stream);
}

pub(super) fn a_reset_is_an_error_of_that_kind<R: Runtime>() {
    run::<R, _>(async {
        let (mut here, there) = half::<R>().await;
        let reading = task::<R, _>(async move { here.read(&mut [0; 8]).await });
        rounds(3).await;
        reset(there);
        assert_eq!(reading.await.expect_err("a reset").kind(), io::ErrorKind::ConnectionReset);
    });
}

pub(super) fn writing_to_a_peer_that_is_gone_is_an_error_and_no_signal<R: Runtime>() {
    run::<R, _>(async {
        let (mut here, there) = half::<R>().await;
        reset(there);
        let error = loop {
            if let Err(error) = here.write_all(&[0; 1000]).await {
                break error;
            }
        };
        let kinds = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
        assert!(kinds.contains(&error.kind()), "{error}");
    });
}

pub(super) fn a_read_that_is_given_up_loses_no_byte<R: Runtime>() {
    run::<R, _>(async {
        let (mut here, mut there) = half::<R>().await;
        let sender = std::thread::spawn(move || {
            for part in bytes(20_000).chunks(10) {
                there.write_all(part).expect("a write to loopback");
            }
        });
        let mut got = Vec::new();
        while got.len() < 20_000 {
            let mut buffer = [0; 7];
            let read = either(async { Some(here.read(&mut buffer).await) }, async {
                yield_now().await;
                None
            });
            if let Some(read) = read.await {
                let read = read.expect("the sender sends");
                got.extend_from_slice(&buffer[..read]);
            }
        }
        assert!(got == bytes(20_000), "other bytes arrived than were sent");
        sender.join().expect("the sender");
    });
}

pub(super) fn an_accept_that_is_given_up_loses_no_connection<R: Runtime>() {
    run::<R, _>(async {
        let mut listener = R::listen().await.expect("loopback has a port");
        let addr = listener.addr();
        let clients = std::thread::spawn(move || {
            (0..50).map(|_| std::net::TcpStream::connect(addr).expect("the listener listens")).collect::<Vec<_>>()
        });
        let mut accepted = Vec::new();
        while accepted.len() < 50 {
            let next = either(async { Some(listener.accept().await) }, async {
                yield_now().await;
                None
            });
            accepted.extend(next.await.map(|stream| stream.expect("a connection")));
        }
        drop(clients.join().expect("the clients"));
    });
}

pub(super) fn a_full_connection_makes_its_writer_wait_and_nobody_else<R: Runtime>() {
    const MUCH: usize = 16 << 20;
    run::<R, _>(async {
        let (mut here, mut there) = half::<R>().await;
        let (wrote, other) = (Count::default(), Count::default());
        let (done, ran) = (wrote.clone(), other.clone());
        let writer = task::<R, _>(async move {
            here.write_all(&vec![7; MUCH]).await.expect("somebody reads in the end");
            done.add();
        });
        R::spawn(async move {
            rounds(1000).await;
            ran.add();
        });
        until(|| other.get() == 1).await;
        assert_eq!(wrote.get(), 0, "16 MB were written, and nobody has read");
        let reader = std::thread::spawn(move || io::copy(&mut there, &mut io::sink()).expect("all that was written"));
        writer.await;
        assert_eq!(reader.join().expect("the reader"), MUCH as u64);
    });
}

pub(super) fn a_connection_that_always_has_data_does_not_starve_the_others<R: Runtime>() {
    run::<R, _>(async {
        let (mut here, mut there) = half::<R>().await;
        let over = Count::default();
        let (stop, stopped) = (over.clone(), over.clone());
        let flood = std::thread::spawn(move || while stop.get() == 0 && there.write_all(&[0; 65_536]).is_ok() {});
        let reads = Count::default();
        let read = reads.clone();
        R::spawn(async move {
            while stopped.get() == 0 && here.read(&mut [0; 16]).await.is_ok() {
                read.add();
            }
        });
        until(|| reads.get() > 0).await;
        let start = Instant::now();
        rounds(200).await;
        assert!(start.elapsed() < SECOND, "two hundred rounds took {:?}", start.elapsed());
        over.add();
        until(|| flood.is_finished()).await;
    });
}

pub(super) fn two_hundred_connections_at_once_are_served<R: Runtime>() {
    run::<R, _>(async {
        let addr = echo_server::<R>().await;
        let clients = (0..200_usize).map(|n| {
            task::<R, _>(async move {
                let mut stream = R::connect(addr).await.expect("the server listens");
                for round in 0..10 {
                    let sent = bytes(n + round + 1);
                    stream.write_all(&sent).await.expect("the server reads");
                    let mut got = vec![0; sent.len()];
                    stream.read_exact(&mut got).await.expect("the server writes");
                    assert_eq!(got, sent);
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await;
        }
    });
}

pub(super) fn a_thousand_connections_leave_no_descriptor<R: Runtime>() {
    let open = || std::fs::read_dir("/dev/fd").expect("/dev/fd lists the descriptors").count();
    run::<R, _>(async { drop(pair::<R>().await) });
    let before = open();
    run::<R, _>(async move {
        let mut listener = R::listen().await.expect("loopback has a port");
        let addr = listener.addr();
        for _ in 0..1000 {
            let cell = Cell::new();
            let there = cell.clone();
            R::spawn(async move { there.put(R::connect(addr).await.expect("the listener listens")) });
            drop(listener.accept().await.expect("the connection was made"));
            drop(cell.take().await);
        }
    });
    assert_eq!(open(), before);
}
