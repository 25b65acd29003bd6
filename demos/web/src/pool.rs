//! Connections of HTTP/1.1 that are kept for the next request, so that it need not wait for a new one.
//!
//! ```text
//! lease: a place, then the connection that was idle last, else a new one
//! Lease::give_back: whatever is left of request and answer is nothing, so it is idle
//! drop of a Lease: nobody knows what is left, so it is closed
//! ```
//!
//! So a request may be cancelled wherever it waits: a connection in the middle of something is never lent again.
//! hyper-util has a pool as well (`client::pool`), but it brings the runtime and the clock of tokio along.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_lock::{Semaphore, SemaphoreGuardArc};
use hyper::client::conn::http1::SendRequest;
use oneloop::task::AbortHandle;
use oneloop::time::{Instant, timeout};

/// How long a connection may take to come to rest after an answer that was read to its end.
const REST: Duration = Duration::from_secs(1);

/// A connection, and the task that drives it, which ends with it.
#[derive(Debug)]
pub struct Line<B> {
    /// How requests are sent on it.
    pub sender: SendRequest<B>,
    /// How many requests it has served.
    pub served: u32,
    task: AbortHandle,
}

impl<B> Line<B> {
    /// A connection that `task` drives.
    pub fn new(sender: SendRequest<B>, task: AbortHandle) -> Self {
        Self { sender, served: 0, task }
    }
}

impl<B> Drop for Line<B> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The connections to one server.
#[derive(Debug)]
pub struct Pool<B> {
    /// Those that wait for a request, and since when. The last one is taken first.
    idle: RefCell<Vec<(Instant, Line<B>)>>,
    places: Arc<Semaphore>,
    keep: Duration,
}

impl<B> Pool<B> {
    /// A pool of `most` connections at a time, each of which may be idle for as long as `keep`.
    pub fn new(most: usize, keep: Duration) -> Rc<Self> {
        Rc::new(Self { idle: RefCell::default(), places: Arc::new(Semaphore::new(most)), keep })
    }

    /// Waits until there may be one more connection in use.
    pub async fn place(&self) -> SemaphoreGuardArc {
        self.places.acquire_arc().await
    }

    /// Lends an idle connection, if there is one that is alive.
    pub async fn reuse(self: &Rc<Self>, place: SemaphoreGuardArc) -> Result<Lease<B>, SemaphoreGuardArc> {
        loop {
            // The borrow ends here: what comes next waits.
            let last = self.idle.borrow_mut().pop();
            let Some((since, mut line)) = last else { return Err(place) };
            let is_fresh = since.elapsed() < self.keep && !line.sender.is_closed();
            if is_fresh && matches!(timeout(REST, line.sender.ready()).await, Ok(Ok(()))) {
                return Ok(self.lend(line, place));
            }
        }
    }

    /// Lends a new connection.
    pub fn lend(self: &Rc<Self>, line: Line<B>, place: SemaphoreGuardArc) -> Lease<B> {
        Lease { line, pool: Rc::clone(self), _place: place }
    }

    /// Closes what has been idle for too long, or has been closed by the server. To be called now and then.
    pub fn sweep(&self) {
        let keep = |(since, line): &(Instant, Line<B>)| since.elapsed() < self.keep && !line.sender.is_closed();
        // Dropped when the borrow is over.
        let idle = self.idle.take();
        let (kept, _closed): (Vec<_>, Vec<_>) = idle.into_iter().partition(keep);
        self.idle.borrow_mut().extend(kept);
    }

    /// How many connections wait for a request.
    pub fn idle(&self) -> usize {
        self.idle.borrow().len()
    }
}

/// A connection that serves one request. Dropped, it is closed.
#[derive(Debug)]
pub struct Lease<B> {
    /// The connection.
    pub line: Line<B>,
    pool: Rc<Pool<B>>,
    _place: SemaphoreGuardArc,
}

impl<B> Lease<B> {
    /// The request has been sent and the answer read, both to their ends.
    pub fn give_back(self) {
        let Self { mut line, pool, _place } = self;
        line.served += 1;
        pool.idle.borrow_mut().push((Instant::now(), line));
    }
}
