//! Streams: what is sent arrives, whole and in order, and so does the end.

use std::future::poll_fn;
use std::io::{self, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_lite::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use oneloop::net::TcpStream;
use oneloop::spawn;
use oneloop::time::sleep;

use crate::kit::sockets::{fill, half, on_a_loop, pair, poll_once, reset, settle, soon, std_pair, turns};
use crate::kit::watch::{runtime, unobserved, watch};

/// Bytes that differ from place to place.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 31 + n / 251) as u8).collect()
}

async fn read_all(stream: &TcpStream, buffer: usize) -> io::Result<Vec<u8>> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; buffer]);
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(all),
            read => all.extend_from_slice(&buffer[..read]),
        }
    }
}

#[test]
fn a_buffer_smaller_than_the_data_leaves_the_rest_readable_at_once() {
    on_a_loop(async {
        let sent = pattern(65536);
        for buffer in [1, 7, 4096, 100_000] {
            let (here, mut there) = half();
            settle(&here).await;
            there.write_all(&sent).unwrap();
            let (mut got, mut buffer) = (Vec::new(), vec![0; buffer]);
            while got.len() < sent.len() {
                let read = soon(here.read(&mut buffer)).await.unwrap();
                got.extend_from_slice(&buffer[..read]);
            }
            assert!(got == sent);
        }
    });
}

#[test]
fn what_is_known_to_be_there_can_be_read_without_waiting() {
    on_a_loop(async {
        let sent = pattern(20_000);
        let (here, mut there) = half();
        settle(&here).await;
        there.write_all(&sent).unwrap();
        soon(here.readable()).await.unwrap();
        let mut got = Vec::new();
        while got.len() < sent.len() {
            let mut buffer = [0; 64];
            match here.try_read(&mut buffer) {
                Ok(read) => got.extend_from_slice(&buffer[..read]),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    soon(here.readable()).await.unwrap();
                }
            }
        }
        assert!(got == sent);
        assert_eq!(here.try_read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let mut readable = pin!(here.readable());
        assert!(poll_once(readable.as_mut()).await.is_pending(), "nothing is there, and it is known");
        there.write_all(b"!").unwrap();
        soon(readable).await.unwrap();
    });
}

#[test]
fn megabytes_go_both_ways_at_once_whatever_the_buffers() {
    watch(|| {
        unobserved().block_on(async {
            let (here, there) = pair().await;
            let (here, there) = (Rc::new(here), Rc::new(there));
            let sent = Rc::new(pattern(3_000_000));
            let mut writers = Vec::new();
            for stream in [&here, &there] {
                let (stream, sent) = (Rc::clone(stream), Rc::clone(&sent));
                writers.push(spawn(async move {
                    stream.write_all(&sent).await.unwrap();
                    stream.shutdown(Shutdown::Write).unwrap();
                }));
            }
            let echo = spawn({
                let there = Rc::clone(&there);
                async move { read_all(&there, 999).await.unwrap() }
            });
            assert!(read_all(&here, 65536).await.unwrap() == *sent);
            assert!(echo.await.unwrap() == *sent);
            for writer in writers {
                writer.await.unwrap();
            }
        });
    });
}

#[test]
fn a_short_read_does_not_forget_the_end() {
    watch(|| {
        let runtime = unobserved();
        for round in 0..3000 {
            runtime.block_on(async {
                let (here, mut there) = half();
                let mut buffer = [0; 100];
                match round % 3 {
                    // The bytes and the end come as one event, or even before the first.
                    0 => {
                        there.write_all(b"hello").unwrap();
                        drop(there);
                        assert_eq!(here.read(&mut buffer).await.unwrap(), 5);
                    }
                    // The loop has heard all there was, and waits, when they come.
                    1 => {
                        let mut read = Box::pin(here.read(&mut buffer));
                        assert!(poll_once(read.as_mut()).await.is_pending());
                        turns(1).await;
                        there.write_all(b"hello").unwrap();
                        drop(there);
                        assert_eq!(read.await.unwrap(), 5);
                    }
                    // The end comes after the short read.
                    _ => {
                        there.write_all(b"hello").unwrap();
                        assert_eq!(here.read(&mut buffer).await.unwrap(), 5);
                        drop(there);
                    }
                }
                assert_eq!(&buffer[..5], b"hello");
                assert_eq!(here.read(&mut buffer).await.unwrap(), 0);
                assert_eq!(here.read(&mut buffer).await.unwrap(), 0, "an end stays an end");
            });
        }
    });
}

#[test]
fn a_read_that_urgent_data_cuts_short_is_not_taken_for_the_last() {
    on_a_loop(async {
        for waits in [false, true, false, true] {
            let (here, mut there) = half();
            settle(&here).await;
            let mut buffer = [0; 100];
            let mut read = Box::pin(here.read(&mut buffer));
            if waits {
                assert!(poll_once(read.as_mut()).await.is_pending());
                turns(1).await;
            }
            for part in ["abc", "def", "ghi"] {
                there.write_all(part.as_bytes()).unwrap();
                socket2::SockRef::from(&there).send_out_of_band(b"!").unwrap();
            }
            there.write_all(b"rest").unwrap();
            let read_first = soon(read).await.unwrap();
            let mut got = buffer[..read_first].to_vec();
            while !got.ends_with(b"rest") {
                let read = soon(here.read(&mut buffer)).await.unwrap();
                got.extend_from_slice(&buffer[..read]);
            }
            // The last of several urgent bytes counts, and it is not among the others.
            assert_eq!(String::from_utf8_lossy(&got).replace('!', ""), "abcdefghirest");
        }
    });
}

#[test]
fn what_arrives_between_a_failed_attempt_and_the_next_park_is_not_lost() {
    on_a_loop(async {
        let (here, mut there) = half();
        settle(&here).await;
        for round in 0..1000 {
            let mut buffer = [0; 8];
            let mut read = pin!(here.read(&mut buffer));
            let mut sent = false;
            let polled = poll_fn(|cx| {
                if !sent && round % 2 == 0 {
                    // Sent when the attempt has failed and before the waker is left.
                    assert!(here.try_read(&mut [0]).is_err());
                    there.write_all(b"a").unwrap();
                    sent = true;
                }
                let polled = read.as_mut().poll(cx);
                if !sent {
                    // Sent when the waker is left and before the loop parks.
                    assert!(polled.is_pending());
                    there.write_all(b"a").unwrap();
                    sent = true;
                }
                polled
            });
            assert_eq!(soon(polled).await.unwrap(), 1);
        }
    });
}

#[test]
fn each_side_ends_its_own_direction_and_the_other_goes_on() {
    on_a_loop(async {
        let (here, there) = pair().await;
        here.shutdown(Shutdown::Write).unwrap();
        assert_eq!(soon(there.read(&mut [0; 8])).await.unwrap(), 0);
        assert_eq!(here.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        for _ in 0..100 {
            there.write_all(b"still here").await.unwrap();
            let mut buffer = [0; 10];
            soon((&here).read_exact(&mut buffer)).await.unwrap();
            assert_eq!(&buffer, b"still here");
            sleep(Duration::ZERO).await;
        }
        // The other side ends its direction while ours waits.
        let mut buffer = [0; 10];
        let mut read = pin!(here.read(&mut buffer));
        assert!(poll_once(read.as_mut()).await.is_pending());
        (&there).close().await.unwrap();
        assert_eq!(soon(read).await.unwrap(), 0);
        (&there).close().await.expect("closing twice is no error");
    });
}

#[test]
fn ending_the_reading_side_ends_a_read_that_waits() {
    on_a_loop(async {
        let (here, mut there) = half();
        let mut buffer = [0; 10];
        let mut read = pin!(here.read(&mut buffer));
        assert!(poll_once(read.as_mut()).await.is_pending());
        sleep(Duration::from_millis(1)).await;
        here.shutdown(Shutdown::Read).unwrap();
        assert_eq!(soon(read).await.unwrap(), 0);
        soon(here.write_all(b"and writing goes on")).await.unwrap();
        let mut said = [0; 19];
        there.read_exact(&mut said).unwrap();
    });
}

#[test]
fn a_reset_ends_a_reader_and_a_writer_that_wait() {
    on_a_loop(async {
        for _ in 0..20 {
            let (here, there) = half();
            let here = Rc::new(here);
            fill(&here).await;
            let reader = spawn({
                let here = Rc::clone(&here);
                async move { here.read(&mut [0; 8]).await }
            });
            let writer = spawn({
                let here = Rc::clone(&here);
                async move { here.write_all(&[0; 100]).await }
            });
            sleep(Duration::from_millis(1)).await;
            assert!(!reader.is_finished() && !writer.is_finished());
            reset(there);
            let (read, written) = (soon(reader).await.unwrap(), soon(writer).await.unwrap());
            // The error is told once, to the first who asks. The other one sees that all is over.
            assert!(
                read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
                    || read.as_ref().is_ok_and(|read| *read == 0),
                "{read:?}"
            );
            let error = written.unwrap_err();
            assert!(matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe), "{error}");
            assert!(soon(here.write(b"x")).await.is_err());
        }
    });
}

#[test]
fn bytes_that_arrived_before_a_reset_are_delivered_before_its_error() {
    on_a_loop(async {
        for waits in [true, false] {
            let (here, mut there) = half();
            settle(&here).await;
            here.write_all(b"never read").await.unwrap();
            let mut first = [0; 400];
            let mut read = Box::pin(here.read(&mut first));
            if waits {
                assert!(poll_once(read.as_mut()).await.is_pending());
            }
            there.write_all(&pattern(1000)).unwrap();
            // Closing with bytes unread makes this a reset, as on any socket.
            drop(there);
            assert_eq!(soon(read).await.unwrap(), 400);
            let mut rest = vec![0; 2000];
            assert_eq!(soon(here.read(&mut rest)).await.unwrap(), 600);
            assert_eq!([&first[..], &rest[..600]].concat(), pattern(1000));
            let error = soon(here.read(&mut rest)).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            assert_eq!(soon(here.read(&mut rest)).await.unwrap(), 0, "the error is told once, as by read(2)");
        }
    });
}

#[test]
fn closing_with_bytes_unread_resets_the_peer_as_a_blocking_socket_does() {
    on_a_loop(async {
        let (ours, mut peer_of_ours) = half();
        let (blocking, mut peer_of_blocking) = std_pair();
        let ends = [&mut peer_of_ours, &mut peer_of_blocking].map(|peer| {
            peer.write_all(b"unread").unwrap();
            peer
        });
        ours.readable().await.unwrap();
        blocking.peek(&mut [0]).unwrap();
        drop((ours, blocking));
        for peer in ends {
            assert_eq!(peer.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        }
    });
}

#[test]
fn a_peek_takes_nothing() {
    on_a_loop(async {
        let (here, mut there) = half();
        let mut seen = [0; 16];
        {
            let mut peek = pin!(here.peek(&mut seen));
            assert!(poll_once(peek.as_mut()).await.is_pending());
            there.write_all(b"hello").unwrap();
            assert_eq!(soon(peek).await.unwrap(), 5);
        }
        assert_eq!(here.peek(&mut seen[..2]).await.unwrap(), 2);
        assert_eq!(here.peek(&mut seen).await.unwrap(), 5);
        let mut read = [0; 16];
        assert_eq!(here.read(&mut read).await.unwrap(), 5);
        assert_eq!(seen, read);
        there.shutdown(Shutdown::Write).unwrap();
        assert_eq!(soon(here.peek(&mut seen)).await.unwrap(), 0);
        assert_eq!(soon(here.read(&mut read)).await.unwrap(), 0);
    });
}

#[test]
fn vectored_reads_fill_buffer_after_buffer_and_see_the_end() {
    on_a_loop(async {
        let (mut here, mut there) = half();
        settle(&here).await;
        there.write_all(b"abcdefgh").unwrap();
        drop(there);
        let (mut one, mut two, mut three) = ([0; 3], [0; 0], [0; 4]);
        let mut shared = &here;
        let read = soon(poll_fn(|cx| {
            let buffers = &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two), IoSliceMut::new(&mut three)];
            Pin::new(&mut shared).poll_read_vectored(cx, buffers)
        }));
        assert_eq!(read.await.unwrap(), 7);
        assert_eq!((&one, &three), (b"abc", b"defg"));
        let mut sizes = Vec::new();
        for _ in 0..3 {
            let read = soon(poll_fn(|cx| {
                let buffers = &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut three)];
                Pin::new(&mut here).poll_read_vectored(cx, buffers)
            }));
            sizes.push(read.await.unwrap());
        }
        assert_eq!(sizes, [1, 0, 0]);
        assert_eq!(one[0], b'h');
    });
}

#[test]
fn a_full_socket_makes_a_writer_wait_and_room_lets_it_go_on() {
    on_a_loop(async {
        let (here, mut there) = half();
        let filled = fill(&here).await;
        assert_eq!(here.try_write(b"x").unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let mut write = pin!(here.write_all(&[8; 100_000]));
        assert!(poll_once(write.as_mut()).await.is_pending());
        sleep(Duration::from_millis(5)).await;
        assert!(poll_once(write.as_mut()).await.is_pending(), "nobody has read a byte");
        let reader = std::thread::spawn(move || {
            let mut got = vec![0; filled + 100_000];
            there.read_exact(&mut got).unwrap();
            got
        });
        write.await.unwrap();
        let got = reader.join().unwrap();
        assert!(got[..filled].iter().all(|byte| *byte == 7) && got[filled..].iter().all(|byte| *byte == 8));
        soon(here.writable()).await.unwrap();
    });
}

#[test]
fn a_stream_goes_to_std_and_comes_back_with_its_unread_bytes() {
    watch(|| {
        let runtime = runtime();
        runtime.block_on(async {
            let (mut here, mut there) = half();
            let addrs = (here.local_addr().unwrap(), here.peer_addr().unwrap());
            for _ in 0..50 {
                there.write_all(b"abc").unwrap();
                soon(here.readable()).await.unwrap();
                assert_eq!(soon(here.read(&mut [0])).await.unwrap(), 1);
                let std = here.into_std();
                assert_eq!((std.local_addr().unwrap(), std.peer_addr().unwrap()), addrs);
                std.set_nonblocking(false).unwrap();
                (&std).read_exact(&mut [0]).unwrap();
                (&std).write_all(b"from std").unwrap();
                here = TcpStream::from_std(std).unwrap();
                assert_eq!(soon(here.read(&mut [0; 8])).await.unwrap(), 1);
                there.read_exact(&mut [0; 8]).unwrap();
                here.write_all(b"from us").await.unwrap();
                there.read_exact(&mut [0; 7]).unwrap();
            }
            drop(here);
        });
        assert_eq!(runtime.metrics().sources, 0);
    });
}

#[test]
fn an_empty_buffer_reads_nothing_and_is_no_end() {
    on_a_loop(async {
        let (here, mut there) = half();
        there.write_all(b"x").unwrap();
        soon(here.readable()).await.unwrap();
        assert_eq!(here.read(&mut []).await.unwrap(), 0);
        here.write_all(&[]).await.unwrap();
        assert_eq!(soon(here.read(&mut [0; 4])).await.unwrap(), 1);
        let nothing = pin!(here.peek(&mut []));
        assert!(!matches!(poll_once(nothing).await, Poll::Ready(Ok(1..))));
    });
}

#[test]
fn what_is_set_on_a_stream_is_set_on_its_socket() {
    on_a_loop(async {
        let (here, there) = pair().await;
        assert_eq!(here.peer_addr().unwrap(), there.local_addr().unwrap());
        assert_eq!(here.local_addr().unwrap(), there.peer_addr().unwrap());
        for on in [true, false, true] {
            here.set_nodelay(on).unwrap();
            assert_eq!(here.nodelay().unwrap(), on);
        }
        here.set_ttl(42).unwrap();
        assert_eq!(socket2::SockRef::from(&here).ttl_v4().unwrap(), 42);
        assert_eq!(here.ttl().unwrap(), 42);
        assert!(here.take_error().unwrap().is_none());
    });
}
