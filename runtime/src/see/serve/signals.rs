//! The task table on a signal: SIGUSR1, or SIGQUIT, which Ctrl-\ on the terminal sends.
//!
//! The handler can only ring. So a thread of its own waits for the bell, looks which signal it was and
//! prints, whatever the loop's thread is stuck in.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{Watched, monitor};
use crate::handler::{self, Reached};

/// Which signals print the table.
const SIGNALS: [i32; 2] = [libc::SIGUSR1, libc::SIGQUIT];

/// The thread that waits for them. It ends when this is dropped.
pub(super) struct Bell {
    mouth: UnixStream,
    reached: Option<Reached>,
    is_over: Arc<AtomicBool>,
    listening: Option<thread::JoinHandle<()>>,
    /// The process that hung it up. A forked child has no such thread.
    process: u32,
}

impl Bell {
    /// From here on these signals print the table of this loop, and do nothing else, for the rest of the
    /// process's life.
    pub(super) fn hang(watched: &Arc<Watched>) -> io::Result<Self> {
        let (ears, mouth) = UnixStream::pair()?;
        // A handler must not wait. A pair that is full rings loud enough.
        mouth.set_nonblocking(true)?;
        SIGNALS.into_iter().try_for_each(handler::install)?;
        let (reached, is_over) = (Reached::by(mouth.try_clone()?), Arc::new(AtomicBool::new(false)));
        let (heard, over, watched) = (SIGNALS.map(handler::count), Arc::clone(&is_over), Arc::clone(watched));
        let listen = move || listen(&ears, heard, &over, &watched);
        let listening = thread::Builder::new().name(String::from("oneloop-signals")).spawn(listen)?;
        Ok(Self { mouth, reached: Some(reached), is_over, listening: Some(listening), process: std::process::id() })
    }
}

fn listen(mut bell: &UnixStream, mut heard: [usize; 2], over: &AtomicBool, watched: &Watched) {
    let mut rings = [0; 512];
    loop {
        match bell.read(&mut rings) {
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
        }
        // Other signals ring here too.
        let counts = SIGNALS.map(handler::count);
        if std::mem::replace(&mut heard, counts) != counts {
            // Where stderr is closed or full there is nobody to tell.
            let _ = io::stderr().lock().write_all(monitor::table(watched).as_bytes());
        }
        if over.load(Ordering::SeqCst) {
            return;
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        let listening = self.listening.take();
        if self.process != std::process::id() {
            std::mem::forget(listening);
            return;
        }
        // First the handler: it must not write where nobody can read any more.
        drop(self.reached.take());
        self.is_over.store(true, Ordering::SeqCst);
        // Where there is no room for one more byte, there is one to be read already.
        let _ = self.mouth.write(b"!");
        if let Some(thread) = listening {
            let _ = thread.join();
        }
    }
}
