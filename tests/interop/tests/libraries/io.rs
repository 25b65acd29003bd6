//! The adapter of connections, alone.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::future::{poll_fn, zip};
use futures_lite::{AsyncRead, AsyncReadExt, AsyncWriteExt};
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
