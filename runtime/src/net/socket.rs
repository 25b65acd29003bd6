//! The part that all sockets share: a registration, and the one loop of "try first, wait when told to".
//!
//! A [`Socket`] is the mio object, which owns the descriptor, and a key into the reactor, which owns
//! what is known about it. It deregisters before it closes, wherever it is dropped.

use std::io;
use std::panic::Location;
use std::sync::atomic::{AtomicI32, Ordering};
use std::task::{Context, Poll, Waker};

use crate::ground::event::{Event, Readiness, Resource, SourceId};
use crate::heart::core::Core;
use crate::heart::current::{at_home, expect_current, expect_home, with_home};
use crate::heart::key::SourceKey;
use crate::heart::reactor::{Direction, WaiterId, Waiting};
use crate::net::told::{left_beside, taken_back, tell_drained};
use crate::net::waiters::thin_out;

/// A registered mio object.
pub struct Socket<S: mio::event::Source + Send + 'static> {
    /// `None` only while it is being dropped.
    pub(crate) io: Option<S>,
    pub(crate) key: SourceKey,
    /// The number of an error that was asked for before anybody used the socket; 0 for none. The kernel tells each
    /// error once, so the next use of the socket tells it from here.
    kept_error: AtomicI32,
}

/// By direction, whether the first attempt may be made at once.
pub(crate) const TRY_FIRST: [bool; 2] = [true; 2];
pub(crate) const WAIT_FIRST: [bool; 2] = [false; 2];

impl<S: mio::event::Source + Send + 'static> Socket<S> {
    /// Registers a non-blocking mio object with the runtime of this thread.
    #[track_caller]
    pub(crate) fn new(
        mut io: S,
        ready: [bool; 2],
        resource: Resource,
        at: &'static Location<'static>,
    ) -> io::Result<Self> {
        let core = expect_current(format_args!("a socket, asked for at {at},"));
        let key = core.reactor.register(&mut io, ready, at)?;
        let source = SourceId(key);
        core.observe(|| {
            let ready = Readiness { read: ready[0], write: ready[1], ..Readiness::default() };
            Event::SourceOpened { source, resource, ready, by: core.cause(), at: core.place(at) }
        });
        Ok(Self { io: Some(io), key, kept_error: AtomicI32::new(0) })
    }

    pub(crate) fn io(&self) -> &S {
        self.io.as_ref().expect("a socket has its mio object until it is dropped")
    }

    /// Keeps an error of the kernel's for the next use of the socket.
    pub(crate) fn keep_error(&self, error: &io::Error) {
        self.kept_error.store(error.raw_os_error().unwrap_or(0), Ordering::Relaxed);
    }

    /// Gives the error that was kept, if it is one of those that are meant. It is given once.
    #[cold]
    pub(crate) fn take_kept_error(&self, is_meant: impl Fn(&io::Error) -> bool) -> Option<io::Error> {
        let number = self.kept_error.load(Ordering::Relaxed);
        let error = Some(number).filter(|number| *number != 0).map(io::Error::from_raw_os_error).filter(is_meant)?;
        self.kept_error.store(0, Ordering::Relaxed);
        Some(error)
    }

    /// Deregisters the mio object and gives it back.
    pub(crate) fn into_io(mut self) -> S {
        let mut io = self.io.take().expect("a socket has its mio object until it is dropped");
        let core = expect_home(self.key.0.runtime, "a socket was used");
        drop(close(&core, &mut io, self.key));
        io
    }

    /// One attempt, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if the socket is not ready; else whatever the attempt says.
    pub(crate) fn try_io<R>(
        &self,
        direction: Direction,
        mut attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> io::Result<R> {
        let core = expect_home(self.key.0.runtime, "a socket was used");
        while core.reactor.is_ready(self.key, direction) {
            match attempt(self.io()) {
                Err(error) if self.came_to_nothing(direction, &error) => {}
                result => return result,
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Attempts, and where that would block, leaves the waker and waits. The waiter says whose waker
    /// it replaces.
    pub(crate) fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        at: &'static Location<'static>,
        waiter: impl FnOnce(&Core) -> WaiterId,
        attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_with(cx, direction, |core| (waiter(core), at), attempt)
    }

    /// Attempts, and where that would block, leaves the waker of one who polls the socket without a future. The line
    /// that opened the socket is told as the place of the wait.
    pub(crate) fn poll_as<R>(
        &self,
        waiter: WaiterId,
        cx: &mut Context<'_>,
        direction: Direction,
        attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let polled = self.poll_with(cx, direction, |core| (waiter, core.reactor.opened_at(self.key)), attempt);
        if waiter == WaiterId::SHARER && polled.is_pending() {
            thin_out(self.key, direction);
        }
        polled
    }

    /// Takes back the waker of the one who holds the socket, or a half of it, by `&mut`.
    pub(crate) fn forget_owner(&self, direction: Direction) {
        let key = self.key;
        at_home(key.0.runtime, move |core| {
            taken_back(core, key, direction, core.reactor.forget(key, direction, WaiterId::OWNER));
        });
    }

    fn poll_with<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        who: impl FnOnce(&Core) -> (WaiterId, &'static Location<'static>),
        mut attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let core = expect_home(self.key.0.runtime, "a socket was polled");
        while core.may_complete() && core.reactor.is_ready(self.key, direction) {
            core.spend();
            match attempt(self.io()) {
                Err(error) if self.came_to_nothing(direction, &error) => core.give_back(),
                result => return Poll::Ready(result),
            }
        }
        // Nothing is lost between the attempt and here: the kernel is heard only between two turns.
        if !core.must_yield(cx) {
            let (waiter, at) = who(&core);
            let waiting = Waiting { waiter, direction, waker: cx.waker().clone(), at };
            let replaced = core.reactor.wait(self.key, waiting);
            if replaced.is_some() || core.is_observed() {
                left_beside(&core, cx.waker(), self.key, direction, replaced, at);
            }
        }
        Poll::Pending
    }

    /// Whether an attempt has shown no more than that it is to be made again, at once or later.
    #[cold]
    pub(crate) fn came_to_nothing(&self, direction: Direction, error: &io::Error) -> bool {
        if error.kind() == io::ErrorKind::WouldBlock {
            let core = expect_home(self.key.0.runtime, "a socket was used");
            core.reactor.would_block(self.key, direction);
            if core.is_observed() {
                tell_drained(self.key, direction);
            }
        }
        matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
    }

    /// To be called after an attempt that moved `moved` bytes where it could have moved `asked`.
    #[inline]
    pub(crate) fn moved(&self, direction: Direction, moved: usize, asked: usize) {
        // Nothing moved is not a short read: it is the end, and there is no more to wait for.
        if 0 < moved && moved < asked {
            let look = |core: &Core| core.reactor.fell_short(self.key, direction) && core.is_observed();
            if with_home(self.key.0.runtime, look) == Some(true) {
                tell_drained(self.key, direction);
            }
        }
    }

    /// Takes back the waker that [`poll_io`](Self::poll_io) left for a waiter.
    pub(crate) fn forget(&self, core: &Core, direction: Direction, waiter: WaiterId) {
        taken_back(core, self.key, direction, core.reactor.forget(self.key, direction, waiter));
    }
}

fn close<S: mio::event::Source>(core: &Core, io: &mut S, key: SourceKey) -> Vec<Waker> {
    let wakers = core.reactor.deregister(io, key);
    core.observe(|| Event::SourceClosed { source: SourceId(key) });
    wakers
}

impl<S: mio::event::Source + Send + 'static> Drop for Socket<S> {
    fn drop(&mut self) {
        if let Some(mut io) = self.io.take() {
            let key = self.key;
            at_home(key.0.runtime, move |core| drop(close(core, &mut io, key)));
        }
    }
}
