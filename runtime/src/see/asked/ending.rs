//! The end of a process that drops nothing: what was to be written at the end of a runtime is written all
//! the same.
//!
//! ```text
//!     the runtime is dropped, or its thread unwinds ---------------------.
//!     exit(3), or main returns ------------> atexit ---------------------+--> write, and forget
//!     SIGINT, SIGTERM, SIGHUP, which would --> bell: write, give the signal back, raise it;
//!     end the process                          who is still there takes it again, and goes on
//! ```
//!
//! An end that was asked for need not come: the kernel spares the first process of a container. So a signal
//! has all written as of now, and it is written anew at the next end.
//!
//! A signal that the program handles itself is none of our business: its runtimes will be dropped. Against
//! SIGKILL and abort(3) there is no remedy.

use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use crate::ground::signals;
use crate::see::model::whole::Occasion;
use crate::see::serve::bell::SignalBell;
use crate::see::stderr;

/// The writer of a file.
type Write = Box<dyn FnMut(Occasion) + Send>;

/// The files still to be written, and the thread that hears the signals meanwhile.
struct Unwritten {
    last_number: u64,
    /// By number, the oldest first.
    all: Vec<(u64, Write)>,
    bell: Option<SignalBell>,
    /// The process that is to write it.
    process: u32,
}

static UNWRITTEN: Mutex<Unwritten> = Mutex::new(Unwritten { last_number: 0, all: Vec::new(), bell: None, process: 0 });

fn unwritten() -> MutexGuard<'static, Unwritten> {
    UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that is written when this is dropped, or when the process ends before that. It is also written at each signal
/// that asks the process to end.
pub(super) struct AtTheEnd {
    number: u64,
    process: u32,
}

impl AtTheEnd {
    pub(super) fn write(write: Write) -> Self {
        static AT_EXIT: Once = Once::new();
        AT_EXIT.call_once(|| signals::at_exit(exits));
        let (mut unwritten, process) = (unwritten(), std::process::id());
        if unwritten.process != process {
            // A forked child neither writes nor drops its parent's files.
            std::mem::forget((std::mem::take(&mut unwritten.all), unwritten.bell.take()));
            unwritten.process = process;
        }
        if unwritten.bell.is_none() {
            let signals = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];
            let signals = signals.into_iter().filter(|signal| signals::is_default(*signal)).collect();
            // Without it a signal ends the process as ever, and nothing is written.
            unwritten.bell = SignalBell::hang(signals, Box::new(ended_by)).ok();
        }
        unwritten.last_number += 1;
        let number = unwritten.last_number;
        unwritten.all.push((number, write));
        Self { number, process }
    }
}

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            return;
        }
        let mut unwritten = unwritten();
        // The lock is kept, so that a process that ends meanwhile waits until the file is whole.
        let place = unwritten.all.iter().position(|(number, _)| *number == self.number);
        let own = place.map(|place| unwritten.all.remove(place));
        own.into_iter().for_each(|(_, mut write)| write(Occasion::RuntimeEnd));
        let bell = if unwritten.all.is_empty() { unwritten.bell.take() } else { None };
        drop(unwritten);
        drop(bell);
    }
}

impl Unwritten {
    fn write_all(&mut self, occasion: Occasion) {
        if self.process == std::process::id() {
            self.all.iter_mut().for_each(|(_, write)| write(occasion));
        }
    }
}

/// A signal came that ends a process, if the program does not handle it.
fn ended_by(signal: i32) {
    if signals::would_have_ended(signal) {
        unwritten().write_all(Occasion::Signal(signal));
        stderr::flush();
        signals::let_end(signal);
    }
}

extern "C" fn exits() {
    // A forked child may have the lock from a thread that it has not.
    let is_child = signals::forks() > 0 && UNWRITTEN.try_lock().is_err();
    if !is_child {
        let mut unwritten = unwritten();
        unwritten.write_all(Occasion::Exit);
        unwritten.all.clear();
        drop(unwritten);
        stderr::flush();
    }
}
