//! Attempts: the future of nearly everything that a socket does.
//!
//! It tries, waits for the socket to be ready, and tries again. Dropped, it takes its waker away and leaves all else
//! as it is. An operation on nothing does not wait.

use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::heart::budget::ready_within_budget;
use crate::heart::core::Core;
use crate::heart::current::at_home;
use crate::heart::key::SourceKey;
use crate::heart::reactor::{Direction, WaiterId};
use crate::net::socket::Socket;
use crate::net::told::taken_back;

impl<S: mio::event::Source + Send + 'static> Socket<S> {
    /// A future that makes attempts until one does not block.
    pub(crate) fn until<R>(
        &self,
        direction: Direction,
        at: &'static Location<'static>,
        mut attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        self.attempts(direction, at, move |socket| attempt(socket.io()))
    }

    /// A future that makes attempts until one does not block, for attempts that want the socket. An attempt that took
    /// it along would make the future larger, and every idle connection has one.
    pub(crate) fn attempts<R, F>(
        &self,
        direction: Direction,
        at: &'static Location<'static>,
        attempt: F,
    ) -> Attempts<'_, S, F>
    where
        F: FnMut(&Self) -> io::Result<R>,
    {
        Attempts { socket: self, direction, at, waiter: None, needs_nothing: false, attempt }
    }
}

/// The future of [`Socket::attempts`]. Dropped, it takes its waker away and leaves all else as it is.
pub(crate) struct Attempts<'a, S: mio::event::Source + Send + 'static, F> {
    socket: &'a Socket<S>,
    direction: Direction,
    at: &'static Location<'static>,
    waiter: Option<WaiterId>,
    needs_nothing: bool,
    attempt: F,
}

impl<S: mio::event::Source + Send + 'static, F> Attempts<'_, S, F> {
    /// If `condition` holds, the attempt is made even if the socket is not ready. It is an attempt to move no bytes,
    /// which makes no system call.
    pub(crate) fn ready_if(mut self, condition: bool) -> Self {
        self.needs_nothing = condition;
        self
    }
}

/// Moves no bytes: ready at once, and nothing has changed.
pub(crate) fn poll_nothing(cx: &Context<'_>) -> Poll<io::Result<usize>> {
    ready_within_budget(cx).map(|()| Ok(0))
}

// It never pins one of its parts, so it may be moved.
impl<S: mio::event::Source + Send + 'static, F> Unpin for Attempts<'_, S, F> {}

impl<R, S, F> Future for Attempts<'_, S, F>
where
    S: mio::event::Source + Send + 'static,
    F: FnMut(&Socket<S>) -> io::Result<R>,
{
    type Output = io::Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { socket, direction, at, waiter, needs_nothing, attempt } = &mut *self;
        if *needs_nothing {
            return ready_within_budget(cx).map(|()| attempt(socket));
        }
        let number = |core: &Core| *waiter.get_or_insert_with(|| core.reactor.new_waiter());
        let polled = socket.poll_io(cx, *direction, at, number, |_| attempt(socket));
        if polled.is_ready() {
            // An event made this attempt possible, and took the waker. So there is none to take back.
            *waiter = None;
        }
        polled
    }
}

impl<S: mio::event::Source + Send + 'static, F> Drop for Attempts<'_, S, F> {
    #[inline]
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter {
            take_back(self.socket.key, self.direction, waiter);
        }
    }
}

/// Takes back the waker of a future that waited and is dropped.
#[cold]
fn take_back(key: SourceKey, direction: Direction, waiter: WaiterId) {
    at_home(key.0.runtime, move |core| {
        taken_back(core, key, direction, core.reactor.forget(key, direction, waiter));
    });
}
