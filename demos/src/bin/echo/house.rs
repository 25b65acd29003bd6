//! The house of an echo: how many may be in, who has to go when it is full, and the account of it all.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use oneloop::net::TcpStream;
use oneloop::time::{Elapsed, Instant, timeout};

use crate::terminal::{Args, Log};

/// The server's knowledge of its clients.
pub(crate) struct House {
    pub(crate) args: Args,
    log: Log,
    /// How many may be in: no more than there are files for, where nobody new could even be accepted.
    most: usize,
    /// The connections by the number of their last word, so the one that was silent the longest is the first.
    inside: RefCell<BTreeMap<u64, Rc<TcpStream>>>,
    words: Cell<u64>,
    came: Cell<u64>,
    finished: Cell<u64>,
    bytes: Cell<u64>,
}

impl House {
    pub(crate) fn open(args: Args, addr: SocketAddr) -> Result<Self, String> {
        let log = Log::open(format!("listening on {addr}; try: nc {} {}", addr.ip(), addr.port()))?;
        let most = files_allowed().saturating_sub(24).clamp(1, args.connections);
        let (inside, words, came, finished, bytes) = Default::default();
        Ok(Self { args, log, most, inside, words, came, finished, bytes })
    }

    /// Takes a client in. Nobody keeps a newcomer out by saying nothing: where the house is full, somebody goes.
    pub(crate) fn welcome(&self, stream: TcpStream, peer: SocketAddr) -> Guest<'_> {
        let (stream, last_word) = (Rc::new(stream), Cell::new(self.next_word()));
        let mut inside = self.inside.borrow_mut();
        if inside.len() >= self.most {
            let count = inside.len();
            if let Some((_, silent)) = inside.pop_first() {
                self.log.say(format!("{count} are connected, so the one that was silent the longest has to go"));
                // Its task finds the end of the connection.
                let _ = silent.shutdown(Shutdown::Both);
            }
        }
        inside.insert(last_word.get(), Rc::clone(&stream));
        self.came.set(self.came.get() + 1);
        Guest { house: self, stream, peer, start: Instant::now(), last_word, echoed: Cell::new(0) }
    }

    fn next_word(&self) -> u64 {
        self.words.set(self.words.get() + 1);
        self.words.get()
    }

    pub(crate) fn is_stopping(&self) {
        let open = self.came.get() - self.finished.get();
        if open > 0 {
            self.log.say(format!("stopping; {open} connected, with {} s to finish", self.args.grace.as_secs_f64()));
        }
    }

    /// Says how it all went, and waits until that is written.
    pub(crate) fn account(self) {
        let (came, bytes, cut) = (self.came.get(), self.bytes.get(), self.came.get() - self.finished.get());
        let (came, bytes) = (counted(came, "connection"), counted(bytes, "byte"));
        self.log.say(format!("stopped: {came}, {bytes} echoed, {cut} cut off"));
        self.log.close();
    }
}

/// Somebody who is connected.
pub(crate) struct Guest<'house> {
    pub(crate) house: &'house House,
    pub(crate) stream: Rc<TcpStream>,
    peer: SocketAddr,
    start: Instant,
    last_word: Cell<u64>,
    echoed: Cell<u64>,
}

impl Guest<'_> {
    pub(crate) fn has_spoken(&self, bytes: usize) {
        self.echoed.set(self.echoed.get() + bytes as u64);
        self.house.bytes.set(self.house.bytes.get() + bytes as u64);
        let mut inside = self.house.inside.borrow_mut();
        // One that was told to go is in the list no more, and stays out of it.
        if let Some(stream) = inside.remove(&self.last_word.get()) {
            self.last_word.set(self.house.next_word());
            inside.insert(self.last_word.get(), stream);
        }
    }

    /// The line in the log, when the conversation has come to its end.
    pub(crate) fn goodbye(self, end: Result<io::Result<()>, Elapsed>) {
        let stays = self.house.inside.borrow().contains_key(&self.last_word.get());
        let end = match end {
            _ if !stays => "made room for another".to_owned(),
            Ok(Ok(())) => "closed by the client".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "its time was up".to_owned(),
        };
        self.house.finished.set(self.house.finished.get() + 1);
        let (bytes, seconds) = (counted(self.echoed.get(), "byte"), self.start.elapsed().as_secs_f64());
        self.house.log.say(format!("{}: {bytes} echoed in {seconds:.1} s; {end}", self.peer));
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.house.inside.borrow_mut().remove(&self.last_word.get());
    }
}

/// An operation that may take so long, and the error it ends in if it takes longer.
pub(crate) async fn within<T>(limit: Duration, operation: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let too_late = |_| Err(io::Error::new(ErrorKind::TimedOut, "idle for too long"));
    timeout(limit, operation).await.unwrap_or_else(too_late)
}

fn counted(count: u64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// How many files this process may have open, where Linux tells.
fn files_allowed() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(usize::MAX)
}
