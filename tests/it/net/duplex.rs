//! The connection in memory, which behaves as the two ends of a socket do.

use std::io;
use std::net::Shutdown;
use std::pin::pin;
use std::time::Duration;

use futures_lite::future::zip;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use oneloop::net::{DuplexStream, duplex};
use oneloop::time::{Instant, sleep, timeout};
use oneloop::{Runtime, spawn};

use crate::kit::sockets::{Count, on_a_loop, poll_once, poll_with, soon};
use crate::kit::watch::{in_order, sim, spawn_thread, watch};

#[test]
fn what_is_written_is_read_whatever_the_buffer_holds() {
    watch(|| {
        sim(3).block_on(async {
            let sent: Vec<u8> = (0..2000_u32).map(|n| (n % 251) as u8).collect();
            for max_buffer in [1, 2, 3, 7, 64, 1999, 2000, 100_000] {
                let (near, far) = duplex(max_buffer);
                let echo = spawn(async move {
                    let mut buffer = [0; 48];
                    while let count @ 1.. = far.read(&mut buffer).await? {
                        assert!(count <= max_buffer);
                        far.write_all(&buffer[..count]).await?;
                    }
                    io::Result::Ok(())
                });
                let mut received = vec![0; sent.len()];
                let (wrote, read) = zip(near.write_all(&sent), (&near).read_exact(&mut received)).await;
                wrote.and(read).unwrap();
                assert!(received == sent, "with a buffer of {max_buffer}");
                near.shutdown(Shutdown::Write).unwrap();
                assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
                echo.await.unwrap().unwrap();
            }
        });
    });
}

#[test]
fn a_writer_waits_for_room_and_a_reader_for_bytes() {
    watch(|| {
        in_order().block_on(async {
            let (near, far) = duplex(4);
            assert_eq!(near.write(b"abcdef").await.unwrap(), 4);
            let (count, waker) = Count::new();
            let mut write = pin!(near.write(b"ef"));
            assert!(poll_with(write.as_mut(), &waker).is_pending());
            let mut buffer = [0; 3];
            assert_eq!(far.read(&mut buffer).await.unwrap(), 3);
            assert_eq!(count.get(), 1);
            assert_eq!(write.await.unwrap(), 2);
            let mut buffer = [0; 8];
            assert_eq!(far.read(&mut buffer).await.unwrap(), 3);
            assert_eq!(&buffer[..3], b"def");
            let mut read = pin!(far.read(&mut buffer));
            assert!(poll_with(read.as_mut(), &waker).is_pending());
            near.write_all(b"g").await.unwrap();
            assert_eq!(count.get(), 2);
            assert_eq!(read.await.unwrap(), 1);
        });
    });
}

#[test]
fn an_ended_side_is_read_to_its_end_and_the_other_goes_on() {
    watch(|| {
        in_order().block_on(async {
            let (mut near, mut far) = duplex(64);
            near.write_all(b"the last").await.unwrap();
            near.close().await.unwrap();
            assert_eq!(near.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            let mut text = String::new();
            AsyncReadExt::read_to_string(&mut far, &mut text).await.unwrap();
            assert_eq!(text, "the last");
            far.write_all(b"but not mine").await.unwrap();
            assert_eq!(near.read(&mut [0; 16]).await.unwrap(), 12);
            near.shutdown(Shutdown::Both).unwrap();
            assert_eq!(far.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            assert_eq!(near.read(&mut [0; 16]).await.unwrap(), 0);
        });
    });
}

#[test]
fn whoever_waits_hears_that_the_other_end_was_dropped() {
    watch(|| {
        in_order().block_on(async {
            let (near, far) = duplex(4);
            let reader = spawn(async move { near.read(&mut [0; 8]).await });
            oneloop::task::yield_now().await;
            drop(far);
            assert_eq!(reader.await.unwrap().unwrap(), 0);
            let (near, far) = duplex(4);
            let writer = spawn(async move { near.write_all(b"too long").await });
            oneloop::task::yield_now().await;
            drop(far);
            assert_eq!(writer.await.unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            let (near, far) = duplex(4);
            near.write_all(b"left").await.unwrap();
            drop(near);
            let mut buffer = [0; 8];
            assert_eq!(far.read(&mut buffer).await.unwrap(), 4);
            assert_eq!(far.read(&mut buffer).await.unwrap(), 0);
        });
    });
}

#[test]
fn nothing_is_read_and_written_at_once() {
    watch(|| {
        in_order().block_on(async {
            let (near, far) = duplex(1);
            assert_eq!(near.read(&mut []).await.unwrap(), 0);
            near.write_all(b"x").await.unwrap();
            assert_eq!(near.write(b"").await.unwrap(), 0);
            near.write_all(b"").await.unwrap();
            assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 1);
        });
    });
}

#[test]
fn no_reader_of_a_shared_end_is_forgotten() {
    watch(|| {
        in_order().block_on(async {
            let (near, far) = duplex(64);
            let far: &'static DuplexStream = Box::leak(Box::new(far));
            let readers: Vec<_> = (0..5).map(|_| spawn(async move { far.read(&mut [0]).await })).collect();
            oneloop::task::yield_now().await;
            near.write_all(b"12345").await.unwrap();
            for reader in readers {
                assert_eq!(reader.await.unwrap().unwrap(), 1);
            }
        });
    });
}

#[test]
fn a_read_that_is_given_up_loses_no_byte() {
    watch(|| {
        in_order().block_on(async {
            let (near, far) = duplex(8);
            let mut buffer = [0; 8];
            for n in 0..10 {
                assert!(poll_once(pin!(far.read(&mut buffer))).await.is_pending());
                let mut given_up = Box::pin(far.read(&mut buffer));
                assert!(poll_once(given_up.as_mut()).await.is_pending());
                near.write_all(&[n]).await.unwrap();
                drop(given_up);
                assert_eq!(far.read(&mut buffer).await.unwrap(), 1);
                assert_eq!(buffer[0], n);
            }
        });
    });
}

#[test]
fn virtual_time_jumps_over_a_connection_in_memory() {
    watch(|| {
        in_order().block_on(async {
            let (near, far) = duplex(8);
            let start = Instant::now();
            let slow = spawn(async move {
                sleep(Duration::from_secs(3600)).await;
                near.write_all(b"at last").await
            });
            assert!(timeout(Duration::from_secs(60), far.read(&mut [0; 8])).await.is_err());
            assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 7);
            assert_eq!(start.elapsed(), Duration::from_secs(3600));
            slow.await.unwrap().unwrap();
        });
    });
}

#[test]
fn a_task_that_talks_to_itself_leaves_the_others_their_turn() {
    on_a_loop(async {
        let (near, far) = duplex(8);
        let greedy = spawn(async move {
            loop {
                near.write_all(b"x").await.unwrap();
                far.read(&mut [0; 8]).await.unwrap();
            }
        });
        soon(sleep(Duration::from_millis(10))).await;
        assert!(!greedy.is_finished());
        greedy.abort();
        assert!(soon(greedy).await.unwrap_err().is_cancelled());
    });
}

#[test]
fn the_ends_may_live_on_two_loops() {
    watch(|| {
        let (near, far) = duplex(16);
        let there = spawn_thread(move || {
            Runtime::new().unwrap().block_on(async move {
                let mut sum = 0_u64;
                let mut buffer = [0; 5];
                while let count @ 1.. = far.read(&mut buffer).await.unwrap() {
                    sum += buffer[..count].iter().map(|&byte| u64::from(byte)).sum::<u64>();
                }
                sum
            })
        });
        Runtime::new().unwrap().block_on(async move {
            for n in 0..10_000_u32 {
                near.write_all(&[(n % 100) as u8; 3]).await.unwrap();
            }
        });
        assert_eq!(there.join().unwrap(), 3 * 100 * (0..100).sum::<u64>());
    });
}

#[test]
#[should_panic(expected = "at least one byte")]
fn a_buffer_of_nothing_is_refused() {
    duplex(0);
}
