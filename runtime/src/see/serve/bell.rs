//! The bell: a thread that hears signals, whatever the loop's thread is stuck in.
//!
//! The handler can only ring. So a thread of its own waits for that, looks which signal it was, and does what
//! a handler must not.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ground::signals::{self, Borrowed, Reached};
use crate::see::helper::Helper;

/// The thread that waits for signals. It ends when this is dropped, and what handled them before does so
/// again.
pub(crate) struct SignalBell {
    mouth: UnixStream,
    borrowed: Vec<Borrowed>,
    reached: Option<Reached>,
    is_over: Arc<AtomicBool>,
    /// It ends after it was rung for the last time. Its work at a signal waits for no stranger.
    thread: Helper,
}

/// The answer to a signal.
type Heard = Box<dyn Fn(i32) + Send>;

impl SignalBell {
    /// From here on `heard` is called for each of these signals that comes.
    pub(crate) fn hang(signals: Vec<i32>, heard: Heard) -> io::Result<Self> {
        let (ears, mouth) = UnixStream::pair()?;
        // A handler must not wait. A pair that is full rings loud enough.
        mouth.set_nonblocking(true)?;
        let (reached, is_over) = (Some(Reached::by(mouth.try_clone()?)), Arc::new(AtomicBool::new(false)));
        let mut counts: Vec<_> = signals.iter().map(|signal| (*signal, signals::count(*signal))).collect();
        let borrowed = signals.into_iter().map(Borrowed::new).collect::<io::Result<_>>()?;
        let over = Arc::clone(&is_over);
        let listen = move || listen(&ears, &mut counts, &over, &*heard);
        let thread = Helper::start("signals", listen)?;
        Ok(Self { mouth, borrowed, reached, is_over, thread })
    }
}

fn listen(mut bell: &UnixStream, counts: &mut [(i32, usize)], over: &AtomicBool, heard: &dyn Fn(i32)) {
    let mut rings = [0; 512];
    loop {
        match bell.read(&mut rings) {
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
        }
        // Other signals ring here too.
        for (signal, known) in &mut *counts {
            let count = signals::count(*signal);
            if std::mem::replace(known, count) != count {
                heard(*signal);
            }
        }
        if over.load(Ordering::SeqCst) {
            return;
        }
    }
}

impl Drop for SignalBell {
    fn drop(&mut self) {
        self.borrowed.clear();
        if self.thread.is_in_the_parent() {
            return;
        }
        // First the handler: it must not write where nobody can read any more.
        drop(self.reached.take());
        self.is_over.store(true, Ordering::SeqCst);
        // A pair without room for one more byte has one to be read already.
        let _ = self.mouth.write(b"!");
    }
}
