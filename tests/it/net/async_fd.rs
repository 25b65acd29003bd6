//! Any descriptor: several waiters, hang-ups, what is refused, and what is left when one is dropped.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use oneloop::io::{AsyncFd, Interest};
use oneloop::time::sleep;
use oneloop::{Handle, spawn};

use crate::kit::sockets::{on_a_loop, on_a_thread, poll_once, soon, turns};
use crate::kit::support::{Folder, alone, open_files};

/// A connection of two descriptors that do not block.
fn two_ends() -> (UnixStream, UnixStream) {
    let (here, there) = UnixStream::pair().unwrap();
    here.set_nonblocking(true).unwrap();
    there.set_nonblocking(true).unwrap();
    (here, there)
}

/// A pipe whose ends do not block: to read from, and to write to.
fn pipe() -> (File, File) {
    let flags = rustix::pipe::PipeFlags::NONBLOCK | rustix::pipe::PipeFlags::CLOEXEC;
    let (reader, writer) = rustix::pipe::pipe_with(flags).unwrap();
    (File::from(reader), File::from(writer))
}

/// How many sources the loop of this thread has.
async fn sources() -> u64 {
    turns(2).await;
    Handle::current().metrics().sources
}

#[test]
fn no_reader_of_a_shared_descriptor_is_forgotten() {
    on_a_loop(async {
        let (here, mut there) = two_ends();
        let here = Rc::new(AsyncFd::new(here).unwrap());
        let mut readers = Vec::new();
        for kind in 0..9 {
            let here = Rc::clone(&here);
            readers.push(spawn(async move {
                match kind % 3 {
                    0 => (&*here).read(&mut [0]).await.unwrap(),
                    1 => here.async_io(Interest::READABLE, |mut fd| fd.read(&mut [0])).await.unwrap(),
                    _ => loop {
                        let mut guard = here.readable().await.unwrap();
                        if let Ok(read) = guard.try_io(|fd| fd.get_ref().read(&mut [0])) {
                            break read.unwrap();
                        }
                    },
                }
            }));
        }
        turns(2).await;
        for sent in 1..=9 {
            there.write_all(b"x").unwrap();
            let done = async {
                while readers.iter().filter(|reader| reader.is_finished()).count() < sent {
                    turns(1).await;
                }
            };
            soon(done).await;
        }
        for reader in readers {
            assert_eq!(soon(reader).await.unwrap(), 1);
        }
    });
}

#[test]
fn an_attempt_that_would_block_clears_the_readiness_and_another_does_not() {
    on_a_loop(async {
        let (here, mut there) = two_ends();
        let here = AsyncFd::new(here).unwrap();
        there.write_all(b"ab").unwrap();
        let read = |fd: &AsyncFd<UnixStream>| fd.get_ref().read(&mut [0]);
        for _ in 0..2 {
            let mut guard = soon(here.readable()).await.unwrap();
            assert_eq!(guard.try_io(read).unwrap().unwrap(), 1);
            guard.retain_ready();
        }
        // Both bytes are read, and nothing has disproved the readiness so far.
        let mut guard = soon(here.readable()).await.unwrap();
        assert_eq!(guard.try_io(read).unwrap_err().to_string(), "the attempt would block");
        assert!(poll_once(pin!(here.readable())).await.is_pending());
        assert_eq!(here.try_io(Interest::READABLE, |_| Ok(())).unwrap_err().kind(), ErrorKind::WouldBlock);
        there.write_all(b"c").unwrap();
        assert_eq!(soon(here.readable()).await.unwrap().try_io(read).unwrap().unwrap(), 1);
    });
}

#[test]
fn a_guard_that_is_older_than_the_news_does_not_clear_them() {
    on_a_loop(async {
        let (here, mut there) = two_ends();
        let here = AsyncFd::new(here).unwrap();
        there.write_all(b"a").unwrap();
        let mut guard = soon(here.readable()).await.unwrap();
        assert_eq!(guard.get_inner().read(&mut [0; 8]).unwrap(), 1);
        assert_eq!(guard.get_inner().read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        // This comes between the attempt and the word that it would have blocked.
        there.write_all(b"b").unwrap();
        turns(2).await;
        guard.clear_ready();
        let mut guard = soon(here.readable()).await.unwrap();
        assert_eq!(guard.try_io(|fd| fd.get_ref().read(&mut [0; 8])).unwrap().unwrap(), 1);
        // In the turn of its attempt it does.
        assert_eq!(guard.get_inner().read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        guard.clear_ready();
        assert!(poll_once(pin!(here.readable())).await.is_pending());
    });
}

#[test]
fn an_operation_that_is_dropped_loses_nothing_and_leaves_nobody_waiting() {
    on_a_loop(async {
        let (here, mut there) = two_ends();
        let here = AsyncFd::new(here).unwrap();
        turns(1).await;
        {
            let mut buffer = [0; 8];
            let mut reading = pin!(here.async_io(Interest::READABLE, |mut fd| fd.read(&mut buffer)));
            assert!(poll_once(reading.as_mut()).await.is_pending());
            let mut waiting = pin!(here.readable());
            assert!(poll_once(waiting.as_mut()).await.is_pending());
            there.write_all(b"kept").unwrap();
            turns(2).await; // it has come, and nobody takes it
        }
        let mut buffer = [0; 8];
        let read = soon((&here).read(&mut buffer)).await.unwrap();
        assert_eq!(&buffer[..read], b"kept");
    });
}

#[test]
fn an_operation_on_nothing_is_ready_at_once_and_so_is_a_flush_of_nothing() {
    on_a_loop(async {
        let (here, _there) = two_ends();
        let mut here = AsyncFd::new(here).unwrap();
        assert!(matches!(poll_once(pin!((&here).read(&mut []))).await, Poll::Ready(Ok(0))));
        assert!(matches!(poll_once(pin!(here.read(&mut []))).await, Poll::Ready(Ok(0))));
        while here.get_ref().write(&[7; 65536]).is_ok() {}
        turns(1).await;
        assert!(matches!(poll_once(pin!((&here).write(&[]))).await, Poll::Ready(Ok(0))));
        assert!(matches!(poll_once(pin!(here.write(&[]))).await, Poll::Ready(Ok(0))));
        assert!(matches!(poll_once(pin!((&here).flush())).await, Poll::Ready(Ok(()))));
        assert!(matches!(poll_once(pin!(here.flush())).await, Poll::Ready(Ok(()))));
    });
}

#[test]
fn a_hang_up_of_a_pipe_reaches_whoever_waits_at_the_other_end() {
    on_a_loop(async {
        let (reader, writer) = pipe();
        let (mut reader, writer) = (AsyncFd::new(reader).unwrap(), AsyncFd::new(writer).unwrap());
        (&writer).write_all(b"the last words").await.unwrap();
        let read = spawn(async move {
            let mut text = String::new();
            reader.read_to_string(&mut text).await.unwrap();
            (text, reader)
        });
        turns(2).await;
        drop(writer);
        let (text, _reader) = soon(read).await.unwrap();
        assert_eq!(text, "the last words");

        let (reader, writer) = pipe();
        let mut writer = AsyncFd::new(writer).unwrap();
        let written = spawn(async move {
            loop {
                if let Err(error) = writer.write(&[7; 4096]).await {
                    break error.kind();
                }
            }
        });
        turns(2).await;
        assert!(!written.is_finished(), "the pipe is full, and its reader is there");
        drop(reader);
        assert_eq!(soon(written).await.unwrap(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_full_pipe_is_written_to_as_its_reader_makes_room() {
    on_a_loop(async {
        let (reader, writer) = pipe();
        let (reader, mut writer) = (AsyncFd::new(reader).unwrap(), AsyncFd::new(writer).unwrap());
        let sent: Vec<u8> = (0..1_000_000_u32).map(|n| ((n * 31) >> 3) as u8).collect();
        let copy = sent.clone();
        let writing = spawn(async move { writer.write_all(&copy).await });
        let mut received = vec![0; sent.len()];
        soon((&reader).read_exact(&mut received)).await.unwrap();
        assert!(received == sent);
        soon(writing).await.unwrap().unwrap();
    });
}

#[test]
fn a_file_and_a_folder_are_refused_in_a_sentence_and_leave_no_slot() {
    on_a_loop(async {
        for path in [std::env::current_exe().unwrap(), std::env::temp_dir()] {
            let refused = AsyncFd::new(File::open(path).unwrap()).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
            let text = refused.to_string();
            assert!(text.contains("regular file or a folder") && text.contains("task::spawn_blocking"), "{text}");
        }
        assert_eq!(sources().await, 0);
    });
}

#[test]
fn the_same_descriptor_twice_is_an_error_and_the_first_goes_on() {
    on_a_loop(async {
        let (here, mut there) = two_ends();
        let here = Arc::new(here);
        let first = AsyncFd::new(Arc::clone(&here)).unwrap();
        let refused = AsyncFd::new(Arc::clone(&here)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        let names = format!("descriptor {} is registered with this loop already", here.as_raw_fd());
        assert!(refused.to_string().contains(&names), "{refused}");
        assert_eq!(sources().await, 1);
        there.write_all(b"x").unwrap();
        assert_eq!(soon(first.async_io(Interest::READABLE, |fd| (&**fd).read(&mut [0; 4]))).await.unwrap(), 1);
    });
}

#[test]
fn what_is_dropped_or_given_back_can_be_registered_again() {
    on_a_loop(async {
        let (here, mut there) = two_ends();
        let here = Arc::new(here);
        drop(AsyncFd::new(Arc::clone(&here)).unwrap());
        let back = AsyncFd::new(Arc::clone(&here)).unwrap().into_inner();
        assert_eq!(sources().await, 0);
        let again = AsyncFd::new(back).unwrap();
        assert_eq!(again.as_fd().as_raw_fd(), here.as_raw_fd());
        there.write_all(b"x").unwrap();
        soon(again.readable()).await.unwrap().retain_ready();
    });
}

#[test]
fn a_dropped_descriptor_reports_nothing_while_a_duplicate_is_open() {
    on_a_loop(async {
        let (here, mut there) = two_ends();
        let duplicate = here.try_clone().unwrap();
        drop(AsyncFd::new(here).unwrap());
        let before = Handle::current().metrics().turns;
        there.write_all(b"x").unwrap();
        sleep(Duration::from_millis(20)).await;
        let turned = Handle::current().metrics().turns - before;
        assert!(turned <= 3, "{turned} turns for one sleep: the kernel still reports a descriptor that was dropped");
        drop(duplicate);
    });
}

#[test]
fn what_is_dropped_on_another_thread_goes_home_before_it_is_closed() {
    alone(|| {
        on_a_loop(async {
            let before = open_files();
            let (here, there) = two_ends();
            let here = AsyncFd::new(here).unwrap();
            soon(on_a_thread(move || drop(here))).await;
            assert_eq!(sources().await, 0);
            drop(there);
            assert_eq!(open_files(), before);
        });
    });
}

#[test]
fn what_outlives_its_runtime_is_closed_where_it_is_dropped() {
    alone(|| {
        let before = open_files();
        let (here, there) = two_ends();
        let here = on_a_loop(async { AsyncFd::new(here).unwrap() });
        drop(here);
        drop(there);
        assert_eq!(open_files(), before);
    });
}

#[test]
fn a_descriptor_that_gives_another_number_later_harms_nobody_else() {
    /// Names one descriptor when it is registered, and another one ever after.
    struct Liar(UnixStream, UnixStream, std::sync::atomic::AtomicBool);
    impl AsFd for Liar {
        fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
            let first = !self.2.swap(true, std::sync::atomic::Ordering::Relaxed);
            if first { self.0.as_fd() } else { self.1.as_fd() }
        }
    }
    on_a_loop(async {
        let ((first, _a), (second, mut b)) = (two_ends(), two_ends());
        let honest = AsyncFd::new(second.try_clone().unwrap()).unwrap();
        drop(AsyncFd::new(Liar(first, second, false.into())).unwrap());
        b.write_all(b"x").unwrap();
        soon(honest.readable()).await.unwrap().retain_ready();
    });
}

#[test]
fn the_virtual_clock_does_not_jump_while_a_descriptor_is_awaited() {
    crate::kit::watch::watch(|| {
        crate::kit::watch::sim(1).block_on(async {
            let (here, there) = UnixStream::pair().unwrap();
            here.set_nonblocking(true).unwrap();
            let here = AsyncFd::new(here).unwrap();
            let writer = std::thread::spawn(move || (&there).write_all(b"x").map(|()| there));
            let by_the_clock = oneloop::time::timeout(Duration::from_secs(3600), here.readable()).await;
            by_the_clock.expect("an hour has not passed").unwrap().retain_ready();
            writer.join().unwrap().unwrap();
        });
    });
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use rustix::event::{EventfdFlags, eventfd};
    use rustix::fs::inotify;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };

    #[test]
    fn an_eventfd_counts_what_is_written_to_it() {
        on_a_loop(async {
            let counter = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).unwrap();
            let mut counter = AsyncFd::new(File::from(counter)).unwrap();
            assert!(poll_once(pin!(counter.read(&mut [0; 8]))).await.is_pending());
            counter.write_all(&2_u64.to_ne_bytes()).await.unwrap();
            counter.write_all(&3_u64.to_ne_bytes()).await.unwrap();
            let mut count = [0; 8];
            soon(counter.read_exact(&mut count)).await.unwrap();
            assert_eq!(u64::from_ne_bytes(count), 5);
        });
    }

    #[test]
    fn a_timerfd_is_readable_when_it_has_fired_and_not_before() {
        on_a_loop(async {
            let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC);
            let timer = AsyncFd::new(timer.unwrap()).unwrap();
            let none = Timespec { tv_sec: 0, tv_nsec: 0 };
            let soon_after = Itimerspec { it_interval: none, it_value: Timespec { tv_sec: 0, tv_nsec: 20_000_000 } };
            let start = std::time::Instant::now();
            timerfd_settime(&timer, TimerfdTimerFlags::empty(), &soon_after).unwrap();
            soon(timer.readable()).await.unwrap().retain_ready();
            assert!(start.elapsed() >= Duration::from_millis(20));
        });
    }

    #[test]
    fn a_netlink_socket_asks_the_kernel_for_its_network_interfaces() {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
        const GETLINK: u16 = 18;
        const NEWLINK: u16 = 16;
        const DUMP: u16 = 0x301;
        on_a_loop(async {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let kernel = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None).unwrap();
            let kernel = AsyncFd::new(File::from(kernel)).unwrap();
            let mut buffer = vec![0; 1 << 16];
            let (mut shared, mut also) = (&kernel, &kernel);
            let mut reading = pin!(shared.read(&mut buffer));
            assert!(poll_once(reading.as_mut()).await.is_pending());
            // The head of a message (netlink(7)), and 16 bytes that choose nothing.
            let mut request = [0; 32];
            request[..4].copy_from_slice(&32_u32.to_ne_bytes());
            request[4..6].copy_from_slice(&GETLINK.to_ne_bytes());
            request[6..8].copy_from_slice(&DUMP.to_ne_bytes());
            also.write_all(&request).await.unwrap();
            assert!(soon(reading).await.unwrap() > 16);
            assert_eq!(buffer[4..6], NEWLINK.to_ne_bytes());
        });
    }

    #[test]
    fn inotify_tells_of_a_new_file() {
        on_a_loop(async {
            let folder = Folder::new();
            let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).unwrap();
            inotify::add_watch(&watch, folder.path(), inotify::WatchFlags::CREATE).unwrap();
            let watch = AsyncFd::new(File::from(watch)).unwrap();
            let mut buffer = [0; 4096];
            {
                let mut shared = &watch;
                let mut reading = pin!(shared.read(&mut buffer));
                assert!(poll_once(reading.as_mut()).await.is_pending());
                std::fs::write(folder.file("news"), "").unwrap();
                assert!(soon(reading).await.unwrap() > 0);
            }
            assert!(buffer.windows(4).any(|part| part == b"news"));
        });
    }

    #[test]
    fn a_terminal_is_read_and_written_and_hangs_up() {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        on_a_loop(async {
            let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
            grantpt(&ours).unwrap();
            unlockpt(&ours).unwrap();
            rustix::io::ioctl_fionbio(&ours, true).unwrap();
            let path = ptsname(&ours, Vec::new()).unwrap();
            let mut theirs = File::options().read(true).write(true).open(path.to_str().unwrap()).unwrap();
            let ours = AsyncFd::new(File::from(ours)).unwrap();
            theirs.write_all(b"from the program").unwrap();
            let mut buffer = [0; 64];
            let read = soon((&ours).read(&mut buffer)).await.unwrap();
            assert_eq!(&buffer[..read], b"from the program");
            (&ours).write_all(b"typed\n").await.unwrap();
            let read = theirs.read(&mut buffer).unwrap();
            assert_eq!(&buffer[..read], b"typed\n");
            drop(theirs);
            // The echo of what was typed is first, then the end, which a terminal calls an error.
            let end = async {
                loop {
                    match (&ours).read(&mut [0; 64]).await {
                        Ok(1..) => {}
                        end => break end,
                    }
                }
            };
            assert_ne!(soon(end).await.map_err(|error| error.raw_os_error()), Ok(1));
        });
    }
}
