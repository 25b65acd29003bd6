//! The end of a talk by WebSocket: a code that says why, and no reset that takes it away.

use async_tungstenite::tungstenite::error::ProtocolError;
use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::{Error, Utf8Bytes};
use async_tungstenite::{WebSocketReceiver, WebSocketSender, WebSocketStream};
use futures_lite::{AsyncRead, AsyncWrite};
use oneloop_demos::server::linger;

/// Tells the client why the talk ends, if it is to hear it, and takes what it still sends.
///
/// The frame has the deadline that writes on the connection have; what is taken has a bound and a time.
pub async fn part<T: AsyncRead + AsyncWrite + Unpin>(
    (mut sender, receiver): (WebSocketSender<T>, WebSocketReceiver<T>),
    end: Result<Option<CloseFrame>, Error>,
) {
    let Some(why) = end.unwrap_or_else(|error| blame(&error)) else { return };
    if sender.close(Some(why)).await.is_ok() {
        if let Ok(socket) = WebSocketStream::reunite(sender, receiver) {
            linger(socket.into_inner()).await;
        }
    }
}

/// The code for a client that broke the protocol; none where it has gone. Source: RFC 6455, section 7.4.1.
fn blame(error: &Error) -> Option<CloseFrame> {
    let (code, reason) = match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return None,
        Error::Protocol(broken) => (CloseCode::Protocol, broken.to_string().into()),
        Error::Capacity(_) => (CloseCode::Size, Utf8Bytes::from_static("the message is too long")),
        Error::Utf8(_) => (CloseCode::Invalid, Utf8Bytes::from_static("the text is not UTF-8")),
        _ => return None,
    };
    Some(CloseFrame { code, reason })
}
