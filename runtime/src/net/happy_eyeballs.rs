//! Happy eyeballs: connecting to whichever of several addresses answers first.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::net::addr::{ToSocketAddrs, no_address, resolve};
use crate::net::tcp_stream::TcpStream;
use crate::time::timeout;

/// How long an attempt is alone before the next begins beside it, as recommended in RFC 8305, section 5.
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to several addresses, each with a short head start before the next, and keeps the first
/// connection. So an address that does not answer costs a quarter of a second, and not the minutes that
/// [`TcpStream::connect`] would wait for it.
///
/// The addresses of the two families, IPv6 and IPv4, take turns; the first address given is the first
/// tried. The next is tried when the one before it has failed, or after 250 ms. Source: RFC 8305, of
/// which the sorting of addresses and the asking of name servers are left to the system.
///
/// ```
/// use oneloop::net::{TcpListener, happy_eyeballs};
///
/// oneloop::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let port = listener.local_addr()?.port();
///     // Nobody listens on [::1], or else on another's behalf.
///     let addrs = [([0, 0, 0, 0, 0, 0, 0, 1], port).into(), ([127, 0, 0, 1], port).into()];
///     let stream = happy_eyeballs(addrs).await?;
///     assert_eq!(stream.peer_addr()?.port(), port);
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// If none answers; the error names each, with what was wrong with it.
///
/// # Panics
///
/// If no runtime runs on this thread.
///
/// # Cancel safety
///
/// Dropping the future closes every connection that was being made.
#[doc(alias("open_tcp_stream"))]
#[track_caller]
pub fn happy_eyeballs(addrs: impl ToSocketAddrs) -> impl Future<Output = io::Result<TcpStream>> {
    let at = Location::caller();
    async move {
        let mut waiting = in_turns(resolve(&addrs, at).await?);
        let mut race = Race::default();
        let mut failed = None;
        loop {
            match waiting.pop_front() {
                Some(addr) => race.attempts.push(Box::pin(TcpStream::connect_to(addr, at))),
                None if race.attempts.is_empty() => return Err(failed.unwrap_or_else(no_address)),
                None => {}
            }
            let first = poll_fn(|cx| race.poll_first(cx));
            // The last to start has nobody to make room for.
            let first = if waiting.is_empty() { Ok(first.await) } else { timeout(HEAD_START, first).await };
            match first {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failed = Some(both(failed, error)),
                Err(_still_waiting) => {}
            }
        }
    }
}

/// The attempts that are on. Those that lose are dropped with it, which closes them.
#[derive(Default)]
struct Race {
    attempts: Vec<Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>>,
}

impl Race {
    /// The first attempt to end, one way or the other.
    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        for (place, attempt) in self.attempts.iter_mut().enumerate() {
            if let Poll::Ready(result) = attempt.as_mut().poll(cx) {
                drop(self.attempts.remove(place));
                return Poll::Ready(result);
            }
        }
        Poll::Pending
    }
}

/// Orders addresses so that the families take turns, beginning with that of the first.
fn in_turns(addrs: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_family = addrs.first().map(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addrs.into_iter().partition(|addr| Some(addr.is_ipv6()) == first_family);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = VecDeque::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

/// One error for two, of the later one's kind.
fn both(earlier: Option<io::Error>, later: io::Error) -> io::Error {
    match earlier {
        Some(earlier) => io::Error::new(later.kind(), format!("{earlier}; {later}")),
        None => later,
    }
}
