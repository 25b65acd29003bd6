//! The reactor: the kernel's poll, and a slab of the sources registered with it.
//!
//! This is the only file that knows mio's `Poll`. It owns what the kernel last reported of each source (the *latches*)
//! and the wakers of those who wait for the next report. It never reads or writes a socket: the socket's owner does
//! that, and passes on the result.
//!
//! The kernel is asked in edge-triggered mode: it reports a change once, and is silent until the next change. So a
//! report must be remembered, and forgotten only when a read or a write disproves it:
//!
//! ```text
//!              event: readable                          read -> WouldBlock
//!     not ready ---------------> ready: try to read  --------------------> not ready: leave a waker
//!                                  |        ^      \---- a short read --->   (unless the peer has
//!                                  '--------'                                hung up: EOF is still
//!                                read -> data, buffer full                   to be read)
//! ```
//!
//! A batch of events only sets latches and wakes. A wake of our own puts a task into the ready queue, so it may happen
//! while the batch is being read. Foreign code runs when the whole batch is in: the wakes of other crates' wakers,
//! observers and tasks. So no slot changes its tenant inside a batch.

mod latches;
mod peek;
mod source;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::panic::Location;
use std::task::Waker;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use self::source::Source;
use crate::ground::signals::forks;
use crate::heart::key::{Key, SourceKey};

pub(crate) use self::latches::{Direction, Latches};
pub(crate) use self::source::{WaiterId, Waiting};

/// mio's name for the inbox's bell.
const BELL: Token = Token(usize::MAX);

/// How many events one call of the kernel's poll returns at most. The rest comes with the next call.
const BATCH: usize = 1024;

/// No park is longer than this, because kernels count milliseconds in an `int`; the loop just turns
/// and parks again.
const LONGEST_PARK: Duration = Duration::from_secs(24 * 60 * 60);

/// The events that the kernel is asked for, of every source. Only Linux and Android report urgent data.
const INTEREST: Interest = {
    let both = Interest::READABLE.add(Interest::WRITABLE);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let both = both.add(Interest::PRIORITY);
    both
};

/// Whether a read of a stream of bytes that does not fill its buffer has emptied the socket. If so, the next byte is a
/// new edge, and the read that would return `WouldBlock` is saved. It is not so with mio's poll(2) backend, which is for
/// testing: that reports again only after `WouldBlock`. Elsewhere a read may stop before urgent data, unreported.
const SHORT_MEANS_DRAINED: bool =
    cfg!(any(target_os = "linux", target_os = "android")) && !cfg!(mio_unsupported_force_poll_poll);

/// An event of a source, and one waker that waited for it. If several wakers waited, each has an arrival, and only the
/// first arrival has the news for the observers.
pub(crate) struct Arrival {
    pub(crate) key: SourceKey,
    pub(crate) news: Option<Latches>,
    pub(crate) waker: Option<Waker>,
}

/// The reactor.
pub(crate) struct Reactor {
    /// The runtime's number, which its keys have.
    pub(crate) runtime: u32,
    /// The process that made the epoll set, by its count of forks. A forked child shares the set and must not touch it.
    forks: u32,
    /// The kernel's event queue, which is asked by `park` alone.
    poll: RefCell<Poll>,
    /// The room into which the kernel writes a batch of events. It is made once.
    events: RefCell<Events>,
    /// The registered sources. A source's place here is the slot of its key, and goes to the kernel in its token.
    sources: RefCell<Slab<Source>>,
    /// The arrivals that could not be delivered while their batch was being read.
    arrivals: RefCell<VecDeque<Arrival>>,
    /// The serial of the newest source. No serial is given twice, so a key never fits a later tenant of its slot.
    last_serial: Cell<u64>,
    /// The number for the next future that waits. A future that is dropped takes its waker back by its number.
    next_waiter: Cell<WaiterId>,
}

impl Reactor {
    /// Asks the kernel for an event queue. Also returns the bell that wakes a park from any thread.
    pub(crate) fn new() -> io::Result<(Self, mio::Waker)> {
        let poll = Poll::new()?;
        let bell = mio::Waker::new(poll.registry(), BELL)?;
        let reactor = Self {
            // `Unentered::new` sets it: the number is known only when the inbox has its bell.
            runtime: 0,
            forks: forks(),
            poll: RefCell::new(poll),
            events: RefCell::new(Events::with_capacity(BATCH)),
            sources: RefCell::new(Slab::new()),
            arrivals: RefCell::default(),
            last_serial: Cell::new(0),
            next_waiter: Cell::new(WaiterId::FIRST_FUTURE),
        };
        Ok((reactor, bell))
    }

    /// Whether this is a forked child of the process that made the reactor.
    pub(crate) fn is_foreign_process(&self) -> bool {
        forks() != self.forks
    }

    /// How many sources are registered.
    pub(crate) fn len(&self) -> usize {
        self.sources.borrow().len()
    }

    /// Whether anybody waits for a source. A virtual clock does not jump while anybody does.
    pub(crate) fn is_awaited(&self) -> bool {
        self.sources.borrow_mut().iter_mut().any(|(_, source)| source.waiting_mut().next().is_some())
    }

    /// Registers a source for both directions, once and for all. `ready` says, by direction, whether
    /// the first attempt may be made without asking the kernel.
    pub(crate) fn register(
        &self,
        io: &mut impl mio::event::Source,
        ready: [bool; 2],
        at: &'static Location<'static>,
    ) -> io::Result<SourceKey> {
        let mut sources = self.sources.borrow_mut();
        let entry = sources.vacant_entry();
        let serial = self.last_serial.get() + 1;
        let key = Key { runtime: self.runtime, slot: entry.key() as u32, serial };
        self.poll.borrow().registry().register(io, token(key), INTEREST)?;
        self.last_serial.set(serial);
        let [read, write] = [Direction::Read, Direction::Write].map(Latches::ready);
        let latches = read.only_if(ready[0]).union(write.only_if(ready[1]));
        entry.insert(Source { serial, at, latches, first: None, others: None });
        Ok(SourceKey(key))
    }

    /// Forgets what the kernel reported of a source, and registers it again: the kernel then reports once more what is
    /// ready.
    pub(crate) fn ask_again(&self, io: &mut impl mio::event::Source, key: SourceKey) -> io::Result<()> {
        self.with(key, |source| source.latches = Latches::default());
        self.poll.borrow().registry().reregister(io, token(key.0), INTEREST)
    }

    /// Deregisters a source and frees its slot, even if the kernel reports an error. Returns the wakers of those who
    /// still wait. Call it before the source is closed: the kernel goes on reporting a closed descriptor that has a
    /// duplicate.
    pub(crate) fn deregister(&self, io: &mut impl mio::event::Source, SourceKey(key): SourceKey) -> Vec<Waker> {
        if !self.is_foreign_process() {
            let _ = self.poll.borrow().registry().deregister(io);
        }
        let mut sources = self.sources.borrow_mut();
        if sources.get(key.slot as usize).is_none_or(|source| source.serial != key.serial) {
            return Vec::new();
        }
        sources.remove(key.slot as usize).take_all().collect()
    }

    /// Whether an attempt may succeed, as far as is known.
    pub(crate) fn is_ready(&self, key: SourceKey, direction: Direction) -> bool {
        self.with(key, |source| source.latches.any(Latches::ready(direction))).unwrap_or(true)
    }

    /// Forgets what the kernel reported for a direction, since an attempt returned `WouldBlock`.
    pub(crate) fn would_block(&self, key: SourceKey, direction: Direction) {
        let urgent = Latches::URGENT.only_if(direction == Direction::Read);
        let over = Latches::ready(direction).union(Latches::closed(direction)).union(urgent);
        self.with(key, |source| source.latches = source.latches.without(over));
    }

    /// Notes that an attempt read or wrote less than it asked for. So the socket is drained or full, unless its end or
    /// urgent data is still to be read. Returns whether it is known to be drained or full.
    pub(crate) fn fell_short(&self, key: SourceKey, direction: Direction) -> bool {
        if !SHORT_MEANS_DRAINED {
            return false;
        }
        let urgent = Latches::URGENT.only_if(direction == Direction::Read);
        let unproven = Latches::closed(direction).union(urgent);
        let drained = self.with(key, |source| {
            let drained = !source.latches.any(unproven);
            source.latches = source.latches.without(Latches::ready(direction).only_if(drained));
            drained
        });
        drained == Some(true)
    }

    /// A number for a future that is about to wait.
    pub(crate) fn new_waiter(&self) -> WaiterId {
        let this = self.next_waiter.get();
        self.next_waiter.set(this.0.checked_add(1).map_or(WaiterId::FIRST_FUTURE, WaiterId));
        this
    }

    /// Leaves a waker until the next event. Returns the one that it replaces.
    #[inline(always)]
    pub(crate) fn wait(&self, key: SourceKey, waiting: Waiting) -> Option<Waker> {
        let mut sources = self.sources.borrow_mut();
        let Some(source) = sources.get_mut(key.0.slot as usize).filter(|source| source.serial == key.0.serial) else {
            return Some(waiting.waker);
        };
        source.add(waiting)
    }

    /// Takes back the waker of a future that is dropped while it waits. `None` if an event has taken it.
    pub(crate) fn forget(&self, key: SourceKey, direction: Direction, waiter: WaiterId) -> Option<Waker> {
        Some(self.with(key, |source| source.remove(direction, waiter))??.waker)
    }

    /// Removes wakers of those who share a source and poll it directly, where `may_stay` is false: `net/waiters.rs`
    /// says when. It begins at the end of the list, where the newest are. It removes none if there are at most `few`
    /// others.
    pub(crate) fn thin_out(
        &self,
        key: SourceKey,
        direction: Direction,
        few: usize,
        mut may_stay: impl FnMut(&Waker) -> bool,
    ) -> Vec<Waker> {
        let taken = self.with(key, |source| {
            let mut taken = Vec::new();
            let others =
                source.others.as_deref_mut().map(|others| &mut others.0).filter(|others| others.len() > few)?;
            for place in (0..others.len()).rev() {
                if others[place].is(direction, WaiterId::SHARER) && !may_stay(&others[place].waker) {
                    taken.push(others.remove(place).waker);
                }
            }
            Some(taken)
        });
        taken.flatten().unwrap_or_default()
    }

    /// Sleeps until an event, the bell or the end of `timeout`; then reads the whole batch, and sets the latches.
    /// `at_once` delivers an arrival if that runs no foreign code, and says whether it did. All others are kept for
    /// [`pop_arrival`](Self::pop_arrival). Returns how many events came.
    pub(crate) fn park(&self, timeout: Option<Duration>, at_once: impl Fn(&Arrival) -> bool) -> io::Result<usize> {
        let mut events = self.events.borrow_mut();
        match self.poll.borrow_mut().poll(&mut events, timeout.map(|t| t.min(LONGEST_PARK))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            // After an interruption there are no events.
            _ => {}
        }
        let (mut sources, mut arrivals) = (self.sources.borrow_mut(), self.arrivals.borrow_mut());
        let mut count = 0;
        for event in events.iter().filter(|event| event.token() != BELL) {
            let slot = event.token().0 as u32;
            let Some(source) = sources.get_mut(slot as usize) else { continue };
            let key = Key { runtime: self.runtime, slot, serial: source.serial };
            if token(key) != event.token() {
                continue;
            }
            count += 1;
            let (key, news) = (SourceKey(key), Latches::of(event));
            source.latches = source.latches.union(news);
            let first = Arrival { key, news: Some(news), waker: source.take_first(news) };
            // Behind an arrival that is kept all are kept, so that wakes have the order of the events.
            if !arrivals.is_empty() || !at_once(&first) {
                arrivals.push_back(first);
            }
            if source.others.is_some() {
                let others = source.take_others(news).into_iter();
                arrivals.extend(others.map(|waiting| Arrival { key, news: None, waker: Some(waiting.waker) }));
            }
        }
        Ok(count)
    }

    /// Takes the next arrival of the last batch of events.
    #[inline(always)]
    pub(crate) fn pop_arrival(&self) -> Option<Arrival> {
        self.arrivals.borrow_mut().pop_front()
    }

    /// Takes every waker out, for the end of the runtime.
    pub(crate) fn take_wakers(&self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.arrivals.take().into_iter().filter_map(|arrival| arrival.waker));
        for (_, source) in self.sources.borrow_mut().iter_mut() {
            wakers.extend(source.take_all());
        }
    }

    fn with<R>(&self, SourceKey(key): SourceKey, f: impl FnOnce(&mut Source) -> R) -> Option<R> {
        let mut sources = self.sources.borrow_mut();
        sources.get_mut(key.slot as usize).filter(|source| source.serial == key.serial).map(f)
    }
}

/// A source's key as mio carries it: the slot and as much of the serial as fits.
fn token(key: Key) -> Token {
    Token((key.serial as u32 as usize) << 32 | key.slot as usize)
}
