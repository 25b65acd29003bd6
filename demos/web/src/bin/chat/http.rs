//! The doors by HTTP: the page, WebSocket, events, long poll, and a word by POST.
//!
//! The room is shown to, and changed by, those only who ask for this server by its own name, from its own
//! page: a page of somebody else's that is open in the same browser gets nothing.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_lite::Stream;
use futures_lite::future::or;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use oneloop::interop::hyper::{Io, Timer};
use oneloop::task::Builder;
use oneloop::time::{Sleep, sleep, timeout};
use oneloop_web_demos::house::{is_at_home, make_a_page, why_refused};

use crate::names::name_or;
use crate::server::{Args, Guest, Place};
use crate::{Line, Room, Seat, Talk, websocket};

/// How long a request's head may be, in bytes, and what is said by POST.
const HEAD_MAX: usize = 16 * 1024;
const WORD_MAX: usize = 4 * 1024;
/// How long a long poll waits for something to be said.
const LONG_POLL: Duration = Duration::from_secs(25);
/// How often a stream of events shows that it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(crate) async fn serve(guest: Guest) {
    let Guest { stream, room, args, stop, place } = guest;
    let talk = Rc::new(std::cell::RefCell::new(Talk::new()));
    let visit = Visit { room, args: Rc::clone(&args), place, talk };
    let mut http = http1::Builder::new();
    http.timer(Timer).header_read_timeout(args.patience).max_buf_size(HEAD_MAX);
    let answer = service_fn(|request| answer(request, visit.clone()));
    let mut connection = pin!(http.serve_connection(Io::new(stream), answer).with_upgrades());
    let stopped = async {
        let _ = stop.recv().await;
        None
    };
    // An error is the client's: it has gone, or does not speak HTTP.
    if or(async { Some(connection.as_mut().await) }, stopped).await.is_none() {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

/// The state that the requests of one connection share.
#[derive(Clone)]
struct Visit {
    room: Rc<Room>,
    args: Rc<Args>,
    place: Rc<Place>,
    talk: Rc<std::cell::RefCell<Talk>>,
}

async fn answer(request: Request<Incoming>, visit: Visit) -> Result<Response<Reply>, Infallible> {
    visit.place.has_spoken();
    if let Some(why) = why_refused(&request) {
        return Ok(text(StatusCode::BAD_REQUEST, why));
    }
    if let Err(why) = is_at_home(&request, visit.args.addr, &visit.args.host) {
        return Ok(text(StatusCode::FORBIDDEN, why));
    }
    let response = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/") => page(),
        (&Method::GET, "/ws") => upgrade(request, visit),
        (&Method::GET, "/events") => events(&request, &visit),
        (&Method::GET, "/poll") => poll(&request, &visit).await,
        (&Method::POST, "/say") => say(request, &visit).await,
        (_, path @ ("/" | "/ws" | "/events" | "/poll" | "/say")) => {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "not by this method\n");
            let allowed = if path == "/say" { "POST" } else { "GET" };
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            response
        }
        _ => text(StatusCode::NOT_FOUND, "there is the page /, and /ws, /events, /poll and /say\n"),
    };
    Ok(response)
}

fn page() -> Response<Reply> {
    let mut response = Response::new(Reply::Whole(Some(Bytes::from_static(include_bytes!("page.html")))));
    make_a_page(&mut response);
    response
}

/// The switch to WebSocket. The connection is handed over once hyper has let go of it.
fn upgrade(mut request: Request<Incoming>, visit: Visit) -> Response<Reply> {
    let key = match websocket::accept(request.headers()) {
        Ok(key) => key,
        Err((status, why)) => {
            let mut response = text(status, why);
            if status == StatusCode::UPGRADE_REQUIRED {
                response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
                response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            return response;
        }
    };
    let (seat, given) = (visit.room.enter(), parameter(&request, "name"));
    let name = name_or(&given, || seat.guest());
    if name != given && !given.is_empty() {
        seat.whisper(&format!("welcome, {name}"));
    }
    // A client that has been here before asks for what was said meanwhile.
    let since = Some(parameter(&request, "since")).filter(|since| !since.is_empty());
    let past = since.map(|since| visit.room.since(&since)).unwrap_or_default();
    let upgraded = hyper::upgrade::on(&mut request);
    let task = Builder::new().name(format!("client {}, {name}", seat.number));
    drop(task.spawn(async move {
        let Visit { args, place, .. } = visit;
        if let Ok(Ok(connection)) = timeout(args.patience, upgraded).await {
            let whole = websocket::serve(Io::new(connection), (seat, &place), &name, &past, args.ping);
            // An error is the client's: it has gone, or broke the protocol.
            or(place.has_to_go(), async { timeout(args.lifetime, whole).await.unwrap_or(()) }).await;
        }
    }));
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, key);
    response.body(Reply::Whole(None)).unwrap_or_else(|_| text(StatusCode::BAD_REQUEST, "no such key\n"))
}

fn events(request: &Request<Incoming>, visit: &Visit) -> Response<Reply> {
    let seat = Box::pin(visit.room.enter());
    // A browser that comes back says by itself what it has heard last.
    let last = request.headers().get("last-event-id").and_then(|last| last.to_str().ok()).unwrap_or_default();
    let past = visit.room.since(last).iter().map(|line| event(line)).collect::<String>();
    let mut response = Response::new(Reply::Events(Events {
        past: Some(past),
        queue: Box::pin(seat.queue.clone()),
        _seat: seat,
        silence: sleep(KEEP_ALIVE),
    }));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Answers with what was said after `since`, and waits for it if there is nothing yet.
async fn poll(request: &Request<Incoming>, visit: &Visit) -> Response<Reply> {
    let since = parameter(request, "since");
    if since.is_empty() {
        return text(StatusCode::BAD_REQUEST, "since which line? Ask for /poll?since=0, and later with a line's id\n");
    }
    // First the place, then the look: what is said in between is in the queue.
    let seat = visit.room.enter();
    let mut lines = visit.room.since(&since);
    let said = async {
        // The room's own words are not remembered, and nobody waits for them.
        while lines.is_empty() && seat.next().await.is_some() {
            lines = visit.room.since(&since);
        }
    };
    let _ = timeout(LONG_POLL, said).await;
    let lines: Vec<&Line> = lines.iter().map(|line| &**line).collect();
    let mut response = text(StatusCode::OK, serde_json::to_string(&lines).unwrap_or_default() + "\n");
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn too_long() -> Response<Reply> {
    text(StatusCode::PAYLOAD_TOO_LARGE, format!("say it in {WORD_MAX} bytes\n"))
}

/// A word by POST, as with `curl -d`.
async fn say(request: Request<Incoming>, visit: &Visit) -> Response<Reply> {
    let given = parameter(&request, "name");
    let name = name_or(&given, || "somebody".to_owned());
    // A promise of more is refused as it stands.
    if request.body().size_hint().lower() > WORD_MAX as u64 {
        return too_long();
    }
    let word = match timeout(visit.args.patience, Limited::new(request.into_body(), WORD_MAX).collect()).await {
        Ok(Ok(word)) => word.to_bytes(),
        Ok(Err(_)) => return too_long(),
        Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "that took too long\n"),
    };
    if !visit.talk.borrow_mut().may_say() {
        return text(StatusCode::TOO_MANY_REQUESTS, "you talk too fast; that was not sent\n");
    }
    visit.room.say(&name, &String::from_utf8_lossy(&word)).await;
    text(StatusCode::OK, if name == given { "said\n".to_owned() } else { format!("said, by {name}\n") })
}

/// A parameter of the request's query, or nothing.
fn parameter(request: &Request<Incoming>, name: &str) -> String {
    let query = request.uri().query().unwrap_or("").as_bytes();
    let found = form_urlencoded::parse(query).find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Reply> {
    let mut response = Response::new(Reply::Whole(Some(text.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// A line as an event. Its text is JSON, so no line of it can be taken for another field.
fn event(line: &Line) -> String {
    let id = if line.id.is_empty() { String::new() } else { format!("id: {}\n", line.id) };
    format!("{id}data: {}\n\n", websocket::json(line))
}

/// An answer.
enum Reply {
    Whole(Option<Bytes>),
    Events(Events),
}

impl Reply {
    /// Bytes that are there as a whole.
    fn length(&self) -> Option<usize> {
        match self {
            Self::Whole(whole) => Some(whole.as_ref().map_or(0, Bytes::len)),
            Self::Events(_) => None,
        }
    }
}

/// A stream of events: what was said before, and then what is said.
struct Events {
    past: Option<String>,
    queue: Pin<Box<async_channel::Receiver<Rc<Line>>>>,
    _seat: Pin<Box<Seat>>,
    silence: Sleep,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = |text: String| Poll::Ready(Some(Ok(Frame::data(text.into()))));
        let events = match &mut *self {
            Self::Whole(whole) => return Poll::Ready(whole.take().map(|whole| Ok(Frame::data(whole)))),
            Self::Events(events) => events,
        };
        if let Some(past) = events.past.take().filter(|past| !past.is_empty()) {
            return frame(past);
        }
        match events.queue.as_mut().poll_next(cx) {
            Poll::Ready(Some(line)) => frame(event(&line)),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending if Pin::new(&mut events.silence).poll(cx).is_ready() => {
                events.silence = sleep(KEEP_ALIVE);
                frame(": still here\n\n".to_owned())
            }
            Poll::Pending => Poll::Pending,
        }
    }
    fn is_end_stream(&self) -> bool {
        self.length() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.length().map_or_else(SizeHint::default, |length| SizeHint::with_exact(length as u64))
    }
}
