//! A body that may pause, but not for long: the other side is given up when no piece comes in time.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use oneloop::time::{Sleep, sleep};

/// Any error that a body may end in.
pub type AnyError = Box<dyn Error + Send + Sync>;

/// The error of a body whose next piece did not come in so much time.
#[derive(Debug)]
pub struct TooLate(pub Duration);

impl Error for TooLate {}

impl fmt::Display for TooLate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no byte came for {} s", self.0.as_secs_f64())
    }
}

/// A body of which each piece comes within a time. The time runs only while somebody waits for the piece: a
/// slow reader is no fault of the sender's.
#[derive(Debug)]
pub struct InTime<B> {
    body: B,
    limit: Duration,
    waits: Option<Sleep>,
}

impl<B> InTime<B> {
    /// A body whose pauses are `limit` long at most.
    pub fn new(body: B, limit: Duration) -> Self {
        Self { body, limit, waits: None }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for InTime<B>
where
    B::Error: Into<AnyError>,
{
    type Data = Bytes;
    type Error = AnyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.waits = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let limit = self.limit;
        match Pin::new(self.waits.get_or_insert_with(|| sleep(limit))).poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(TooLate(limit).into()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
