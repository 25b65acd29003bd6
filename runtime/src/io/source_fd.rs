//! A descriptor that somebody else owns: only its number is registered.
//!
//! It is for descriptors that belong to another language or to a library, which reads, writes and closes them by
//! itself. It expects to be told of a descriptor for as long as it is ready, as poll(2) does. The kernel tells
//! this crate only once, so the kernel can be [asked again](SourceFd::ask_again).

use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::panic::Location;
use std::task::{Context, Poll};

use mio::{Interest as MioInterest, Registry, Token, unix};

use crate::ground::event::{Event, Resource, SourceId};
use crate::heart::current::expect_home;
use crate::heart::reactor::{Direction, WaiterId};
use crate::io::async_fd::Interest;
use crate::net::socket::{Socket, WAIT_FIRST};

/// A registration of a descriptor that somebody else owns. The name is mio's.
///
/// Drop it before the descriptor is closed, on the loop's thread. Then the kernel has nothing more to say of it,
/// and the number may be given to another. Each direction has one who waits.
///
/// ```
/// use std::io::Write;
/// use std::os::fd::AsRawFd;
/// use std::os::unix::net::UnixStream;
/// use oneloop::io::{Interest, SourceFd};
///
/// oneloop::run(async {
///     let (here, mut there) = UnixStream::pair()?;
///     let mut source = SourceFd::new(here.as_raw_fd(), true, false)?;
///     there.write_all(b"ready")?;
///     std::future::poll_fn(|cx| source.poll_ready(cx, Interest::READABLE)).await;
///     // Nothing was read: asked again, the kernel says the same.
///     source.ask_again(true, false)?;
///     std::future::poll_fn(|cx| source.poll_ready(cx, Interest::READABLE)).await;
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct SourceFd {
    socket: Socket<Numbered>,
    at: &'static Location<'static>,
}

impl SourceFd {
    /// Registers a descriptor with the runtime of this thread, to hear when it can be read, or written, or both.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is to be neither. With epoll, `PermissionDenied` for a regular file or a folder.
    /// `AlreadyExists` if the descriptor is registered already. Else those of epoll_ctl(2).
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn new(fd: RawFd, read: bool, write: bool) -> io::Result<Self> {
        let at = Location::caller();
        let registered = Numbered { fd, interest: interest(read, write)? };
        let socket = Socket::new(registered, WAIT_FIRST, Resource::Descriptor(fd), at)?;
        Ok(Self { socket, at })
    }

    /// Ready when the kernel has called the descriptor readable, or writable, since it was last asked; hung up or
    /// failed means both. Until then the waker is left.
    ///
    /// # Panics
    ///
    /// If the runtime that it was registered with does not run on this thread.
    pub fn poll_ready(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<()> {
        let owner = |_: &_| WaiterId::OWNER;
        self.socket.poll_io(cx, interest.0, self.at, owner, |_| Ok(())).map(drop)
    }

    /// Notes that an attempt moved `moved` bytes where it could have moved `asked`. If that is less, a stream has been
    /// read empty, or written full: until the kernel calls it ready again, it is not. So the kernel need not be asked.
    ///
    /// It is for sockets of TCP and for pipes. On other sockets a short read proves nothing. A read of a Unix socket
    /// may end at a descriptor that was sent along. A read of a datagram socket ends with the datagram.
    ///
    /// # Panics
    ///
    /// If the runtime that it was registered with does not run on this thread.
    pub fn moved(&self, interest: Interest, moved: usize, asked: usize) {
        self.socket.moved(interest.0, moved, asked);
    }

    /// Forgets what the kernel has said, and asks it again, for these directions. If the descriptor is ready as it
    /// is, the kernel says so when the loop looks at it next.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is to be neither; `NotFound` if the descriptor was closed and its number is another's;
    /// else as epoll_ctl(2).
    ///
    /// # Panics
    ///
    /// If the runtime that it was registered with does not run on this thread.
    pub fn ask_again(&mut self, read: bool, write: bool) -> io::Result<()> {
        let core = expect_home(self.socket.key.0.runtime, "a SourceFd was asked again");
        let key = self.socket.key;
        let [was_read, was_write] = [Direction::Read, Direction::Write].map(|way| core.reactor.is_ready(key, way));
        let registered = self.socket.io.as_mut().expect("a source has its number until it is dropped");
        registered.interest = interest(read, write)?;
        core.reactor.ask_again(registered, key)?;
        if was_read || was_write {
            core.observe(|| Event::SourceDrained { source: SourceId(key), read: was_read, write: was_write });
        }
        Ok(())
    }
}

impl fmt::Debug for SourceFd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceFd({})", self.socket.io().fd)
    }
}

/// A number, and what is to be heard of it.
struct Numbered {
    fd: RawFd,
    interest: MioInterest,
}

fn interest(read: bool, write: bool) -> io::Result<MioInterest> {
    match (read, write) {
        (true, false) => Ok(MioInterest::READABLE),
        (false, true) => Ok(MioInterest::WRITABLE),
        (true, true) => Ok(MioInterest::READABLE | MioInterest::WRITABLE),
        (false, false) => {
            let says = "a descriptor is registered to be read, to be written, or both; not for neither";
            Err(io::Error::new(io::ErrorKind::InvalidInput, says))
        }
    }
}

// The reactor asks for both directions of everything. A program that asks again hears only what it has asked for.
impl mio::event::Source for Numbered {
    fn register(&mut self, registry: &Registry, token: Token, _both: MioInterest) -> io::Result<()> {
        unix::SourceFd(&self.fd).register(registry, token, self.interest)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, _both: MioInterest) -> io::Result<()> {
        unix::SourceFd(&self.fd).reregister(registry, token, self.interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        unix::SourceFd(&self.fd).deregister(registry)
    }
}
