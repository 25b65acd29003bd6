//! The other end of the socket workloads: blocking std sockets, so that every server meets the same peer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The size of one echo request, in bytes.
const MESSAGE_SIZE: usize = 64;
/// Connections that are opened without a pause.
const BURST: u64 = 64;

/// Opens `connections`, sends `requests` over them in rounds, checks each reply, and closes.
///
/// A round writes one message to every connection and then reads every reply; `think` passes before it.
///
/// # Errors
///
/// The sockets' own error, or `InvalidData` when a reply is not what was sent.
pub fn echo(server: SocketAddr, connections: u64, requests: u64, think: Duration) -> io::Result<()> {
    let mut streams = connect(server, connections)?;
    let mut left = requests;
    while left > 0 {
        if !think.is_zero() {
            std::thread::sleep(think);
        }
        let round = left.min(connections);
        let streams = &mut streams[..usize::try_from(round).expect("it is the length at most")];
        for (index, stream) in streams.iter_mut().enumerate() {
            stream.write_all(&message(left, index))?;
        }
        for (index, stream) in streams.iter_mut().enumerate() {
            let mut reply = [0; MESSAGE_SIZE];
            stream.read_exact(&mut reply)?;
            if reply != message(left, index) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the reply is not the request"));
            }
        }
        left -= round;
    }
    Ok(())
}

/// Opens `connections`, says nothing on them, and holds them until the server closes one.
///
/// # Errors
///
/// The sockets' own error while they connect.
pub fn hold(server: SocketAddr, connections: u64) -> io::Result<()> {
    let mut streams = connect(server, connections)?;
    if let Some(first) = streams.first_mut() {
        // A server that exits may reset instead of closing: either way it is over.
        let _closed = first.read(&mut [0]);
    }
    Ok(())
}

/// Opens connections in bursts: one that finds the queue of the listener full (128 long on some
/// runtimes) would be dropped and wait a second until it asks again.
fn connect(server: SocketAddr, connections: u64) -> io::Result<Vec<TcpStream>> {
    (0..connections)
        .map(|number| {
            if number % BURST == BURST - 1 {
                std::thread::sleep(Duration::from_millis(5));
            }
            let stream = TcpStream::connect(server)?;
            stream.set_nodelay(true)?;
            Ok(stream)
        })
        .collect()
}

/// A message that no other request of the round or of the neighbouring rounds has.
fn message(round: u64, index: usize) -> [u8; MESSAGE_SIZE] {
    let mut message = [b'.'; MESSAGE_SIZE];
    message[..8].copy_from_slice(&round.to_le_bytes());
    message[8..16].copy_from_slice(&index.to_le_bytes());
    message
}
