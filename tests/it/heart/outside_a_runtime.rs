//! Outside of a runtime: each public function that needs one says so, and names its caller's line.

use std::future::Future;
use std::net as blocking;
use std::os::unix::net as blocking_unix;
use std::panic::{set_hook, take_hook};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use oneloop::event::{Place, WaitsFor};
use oneloop::io::{AsyncFd, stdin};
use oneloop::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use oneloop::process::Command;
use oneloop::signal::{SignalKind, ctrl_c, signal, stop_requested};
use oneloop::time::{Instant, interval, interval_at, sleep, sleep_until, timeout, timeout_at};
use oneloop::{net, see, task};

use crate::kit::support::{alone_with, panic_of};

const SECOND: Duration = Duration::from_secs(1);
const ANY: (&str, u16) = ("127.0.0.1", 0);

/// Polls a future once, where no runtime is.
#[track_caller]
fn poll<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("oneloop-outside-{}-{name}", std::process::id()))
}

fn tcp() -> blocking::TcpListener {
    blocking::TcpListener::bind(ANY).unwrap()
}

/// The path of a listener that stays.
fn unix() -> PathBuf {
    std::mem::forget(blocking_unix::UnixListener::bind(path("unix")).unwrap());
    path("unix")
}

/// The end of something that should not have been made.
fn finish<T>(made: T) {
    drop(made);
}

/// A call as it is written, its line, and the call itself.
type Call = (&'static str, u32, fn());

macro_rules! calls {
    ($($call:expr),* $(,)?) => {
        [$((stringify!($call), line!(), (|| finish($call)) as fn())),*]
    };
}

#[test]
fn what_needs_a_runtime_names_the_line_of_its_caller() {
    alone_with(&[], || {
        let told = Arc::new(Mutex::new(String::new()));
        let theirs = Arc::clone(&told);
        set_hook(Box::new(move |info| *theirs.lock().unwrap() = info.to_string()));
        let all: Vec<Call> = [at_the_call().as_slice(), at_the_poll().as_slice()].concat();
        let mut wrong = Vec::new();
        for (call, line, does) in all {
            told.lock().unwrap().clear();
            panic_of(does);
            let said = told.lock().unwrap().clone();
            // The macro gives the line at which the list begins, so the lines of this file are compared without theirs.
            if !said.contains(&format!("{}:", file!())) || !said.contains("needs a running oneloop runtime") {
                wrong.push(format!("{call} (list at line {line}): {said:?}"));
            }
        }
        let _ = take_hook();
        for name in ["datagram", "listener", "std", "unix"] {
            let _ = std::fs::remove_file(path(name));
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

fn at_the_call() -> Vec<Call> {
    calls![
        oneloop::spawn(async {}),
        task::Builder::new().spawn(async {}),
        task::spawn_blocking(|| ()),
        task::id(),
        oneloop::Handle::current(),
        interval(SECOND),
        interval_at(Instant::now(), SECOND),
        oneloop::time::advance(SECOND),
        TcpListener::from_std(tcp()),
        TcpStream::from_std(blocking::TcpStream::connect(tcp().local_addr().unwrap()).unwrap()),
        UdpSocket::from_std(blocking::UdpSocket::bind(ANY).unwrap()),
        UnixListener::bind(path("listener")),
        UnixListener::from_std(blocking_unix::UnixListener::bind(path("std")).unwrap()),
        UnixStream::pair(),
        UnixStream::from_std(blocking_unix::UnixStream::pair().unwrap().0),
        UnixDatagram::bind(path("datagram")),
        UnixDatagram::unbound(),
        UnixDatagram::pair(),
        UnixDatagram::from_std(blocking_unix::UnixDatagram::unbound().unwrap()),
        AsyncFd::new(tcp()),
        signal(SignalKind::hangup()),
        Command::new("true").spawn(),
        see::dump(),
        see::State::now(),
        see::attach(see::Ring::new(1)),
        see::serve("127.0.0.1:0"),
        see::serve_with_token("127.0.0.1:0", "a token that is long enough for a token"),
        see::at(Place::new("app.py", 3), || ()),
        see::wait(WaitsFor::Other(1), Place::new("app.py", 7)),
    ]
    .to_vec()
}

fn at_the_poll() -> Vec<Call> {
    calls![
        poll(sleep(SECOND)),
        poll(sleep_until(Instant::now() + SECOND)),
        poll(timeout(SECOND, std::future::pending::<()>())),
        poll(timeout_at(Instant::now() + SECOND, std::future::pending::<()>())),
        poll(task::scope(async |_| ())),
        poll(TcpListener::bind(ANY)),
        poll(TcpStream::connect(tcp().local_addr().unwrap())),
        poll(UdpSocket::bind(ANY)),
        poll(UnixStream::connect(unix())),
        poll(net::lookup_host("localhost:80")),
        poll(net::happy_eyeballs([tcp().local_addr().unwrap()])),
        poll(ctrl_c()),
        poll(stop_requested()),
        poll(Command::new("true").status()),
        poll(Command::new("true").output()),
        poll(stdin().read(&mut [0])),
        poll(stdin().lines().next_line()),
        poll(futures_lite::AsyncReadExt::read(&mut stdin(), &mut [0])),
        poll(futures_lite::StreamExt::next(&mut stdin().lines())),
    ]
    .to_vec()
}
