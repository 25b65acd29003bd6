//! Listening: how a task waits for a signal.
//!
//! A [`Signal`] is a number: how many signals of its kind there had been when it last looked. It waits on one pipe of
//! its runtime, which is there for all who listen, from the first to the last.

use std::fmt;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::SignalKind;
use super::pipe::{Listening, empty};
use crate::ground::signals;
use crate::heart::budget::ready_within_budget;
use crate::heart::current::{at_home, expect_current, expect_home};
use crate::heart::reactor::{Direction, WaiterId};

/// Waits for the next SIGINT, which Ctrl-C on the terminal sends. It listens from the call on, not only
/// from the first poll on.
///
/// From the first call on, SIGINT does not end the process any more: see [`signal`]. To stop in order,
/// and at once when asked again, use [`stop_requested`](crate::signal::stop_requested).
///
/// # Errors
///
/// As [`signal`].
///
/// # Panics
///
/// If no runtime runs on this thread.
///
/// # Cancel safety
///
/// Dropping the future, one stops listening: a signal that comes before the next call is not seen by
/// that. To miss none, keep a [`Signal`].
#[track_caller]
pub fn ctrl_c() -> impl Future<Output = io::Result<()>> {
    let (listening, at) = (signal(SignalKind::interrupt()), Location::caller());
    async move {
        let mut interrupts = listening?;
        Recv { signal: &mut interrupts, at }.await.ok_or_else(|| io::Error::other("the signals' pipe failed"))
    }
}

/// Listens to a signal from now on. Any number of tasks, runtimes and threads may listen to the same
/// signal, and each is told.
///
/// With the first call for a kind, the signal's default, such as ending the process, is over for the rest of the
/// process's life. It stays over when nobody listens any more. A handler that was installed before, by another
/// library, is still called, after ours. One that is installed later takes the signal away from us, unless it calls
/// us.
///
/// A signal that every thread of the process blocks reaches nobody, and none of these either.
///
/// Children do not inherit any of this: in them the defaults are back.
///
/// # Errors
///
/// `InvalidInput` for a signal that nobody can handle, such as SIGKILL; and if the system has no
/// descriptors left for a pipe.
///
/// # Panics
///
/// If no runtime runs on this thread.
///
/// ```
/// use oneloop::signal::{SignalKind, signal};
///
/// # oneloop::run(async {
/// let mut hangups = signal(SignalKind::hangup())?;
/// oneloop::spawn(async move {
///     while let Some(()) = hangups.recv().await {
///         println!("reading the configuration again");
///     }
/// });
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[doc(alias("add_signal_handler", "open_signal_receiver"))]
#[track_caller]
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    let core = expect_current("oneloop::signal::signal");
    let at = Location::caller();
    if let Some(why) = kind.why_not() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{kind} cannot be listened to: {why}")));
    }
    signals::install(kind.as_raw_value())?;
    core.annex.get::<Listening>().begin(at)?;
    let waiter = core.reactor.new_waiter();
    Ok(Signal { kind, seen: count(kind), runtime: core.number, waiter, waits: false, at })
}

/// A listener to one kind of signal. Made by [`signal`].
///
/// Signals that come while nobody asks are not lost but become one. After any number of them, the next
/// [`recv`](Self::recv) is ready at once, and the one after it waits. The last of them is never missed.
///
/// It is a [`Stream`] too, which never ends.
pub struct Signal {
    kind: SignalKind,
    /// How many there had been.
    seen: usize,
    runtime: u32,
    waiter: WaiterId,
    /// Whether it has left a waker.
    waits: bool,
    at: &'static Location<'static>,
}

impl Signal {
    /// Waits until the signal has come at least once since this was last ready, or since this listener
    /// was made. It gives `None` only if no more signals can be heard, which does not happen so far.
    ///
    /// # Panics
    ///
    /// When polled where its runtime is not running.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no signal.
    #[track_caller]
    pub fn recv(&mut self) -> impl Future<Output = Option<()>> + '_ {
        Recv { signal: self, at: Location::caller() }
    }

    /// As [`recv`](Self::recv), for those who poll by hand. The latest waker is the one that is woken.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.poll_at(cx, self.at)
    }

    pub(crate) fn poll_at(&mut self, cx: &mut Context<'_>, at: &'static Location<'static>) -> Poll<Option<()>> {
        let core = expect_home(self.runtime, "a Signal was polled");
        let Some(pipe) = core.annex.get::<Listening>().pipe() else { return Poll::Ready(None) };
        if !self.has_come() {
            let (kind, seen, waiter) = (self.kind, self.seen, self.waiter);
            let polled = pipe.socket.poll_io(
                cx,
                Direction::Read,
                at,
                |_| waiter,
                |pipe| {
                    empty(pipe)?;
                    if count(kind) == seen { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
                },
            );
            self.waits = polled.is_pending();
            match polled {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(None),
                Poll::Ready(Ok(())) => {}
            }
        } else {
            // This way asks the kernel for nothing, so no attempt counts it: the operation is counted here.
            ready!(ready_within_budget(cx));
        }
        self.forget();
        self.seen = count(self.kind);
        Poll::Ready(Some(()))
    }

    fn has_come(&self) -> bool {
        count(self.kind) != self.seen
    }

    pub(crate) fn runtime(&self) -> u32 {
        self.runtime
    }

    /// Takes back the waker.
    pub(crate) fn forget(&mut self) {
        if std::mem::take(&mut self.waits) {
            let waiter = self.waiter;
            at_home(self.runtime, move |core| {
                if let Some(pipe) = core.annex.get::<Listening>().pipe() {
                    pipe.socket.forget(core, Direction::Read, waiter);
                }
            });
        }
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        self.forget();
        at_home(self.runtime, |core| core.annex.get::<Listening>().end());
    }
}

impl Stream for Signal {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.poll_recv(cx)
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signal({})", self.kind)
    }
}

/// The future of [`Signal::recv`]. Dropped, it takes its waker away and leaves all else as it is.
struct Recv<'a> {
    signal: &'a mut Signal,
    at: &'static Location<'static>,
}

impl Future for Recv<'_> {
    type Output = Option<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        let at = self.at;
        self.signal.poll_at(cx, at)
    }
}

impl Drop for Recv<'_> {
    fn drop(&mut self) {
        self.signal.forget();
    }
}

/// How many signals of this kind there have been.
fn count(kind: SignalKind) -> usize {
    signals::count(kind.as_raw_value())
}
