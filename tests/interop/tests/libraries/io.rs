//! The adapter of connections, alone.

use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::future::{poll_fn, zip};
use futures_lite::{AsyncRead, AsyncReadExt, AsyncWriteExt, FutureExt};
use hyper::rt::{Read, ReadBuf};
use oneloop::interop::hyper::Io;
use oneloop::net::duplex;

use crate::support::{pattern, run};

#[test]
fn adapted_twice_a_connection_is_what_it_was() {
    run(async {
        let (mut here, there) = duplex(1000);
        let mut there = Io::new(Io::new(there));
        let (sent, mut received) = (pattern(1 << 20), Vec::new());
        let send = async {
            here.write_all(&sent).await.unwrap();
            here.close().await.unwrap();
        };
        zip(send, there.read_to_end(&mut received)).await.1.unwrap();
        assert!(received == sent);
        there.write_all(b"and back").await.unwrap();
        there.close().await.unwrap();
        let mut back = String::new();
        here.read_to_string(&mut back).await.unwrap();
        assert_eq!(back, "and back");
    });
}

/// Notes whether the buffer that it is given holds anything.
struct Peeping {
    bytes: &'static [u8],
    saw: bool,
}

impl AsyncRead for Peeping {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.saw |= buffer.iter().any(|byte| *byte != 0);
        let length = self.bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.bytes[..length]);
        Poll::Ready(Ok(length))
    }
}

async fn read(reader: &mut Io<Peeping>, into: &mut [u8]) -> usize {
    let mut buffer = ReadBuf::new(into);
    poll_fn(|cx| Pin::new(&mut *reader).poll_read(cx, buffer.unfilled())).await.unwrap();
    buffer.filled().len()
}

#[test]
fn no_connection_sees_what_another_has_read() {
    run(async {
        let mut one = Io::new(Peeping { bytes: b"a secret", saw: false });
        let mut into = [0; 100];
        assert_eq!(read(&mut one, &mut into).await, 8);
        assert_eq!(&into[..8], b"a secret");
        let mut other = Io::new(Peeping { bytes: b"curious", saw: false });
        assert_eq!(read(&mut other, &mut into[..4]).await, 4);
        assert!(!other.get_ref().saw);
    });
}

/// Writes a secret over the whole buffer, and owns up to less of it than it has written, or to none.
struct Leaving(Poll<io::Result<usize>>);

impl AsyncRead for Leaving {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        buffer.fill(b's');
        match &self.0 {
            Poll::Ready(Ok(count)) => Poll::Ready(Ok(*count)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.kind().into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[test]
fn no_connection_sees_what_the_reader_of_another_has_left_uncounted() {
    run(async {
        let broken = || Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        for left in [Poll::Ready(Ok(0)), Poll::Ready(Ok(3)), Poll::Pending, broken()] {
            let mut into = [0; 100];
            let mut buffer = ReadBuf::new(&mut into);
            let mut one = Io::new(Leaving(left));
            let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut one).poll_read(cx, buffer.unfilled()))).await;
            let mut other = Io::new(Peeping { bytes: b"curious", saw: false });
            assert_eq!(read(&mut other, &mut [0; 200]).await, 7);
            assert!(!other.get_ref().saw, "after {polled:?}");
        }
    });
}

#[test]
fn a_reader_that_counts_more_than_its_buffer_holds_is_told_so() {
    run(async {
        let mut boasts = Io::new(Leaving(Poll::Ready(Ok(101))));
        let mut into = [0; 100];
        let mut buffer = ReadBuf::new(&mut into);
        let read =
            AssertUnwindSafe(async { poll_fn(|cx| Pin::new(&mut boasts).poll_read(cx, buffer.unfilled())).await });
        let said = *read.catch_unwind().await.unwrap_err().downcast::<String>().unwrap();
        assert!(said.contains("it has read 101 bytes into a buffer of 100"), "{said}");
        let mut other = Io::new(Peeping { bytes: b"curious", saw: false });
        assert_eq!(self::read(&mut other, &mut [0; 200]).await, 7);
        assert!(!other.get_ref().saw);
    });
}

/// Is never to be asked for nothing.
struct NotToBeAsked;

impl AsyncRead for NotToBeAsked {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

#[test]
fn an_empty_buffer_is_ready_at_once_through_the_adapter() {
    run(async {
        let mut reader = Io::new(NotToBeAsked);
        let mut buffer = ReadBuf::new(&mut []);
        poll_fn(|cx| Pin::new(&mut reader).poll_read(cx, buffer.unfilled())).await.unwrap();
        let mut back = Io::new(Io::new(NotToBeAsked));
        assert_eq!(back.read(&mut []).await.unwrap(), 0);
    });
}
