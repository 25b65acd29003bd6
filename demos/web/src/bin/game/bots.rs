//! Bots: clients as a browser is one, which wander about.

use std::net::SocketAddr;
use std::time::Duration;

use async_tungstenite::client_async;
use async_tungstenite::tungstenite::{Error, Message};
use futures_lite::StreamExt;
use futures_lite::future::race;
use oneloop::net::TcpStream;
use oneloop::time::sleep;

/// Plays for as long as there is a game. A bot that is sent away tries again.
pub(crate) async fn play_along(number: u32, addr: SocketAddr) {
    loop {
        // A bot does not mind, whatever went wrong.
        let _ = play(number, addr).await;
        sleep(Duration::from_millis(fastrand::u64(500..1500))).await;
    }
}

async fn play(number: u32, addr: SocketAddr) -> Result<(), Error> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let (socket, _) = client_async(format!("ws://{addr}/ws?name=bot+{number}"), stream).await?;
    let (mut sender, mut receiver) = socket.split();
    let watch = async {
        while let Some(frame) = receiver.next().await {
            frame?;
        }
        Ok(())
    };
    let wander = async {
        loop {
            sleep(Duration::from_millis(fastrand::u64(200..1200))).await;
            let wish = *fastrand::choice(&["u", "d", "l", "r", "u", "d", "l", "r", " "]).unwrap_or(&"u");
            sender.send(Message::text(wish)).await?;
        }
    };
    race(watch, wander).await
}
