//! A socket: the object that owns the descriptor, and the key of its place in the reactor.

use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::heart::core::Core;
use crate::heart::current::{current, expect_current};
use crate::heart::key::SourceKey;
use crate::heart::reactor::{Direction, WaiterId, Waiting};
use crate::trace;

/// Something that the kernel tells of, and that is read and written without blocking.
pub(crate) struct Socket<S: mio::event::Source> {
    pub(crate) io: S,
    pub(crate) key: SourceKey,
}

impl<S: mio::event::Source> Socket<S> {
    /// Registers it with the loop of this thread.
    #[track_caller]
    pub(crate) fn new(mut io: S, kind: &str) -> io::Result<Self> {
        let at = Location::caller();
        // The first attempt is made without asking the kernel.
        let key = expect_current("a socket").reactor.register(&mut io, [true, true], at)?;
        trace::source_opened(key.0.serial, key.0.slot as usize, kind, true, at);
        Ok(Self { io, key })
    }

    /// Tries an operation, and again whenever the kernel says that it may succeed.
    #[track_caller]
    pub(crate) fn attempt<T, F: FnMut(&S) -> io::Result<T> + Unpin>(
        &self,
        direction: Direction,
        operation: F,
    ) -> Attempt<'_, S, F> {
        let waiter = expect_current("an operation of a socket").reactor.new_waiter();
        Attempt { socket: self, direction, waiter, operation, at: Location::caller() }
    }

    /// The same as a poll function, for the socket's owner. There is one owner for each direction.
    #[track_caller]
    pub(crate) fn poll_attempt<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        operation: impl FnMut(&S) -> io::Result<T> + Unpin,
    ) -> Poll<io::Result<T>> {
        let at = Location::caller();
        Pin::new(&mut Attempt { socket: self, direction, waiter: WaiterId::OWNER, operation, at }).poll(cx)
    }
}

impl<S: mio::event::Source> Drop for Socket<S> {
    fn drop(&mut self) {
        // Before the descriptor is closed: a duplicate of it would keep the kernel telling.
        if let Some(core) = current().filter(|core| core.number == self.key.0.runtime) {
            let wakers = core.reactor.deregister(&mut self.io, self.key);
            trace::source_closed(self.key.0.serial);
            drop(wakers);
        }
    }
}

/// The future of [`Socket::attempt`].
pub(crate) struct Attempt<'a, S: mio::event::Source, F> {
    socket: &'a Socket<S>,
    direction: Direction,
    waiter: WaiterId,
    operation: F,
    at: &'static Location<'static>,
}

impl<S: mio::event::Source, T, F: FnMut(&S) -> io::Result<T> + Unpin> Future for Attempt<'_, S, F> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let core = expect_current("an operation of a socket");
        // stage: hole "within its share"
        if core.must_yield(cx) {
            return Poll::Pending;
        }
        let polled = self.try_now(&core, cx);
        if polled.is_ready() {
            core.spend();
        }
        polled
        // stage: end
    }
}

impl<S: mio::event::Source, T, F: FnMut(&S) -> io::Result<T> + Unpin> Attempt<'_, S, F> {
    /// Tries, and leaves the waker if that came to nothing. The poll of stage 8, but for the share.
    fn try_now(&mut self, core: &Core, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let this = self;
        let (key, direction) = (this.socket.key, this.direction);
        let way = if direction == Direction::Read { "read" } else { "write" };
        // stage: hole "attempt"
        while core.reactor.is_ready(key, direction) {
            match (this.operation)(&this.socket.io) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    core.reactor.would_block(key, direction);
                    trace::source_drained(key.0.serial, direction == Direction::Read, direction == Direction::Write);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
        let waiting = Waiting { waiter: this.waiter, direction, waker: cx.waker().clone(), at: this.at };
        drop(core.reactor.wait(key, waiting));
        trace::wait(&format!("{way} {}", key.0.serial), this.at);
        Poll::Pending
        // stage: end
    }
}

impl<S: mio::event::Source, F> Drop for Attempt<'_, S, F> {
    fn drop(&mut self) {
        if self.waiter == WaiterId::OWNER {
            return;
        }
        if let Some(core) = current().filter(|core| core.number == self.socket.key.0.runtime) {
            let waker = core.reactor.forget(self.socket.key, self.direction, self.waiter);
            drop(waker);
        }
    }
}
