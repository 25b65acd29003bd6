//! Sockets and other descriptors: from the connect to the last byte.

// mio's poll(2) backend, for testing, tells of a bare descriptor once and never again.
#[cfg(not(mio_unsupported_force_poll_poll))]
mod async_fd;
mod connect;
mod duplex;
mod empty_buffers;
mod eyeballs;
mod fair;
mod halves;
mod registrations;
mod short_reads;
mod source_fd;
mod streams;
mod udp;
mod unix;
mod waiters;
