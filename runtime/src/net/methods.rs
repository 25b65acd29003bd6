//! The methods and traits that several kinds of sockets share, with their documentation, written once.
//!
//! Each macro stands for a part of an `impl` block, and reads like one. `self.socket()` is the socket
//! of a stream or of its half.

/// Reading bytes: for streams and reading halves.
macro_rules! read_methods {
    () => {
        /// Reads what there is, up to the buffer's length; waits if there is nothing. Zero means that the
        /// peer has sent all it will, or that the buffer is empty: into an empty one, nothing is read at once.
        ///
        /// `futures_lite::AsyncReadExt` adds `read_exact`, `read_to_end` and others.
        ///
        /// # Errors
        ///
        /// As read(2), save for `WouldBlock` and `Interrupted`.
        ///
        /// # Cancel safety
        ///
        /// Dropping the future loses no byte.
        #[doc(alias("read_exact", "read_to_end", "readexactly"))]
        #[track_caller]
        pub fn read(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
            self.socket().read(Location::caller(), buffer)
        }

        /// Reads what there is, and never waits.
        ///
        /// # Errors
        ///
        /// `WouldBlock` if there is nothing; else as [`read`](Self::read).
        ///
        /// # Panics
        ///
        /// If its runtime does not run on this thread.
        pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
            self.socket().try_read(buffer)
        }

        crate::net::methods::readable_method!();
    };
}

/// Writing bytes: for streams and writing halves.
macro_rules! write_methods {
    () => {
        /// Writes what fits into the socket's buffer, and says how much; waits if nothing does.
        ///
        /// # Errors
        ///
        /// As write(2), save for `WouldBlock` and `Interrupted`. Writing to a closed peer gives
        /// `BrokenPipe`, and no signal.
        ///
        /// # Cancel safety
        ///
        /// Dropping the future before it is ready has written nothing.
        #[track_caller]
        pub fn write(&self, bytes: &[u8]) -> impl Future<Output = io::Result<usize>> {
            self.socket().write(Location::caller(), bytes)
        }

        /// Writes all of `bytes`.
        ///
        /// # Errors
        ///
        /// As [`write`](Self::write).
        ///
        /// # Cancel safety
        ///
        /// **Not** cancel-safe: dropping the future before it is ready may have written any part.
        #[track_caller]
        pub fn write_all(&self, bytes: &[u8]) -> impl Future<Output = io::Result<()>> {
            self.socket().write_all(Location::caller(), bytes)
        }

        /// Writes what fits, and never waits.
        ///
        /// # Errors
        ///
        /// `WouldBlock` if nothing fits; else as [`write`](Self::write).
        ///
        /// # Panics
        ///
        /// If its runtime does not run on this thread.
        pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
            self.socket().try_write(bytes)
        }

        crate::net::methods::writable_method!();
    };
}

macro_rules! readable_method {
    () => {
        /// Waits until something may be there to be taken. A `try_` method may still say `WouldBlock`;
        /// then wait again.
        ///
        /// # Errors
        ///
        /// None so far; failures show in the attempt that follows.
        ///
        /// # Cancel safety
        ///
        /// Dropping the future loses nothing.
        #[track_caller]
        pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
            self.socket().until(Direction::Read, Location::caller(), |_| Ok(()))
        }
    };
}

macro_rules! writable_method {
    () => {
        /// Waits until something may be given away. A `try_` method may still say `WouldBlock`; then wait
        /// again.
        ///
        /// # Errors
        ///
        /// None so far; failures show in the attempt that follows.
        ///
        /// # Cancel safety
        ///
        /// Dropping the future loses nothing.
        #[track_caller]
        pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
            self.socket().until(Direction::Write, Location::caller(), |_| Ok(()))
        }
    };
}

/// System calls of the user's own on the descriptor: for streams and datagram sockets.
macro_rules! raw_methods {
    () => {
        /// As [`readable`](Self::readable), for use in a `poll` function. Every task that polls is woken.
        pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.socket().poll_as(WaiterId::SHARER, cx, Direction::Read, |_| Ok(()))
        }

        /// As [`writable`](Self::writable), for use in a `poll` function. Every task that polls is woken.
        pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.socket().poll_as(WaiterId::SHARER, cx, Direction::Write, |_| Ok(()))
        }

        /// Makes an attempt of one's own to take something from the descriptor, as by recvmsg(2), if
        /// something may be there. If the attempt says `WouldBlock`, [`readable`](Self::readable) waits for
        /// more; so an attempt must say that only when the system said it of this descriptor.
        ///
        /// # Errors
        ///
        /// `WouldBlock` if nothing is there; else whatever `attempt` says, save for `Interrupted`, after
        /// which it is made again.
        ///
        /// # Panics
        ///
        /// If its runtime does not run on this thread.
        pub fn try_read_with<R>(&self, mut attempt: impl FnMut() -> io::Result<R>) -> io::Result<R> {
            self.socket().try_io(Direction::Read, |io| io.try_io(&mut attempt))
        }

        /// As [`try_read_with`](Self::try_read_with), for an attempt to give something away, as by
        /// sendmsg(2).
        ///
        /// # Errors
        ///
        /// `WouldBlock` if nothing fits; else whatever `attempt` says, save for `Interrupted`.
        ///
        /// # Panics
        ///
        /// If its runtime does not run on this thread.
        pub fn try_write_with<R>(&self, mut attempt: impl FnMut() -> io::Result<R>) -> io::Result<R> {
            self.socket().try_io(Direction::Write, |io| io.try_io(&mut attempt))
        }
    };
}

/// The methods that every socket has.
macro_rules! socket_methods {
    () => {
        /// The last error of the socket, which is cleared by asking.
        ///
        /// # Errors
        ///
        /// If the system does not say.
        pub fn take_error(&self) -> io::Result<Option<io::Error>> {
            match self.socket.take_kept_error(|_| true) {
                None => self.socket.io().take_error(),
                kept => Ok(kept),
            }
        }
    };
}

macro_rules! socket_traits {
    ($type:ty) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.socket.io().fmt(f)
            }
        }

        impl std::os::fd::AsFd for $type {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.socket.io().as_fd()
            }
        }

        impl std::os::fd::AsRawFd for $type {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.socket.io().as_raw_fd()
            }
        }
    };
}

pub(crate) use {
    raw_methods, read_methods, readable_method, socket_methods, socket_traits, writable_method, write_methods,
};
