//! Bodies on their way through: read when the other side has room, and never before. So the slower side sets the
//! pace, and memory holds a buffer of each and no more.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use oneloop_web_demos::pool::Lease;
use oneloop_web_demos::slowly::{AnyError, InTime, TooLate};

use crate::trace::{Refusal, Trace};

/// A request's body, from the client to the upstream.
#[derive(Debug)]
pub(crate) struct Upload {
    body: Option<InTime<Incoming>>,
    news: Option<News>,
}

/// Tells the other end how sending went: closed when it is over.
#[derive(Debug)]
struct News {
    is_whole: Rc<Cell<bool>>,
    failure: Rc<Cell<Option<StatusCode>>>,
    _open: Sender<Infallible>,
}

/// Whether a request's body has been sent.
pub(crate) struct Sent {
    is_whole: Rc<Cell<bool>>,
    failure: Rc<Cell<Option<StatusCode>>>,
    open: Box<Receiver<Infallible>>,
}

impl Sent {
    /// Waits until nothing more of it is sent.
    pub(crate) async fn wait(&self) {
        let _ = self.open.recv().await;
    }

    /// How the client failed to send it, if it did: too slowly, or in a form that is none.
    pub(crate) fn failure(&self) -> Option<StatusCode> {
        self.failure.get()
    }
}

impl Upload {
    pub(crate) fn of(body: Incoming, patience: Duration) -> (Self, Sent) {
        let (sender, open) = async_channel::bounded(1);
        let (is_whole, failure) = (Rc::new(Cell::new(body.is_end_stream())), Rc::default());
        let news = News { is_whole: Rc::clone(&is_whole), failure: Rc::clone(&failure), _open: sender };
        let news = (!body.is_end_stream()).then_some(news);
        (Self { body: Some(InTime::new(body, patience)), news }, Sent { is_whole, failure, open: Box::new(open) })
    }

    /// The body of a request that has none.
    pub(crate) fn nothing() -> Self {
        Self { body: None, news: None }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = AnyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnyError>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
        let is_over = frame.is_none() || body.is_end_stream();
        match (&frame, &self.news) {
            (Some(Err(error)), Some(news)) => {
                let status = if error.is::<TooLate>() { StatusCode::REQUEST_TIMEOUT } else { StatusCode::BAD_REQUEST };
                news.failure.set(Some(status));
            }
            (_, Some(news)) if is_over => news.is_whole.set(true),
            _ => return Poll::Ready(frame),
        }
        self.news = None;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// An answer's body, from the upstream to the client, with what ends when it does.
pub(crate) enum Download {
    Passing { body: InTime<Incoming>, lease: Option<Lease<Upload>>, sent: Sent, trace: Trace },
    Told { text: Option<Bytes>, trace: Trace },
}

impl Download {
    pub(crate) fn of(body: Incoming, patience: Duration, lease: Lease<Upload>, sent: Sent, trace: Trace) -> Self {
        let mut passing = Self::Passing { body: InTime::new(body, patience), lease: Some(lease), sent, trace };
        passing.ends_if_it_is_over(false);
        passing
    }

    pub(crate) fn refused(refusal: Refusal, mut trace: Trace) -> Response<Self> {
        let text = Bytes::from(refusal.told());
        (trace.status, trace.problem) = (refusal.status, Some(refusal.why));
        let mut response = Response::new(Self::Told { text: Some(text), trace });
        *response.status_mut() = refusal.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response
    }

    /// The connection is given back as soon as nothing of this answer is left on it, and nothing of the request.
    fn ends_if_it_is_over(&mut self, last: bool) {
        let Self::Passing { body, lease, sent, trace } = self else { return };
        if !last && !body.is_end_stream() {
            return;
        }
        trace.problem = None;
        if let Some(lease) = lease.take().filter(|_| sent.is_whole.get()) {
            lease.give_back();
        }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = AnyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnyError>>> {
        let frame = match &mut *self {
            Self::Passing { body, trace, lease, .. } => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                match &frame {
                    Some(Ok(piece)) => trace.bytes += piece.data_ref().map_or(0, |data| data.len() as u64),
                    Some(Err(error)) => {
                        trace.problem = Some(format!("the upstream broke off: {error}"));
                        *lease = None;
                        return Poll::Ready(frame);
                    }
                    None => {}
                }
                frame
            }
            Self::Told { text, trace } => {
                let text = text.take();
                trace.bytes += text.as_ref().map_or(0, |text| text.len() as u64);
                text.map(|text| Ok(Frame::data(text)))
            }
        };
        self.ends_if_it_is_over(frame.is_none());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Passing { body, .. } => body.is_end_stream(),
            Self::Told { text, .. } => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Passing { body, .. } => body.size_hint(),
            Self::Told { text, .. } => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
        }
    }
}
