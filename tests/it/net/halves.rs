//! Halves: one side of a stream for the reader, the other for the writer.

use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::zip;
use futures_lite::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use oneloop::net::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, TcpStream, UnixStream, WriteHalf};
use oneloop::time::{sleep, timeout};
use oneloop::{Handle, spawn};

use crate::kit::sockets::{Count, on_a_loop, on_a_thread, pair, poll_with, soon, turns};
use crate::kit::watch::{in_order, runtime, watch};

fn unix_pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("the system makes pairs")
}

#[test]
fn halves_go_to_other_threads_and_need_no_pin() {
    fn fits<T: Send + Sync + Unpin>() {}
    fits::<(OwnedReadHalf, OwnedWriteHalf)>();
    fits::<(OwnedReadHalf<UnixStream>, OwnedWriteHalf<UnixStream>)>();
    fits::<(ReadHalf<'_>, WriteHalf<'_>)>();
    fits::<(ReadHalf<'_, UnixStream>, WriteHalf<'_, UnixStream>)>();
}

#[test]
fn dropping_the_writing_half_ends_writing_alone() {
    on_a_loop(async {
        let (here, there) = pair().await;
        let (mut read, write) = here.into_split();
        write.write_all(b"the last").await.unwrap();
        drop(write);
        let mut buffer = [0; 16];
        assert_eq!(soon(there.read(&mut buffer)).await.unwrap(), 8);
        assert_eq!(soon(there.read(&mut buffer)).await.unwrap(), 0);
        there.write_all(b"but not mine").await.unwrap();
        assert_eq!(soon(read.read(&mut buffer)).await.unwrap(), 12);
        drop(there);
        assert_eq!(soon(AsyncReadExt::read(&mut read, &mut buffer)).await.unwrap(), 0);
    });
}

#[test]
fn dropping_the_reading_half_ends_nothing() {
    on_a_loop(async {
        let (here, there) = unix_pair();
        let (read, mut write) = here.into_split();
        drop(read);
        soon(AsyncWriteExt::write_all(&mut write, b"still here")).await.unwrap();
        assert_eq!(soon(there.read(&mut [0; 16])).await.unwrap(), 10);
        turns(1).await;
        assert_eq!(Handle::current().metrics().sources, 2);
        write.close().await.unwrap();
        assert_eq!(soon(there.read(&mut [0; 16])).await.unwrap(), 0);
        drop(write);
        turns(1).await;
        assert_eq!(Handle::current().metrics().sources, 1);
    });
}

#[test]
fn a_writing_half_that_is_forgotten_does_not_end_writing() {
    on_a_loop(async {
        let (here, there) = unix_pair();
        let (read, write) = here.into_split();
        write.forget();
        let mut buffer = [0; 16];
        assert!(timeout(Duration::from_millis(20), there.read(&mut buffer)).await.is_err());
        drop(read);
        assert_eq!(soon(there.read(&mut buffer)).await.unwrap(), 0, "both are gone, and so is the connection");
    });
}

#[test]
fn a_stream_that_is_made_whole_is_as_before() {
    on_a_loop(async {
        let (here, there) = pair().await;
        let (here_at, there_at) = (here.local_addr().unwrap(), there.local_addr().unwrap());
        let (read, write) = here.into_split();
        assert_eq!(read.as_ref().peer_addr().unwrap(), there_at);
        let (read, write) = read.reunite(write).unwrap().into_split();
        let here = write.reunite(read).unwrap();
        assert_eq!(here.local_addr().unwrap(), here_at);
        here.write_all(b"whole").await.unwrap();
        assert_eq!(soon(there.read(&mut [0; 16])).await.unwrap(), 5);
        there.write_all(b"whole").await.unwrap();
        assert_eq!(soon(here.read(&mut [0; 16])).await.unwrap(), 5);
    });
}

#[test]
fn halves_of_two_streams_are_given_back_unharmed() {
    on_a_loop(async {
        let ((a, a_there), (b, b_there)) = (unix_pair(), unix_pair());
        let ((a_read, a_write), (b_read, b_write)) = (a.into_split(), b.into_split());
        let error = a_read.reunite(b_write).unwrap_err();
        assert!(error.to_string().contains("two different streams"), "{error}");
        let (a_read, b_write) = (error.0, error.1);
        b_write.write_all(b"b").await.unwrap();
        a_there.write_all(b"aa").await.unwrap();
        assert_eq!(soon(b_there.read(&mut [0; 8])).await.unwrap(), 1);
        assert_eq!(soon(a_read.read(&mut [0; 8])).await.unwrap(), 2);
        assert!(a_read.reunite(a_write).is_ok() && b_read.reunite(b_write).is_ok());
    });
}

#[test]
fn both_halves_work_at_once() {
    async fn echo_through<R: AsyncRead + Unpin>(
        mut read: R,
        write: impl AsyncWriteExt + Unpin,
        sent: &[u8],
    ) -> io::Result<Vec<u8>> {
        let mut write = write;
        let mut received = vec![0; sent.len()];
        let (wrote, got) = zip(write.write_all(sent), read.read_exact(&mut received)).await;
        wrote.and(got).map(|()| received)
    }
    on_a_loop(async {
        let (mut here, there) = pair().await;
        let echo = spawn(async move {
            let (read, mut write) = there.into_split();
            futures_lite::io::copy(read, &mut write).await
        });
        let sent: Vec<u8> = (0..500_000_u32).map(|n| (n % 253) as u8).collect();
        let (read, write) = here.split();
        assert!(soon(echo_through(read, write, &sent)).await.unwrap() == sent);
        // Borrowed halves end nothing when they are dropped.
        let (read, write) = here.into_split();
        assert!(soon(echo_through(read, write, &sent)).await.unwrap() == sent);
        assert_eq!(soon(echo).await.unwrap().unwrap(), 1_000_000);
    });
}

#[test]
fn a_reader_that_is_given_up_leaves_the_writer_alone() {
    on_a_loop(async {
        let (here, there) = unix_pair();
        let (read, write) = here.into_split();
        let read = Rc::new(read);
        let reader = spawn({
            let read = Rc::clone(&read);
            async move { read.read(&mut [0; 8]).await }
        });
        let writer = spawn(async move { write.write_all(&vec![7; 3_000_000]).await });
        turns(2).await;
        assert!(!reader.is_finished() && !writer.is_finished());
        reader.abort();
        assert!(soon(reader).await.unwrap_err().is_cancelled());
        let (mut received, mut buffer) = (0, vec![0; 65536]);
        while received < 3_000_000 {
            received += soon(there.read(&mut buffer)).await.unwrap();
        }
        soon(writer).await.unwrap().unwrap();
        there.write_all(b"x").await.unwrap();
        assert_eq!(soon(read.read(&mut [0; 8])).await.unwrap(), 1);
    });
}

#[test]
fn what_is_given_up_is_awaited_no_more() {
    watch(|| {
        // The virtual clock jumps only while nobody waits for a socket.
        in_order().block_on(async {
            let (here, _there) = unix_pair();
            let (read, write) = here.into_split();
            let too_much = vec![7; 3_000_000];
            let mut buffer = [0; 8];
            let both = zip(read.read(&mut buffer), write.write_all(&too_much));
            assert!(timeout(Duration::from_millis(10), both).await.is_err());
            assert!(timeout(Duration::from_millis(10), zip(read.readable(), read.readable())).await.is_err());
            sleep(Duration::from_secs(3600)).await;
        });
    });
}

#[test]
fn a_half_that_moves_on_wakes_whoever_polled_it_last() {
    on_a_loop(async {
        let (here, there) = unix_pair();
        let (mut read, _write) = here.into_split();
        let wakers: Vec<_> = (0..5).map(|_| Count::new()).collect();
        let mut buffer = [0; 8];
        for (_, waker) in &wakers {
            let mut future = pin!(AsyncReadExt::read(&mut read, &mut buffer));
            assert!(poll_with(future.as_mut(), waker).is_pending());
        }
        there.write_all(b"x").await.unwrap();
        turns(2).await;
        let woken: Vec<_> = wakers.iter().map(|(count, _)| count.get()).collect();
        assert_eq!(woken, [0, 0, 0, 0, 1]);
    });
}

#[test]
fn a_writing_half_ends_writing_on_whatever_thread_it_is_dropped() {
    on_a_loop(async {
        let (here, there) = pair().await;
        let (read, write) = here.into_split();
        soon(on_a_thread(move || drop(write))).await;
        assert_eq!(soon(there.read(&mut [0; 8])).await.unwrap(), 0);
        soon(on_a_thread(move || drop(read))).await;
        drop(there);
        turns(2).await;
        assert_eq!(Handle::current().metrics().sources, 0);
    });
}

#[test]
fn halves_outlive_their_runtime_unharmed() {
    watch(|| {
        let halves: (OwnedReadHalf<TcpStream>, OwnedWriteHalf<TcpStream>);
        let (ours, theirs) = crate::kit::sockets::std_pair();
        halves = runtime().block_on(async { TcpStream::from_std(ours).unwrap().into_split() });
        drop(halves.1);
        assert_eq!(io::Read::read(&mut &theirs, &mut [0; 8]).unwrap(), 0);
        drop(halves.0);
    });
}

#[test]
fn the_vectored_read_of_a_half_fills_all_buffers() {
    on_a_loop(async {
        let (here, there) = unix_pair();
        let (mut read, write) = here.into_split();
        there.write_all(b"abcdef").await.unwrap();
        let (mut one, mut two) = ([0; 2], [0; 8]);
        let mut buffers = [io::IoSliceMut::new(&mut one), io::IoSliceMut::new(&mut two)];
        let count = soon(std::future::poll_fn(|cx| Pin::new(&mut read).poll_read_vectored(cx, &mut buffers))).await;
        assert_eq!((count.unwrap(), &one, &two[..4]), (6, b"ab", &b"cdef"[..]));
        drop(write);
    });
}
