//! The network: sockets that are keys into the reactor, plus the mio object that owns the descriptor.

mod addr;
mod socket;
mod tcp_listener;
mod tcp_stream;

pub use addr::{ToSocketAddrs, lookup_host};
pub use tcp_listener::TcpListener;
pub use tcp_stream::TcpStream;
