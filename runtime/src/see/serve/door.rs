//! The door: a port, the thread that listens there, and a thread for each guest who came in.
//!
//! Guests are strangers. There are only so many at a time, each has so long to say what it wants and so
//! much room to say it in, and none can keep another out by saying nothing: if the house is full, the guest who
//! has been standing in the door the longest without a word has to leave. None of this is the loop's
//! business, whose thread is never waited for and never waits, but for a moment at the very end.

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::guest::Guest;
use super::http::answer;
use crate::see::helper::Helper;

/// How many guests there may be.
const GUESTS: usize = 32;
/// How many of them may stay, as viewers do. The other places are for guests who ask and go.
const STAYING: usize = 28;
/// How long a guest may let us wait before it takes some of what it is sent.
const TO_TAKE: Duration = Duration::from_secs(5);
/// How long those who are being sent something may still take when all is over.
pub(super) const TO_LEAVE: Duration = Duration::from_millis(300);

/// The service for a guest.
pub(super) type Host = dyn Fn(&mut Guest) -> io::Result<()> + Send + Sync;

/// An open door. Closed when it is dropped.
pub(super) struct Door {
    address: SocketAddr,
    listener: Arc<TcpListener>,
    house: Arc<House>,
    /// It ends with the last guest.
    thread: Helper,
}

/// The part that the threads of a door share.
struct House {
    is_closing: AtomicBool,
    inside: Mutex<Inside>,
    left: Condvar,
}

#[derive(Default)]
struct Inside {
    last_number: u64,
    /// Those who came first stand first.
    guests: Vec<Known>,
}

/// A guest, as the house knows it.
struct Known {
    number: u64,
    stream: Arc<TcpStream>,
    /// It has not said yet what it wants.
    is_silent: bool,
}

impl Door {
    /// Opens the door. `host` is called for each guest, on a thread of the guest's own.
    pub(super) fn open(listener: TcpListener, host: Arc<Host>) -> io::Result<Self> {
        let (address, listener) = (listener.local_addr()?, Arc::new(listener));
        let house = House { is_closing: AtomicBool::new(false), inside: Mutex::default(), left: Condvar::new() };
        let house = Arc::new(house);
        let (port, home) = (Arc::clone(&listener), Arc::clone(&house));
        let thread = Helper::start("see", move || listen(&port, &home, &host))?;
        Ok(Self { address, listener, house, thread })
    }

    /// Makes `accept` return.
    fn call_back_the_listener(&self) {
        // A listener that is shut down accepts no more; where a system does not see it so, one last guest
        // makes it look up.
        let socket = self.listener.try_clone().map(|listener| TcpStream::from(OwnedFd::from(listener)));
        if socket.and_then(|socket| socket.shutdown(Shutdown::Both)).is_err() {
            let _ = TcpStream::connect_timeout(&self.address, TO_LEAVE);
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if self.thread.is_in_the_parent() {
            // The guests are the parent's.
            return;
        }
        self.house.is_closing.store(true, Ordering::SeqCst);
        self.call_back_the_listener();
        let mut inside = self.house.lock();
        inside.shut(Shutdown::Read);
        let until = Instant::now() + TO_LEAVE;
        while !inside.guests.is_empty() && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            inside = self.house.left.wait_timeout(inside, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        // A thread that still writes to a guest stops here.
        inside.shut(Shutdown::Both);
    }
}

/// Lets guests in, until the house is closed.
fn listen(port: &TcpListener, house: &Arc<House>, host: &Arc<Host>) {
    let mut threads: Vec<Helper> = Vec::new();
    for stream in port.incoming() {
        if house.is_closing.load(Ordering::SeqCst) {
            break;
        }
        threads.retain(|thread| !thread.is_over());
        match stream {
            Ok(stream) => threads.extend(house.admit(stream, host)),
            // No descriptors are left, perhaps. Those who wait in front of the door wait a little longer.
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// A guest's place in the house, until it is dropped.
pub(super) struct Stay {
    number: u64,
    house: Arc<House>,
}

impl Stay {
    /// The guest has said what it wants, and stays.
    pub(super) fn is_known(&self) {
        self.house.lock().stays(self.number);
    }

    /// Whether everybody has to leave.
    pub(super) fn must_end(&self) -> bool {
        self.house.is_closing.load(Ordering::SeqCst)
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.house.lock().guests.retain(|known| known.number != self.number);
        self.house.left.notify_all();
    }
}

impl House {
    /// Gives a guest a thread. `None` if there is no room, or no thread to be had.
    fn admit(self: &Arc<Self>, stream: TcpStream, host: &Arc<Host>) -> Option<Helper> {
        stream.set_write_timeout(Some(TO_TAKE)).ok()?;
        let stream = Arc::new(stream);
        let entered = self.lock().enter(&stream);
        let Some(number) = entered else {
            let full = answer(503, "text/plain; charset=utf-8", b"too many are watching already\n");
            // A fresh socket has room for this: nobody waits here.
            let _ = (&*stream).write_all(&full);
            return None;
        };
        let mut guest = Guest::new(Stay { number, house: Arc::clone(self) }, stream);
        let host = Arc::clone(host);
        let talk = move || {
            // A guest that goes away in the middle of a sentence is no news.
            let _ = host(&mut guest);
        };
        Helper::start("see", talk).ok()
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    /// The number of a new guest, if there is room or somebody can be asked to leave.
    fn enter(&mut self, stream: &Arc<TcpStream>) -> Option<u64> {
        if self.guests.len() >= GUESTS {
            let silent = self.guests.iter().position(|known| known.is_silent)?;
            let silent = self.guests.remove(silent);
            let _ = silent.stream.shutdown(Shutdown::Both);
        }
        self.last_number += 1;
        let number = self.last_number;
        self.guests.push(Known { number, stream: Arc::clone(stream), is_silent: true });
        Some(number)
    }

    /// A guest stays. If too many do, the one that came first has to leave: viewers, however slow, lock nobody out.
    fn stays(&mut self, number: u64) {
        let Some(known) = self.guests.iter_mut().find(|known| known.number == number) else { return };
        known.is_silent = false;
        let mut staying = (0..self.guests.len()).filter(|place| !self.guests[*place].is_silent);
        let (first, more) = (staying.next(), staying.count());
        if let Some(first) = first.filter(|_| more >= STAYING) {
            let first = self.guests.remove(first);
            let _ = first.stream.shutdown(Shutdown::Both);
        }
    }

    fn shut(&self, how: Shutdown) {
        for known in &self.guests {
            let _ = known.stream.shutdown(how);
        }
    }
}
