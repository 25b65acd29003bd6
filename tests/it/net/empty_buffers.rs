//! Operations on nothing: an empty buffer is ready at once, and changes nothing, on whatever it is tried.

use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::task::Poll;

use futures_lite::{AsyncRead, AsyncWrite};
use oneloop::net::{UdpSocket, UnixDatagram, UnixStream, duplex};
use oneloop::process::{Child, Command, Stdio};
use oneloop::spawn;
use oneloop::task::yield_now;

use crate::kit::sockets::{fill, half, on_a_loop, pair, poll_once, reset, settle, soon, turns};

/// The output of a future that must be ready when it is first polled.
#[track_caller]
fn at_once<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let at = std::panic::Location::caller();
    async move {
        match poll_once(pin!(future)).await {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("an operation on nothing waits: {at}"),
        }
    }
}

/// Reads nothing, by each way that the traits offer.
async fn read_nothing(mut reader: impl AsyncRead + Unpin) {
    let read = at_once(poll_fn(|cx| Pin::new(&mut reader).poll_read(cx, &mut []))).await;
    assert_eq!(read.unwrap(), 0);
    let (one, other): (&mut [u8], &mut [u8]) = (&mut [], &mut []);
    let mut empty = [IoSliceMut::new(one), IoSliceMut::new(other)];
    for buffers in [&mut empty[..], &mut []] {
        assert_eq!(at_once(poll_fn(|cx| Pin::new(&mut reader).poll_read_vectored(cx, buffers))).await.unwrap(), 0);
    }
}

/// Writes nothing, by each way that the traits offer.
async fn write_nothing(mut writer: impl AsyncWrite + Unpin) {
    assert_eq!(at_once(poll_fn(|cx| Pin::new(&mut writer).poll_write(cx, &[]))).await.unwrap(), 0);
    let empty = [IoSlice::new(&[]), IoSlice::new(&[])];
    for buffers in [&empty[..], &[]] {
        assert_eq!(at_once(poll_fn(|cx| Pin::new(&mut writer).poll_write_vectored(cx, buffers))).await.unwrap(), 0);
    }
}

/// A child that reads nothing and says nothing until its input ends.
fn silent_child() -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 30"]).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn an_operation_on_nothing_is_ready_at_once_where_any_other_waits() {
    on_a_loop(async {
        let (mut tcp, _peer) = pair().await;
        fill(&tcp).await;
        assert_eq!(at_once(tcp.read(&mut [])).await.unwrap(), 0);
        assert_eq!(at_once(tcp.peek(&mut [])).await.unwrap(), 0);
        assert_eq!(tcp.try_read(&mut []).unwrap(), 0);
        assert_eq!(at_once(tcp.write(&[])).await.unwrap(), 0);
        at_once(tcp.write_all(&[])).await.unwrap();
        assert_eq!(tcp.try_write(&[]).unwrap(), 0);
        read_nothing(&mut tcp).await;
        write_nothing(&mut tcp).await;
        read_nothing(&tcp).await;
        write_nothing(&tcp).await;
        let (read, write) = tcp.split();
        assert_eq!(at_once(read.read(&mut [])).await.unwrap(), 0);
        at_once(write.write_all(&[])).await.unwrap();
        let (read, write) = tcp.into_split();
        read_nothing(read).await;
        write_nothing(write).await;

        let (mut unix, _peer) = UnixStream::pair().unwrap();
        while unix.try_write(&[7; 4096]).is_ok() {}
        assert_eq!(at_once(unix.read(&mut [])).await.unwrap(), 0);
        assert_eq!(unix.try_read(&mut []).unwrap(), 0);
        at_once(unix.write_all(&[])).await.unwrap();
        read_nothing(&mut unix).await;
        write_nothing(&unix).await;

        let (mut near, _far) = duplex(1);
        near.write_all(b"x").await.unwrap();
        assert_eq!(at_once(near.read(&mut [])).await.unwrap(), 0);
        assert_eq!(at_once(near.write(&[])).await.unwrap(), 0);
        read_nothing(&mut near).await;
        write_nothing(&near).await;

        let mut child = silent_child();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let more_than_fits = vec![7; 1 << 20];
        assert!(poll_once(pin!(stdin.write_all(&more_than_fits))).await.is_pending());
        assert_eq!(at_once(stdin.write(&[])).await.unwrap(), 0);
        at_once(stdin.write_all(&[])).await.unwrap();
        write_nothing(&mut stdin).await;
        // Now it is known that there is nothing to be read, and the next read is not tried.
        assert!(poll_once(pin!(stdout.read(&mut [0; 8]))).await.is_pending());
        assert_eq!(at_once(stdout.read(&mut [])).await.unwrap(), 0);
        read_nothing(&mut stdout).await;
        read_nothing(&stdout).await;
        read_nothing(child.stderr.take().unwrap()).await;
    });
}

#[test]
fn an_operation_on_nothing_takes_neither_an_end_nor_an_error() {
    on_a_loop(async {
        let (here, there) = half();
        settle(&here).await;
        reset(there);
        soon(here.readable()).await.unwrap();
        for _ in 0..3 {
            assert_eq!(at_once(here.read(&mut [])).await.unwrap(), 0);
            assert_eq!(at_once(here.peek(&mut [])).await.unwrap(), 0);
            assert_eq!(at_once(here.write(&[])).await.unwrap(), 0);
            read_nothing(&here).await;
            write_nothing(&here).await;
        }
        assert_eq!(soon(here.read(&mut [0; 8])).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);

        let (near, far) = duplex(8);
        far.shutdown(Shutdown::Both).unwrap();
        assert_eq!(at_once(near.write(&[])).await.unwrap(), 0);
        assert_eq!(near.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let mut child = silent_child();
        let mut stdin = child.stdin.take().unwrap();
        poll_fn(|cx| Pin::new(&mut stdin).poll_close(cx)).await.unwrap();
        write_nothing(&mut stdin).await;
        assert_eq!(stdin.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_read_of_nothing_wakes_nobody_who_waits_for_something() {
    on_a_loop(async {
        let (near, far) = duplex(8);
        let (polls, reads) = (crate::kit::support::Count::default(), far);
        let counted = polls.polls(async move { reads.read(&mut [0; 8]).await });
        let reader = spawn(counted);
        turns(1).await;
        near.write(&[]).await.unwrap();
        turns(2).await;
        assert_eq!(polls.get(), 1);
        near.write(b"x").await.unwrap();
        assert_eq!(reader.await.unwrap().unwrap(), 1);
    });
}

#[test]
fn an_empty_datagram_is_sent_and_an_empty_buffer_takes_a_datagram() {
    on_a_loop(async {
        let (one, other) =
            (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
        one.connect(other.local_addr().unwrap()).await.unwrap();
        assert!(poll_once(pin!(other.recv(&mut []))).await.is_pending(), "there is no datagram");
        for datagram in [&b""[..], b"lost", b"kept"] {
            assert_eq!(one.send(datagram).await.unwrap(), datagram.len());
        }
        assert_eq!(soon(other.recv(&mut [0; 8])).await.unwrap(), 0);
        soon(other.recv(&mut [])).await.unwrap();
        assert_eq!(soon(other.recv(&mut [0; 8])).await.unwrap(), 4);

        let (one, other) = UnixDatagram::pair().unwrap();
        for datagram in [&b""[..], b"lost", b"kept"] {
            assert_eq!(one.send(datagram).await.unwrap(), datagram.len());
        }
        assert_eq!(soon(other.recv(&mut [0; 8])).await.unwrap(), 0);
        soon(other.recv(&mut [])).await.unwrap();
        assert_eq!(soon(other.recv(&mut [0; 8])).await.unwrap(), 4);
    });
}

#[test]
fn operations_on_nothing_let_others_run() {
    on_a_loop(async {
        let (tcp, _peer) = pair().await;
        let (near, _far) = duplex(8);
        let busy = spawn(async move {
            loop {
                tcp.read(&mut []).await.unwrap();
                tcp.write_all(&[]).await.unwrap();
                near.read(&mut []).await.unwrap();
            }
        });
        for _ in 0..100 {
            yield_now().await;
        }
        busy.abort();
    });
}
