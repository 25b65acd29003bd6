//! The network: sockets that are keys into the reactor, plus the mio object that owns the descriptor.

mod addr;
pub(crate) mod waiters;
mod told;
pub(crate) mod socket;
pub(crate) mod attempts;
mod methods;
mod stream;
mod halves;
mod tcp_stream;

pub(crate) mod backoff;
mod accept;
mod tcp_listener;
mod happy_eyeballs;

mod datagram;
mod udp_socket;
mod udp_settings;

mod unix_addr;
mod unix_stream;
mod unix_listener;
mod unix_datagram;

mod duplex;

pub use addr::{ToSocketAddrs, lookup_host};
pub use duplex::{DuplexStream, duplex};
pub use halves::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use happy_eyeballs::happy_eyeballs;
pub use stream::Connection;
pub use tcp_listener::{TcpIncoming, TcpListener};
pub use tcp_stream::TcpStream;
pub use udp_socket::UdpSocket;
pub use unix_datagram::UnixDatagram;
pub use unix_listener::{UnixIncoming, UnixListener};
pub use unix_stream::UnixStream;
