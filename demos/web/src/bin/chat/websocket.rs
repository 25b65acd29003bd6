//! The door for browsers: WebSocket, on a connection that hyper has upgraded.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use async_tungstenite::tungstenite::handshake::derive_accept_key;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use async_tungstenite::tungstenite::{Bytes, Error, Message};
use async_tungstenite::{WebSocketReceiver, WebSocketSender, WebSocketStream};
use futures_lite::future::{or, race};
use futures_lite::{AsyncRead, AsyncWrite, StreamExt};
use hyper::StatusCode;
use hyper::header::{CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use oneloop::time::interval;
use oneloop_web_demos::farewell::part;

use crate::server::Place;
use crate::{Line, Seat, Talk};

/// How long a message may be, in bytes, and a frame of it.
const MESSAGE_MAX: usize = 4 * 1024;
/// How much may wait to be written before the connection counts as full.
const WRITE_MAX: usize = 64 * 1024;

/// The answer to a handshake's key; or the status for one that is no handshake, and what is wrong with it.
pub(crate) fn accept(head: &HeaderMap) -> Result<String, (StatusCode, &'static str)> {
    let says = |name, word: &str| {
        let values = head.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(word))
    };
    if !says(CONNECTION, "upgrade") || !says(UPGRADE, "websocket") {
        return Err((StatusCode::UPGRADE_REQUIRED, "this address speaks WebSocket\n"));
    }
    if !says(SEC_WEBSOCKET_VERSION, "13") {
        return Err((StatusCode::UPGRADE_REQUIRED, "this server speaks version 13 of WebSocket\n"));
    }
    // Sixteen bytes in base64 (RFC 6455, section 4.1).
    let key = head.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
    let is_key = |key: &&[u8]| {
        let (letters, end) = key.split_at(key.len().min(22));
        end == b"==" && letters.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte))
    };
    match key.filter(is_key) {
        Some(key) => Ok(derive_accept_key(key)),
        None => Err((StatusCode::BAD_REQUEST, "the key of the handshake is not sixteen bytes in base64\n")),
    }
}

/// Talks until the client leaves, loses its place, breaks the protocol, or answers no more.
pub(crate) async fn serve<T: AsyncRead + AsyncWrite + Unpin>(
    connection: T,
    (seat, place): (Seat, &Place),
    name: &str,
    past: &[Rc<Line>],
    ping: Duration,
) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX))
        .read_buffer_size(MESSAGE_MAX)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_MAX);
    let socket = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await;
    let (mut sender, mut receiver) = socket.split();
    let unanswered = Cell::new(0);
    let speaks = speak(&mut receiver, (&seat, place), name, &unanswered);
    // Two halves of one client: neither waits for the other.
    let end = race(speaks, listen(&mut sender, &seat, past, ping, &unanswered)).await;
    drop(seat);
    part((sender, receiver), end).await;
}

async fn speak<T: AsyncRead + AsyncWrite + Unpin>(
    receiver: &mut WebSocketReceiver<T>,
    (seat, place): (&Seat, &Place),
    name: &str,
    unanswered: &Cell<u32>,
) -> Result<Option<CloseFrame>, Error> {
    let mut talk = Talk::new();
    while let Some(message) = receiver.next().await {
        // The client is there, whatever it says.
        unanswered.set(0);
        place.has_spoken();
        match message? {
            Message::Text(text) if text.trim().is_empty() => {}
            Message::Text(text) if talk.may_say() => seat.room.say(name, &text).await,
            Message::Text(_) => seat.whisper("you talk too fast; that was not sent"),
            // A frame of close is answered by the read after it, which is the last.
            _ => {}
        }
    }
    Ok(None)
}

async fn listen<T: AsyncRead + AsyncWrite + Unpin>(
    sender: &mut WebSocketSender<T>,
    seat: &Seat,
    past: &[Rc<Line>],
    ping: Duration,
    unanswered: &Cell<u32>,
) -> Result<Option<CloseFrame>, Error> {
    for line in past {
        sender.send(Message::text(json(line))).await?;
    }
    let mut pings = interval(ping);
    loop {
        let time = async {
            pings.tick().await;
            None
        };
        match or(async { Some(seat.next().await) }, time).await {
            Some(Some(line)) => sender.send(Message::text(json(&line))).await?,
            Some(None) => {
                return Ok(Some(CloseFrame { code: CloseCode::Away, reason: seat.farewell().into() }));
            }
            None if unanswered.replace(unanswered.get() + 1) == 2 => return Ok(None),
            None => sender.send(Message::Ping(Bytes::new())).await?,
        }
    }
}

/// A line as browsers get it.
pub(crate) fn json(line: &Line) -> String {
    serde_json::to_string(line).unwrap_or_default()
}
