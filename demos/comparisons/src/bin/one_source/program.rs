//! The program: a server that counts words, its clients, and a clock that runs beside them. It names no
//! runtime; `rt` beside it is whichever one it is compiled for.

use std::io;
use std::time::Duration;

use futures_util::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::rt;

/// Everything that is worth a line, in an order that does not depend on who was quicker.
pub(crate) async fn program(clients: usize, words: usize) -> Vec<String> {
    let listener = rt::listen().await.expect("loopback has a port");
    let addr = rt::address(&listener);
    let server = rt::spawn(async move {
        let mut total = 0;
        let mut talks = Vec::new();
        for _ in 0..clients {
            let stream = rt::accept(&listener).await.expect("a client comes");
            talks.push(rt::spawn(serve(stream)));
        }
        for talk in talks {
            total += rt::join(talk).await.expect("a client says goodbye");
        }
        total
    });
    let clock = rt::spawn(async {
        for _ in 0..3 {
            rt::sleep(Duration::from_millis(1)).await;
        }
        "the clock has ticked three times".to_owned()
    });
    let talks: Vec<_> = (0..clients).map(|n| rt::spawn(client(n, words, addr))).collect();
    let mut transcript = Vec::new();
    for talk in talks {
        transcript.push(rt::join(talk).await.unwrap_or_else(|error| format!("a client failed: {:?}", error.kind())));
    }
    transcript.push(format!("the server has counted {} words", rt::join(server).await));
    transcript.push(rt::join(clock).await);
    let refused = rt::connect(addr).await.err().map(|error| error.kind());
    transcript.push(format!("who comes now is told {refused:?}"));
    transcript
}

/// Answers each word with its number, until there are no more. Returns how many there were.
async fn serve(stream: rt::Stream) -> io::Result<usize> {
    let (reader, mut writer) = AsyncReadExt::split(stream);
    let (mut reader, mut line, mut count) = (BufReader::new(reader), String::new(), 0);
    while reader.read_line(&mut line).await? > 0 {
        count += 1;
        writer.write_all(format!("{count} {line}").as_bytes()).await?;
        line.clear();
    }
    writer.close().await?;
    Ok(count)
}

/// Says words, one after the other, and tells what it has heard.
async fn client(number: usize, words: usize, addr: std::net::SocketAddr) -> io::Result<String> {
    let (reader, mut writer) = AsyncReadExt::split(rt::connect(addr).await?);
    let (mut reader, mut line) = (BufReader::new(reader), String::new());
    for word in 0..words {
        writer.write_all(format!("word {word} of {number}\n").as_bytes()).await?;
        line.clear();
        reader.read_line(&mut line).await?;
    }
    writer.close().await?;
    let rest = reader.read_line(&mut String::new()).await?;
    Ok(format!("client {number} has heard {:?} last, and then {rest} bytes", line.trim_end()))
}
