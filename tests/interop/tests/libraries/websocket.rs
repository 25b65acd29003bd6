//! async-tungstenite: WebSockets on plain connections, and on those that hyper has upgraded.

use std::convert::Infallible;

use async_tungstenite::tungstenite::handshake::derive_accept_key;
use async_tungstenite::tungstenite::protocol::Role;
use async_tungstenite::tungstenite::{Error, Message};
use async_tungstenite::{WebSocketStream, accept_async, client_async};
use futures_lite::{AsyncRead, AsyncWrite, StreamExt};
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, body::Incoming};
use oneloop::interop::hyper::Io;
use oneloop::net::TcpStream;

use crate::support::{Server, listen, pattern, run, serve_http1};

/// Sends every message back, until the client closes.
async fn echo(mut socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>) -> Result<(), Error> {
    while let Some(message) = socket.next().await {
        if let message @ (Message::Text(_) | Message::Binary(_)) = message? {
            socket.send(message).await?;
        }
    }
    Ok(())
}

/// Says hello, sends a message of many frames' worth, and closes in order.
async fn converse(server: &Server) {
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let (mut socket, response) = client_async("ws://localhost/echo", stream).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    for message in [Message::text("hello"), Message::binary(pattern(1 << 20)), Message::text("")] {
        socket.send(message.clone()).await.unwrap();
        assert!(socket.next().await.unwrap().unwrap() == message);
    }
    socket.close(None).await.unwrap();
    while let Some(message) = socket.next().await {
        assert!(message.unwrap().is_close());
    }
}

#[test]
fn messages_come_back_on_a_plain_connection() {
    run(async {
        let server = listen(|stream| async {
            echo(accept_async(stream).await.unwrap()).await.unwrap();
        })
        .await;
        converse(&server).await;
    });
}

/// Answers with the switch to WebSocket, and goes on in a task once hyper has let go of the connection.
async fn upgrade(mut request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let key = request.headers().get(SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let Some(key) = key else {
        return Ok(Response::builder().status(StatusCode::UPGRADE_REQUIRED).body(String::new()).unwrap());
    };
    let upgraded = hyper::upgrade::on(&mut request);
    oneloop::spawn(async move {
        let connection = Io::new(upgraded.await.unwrap());
        echo(WebSocketStream::from_raw_socket(connection, Role::Server, None).await).await.unwrap();
    });
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, key);
    Ok(response.body(String::new()).unwrap())
}

#[test]
fn messages_come_back_on_a_connection_that_hyper_has_upgraded() {
    run(async {
        let server = serve_http1(service_fn(upgrade)).await;
        converse(&server).await;
    });
}
