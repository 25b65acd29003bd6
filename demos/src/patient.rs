//! A connection that is given up when its peer takes nothing for too long. So no write of any protocol above
//! it can wait for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_lite::{AsyncRead, AsyncWrite};
use oneloop::time::{Sleep, sleep};

/// A connection whose writes have a deadline.
pub struct Patient<T> {
    inner: T,
    limit: Duration,
    /// Since a write found the connection full.
    waits: Option<Sleep>,
}

impl<T> Patient<T> {
    /// Gives up when a write has waited for longer than `limit`.
    pub fn new(inner: T, limit: Duration) -> Self {
        Self { inner, limit, waits: None }
    }

    /// The connection inside.
    pub fn into_inner(self) -> T {
        self.inner
    }

    /// The outcome of a write, or an error if nothing has come of any for too long.
    fn judge<R>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if outcome.is_ready() {
            self.waits = None;
            return outcome;
        }
        let limit = self.limit;
        let wait = self.waits.get_or_insert_with(|| sleep(limit));
        match Pin::new(wait).poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads nothing"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Patient<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Patient<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.judge(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(cx);
        self.judge(cx, outcome)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_close(cx);
        self.judge(cx, outcome)
    }
}
