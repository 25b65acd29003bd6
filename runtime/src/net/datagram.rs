//! Datagrams: what a `UdpSocket` and a `UnixDatagram` do alike, written once.
//!
//! The length of a datagram does not show whether the socket is drained. An empty datagram is data, and another may
//! follow one that is shorter than the buffer. So only `WouldBlock` says that the socket is drained or full.

/// The methods for datagrams between two sockets of which each knows the other. `$addr` is the type of its addresses.
macro_rules! datagram_methods {
    ($addr:ty) => {
        /// Sends a datagram to the address this socket is [connected](Self::connect) to; waits if there is
        /// no room for it. An empty one is a datagram too.
        ///
        /// # Errors
        ///
        /// If it is too long for a datagram (`EMSGSIZE`), if the socket is not connected, or if an earlier datagram
        /// was refused. Else those of send(2), save for `WouldBlock` and `Interrupted`.
        ///
        /// # Cancel safety
        ///
        /// Dropping the future before it is ready has sent nothing.
        #[track_caller]
        pub fn send(&self, bytes: &[u8]) -> impl Future<Output = io::Result<usize>> {
            self.socket.until(Direction::Write, Location::caller(), |io| io.send(bytes))
        }

        /// As [`send`](Self::send), and never waits.
        ///
        /// # Errors
        ///
        /// `WouldBlock` if there is no room; else as [`send`](Self::send).
        ///
        /// # Panics
        ///
        /// If its runtime does not run on this thread.
        pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
            self.socket.try_io(Direction::Write, |io| io.send(bytes))
        }

        /// As [`send`](Self::send), for use in a `poll` function. Every task that polls is woken.
        pub fn poll_send(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.socket.poll_as(WaiterId::SHARER, cx, Direction::Write, |io| io.send(bytes))
        }

        /// Receives a datagram, and gives its length; waits if there is none. Zero means an empty datagram, and not
        /// an end. If a datagram is longer than the buffer, the rest is lost, and nothing tells. So a buffer is best
        /// made one byte longer than the longest datagram that is welcome. Into an empty buffer a datagram is
        /// received too, and all of it is lost.
        ///
        /// # Errors
        ///
        /// If an earlier datagram was refused; else as recv(2), save for `WouldBlock` and `Interrupted`.
        ///
        /// # Cancel safety
        ///
        /// Dropping the future loses no datagram.
        #[track_caller]
        pub fn recv(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
            self.socket.until(Direction::Read, Location::caller(), |io| io.recv(buffer))
        }

        /// As [`recv`](Self::recv), and never waits.
        ///
        /// # Errors
        ///
        /// `WouldBlock` if there is no datagram; else as [`recv`](Self::recv).
        ///
        /// # Panics
        ///
        /// If its runtime does not run on this thread.
        pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
            self.socket.try_io(Direction::Read, |io| io.recv(buffer))
        }

        /// As [`recv`](Self::recv), for use in a `poll` function. Every task that polls is woken.
        pub fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
            self.socket.poll_as(WaiterId::SHARER, cx, Direction::Read, |io| io.recv(buffer))
        }

        /// As [`recv`](Self::recv), and says who sent it.
        ///
        /// # Errors
        ///
        /// As [`recv`](Self::recv).
        ///
        /// # Cancel safety
        ///
        /// Dropping the future loses no datagram.
        #[track_caller]
        pub fn recv_from(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<(usize, $addr)>> {
            self.socket.until(Direction::Read, Location::caller(), |io| io.recv_from(buffer))
        }

        /// As [`recv_from`](Self::recv_from), and never waits.
        ///
        /// # Errors
        ///
        /// `WouldBlock` if there is no datagram; else as [`recv`](Self::recv).
        ///
        /// # Panics
        ///
        /// If its runtime does not run on this thread.
        pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, $addr)> {
            self.socket.try_io(Direction::Read, |io| io.recv_from(buffer))
        }

        /// As [`recv_from`](Self::recv_from), for use in a `poll` function. Every task that polls is woken.
        pub fn poll_recv_from(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, $addr)>> {
            self.socket.poll_as(WaiterId::SHARER, cx, Direction::Read, |io| io.recv_from(buffer))
        }

        /// The address this socket is bound to.
        ///
        /// # Errors
        ///
        /// If the system does not say.
        pub fn local_addr(&self) -> io::Result<$addr> {
            self.socket.io().local_addr()
        }

        /// The address this socket is connected to.
        ///
        /// # Errors
        ///
        /// `NotConnected` if it is not.
        pub fn peer_addr(&self) -> io::Result<$addr> {
            self.socket.io().peer_addr()
        }
    };
}

pub(crate) use datagram_methods;
