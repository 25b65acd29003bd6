//! A helper: a thread that works for somebody and ends with it.
//!
//! Its owner waits for it at the end, so a helper must never wait for a stranger. It writes to stderr by
//! [`say`](super::stderr::say), which waits only a moment, and to sockets that its owner shuts. Signals are the
//! program's, so helpers block them all: the kernel picks a thread of the program, or keeps the signal until one takes
//! it.

use std::io;
use std::process;
use std::sync::{Arc, Barrier};
use std::thread;

use crate::ground::signals;

/// The beginning of a helper's name. No other thread of this process is named so.
pub(super) const NAMED: &str = "oneloop-";

/// A thread that is waited for when this is dropped. Its owner has told it to end by then.
pub(super) struct Helper {
    thread: Option<thread::JoinHandle<()>>,
    /// The process that it is a thread of. A forked child does not have it.
    process: u32,
}

impl Helper {
    pub(super) fn start(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let thread = spawn(name, Box::new(body))?;
        Ok(Self { thread: Some(thread), process: process::id() })
    }

    /// Wakes it, if it is parked. The thread's handle takes no lock, which a forked child may find taken for ever.
    pub(super) fn unpark(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    /// Whether it has come to its end by itself.
    pub(super) fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(thread::JoinHandle::is_finished)
    }

    /// Whether this process was forked since: then there is no thread.
    pub(super) fn is_in_the_parent(&self) -> bool {
        self.process != process::id()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        if self.is_in_the_parent() {
            std::mem::forget(thread);
            return;
        }
        // A panic there has said its word already.
        let _ = thread.join();
    }
}

/// A helper that nobody waits for: it lasts as long as the process.
pub(super) fn start_for_good(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    spawn(name, Box::new(body)).map(drop)
}

fn spawn(name: &str, body: Box<dyn FnOnce() + Send>) -> io::Result<thread::JoinHandle<()>> {
    let starts = Arc::new(Barrier::new(2));
    let has_started = Arc::clone(&starts);
    let body = move || {
        signals::block_signals();
        starts.wait();
        drop(starts);
        body();
    };
    let thread = thread::Builder::new().name(format!("{NAMED}{name}")).spawn(body)?;
    // Until then the thread bears the name of this one, and takes the program's signals.
    has_started.wait();
    Ok(thread)
}
