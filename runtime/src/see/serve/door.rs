//! The door: a port, the thread that listens there, and a thread for each guest who came in.
//!
//! Guests are strangers. Their number is limited, and so are the time and the length of what each asks. None can keep
//! another out by saying nothing. If there are too many, the first guest that has not said anything yet has to leave.
//! The loop's thread has no part in this: it never waits, but for a moment at the very end.

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::answer::answer;
use super::guest::Guest;
use super::house::{House, Stay, TO_LEAVE};
use crate::see::helper::Helper;

/// How long a guest may let us wait before it takes some of what it is sent.
const TO_TAKE: Duration = Duration::from_secs(5);

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
            Ok(stream) => threads.extend(admit(house, stream, host)),
            // No descriptors are left, perhaps. Those who wait in front of the door wait a little longer.
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Gives a guest a thread. `None` if there is no room, or no thread to be had.
fn admit(house: &Arc<House>, stream: TcpStream, host: &Arc<Host>) -> Option<Helper> {
    stream.set_write_timeout(Some(TO_TAKE)).ok()?;
    let stream = Arc::new(stream);
    let entered = house.lock().enter(&stream);
    let Some(number) = entered else {
        let full = answer(503, "text/plain; charset=utf-8", b"too many are watching already\n");
        // A fresh socket has room for this: nobody waits here.
        let _ = (&*stream).write_all(&full);
        return None;
    };
    let mut guest = Guest::new(Stay { number, house: Arc::clone(house) }, stream);
    let host = Arc::clone(host);
    let talk = move || {
        // A guest that goes away in the middle of a sentence is no news.
        let _ = host(&mut guest);
    };
    Helper::start("see", talk).ok()
}
