//! A descriptor that somebody else owns: it is reported for as long as it is ready, if the kernel is asked again.

use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::pin::pin;

use oneloop::Handle;
use oneloop::io::{Interest, SourceFd};

use crate::kit::sockets::{on_a_loop, poll_once, turns};

async fn ready(source: &SourceFd, interest: Interest) {
    poll_fn(|cx| source.poll_ready(cx, interest)).await;
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (here, listener.accept().unwrap().0)
}

/// Whether it is ready as far as is known, without waiting.
async fn is_ready(source: &SourceFd, interest: Interest) -> bool {
    poll_once(pin!(ready(source, interest))).await.is_ready()
}

#[test]
fn what_is_ready_is_reported_each_time_the_kernel_is_asked_again() {
    on_a_loop(async {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        let mut source = SourceFd::new(here.as_raw_fd(), true, false).unwrap();
        there.write_all(b"two").unwrap();
        for _time in 0..3 {
            ready(&source, Interest::READABLE).await;
            source.ask_again(true, false).unwrap();
            assert!(!is_ready(&source, Interest::READABLE).await);
        }
        assert_eq!(here.read(&mut [0; 8]).unwrap(), 3);
        turns(3).await;
        assert!(!is_ready(&source, Interest::READABLE).await, "it was read, and is ready no longer");
        drop(there);
        ready(&source, Interest::READABLE).await;
    });
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
#[cfg_attr(mio_unsupported_force_poll_poll, ignore = "poll(2) speaks again only after it would block")]
fn a_short_read_tells_without_the_kernel_that_all_was_read() {
    on_a_loop(async {
        let (mut here, mut there) = tcp_pair();
        let source = SourceFd::new(here.as_raw_fd(), true, false).unwrap();
        there.write_all(b"two").unwrap();
        ready(&source, Interest::READABLE).await;
        source.moved(Interest::READABLE, 3, 3);
        assert!(is_ready(&source, Interest::READABLE).await, "there may be more behind what was read");
        assert_eq!(here.read(&mut [0; 8]).unwrap(), 3);
        source.moved(Interest::READABLE, 3, 8);
        assert!(!is_ready(&source, Interest::READABLE).await);
        there.write_all(b"more").unwrap();
        ready(&source, Interest::READABLE).await;
        assert_eq!(here.read(&mut [0; 2]).unwrap(), 2);
        drop(there);
        turns(3).await;
        source.moved(Interest::READABLE, 2, 8);
        assert!(is_ready(&source, Interest::READABLE).await, "the end is still to be read");
    });
}

#[test]
fn only_what_is_asked_for_is_reported() {
    on_a_loop(async {
        let (here, mut there) = UnixStream::pair().unwrap();
        let mut source = SourceFd::new(here.as_raw_fd(), true, false).unwrap();
        turns(3).await;
        assert!(!is_ready(&source, Interest::WRITABLE).await, "nobody asked whether it can be written");
        source.ask_again(true, true).unwrap();
        ready(&source, Interest::WRITABLE).await;
        there.write_all(b"x").unwrap();
        ready(&source, Interest::READABLE).await;
    });
}

#[test]
#[cfg_attr(mio_unsupported_force_poll_poll, ignore = "poll(2) knows the descriptor and not what is behind it")]
fn a_number_that_is_another_descriptor_s_by_now_is_refused() {
    on_a_loop(async {
        let (here, _there) = UnixStream::pair().unwrap();
        assert_eq!(SourceFd::new(here.as_raw_fd(), false, false).unwrap_err().kind(), ErrorKind::InvalidInput);
        let mut source = SourceFd::new(here.as_raw_fd(), true, false).unwrap();
        let again = SourceFd::new(here.as_raw_fd(), true, false).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AlreadyExists);
        drop(here);
        let gone = source.ask_again(true, false).unwrap_err();
        assert!(
            matches!(gone.raw_os_error(), Some(libc_ebadf) if libc_ebadf == 9 || gone.kind() == ErrorKind::NotFound)
        );
        drop(source);
        turns(2).await;
        assert_eq!(Handle::current().metrics().sources, 0);
    });
}
