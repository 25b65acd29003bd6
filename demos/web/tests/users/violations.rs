//! A client that breaks the protocol of WebSocket is told so by a code, and no reset takes that away.

use std::io::{Read, Write};
use std::net::TcpStream;

use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::{Error, Message, WebSocket, client};

use crate::support::{Demo, connect};

const CHAT: (&str, &[&str]) = (env!("CARGO_BIN_EXE_chat"), &["--tcp", "127.0.0.1:0"]);
const GAME: (&str, &[&str]) = (env!("CARGO_BIN_EXE_game"), &["--bots", "0"]);

/// Starts the demo, and gives it to clients one by one.
fn meet(&(program, args): &(&str, &[&str]), talk: impl Fn(&dyn Fn() -> WebSocket<TcpStream>)) {
    let mut demo = Demo::start(program, &[&["--addr", "127.0.0.1:0"], args].concat());
    let line = demo.line();
    let addr = line.split([' ', '/', ';']).find(|word| word.contains(':') && word.starts_with("127.")).unwrap();
    talk(&|| client(format!("ws://{addr}/ws?name=wendy"), connect(addr)).unwrap().0);
}

/// The code that the server closes with, and then the end of the connection.
fn code_of_close(socket: &mut WebSocket<TcpStream>) -> CloseCode {
    let code = loop {
        if let Message::Close(why) = socket.read().expect("a frame of close, and no reset") {
            break why.expect("the frame has a code").code;
        }
    };
    socket.get_mut().read_to_end(&mut Vec::new()).expect("no reset");
    code
}

/// A frame as a client sends it: masked, by zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126).unwrap();
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

#[test]
fn what_breaks_websocket_is_answered_by_its_code_of_close() {
    let pieces = [frame(0x01, &[b'x'; 80]), frame(0x00, &[b'x'; 80]).repeat(100)].concat();
    let violations = [
        ("no mask", vec![0x81, 2, b'h', b'i'], CloseCode::Protocol),
        ("a reserved bit", frame(0xC1, b"hi"), CloseCode::Protocol),
        ("an unknown kind", frame(0x83, b"hi"), CloseCode::Protocol),
        ("a piece of nothing", frame(0x80, b"hi"), CloseCode::Protocol),
        ("a close of one byte", frame(0x88, &[3]), CloseCode::Protocol),
        ("a long frame", vec![0x81, 0xFE, 0xFF, 0xFF, 0, 0, 0, 0], CloseCode::Size),
        ("a long message", pieces, CloseCode::Size),
        ("no UTF-8", frame(0x81, &[0xFF, 0xFE]), CloseCode::Invalid),
    ];
    for demo in [CHAT, GAME] {
        meet(&demo, |enter| {
            for (name, bytes, code) in &violations {
                let mut socket = enter();
                // All of it is there when it is refused: the kernel takes so much at once.
                socket.get_mut().write_all(&[bytes, &[b'x'; 20_000][..]].concat()).unwrap();
                assert_eq!(code_of_close(&mut socket), *code, "{} {name}", demo.0);
            }
        });
    }
}

#[test]
fn a_client_that_closes_is_answered_by_a_frame_of_close() {
    for demo in [CHAT, GAME] {
        meet(&demo, |enter| {
            let mut socket = enter();
            socket.close(None).unwrap();
            let end = std::iter::repeat_with(|| socket.read()).find_map(Result::err);
            assert!(matches!(end, Some(Error::ConnectionClosed)), "{} {end:?}", demo.0);
        });
    }
}
