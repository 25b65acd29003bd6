//! The calls of users: TCP, and an echo server that uses all of it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::task::{Context, Poll};

use crate::heart::reactor::Direction;
use crate::io::Socket;
use crate::task::spawn;

/// A listening socket.
pub struct TcpListener {
    socket: Socket<mio::net::TcpListener>,
}

impl TcpListener {
    /// Listens on an address.
    #[track_caller]
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        Ok(Self { socket: Socket::new(mio::net::TcpListener::bind(addr)?, "tcp listener")? })
    }

    /// The address on which it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io.local_addr()
    }

    /// Takes the next connection. To a listener, "readable" means that somebody has connected.
    pub async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _addr) = self.socket.attempt(Direction::Read, |io| io.accept()).await?;
        Ok(TcpStream { socket: Socket::new(stream, "tcp stream")? })
    }
}

/// A connection.
pub struct TcpStream {
    socket: Socket<mio::net::TcpStream>,
}

impl TcpStream {
    /// Connects, and waits until that has succeeded or failed.
    pub async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = Self { socket: Socket::new(mio::net::TcpStream::connect(addr)?, "tcp stream")? };
        // Asked at once, and again whenever the kernel says "writable".
        let is_connected = |io: &mio::net::TcpStream| -> io::Result<()> {
            // stage: hole "connect"
            if let Some(error) = io.take_error()? {
                return Err(error);
            }
            match io.peer_addr() {
                Err(error) if error.kind() == ErrorKind::NotConnected => Err(ErrorKind::WouldBlock.into()),
                connected => connected.map(drop),
            }
            // stage: end
        };
        stream.socket.attempt(Direction::Write, is_connected).await?;
        Ok(stream)
    }

    /// Reads what there is, once there is something: 0 bytes are the end.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        // stage: hole "read"
        self.socket.attempt(Direction::Read, |mut io| io.read(buffer)).await
        // stage: end
    }

    /// Writes all of it.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        // stage: hole "write_all"
        while !bytes.is_empty() {
            let count = self.socket.attempt(Direction::Write, |mut io| io.write(bytes)).await?;
            bytes = &bytes[count..];
        }
        Ok(())
        // stage: end
    }

    /// The address of the other end, once there is one.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io.peer_addr()
    }

    /// Ends the writing side, or both.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.io.shutdown(how)
    }

    /// The same read as a poll function.
    pub fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.socket.poll_attempt(cx, Direction::Read, |mut io| io.read(buffer))
    }

    /// A write as a poll function: it may write less than all.
    pub fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.socket.poll_attempt(cx, Direction::Write, |mut io| io.write(bytes))
    }
}

/// Serves for ever: a task for each connection.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let stream = listener.accept().await?;
        drop(spawn(async move { echo(stream).await }));
    }
}

/// Sends back what comes, up to its end, and then ends its own side. Returns how many bytes that were.
pub async fn echo(stream: TcpStream) -> io::Result<usize> {
    let mut buffer = [0; 8192];
    let mut total = 0;
    // stage: hole "echo"
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            break;
        }
        stream.write_all(&buffer[..count]).await?;
        total += count;
    }
    stream.shutdown(Shutdown::Write)?;
    Ok(total)
    // stage: end
}
