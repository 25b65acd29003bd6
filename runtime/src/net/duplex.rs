//! A connection without a network: two streams in memory, for tests.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};

use crate::heart::current::current;
use crate::net::attempts::poll_nothing;
use crate::net::waiters::{Number, Waiters};

/// Two streams, connected to each other in memory. Each direction holds up to `max_buffer` bytes; a writer who
/// writes more waits until some are read.
///
/// They behave as the two ends of a [`UnixStream`](crate::net::UnixStream) do, and neither opens a file
/// nor needs a runtime. With the virtual clock, time does not pass for them.
///
/// # Panics
///
/// If `max_buffer` is zero, since then nothing could ever be written.
///
/// ```
/// oneloop::run(async {
///     let (near, far) = oneloop::net::duplex(64);
///     near.write_all(b"hello").await?;
///     near.shutdown(std::net::Shutdown::Write)?;
///     let mut buffer = [0; 16];
///     assert_eq!(far.read(&mut buffer).await?, 5);
///     assert_eq!(far.read(&mut buffer).await?, 0); // the end
///     far.write_all(b"and the other way").await?;
///     assert_eq!(near.read(&mut buffer).await?, 16);
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias("socketpair", "pipe"))]
#[track_caller]
pub fn duplex(max_buffer: usize) -> (DuplexStream, DuplexStream) {
    assert!(max_buffer > 0, "a duplex needs a buffer of at least one byte, or nothing can ever be written");
    let (there, back) = (Arc::new(Pipe::new(max_buffer)), Arc::new(Pipe::new(max_buffer)));
    let near = DuplexStream { incoming: Arc::clone(&back), outgoing: Arc::clone(&there) };
    (near, DuplexStream { incoming: there, outgoing: back })
}

/// One end of a connection in memory. Made by [`duplex`].
///
/// Dropping it ends the connection: the other end reads what was written before, and then zero, and its
/// writes say `BrokenPipe`.
pub struct DuplexStream {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
}

impl DuplexStream {
    /// Reads what there is, up to the buffer's length; waits if there is nothing. Zero means that the
    /// other end has written all it will, or that the buffer is empty.
    ///
    /// # Errors
    ///
    /// None.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no byte.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut turn = Turn { pipe: &self.incoming, number: None };
        poll_fn(|cx| turn.pipe.poll_read(cx, &mut turn.number, buffer)).await
    }

    /// Writes what fits, and says how much; waits if nothing does.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` if the other end is dropped or reads no more, or this end's writing side has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready has written nothing.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut turn = Turn { pipe: &self.outgoing, number: None };
        poll_fn(|cx| turn.pipe.poll_write(cx, &mut turn.number, bytes)).await
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    ///
    /// # Cancel safety
    ///
    /// **Not** cancel-safe: dropping the future before it is ready may have written any part.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        loop {
            // An empty slice is written, too: each write counts as an operation, so a loop of them lets others run.
            let written = self.write(bytes).await?;
            bytes = &bytes[written..];
            if bytes.is_empty() {
                return Ok(());
            }
        }
    }

    /// Ends the reading side, the writing side or both. The other end of an ended writing side reads to
    /// the end and then gets zero.
    ///
    /// # Errors
    ///
    /// None.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how != Shutdown::Write {
            self.incoming.end();
        }
        if how != Shutdown::Read {
            self.outgoing.end();
        }
        Ok(())
    }
}

impl Drop for DuplexStream {
    fn drop(&mut self) {
        self.incoming.end();
        self.outgoing.end();
    }
}

/// One direction.
struct Pipe {
    max: usize,
    state: Mutex<State>,
}

struct State {
    bytes: VecDeque<u8>,
    /// Nothing more will be written.
    has_ended: bool,
    /// Those who wait, for bytes or for room. All are woken by every change, which is simple, and at worst one poll
    /// too many.
    waiting: Waiters,
}

/// A future's wait for a pipe. When it is dropped, it takes its waker along.
struct Turn<'a> {
    pipe: &'a Pipe,
    /// Its number, once it waits.
    number: Option<Number>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let waker = self.pipe.lock().waiting.forget(number);
            drop(waker);
        }
    }
}

impl Pipe {
    fn new(max: usize) -> Self {
        Self { max, state: Mutex::new(State { bytes: VecDeque::new(), has_ended: false, waiting: Waiters::new() }) }
    }

    fn poll_read(
        &self,
        cx: &mut Context<'_>,
        number: &mut Option<Number>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return poll_nothing(cx);
        }
        self.poll_with(cx, number, |state| {
            let count = buffer.len().min(state.bytes.len());
            if count == 0 && !state.has_ended {
                return None;
            }
            Some(state.bytes.read_exact(&mut buffer[..count]).map(|()| count))
        })
    }

    fn poll_write(&self, cx: &mut Context<'_>, number: &mut Option<Number>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return poll_nothing(cx);
        }
        self.poll_with(cx, number, |state| {
            let count = bytes.len().min(self.max - state.bytes.len());
            if state.has_ended {
                return Some(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if count == 0 {
                return None;
            }
            state.bytes.extend(&bytes[..count]);
            Some(Ok(count))
        })
    }

    /// Attempts, and where nothing can be done, leaves the waker, and numbers a waiter that has no number yet. Wakers
    /// are foreign code: they are cloned before the lock is taken, and woken and dropped after it is released.
    fn poll_with<R>(
        &self,
        cx: &mut Context<'_>,
        number: &mut Option<Number>,
        attempt: impl FnOnce(&mut State) -> Option<R>,
    ) -> Poll<R> {
        let core = current();
        if core.as_ref().is_some_and(|core| core.must_yield(cx)) {
            return Poll::Pending;
        }
        let waker = cx.waker().clone();
        let mut state = self.lock();
        let Some(result) = attempt(&mut state) else {
            let number = *number.get_or_insert_with(|| state.waiting.new_number());
            let (_replaced, gone) = state.waiting.leave(core.as_deref(), number, waker);
            drop(state);
            gone.into_iter().for_each(Waker::wake);
            return Poll::Pending;
        };
        wake_all(state);
        if let Some(core) = core {
            core.spend();
        }
        Poll::Ready(result)
    }

    fn end(&self) {
        let mut state = self.lock();
        state.has_ended = true;
        wake_all(state);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake_all(mut state: MutexGuard<'_, State>) {
    let waiting = state.waiting.take();
    drop(state);
    waiting.for_each(Waker::wake);
}

macro_rules! impl_io {
    ($type:ty, $reader:expr, $writer:expr) => {
        impl AsyncRead for $type {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
                self.incoming.poll_read(cx, &mut Some($reader), buffer)
            }
        }

        impl AsyncWrite for $type {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                self.outgoing.poll_write(cx, &mut Some($writer), bytes)
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.shutdown(Shutdown::Write))
            }
        }
    };
}

impl_io!(DuplexStream, Number::READER, Number::WRITER);
impl_io!(&DuplexStream, Number::SHARER, Number::SHARER);

impl fmt::Debug for DuplexStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits = |pipe: &Pipe| pipe.lock().bytes.len();
        f.debug_struct("DuplexStream")
            .field("bytes_to_read", &waits(&self.incoming))
            .field("bytes_to_be_read", &waits(&self.outgoing))
            .finish()
    }
}
