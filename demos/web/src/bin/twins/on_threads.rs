//! The twin with a thread for each connection. hyper speaks HTTP here, too: it is given a connection that blocks
//! instead of being pending, and so it is over when it has been polled once.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use futures_lite::future::block_on;
use futures_lite::{AsyncRead, AsyncWrite};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use oneloop::interop::hyper::Io;
use oneloop_demos::server::{cannot_listen, stop_asked_for};
use oneloop_demos::{log, print};
use oneloop_web_demos::house::Limits;

use crate::World;

struct OnThread;

impl World for OnThread {
    async fn wait(&self, time: Duration) {
        thread::sleep(time);
    }
}

/// The connected guests.
#[derive(Default)]
struct Guests {
    known: Mutex<Known>,
    changed: Condvar,
}

#[derive(Default)]
struct Known {
    streams: BTreeMap<u64, TcpStream>,
    /// By the time of the last word of each, so the most silent is the first. Busy ones are not among them.
    silent: BTreeSet<(Instant, u64)>,
    last: u64,
    is_over: bool,
}

impl Guests {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place, and takes it; nothing when the server stops. If all places are taken, the guest that has
    /// been silent the longest has to go.
    fn enter(&self, stream: TcpStream, most: usize, now: Instant) -> Option<u64> {
        let (mut known, mut has_told) = (self.known(), false);
        while known.streams.len() >= most && !known.is_over {
            if let Some((_, number)) = (!has_told).then(|| known.silent.pop_first()).flatten() {
                // Its thread reads, and finds the end.
                has_told = known.streams.get(&number).is_some_and(|stream| stream.shutdown(Shutdown::Both).is_ok());
            } else {
                known = self.changed.wait(known).unwrap_or_else(PoisonError::into_inner);
            }
        }
        if known.is_over {
            return None;
        }
        known.last += 1;
        let number = known.last;
        known.streams.insert(number, stream);
        known.silent.insert((now, number));
        Some(number)
    }

    /// A guest is being answered: it is not silent, and stays until it has been.
    fn is_busy(&self, number: u64, since: &Cell<Instant>) {
        self.known().silent.remove(&(since.get(), number));
    }

    fn falls_silent(&self, number: u64, since: &Cell<Instant>) {
        since.set(Instant::now());
        self.known().silent.insert((since.get(), number));
        self.changed.notify_all();
    }

    fn leave(&self, number: u64, since: Instant) {
        let mut known = self.known();
        known.streams.remove(&number);
        known.silent.remove(&(since, number));
        drop(known);
        self.changed.notify_all();
    }

    /// Lets nobody in any more, and waits until everybody has gone: who is being answered is answered.
    fn close(&self, grace: Duration) -> bool {
        let mut known = self.known();
        known.is_over = true;
        for stream in known.streams.values() {
            // A thread that reads finds the end; one that answers writes on.
            let _ = stream.shutdown(Shutdown::Read);
        }
        self.changed.notify_all();
        let waits = |known: &mut Known| !known.streams.is_empty();
        let (known, _) = self.changed.wait_timeout_while(known, grace, waits).unwrap_or_else(PoisonError::into_inner);
        known.streams.is_empty()
    }
}

pub(crate) fn serve(limits: &Limits) -> Result<(), String> {
    let runtime = oneloop::Runtime::new().map_err(|error| format!("cannot start a runtime: {error}"))?;
    let named = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {}: {error}", limits.addr));
    let listener = TcpListener::bind(limits.addr).map_err(|error| cannot_listen(&named(error), "--addr"))?;
    let addr = listener.local_addr().unwrap_or(limits.addr);
    let guests = Arc::new(Guests::default());
    // A loop hears the signal; it does nothing else here.
    runtime.block_on(async {
        let stop = stop_asked_for(limits.seconds); // from here on it is heard
        print(format_args!("listening on {addr}, by threads; try: curl http://{addr}/hello/you"));
        let (accepting, bounds) = (Arc::clone(&guests), limits.clone());
        let accepts = thread::Builder::new().name("accept".to_owned());
        let accepts = accepts.spawn(move || accept(&listener, &accepting, &bounds));
        accepts.map_err(|error| format!("cannot start a thread: {error}"))?;
        stop.await.map_err(|error| format!("cannot go on: {error}"))
    })?;
    log("stopping");
    let all_had_gone = guests.close(limits.grace);
    log(if all_had_gone { "stopped" } else { "stopped; not everybody had finished" });
    Ok(())
}

/// Accepts for ever: the end of the program ends it.
fn accept(listener: &TcpListener, guests: &Arc<Guests>, limits: &Limits) {
    for stream in listener.incoming() {
        // Out of descriptors, say: the next try may do better.
        let Ok(stream) = stream else {
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        let Ok(known) = stream.try_clone() else { continue };
        let now = Instant::now();
        let Some(number) = guests.enter(known, limits.connections.into(), now) else { return };
        let (leaving, limits) = (Arc::clone(guests), limits.clone());
        let named = thread::Builder::new().name(format!("client {number}"));
        let started = named.spawn(move || {
            let since = Cell::new(now);
            // An error is the client's: it has gone, or does not speak HTTP.
            let _ = talk(stream, &limits, &leaving, number, &since);
            leaving.leave(number, since.get());
        });
        if started.is_err() {
            guests.leave(number, now);
        }
    }
}

fn talk(
    stream: TcpStream,
    limits: &Limits,
    guests: &Guests,
    number: u64,
    since: &Cell<Instant>,
) -> Result<(), Box<dyn std::error::Error>> {
    stream.set_write_timeout(Some(limits.patience.max(Duration::from_millis(1))))?;
    stream.set_nodelay(true)?;
    let (now, head) = (Instant::now(), limits.head);
    let (until, due) = (now + limits.lifetime, Rc::new(Cell::new(now + head)));
    let stream = Blocking { stream, head, until, due: Rc::clone(&due) };
    let answer = service_fn(async |request| {
        due.set(until); // The head is here.
        guests.is_busy(number, since);
        let answer = crate::answer(request, &OnThread).await;
        guests.falls_silent(number, since);
        due.set(Instant::now() + head); // The next one is awaited.
        Ok::<_, Infallible>(answer)
    });
    let mut http = http1::Builder::new();
    http.half_close(true).max_buf_size(16 * 1024);
    Ok(block_on(http.serve_connection(Io::new(stream), answer))?)
}

/// A connection that is always ready, because it blocks.
struct Blocking {
    stream: TcpStream,
    head: Duration,
    until: Instant,
    /// When a head has to be here as a whole, however slowly its bytes come.
    due: Rc<Cell<Instant>>,
}

/// A time that is up is an error here, and not a reason to wait once more.
fn at_once<T>(outcome: io::Result<T>) -> Poll<io::Result<T>> {
    Poll::Ready(outcome.map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }))
}

impl AsyncRead for Blocking {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let left = self.until.min(self.due.get()).saturating_duration_since(Instant::now()).min(self.head);
        if left.is_zero() {
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        self.stream.set_read_timeout(Some(left))?;
        at_once(self.stream.read(buffer))
    }
}

impl AsyncWrite for Blocking {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        at_once((&self.stream).write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        at_once(self.stream.shutdown(Shutdown::Write))
    }
}
