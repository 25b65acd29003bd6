//! The door: the page, and the switch to WebSocket. A client that talks too fast is not heard, and then hung up on.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;

use async_tungstenite::tungstenite::handshake::server::create_response_with_body;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use async_tungstenite::tungstenite::{Bytes, Error, Message};
use async_tungstenite::{WebSocketReceiver, WebSocketSender, WebSocketStream};
use futures_lite::future::{or, race};
use futures_lite::{AsyncRead, AsyncWrite, StreamExt};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use oneloop::interop::hyper::{Io, Timer};
use oneloop::task::Builder;
use oneloop::time::{Instant, interval, timeout};
use oneloop_demos::Patient;
use oneloop_demos::server::Client;
use oneloop_web_demos::farewell::part;
use oneloop_web_demos::house::{is_at_home, make_a_page, why_refused};

use crate::Seat;
use crate::house::House;
use crate::world::{Wish, short};

/// How long the head of a request may be, and a message, in bytes.
const HEAD_MAX: usize = 16 * 1024;
const MESSAGE_MAX: usize = 80;
/// How much may wait to be written before a connection counts as full.
const WRITE_MAX: usize = 64 * 1024;

pub(crate) async fn serve(guest: Client, house: Rc<House>) {
    let guest = Rc::new(guest);
    let mut http = http1::Builder::new();
    http.timer(Timer).header_read_timeout(house.args.patience).max_buf_size(HEAD_MAX);
    let stream = Patient::new(guest.connection(), house.args.patience);
    let answer = service_fn(|request| answer(request, Rc::clone(&guest), Rc::clone(&house)));
    let mut connection = pin!(http.serve_connection(Io::new(stream), answer).with_upgrades());
    let stopped = async {
        house.stopped().await;
        None
    };
    // An error is the client's: it has gone, or does not speak HTTP.
    if or(async { Some(connection.as_mut().await) }, stopped).await.is_none() {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

type Reply = Response<Full<Bytes>>;

async fn answer(request: Request<Incoming>, guest: Rc<Client>, house: Rc<House>) -> Result<Reply, Infallible> {
    if let Some(why) = why_refused(&request) {
        return Ok(text(StatusCode::BAD_REQUEST, why));
    }
    if let Err(why) = is_at_home(&request, house.args.addr, &house.args.host) {
        return Ok(text(StatusCode::FORBIDDEN, why));
    }
    Ok(match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/") => page(),
        (&Method::GET, "/ws") => join(request, guest, &house),
        (_, "/" | "/ws") => text(StatusCode::METHOD_NOT_ALLOWED, "not by this method\n"),
        _ => text(StatusCode::NOT_FOUND, "there is the page /, and /ws\n"),
    })
}

/// Lets a client play, on a connection that hyper hands over once it has let go of it.
fn join(mut request: Request<Incoming>, guest: Rc<Client>, house: &Rc<House>) -> Reply {
    let response = match create_response_with_body(&request, Full::default) {
        Ok(response) => response,
        Err(error) => return text(StatusCode::BAD_REQUEST, format!("no handshake of WebSocket: {error}\n")),
    };
    let busy = |why: &'static str| {
        let mut response = text(StatusCode::SERVICE_UNAVAILABLE, why);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        response
    };
    if !house.gate.borrow_mut().may() {
        return busy("many come at once; try again in a second\n");
    }
    let query = request.uri().query().unwrap_or("").to_owned();
    let parameter = |name: &str| {
        let found = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let name = short(&parameter("name"));
    let seat = match house.game.enter(&name, &parameter("token")) {
        Ok(seat) => seat,
        Err(why) => return busy(why),
    };
    let (upgraded, args) = (hyper::upgrade::on(&mut request), house.args.clone());
    drop(Builder::new().name(format!("player {}, {name}", seat.id)).spawn(async move {
        if let Ok(Ok(connection)) = timeout(args.patience, upgraded).await {
            // An error is the client's: it has gone, or broke the protocol.
            let _ = timeout(args.lifetime, look_on(Io::new(connection), seat, &guest, args.ping)).await;
        }
    }));
    response
}

/// Plays until the client leaves, loses its place, breaks the protocol, or answers no more.
async fn look_on<T: AsyncRead + AsyncWrite + Unpin>(
    connection: T,
    seat: Seat,
    guest: &Client,
    ping: std::time::Duration,
) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX))
        .read_buffer_size(1024)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_MAX);
    let socket = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await;
    let (mut sender, mut receiver) = socket.split();
    let silent = Cell::new(0);
    // Two halves of one client: neither waits for the other.
    let end = race(hear(&mut receiver, &seat, guest, &silent), show(&mut sender, &seat, ping, &silent)).await;
    drop(seat);
    let end = end.map(|why| why.map(|why| CloseFrame { code: CloseCode::Policy, reason: why.into() }));
    part((sender, receiver), end).await;
}

/// Hears what the client wishes, as far as it may wish. Returns why it is hung up on, if it is.
async fn hear<T: AsyncRead + AsyncWrite + Unpin>(
    receiver: &mut WebSocketReceiver<T>,
    seat: &Seat,
    guest: &Client,
    silent: &Cell<u32>,
) -> Result<Option<&'static str>, Error> {
    let (mut allowed, mut refused) = (Bucket::new(40.0, 30.0), Bucket::new(300.0, 30.0));
    while let Some(message) = receiver.next().await {
        // The client is there, whatever it says.
        silent.set(0);
        let wish = match message? {
            Message::Text(text) => Some(Wish::read(text.as_bytes())),
            Message::Binary(bytes) => Some(Wish::read(&bytes)),
            _ => None,
        };
        match wish {
            _ if !allowed.may() => {}
            Some(Some(wish)) => {
                guest.was_heard();
                seat.game.world.borrow_mut().wish(seat.id, wish);
                continue;
            }
            // A ping costs as much as a wish, and is heard. A frame of close is answered by the read after it.
            None => continue,
            Some(None) => {}
        }
        if !refused.may() {
            seat.game.counts.loud.set(seat.game.counts.loud.get() + 1);
            return Ok(Some("you talk too fast, or nonsense"));
        }
    }
    Ok(None)
}

/// Shows what happens.
async fn show<T: AsyncRead + AsyncWrite + Unpin>(
    sender: &mut WebSocketSender<T>,
    seat: &Seat,
    ping: std::time::Duration,
    silent: &Cell<u32>,
) -> Result<Option<&'static str>, Error> {
    let mut pings = interval(ping);
    loop {
        let time = async {
            pings.tick().await;
            None
        };
        match or(async { Some(seat.queue.recv().await) }, time).await {
            Some(Ok(frame)) => sender.send(frame).await?,
            Some(Err(_)) => {
                return Ok(Some("your place is taken: you read too slowly, came by another way, or all is over"));
            }
            None if silent.replace(silent.get() + 1) == 2 => return Ok(None),
            None => sender.send(Message::Ping(Bytes::new())).await?,
        }
    }
}

/// How often something may happen: so many times at once, and so many a second after that.
pub(crate) struct Bucket {
    left: f64,
    at_once: f64,
    a_second: f64,
    since: Instant,
}

impl Bucket {
    pub(crate) fn new(at_once: f64, a_second: f64) -> Self {
        Self { left: at_once, at_once, a_second, since: Instant::now() }
    }

    pub(crate) fn may(&mut self) -> bool {
        let now = Instant::now();
        let earned = now.duration_since(self.since).as_secs_f64() * self.a_second;
        (self.left, self.since) = ((self.left + earned).min(self.at_once), now);
        let may = self.left >= 1.0;
        self.left -= f64::from(u8::from(may));
        may
    }
}

fn page() -> Reply {
    let mut response = text(StatusCode::OK, include_str!("page.html"));
    make_a_page(&mut response);
    response
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
