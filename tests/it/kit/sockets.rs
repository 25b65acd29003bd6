//! The fixtures of the tests of sockets: connections, descriptors, and futures that are polled by hand.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use oneloop::net::{TcpListener, TcpStream};
use oneloop::time::{Instant, sleep, sleep_until, timeout};
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::kit::support::open_files;
use crate::kit::watch::{runtime, watch};

/// The address of a listener of the tests: loopback, a port of the system's choice.
pub(crate) const ANY_PORT: &str = "127.0.0.1:0";

/// Runs a test's body on a watched runtime.
#[track_caller]
pub(crate) fn on_a_loop<F: Future>(body: F) -> F::Output {
    watch(|| runtime().block_on(body))
}

/// A connection with both ends on this loop.
pub(crate) async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(ANY_PORT).await.expect("loopback has a port");
    let here = TcpStream::connect(listener.local_addr().unwrap()).await.expect("the listener listens");
    let (there, _) = listener.accept().await.expect("the connection was made");
    (here, there)
}

/// A connection with one end on this loop, while the other is a blocking socket of the standard
/// library. A write to it has arrived at our end by the time it returns, or very soon after.
pub(crate) fn half() -> (TcpStream, std::net::TcpStream) {
    let (here, there) = std_pair();
    (TcpStream::from_std(here).expect("a stream can be registered"), there)
}

/// Waits until there is something to read, without the loop's help: the kernel may bring even to loopback what was
/// written a little later, if it has much else to do.
pub(crate) fn arrived(stream: &TcpStream) {
    let mut asked = [PollFd::new(stream, PollFlags::IN)];
    let limit = Timespec { tv_sec: 10, tv_nsec: 0 };
    assert_eq!(rustix::event::poll(&mut asked, Some(&limit)).unwrap(), 1, "it never came");
}

/// One listener for all, because the end of a connection that closes first keeps its port from being
/// used again for a minute, and the listener's is one that may be.
static LISTENER: LazyLock<Mutex<std::net::TcpListener>> =
    LazyLock::new(|| Mutex::new(std::net::TcpListener::bind(ANY_PORT).expect("loopback has a port")));

/// A connection of the standard library's.
pub(crate) fn std_pair() -> (std::net::TcpStream, std::net::TcpStream) {
    let listener = LISTENER.lock().unwrap_or_else(PoisonError::into_inner);
    let here = std::net::TcpStream::connect(listener.local_addr().unwrap()).expect("the listener listens");
    let (there, peer) = listener.accept().expect("the connection was made");
    drop(listener);
    assert_eq!(peer, here.local_addr().unwrap(), "nobody else connects here");
    for end in [&here, &there] {
        end.set_nodelay(true).unwrap();
        end.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        end.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    }
    (here, there)
}

/// Waits until the loop has heard all that the kernel had to say, and a read says `WouldBlock`.
pub(crate) async fn settle(stream: &TcpStream) {
    sleep(Duration::from_millis(1)).await;
    let nothing = stream.try_read(&mut [0]).expect_err("nothing has been sent yet");
    assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
}

/// Lets the loop go round until the kernel has been asked `times` times, without waiting for anything:
/// the timers that it sets are due, and so fire in the next turn.
pub(crate) async fn turns(times: u32) {
    for _ in 0..times {
        let long_past = std::time::Instant::now() - Duration::from_millis(10);
        sleep_until(Instant::from_std(long_past)).await;
    }
}

/// The future's output, which must come soon.
#[track_caller]
pub(crate) fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let at = std::panic::Location::caller();
    async move {
        let Ok(output) = timeout(Duration::from_secs(5), future).await else { panic!("nothing came of it: {at}") };
        output
    }
}

/// Closes a connection by a reset.
pub(crate) fn reset(stream: std::net::TcpStream) {
    let stream = socket2::Socket::from(stream);
    stream.set_linger(Some(Duration::ZERO)).expect("a socket may linger for no time");
    drop(stream);
}

/// Writes until nothing fits any more. Returns how much did.
pub(crate) async fn fill(stream: &TcpStream) -> usize {
    let mut written = 0;
    // The kernel makes room as long as it can move bytes to the other end.
    for _ in 0..3 {
        while let Ok(more) = stream.try_write(&[7; 65536]) {
            written += more;
        }
        sleep(Duration::from_millis(1)).await;
    }
    written
}

/// How many descriptors the process has open, the listener of [`half`] always among them.
pub(crate) fn descriptors() -> usize {
    LazyLock::force(&LISTENER);
    open_files()
}

/// Counts how often it is woken.
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self::default());
        (Arc::clone(&count), Waker::from(count))
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// One poll with a waker of one's own.
pub(crate) fn poll_with<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// One poll, by the task that asks.
pub(crate) async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Runs `work` on a thread of its own. The future is woken from there and gives the result when the
/// thread is over, with all that it held.
pub(crate) fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> impl Future<Output = T> {
    let waker = Arc::new(Mutex::new((false, None::<Waker>)));
    let theirs = Arc::clone(&waker);
    let mut thread = Some(std::thread::spawn(move || {
        let result = work();
        let mut shared = theirs.lock().unwrap();
        shared.0 = true;
        let waker = shared.1.take();
        drop(shared);
        waker.into_iter().for_each(Waker::wake);
        result
    }));
    poll_fn(move |cx| {
        let mut shared = waker.lock().unwrap();
        if !shared.0 {
            shared.1 = Some(cx.waker().clone());
            return Poll::Pending;
        }
        drop(shared);
        let thread = thread.take().expect("it is polled until it is ready and no longer");
        Poll::Ready(thread.join().expect("the thread's work does not panic"))
    })
}
