//! Accepting: the one loop by which all listeners take connections in.

use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::heart::current::expect_current;
use crate::heart::reactor::Direction;
use crate::net::attempts::Attempts;
use crate::net::backoff::{Pause, growing};
use crate::net::socket::Socket;

/// A mio listener: what it accepts, and what is made of that.
pub(crate) trait Listen: mio::event::Source + Send + Sized + 'static {
    type Raw;
    type Accepted;

    fn accept(&self) -> io::Result<Self::Raw>;
    fn adopt(raw: Self::Raw, at: &'static Location<'static>) -> io::Result<Self::Accepted>;
}

type TakeFrom<L> = fn(&Socket<L>) -> io::Result<<L as Listen>::Raw>;

/// Waits for a connection. It may be polled again after it has given one, and then waits for the next.
pub(crate) struct Accept<'a, L: Listen> {
    attempts: Attempts<'a, L, TakeFrom<L>>,
    at: &'static Location<'static>,
    /// How many attempts have failed since the last connection.
    failures: u32,
    pause: Option<Pause>,
}

impl<'a, L: Listen> Accept<'a, L> {
    pub(crate) fn new(socket: &'a Socket<L>, at: &'static Location<'static>) -> Self {
        let take: TakeFrom<L> = |socket| socket.io().accept();
        Self { attempts: socket.attempts(Direction::Read, at, take), at, failures: 0, pause: None }
    }
}

impl<L: Listen> Future for Accept<'_, L> {
    type Output = io::Result<L::Accepted>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(Pin::new(pause).poll(cx));
                self.pause = None;
            }
            let raw = ready!(Pin::new(&mut self.attempts).poll(cx));
            let error = match raw.and_then(|raw| L::adopt(raw, self.at)) {
                Ok(accepted) => {
                    self.failures = 0;
                    return Poll::Ready(Ok(accepted));
                }
                Err(error) => error,
            };
            let Some(length) = pause_after(&error, self.failures) else { return Poll::Ready(Err(error)) };
            let core = expect_current(format_args!("a listener, asked to accept at {},", self.at));
            core.counters.accept_retries.add(1);
            self.failures = self.failures.saturating_add(1);
            self.pause = (length > Duration::ZERO).then(|| Pause::new(&core, length, self.at));
        }
    }
}

/// How many failed connections in a row are passed over without a pause.
const FAILURES_WITHOUT_PAUSE: u32 = 16;

/// How long to pause before the next `accept`, after `failures` before this one; `None` if there is no
/// use. Source: accept(2), "Error handling".
fn pause_after(error: &io::Error, failures: u32) -> Option<Duration> {
    match error.raw_os_error()? {
        libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::ENOSPC => Some(growing(failures)),
        libc::ECONNABORTED
        | libc::ECONNRESET
        | libc::EPROTO
        | libc::EPERM
        | libc::ETIMEDOUT
        | libc::ENETDOWN
        | libc::ENETUNREACH
        | libc::EHOSTDOWN
        | libc::EHOSTUNREACH
        | libc::ENOPROTOOPT => match failures.checked_sub(FAILURES_WITHOUT_PAUSE) {
            None => Some(Duration::ZERO),
            Some(failures) => Some(growing(failures)),
        },
        _ => None,
    }
}
