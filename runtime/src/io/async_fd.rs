//! Any descriptor that the kernel can report as ready: a pipe, a terminal, inotify, a timerfd, an eventfd.
//!
//! An [`AsyncFd`] is a socket like those of `net`, around a descriptor that this crate knows nothing of.
//! So it never clears a latch by itself, except where an attempt said `WouldBlock`: of an unknown
//! descriptor a short read proves nothing.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use mio::{Interest as MioInterest, Registry, Token, unix::SourceFd};

use crate::ground::event::Resource;
use crate::heart::current::expect_current;
use crate::heart::reactor::{Direction, WaiterId};
use crate::net::socket::{Socket, WAIT_FIRST};

/// A descriptor of any kind, registered with the loop. The name and the meaning are tokio's.
///
/// It waits for the kernel to call the descriptor ready, and leaves it to you what to do then. There are three ways:
/// [`readable`](Self::readable) with the guard that it gives, [`async_io`](Self::async_io), and the traits of
/// `futures-io` where `T` implements [`Read`] or [`Write`].
///
/// **The descriptor must be non-blocking.** Nobody can check that here without unsafe code. If it is not,
/// an attempt that finds nothing holds up the loop and every task on it.
///
/// `T` is `Send` and `'static`, where tokio asks for less. A value that is dropped away from its loop is
/// sent there: it must be deregistered before it is closed. There is no `get_mut`: a user who put another
/// descriptor in the place of the registered one could never deregister it.
///
/// ```
/// use std::io::Read;
/// use std::os::unix::net::UnixStream;
/// use oneloop::io::AsyncFd;
///
/// oneloop::run(async {
///     let (here, mut there) = UnixStream::pair()?;
///     here.set_nonblocking(true)?;
///     let here = AsyncFd::new(here)?;
///     std::io::Write::write_all(&mut there, b"ready")?;
///     let mut buffer = [0; 16];
///     let read = loop {
///         let mut guard = here.readable().await?;
///         // An attempt that says `WouldBlock` clears the readiness, and the loop waits again.
///         if let Ok(read) = guard.try_io(|fd| fd.get_ref().read(&mut buffer)) {
///             break read?;
///         }
///     };
///     assert_eq!(&buffer[..read], b"ready");
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct AsyncFd<T: AsFd + Send + 'static> {
    socket: Socket<Registered<T>>,
    at: &'static Location<'static>,
}

/// The direction in which an attempt wants the descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interest(pub(super) Direction);

impl Interest {
    /// To read.
    pub const READABLE: Self = Self(Direction::Read);
    /// To write.
    pub const WRITABLE: Self = Self(Direction::Write);
}

impl<T: AsFd + Send + 'static> AsyncFd<T> {
    /// Registers a descriptor, for reading and writing, with the loop that runs on this thread.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` for a regular file or a folder, which is always ready and cannot be waited for.
    /// `AlreadyExists` if the same descriptor is registered already. Else those of epoll_ctl(2).
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn new(inner: T) -> io::Result<Self> {
        let at = Location::caller();
        let core = expect_current("an AsyncFd");
        let fd = inner.as_fd().as_raw_fd();
        // epoll says no by itself. The other queues take a file, and call it ready for ever.
        if core.reactor.epoll().is_none() && is_a_file(inner.as_fd())? {
            return Err(not_to_be_waited_for(fd));
        }
        let socket = Socket::new(Registered { fd, inner }, WAIT_FIRST, Resource::Descriptor(fd), at);
        match socket {
            Ok(socket) => Ok(Self { socket, at }),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(not_to_be_waited_for(fd)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(registered_already(fd)),
            Err(error) => Err(error),
        }
    }

    /// The value that was registered.
    pub fn get_ref(&self) -> &T {
        &self.socket.io().inner
    }

    /// Deregisters the descriptor, and gives back what was registered.
    ///
    /// # Panics
    ///
    /// If the loop that it was registered with does not run on this thread.
    pub fn into_inner(self) -> T {
        self.socket.into_io().inner
    }

    /// Waits until the kernel calls the descriptor readable, hung up or failed, and gives a guard for an attempt.
    ///
    /// # Errors
    ///
    /// None so far; failures show in the attempt that follows.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn readable(&self) -> impl Future<Output = io::Result<AsyncFdReadyGuard<'_, T>>> {
        self.ready(Direction::Read, Location::caller())
    }

    /// Waits until the kernel calls the descriptor writable, hung up or failed, and gives a guard for an attempt.
    ///
    /// # Errors
    ///
    /// None so far; failures show in the attempt that follows.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn writable(&self) -> impl Future<Output = io::Result<AsyncFdReadyGuard<'_, T>>> {
        self.ready(Direction::Write, Location::caller())
    }

    async fn ready(
        &self,
        direction: Direction,
        at: &'static Location<'static>,
    ) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        self.socket.until(direction, at, |_| Ok(())).await?;
        Ok(AsyncFdReadyGuard { fd: self, direction, turn: turn() })
    }

    /// Attempts until an attempt does not say `WouldBlock`, and waits in between.
    ///
    /// # Errors
    ///
    /// As `attempt`, save for `WouldBlock` and `Interrupted`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready has done nothing but attempts that said `WouldBlock`.
    #[track_caller]
    pub fn async_io<R>(
        &self,
        interest: Interest,
        mut attempt: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        self.socket.until(interest.0, Location::caller(), move |registered| attempt(&registered.inner))
    }

    /// One attempt, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if the descriptor is not ready as far as is known; else as `attempt`.
    ///
    /// # Panics
    ///
    /// If the loop that it was registered with does not run on this thread.
    pub fn try_io<R>(&self, interest: Interest, mut attempt: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.socket.try_io(interest.0, |registered| attempt(&registered.inner))
    }

    /// Attempts on the value by `&mut`.
    fn poll_mut<R>(
        &mut self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut attempt: impl FnMut(&mut T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            ready!(self.socket.poll_io(cx, direction, self.at, |_| WaiterId::OWNER, |_| Ok(())))?;
            let io = self.socket.io.as_mut().expect("a socket has what is registered until it is dropped");
            match attempt(&mut io.inner) {
                Err(error) if self.socket.came_to_nothing(direction, &error) => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Attempts on the value by `&`.
    fn poll_shared<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut attempt: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let attempt = |registered: &Registered<T>| attempt(&registered.inner);
        self.socket.poll_io(cx, direction, self.at, |_| WaiterId::SHARER, attempt)
    }
}

/// The kernel has called a descriptor ready. Made by [`AsyncFd::readable`] and [`AsyncFd::writable`].
///
/// The readiness stays until an attempt disproves it. Dropping the guard clears nothing.
#[must_use = "a guard does nothing by itself: make an attempt, and clear the readiness where that would block"]
pub struct AsyncFdReadyGuard<'a, T: AsFd + Send + 'static> {
    fd: &'a AsyncFd<T>,
    direction: Direction,
    /// The turn in which the guard was made.
    turn: u64,
}

impl<'a, T: AsFd + Send + 'static> AsyncFdReadyGuard<'a, T> {
    /// One attempt. If it says `WouldBlock`, the readiness is cleared.
    ///
    /// # Errors
    ///
    /// [`TryIoError`] if the attempt would block: wait again. Any other error of the attempt is inside.
    pub fn try_io<R>(
        &mut self,
        attempt: impl FnOnce(&'a AsyncFd<T>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        match attempt(self.fd) {
            // The kernel is heard only between two turns: nothing can have come since the attempt.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.fd.socket.came_to_nothing(self.direction, &error);
                Err(TryIoError(()))
            }
            result => Ok(result),
        }
    }

    /// Says that an attempt has just blocked: the readiness that the kernel reported before is over.
    ///
    /// If the kernel may have been asked since the guard was made, this does nothing, since there may be
    /// news. So call it in the same poll as the attempt: what is cleared too late is asked for once more.
    pub fn clear_ready(&mut self) {
        if self.turn == turn() {
            self.fd.socket.came_to_nothing(self.direction, &io::ErrorKind::WouldBlock.into());
        }
    }

    /// Says that the readiness stays. It does nothing; it is for those who like to say so.
    pub fn retain_ready(&mut self) {}

    /// The value that was registered.
    pub fn get_inner(&self) -> &'a T {
        self.fd.get_ref()
    }
}

/// The error of [`AsyncFdReadyGuard::try_io`]: the attempt would have blocked.
#[derive(Debug)]
pub struct TryIoError(());

impl fmt::Display for TryIoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the attempt would block")
    }
}

impl std::error::Error for TryIoError {}

/// The number of this turn.
fn turn() -> u64 {
    expect_current("an AsyncFd").counters.turns.get()
}

fn is_a_file(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let kind = std::fs::File::from(fd.try_clone_to_owned()?).metadata()?.file_type();
    Ok(kind.is_file() || kind.is_dir())
}

#[cold]
fn not_to_be_waited_for(fd: RawFd) -> io::Error {
    let says = format!(
        "descriptor {fd} cannot be waited for: a regular file or a folder is always ready as far as the kernel says; \
         read it in task::spawn_blocking"
    );
    io::Error::new(io::ErrorKind::PermissionDenied, says)
}

#[cold]
fn registered_already(fd: RawFd) -> io::Error {
    let says = format!("descriptor {fd} is registered with this loop already: share that AsyncFd, or duplicate it");
    io::Error::new(io::ErrorKind::AlreadyExists, says)
}

/// A value and the descriptor that it had when it was registered. Its own `as_fd` is foreign code, and
/// must not run while the reactor is borrowed.
struct Registered<T> {
    fd: RawFd,
    inner: T,
}

impl<T> mio::event::Source for Registered<T> {
    fn register(&mut self, registry: &Registry, token: Token, interests: MioInterest) -> io::Result<()> {
        SourceFd(&self.fd).register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: MioInterest) -> io::Result<()> {
        SourceFd(&self.fd).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.fd).deregister(registry)
    }
}

// Its parts are never pinned.
impl<T: AsFd + Send + 'static> Unpin for AsyncFd<T> {}

impl<T: AsFd + Read + Send + 'static> AsyncRead for AsyncFd<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.get_mut().poll_mut(cx, Direction::Read, |inner| inner.read(buffer))
    }
}

impl<T: AsFd + Send + 'static> AsyncRead for &AsyncFd<T>
where
    for<'a> &'a T: Read,
{
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_shared(cx, Direction::Read, |mut inner| inner.read(buffer))
    }
}

impl<T: AsFd + Write + Send + 'static> AsyncWrite for AsyncFd<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.get_mut().poll_mut(cx, Direction::Write, |inner| inner.write(bytes))
    }

    /// Flushes what `T` itself has kept. A full descriptor hinders that only if there is something.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let io = this.socket.io.as_mut().expect("a socket has what is registered until it is dropped");
        match io.inner.flush() {
            Err(error) if this.socket.came_to_nothing(Direction::Write, &error) => {
                this.poll_mut(cx, Direction::Write, Write::flush)
            }
            result => Poll::Ready(result),
        }
    }

    /// Flushes. A descriptor of no known kind has no other end.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl<T: AsFd + Send + 'static> AsyncWrite for &AsyncFd<T>
where
    for<'a> &'a T: Write,
{
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_shared(cx, Direction::Write, |mut inner| inner.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_ref().flush() {
            Err(error) if self.socket.came_to_nothing(Direction::Write, &error) => {
                self.poll_shared(cx, Direction::Write, |mut inner| inner.flush())
            }
            result => Poll::Ready(result),
        }
    }

    /// Flushes. A descriptor of no known kind has no other end.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl<T: AsFd + Send + 'static> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsFd + Send + 'static> AsRawFd for AsyncFd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.get_ref().as_fd().as_raw_fd()
    }
}

impl<T: AsFd + fmt::Debug + Send + 'static> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncFd").field(self.get_ref()).finish()
    }
}

impl<T: AsFd + fmt::Debug + Send + 'static> fmt::Debug for AsyncFdReadyGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFdReadyGuard").field("direction", &self.direction).field("fd", self.fd).finish()
    }
}
