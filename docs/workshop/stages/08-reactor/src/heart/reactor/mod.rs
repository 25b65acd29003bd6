//! The reactor: the kernel's poll, and a slab of the sources registered with it.
//!
//! This is the only file that knows mio's `Poll`. It owns what the kernel last said about each source (the *latches*)
//! and the wakers of those who wait for it to say more. It never reads or writes a socket: the socket's owner does
//! that, and reports back what it learnt.
//!
//! The kernel is asked in edge-triggered mode: it speaks once when something changes and then never
//! again until it changes again. So what it said must be remembered, and forgotten only on proof:
//!
//! ```text
//!              event: readable                          read -> WouldBlock
//!     not ready ---------------> ready: try to read  --------------------> not ready: leave a waker
//!                                  |        ^
//!                                  '--------'
//!                                read -> data
//! ```
//!
//! A batch of events only sets latches and collects wakers. Nobody is woken, and no task runs, before
//! the whole batch is in, so no slot changes its tenant inside a batch.

mod latches;
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

/// How many events one look at the kernel takes. The rest keeps until the next look.
const BATCH: usize = 1024;

/// No park is longer than this, because kernels count milliseconds in an `int`; the loop just turns
/// and parks again.
const LONGEST_PARK: Duration = Duration::from_secs(24 * 60 * 60);

/// The events that the kernel is asked for, of every source. Only these systems tell of urgent data.
const INTEREST: Interest = {
    let both = Interest::READABLE.add(Interest::WRITABLE);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let both = both.add(Interest::PRIORITY);
    both
};

/// An event's news of a source, and somebody to wake. It is dealt with when the whole batch of events is in. If
/// several wait, only the first entry has the news.
pub(crate) struct Arrival {
    pub(crate) key: SourceKey,
    pub(crate) news: Option<Latches>,
    pub(crate) waker: Option<Waker>,
}

/// The reactor.
pub(crate) struct Reactor {
    runtime: u32,
    /// The process that made the epoll set, by its count of forks. A forked child shares the set and must not touch it.
    forks: u32,
    /// The kernel's event queue, which is asked by `park` alone.
    poll: RefCell<Poll>,
    /// The room into which the kernel writes a batch of events. It is made once.
    events: RefCell<Events>,
    /// The registered sources. A source's place here is the slot of its key, and goes to the kernel in its token.
    sources: RefCell<Slab<Source>>,
    /// The arrivals of the last batch of events that have not been dealt with.
    arrivals: RefCell<VecDeque<Arrival>>,
    /// The serial of the newest source. No serial is given twice, so a key never fits a later tenant of its slot.
    last_serial: Cell<u64>,
    /// The number for the next future that waits. It takes its waker back by this number when it is dropped.
    next_waiter: Cell<WaiterId>,
}

impl Reactor {
    /// Asks the kernel for an event queue.
    pub(crate) fn new(runtime: u32) -> io::Result<Self> {
        Ok(Self {
            runtime,
            forks: forks(),
            poll: RefCell::new(Poll::new()?),
            events: RefCell::new(Events::with_capacity(BATCH)),
            sources: RefCell::new(Slab::new()),
            arrivals: RefCell::default(),
            last_serial: Cell::new(0),
            next_waiter: Cell::new(WaiterId::FIRST_FUTURE),
        })
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

    /// Deregisters a source and frees its slot, even if the kernel reports an error. Returns the wakers of those who
    /// still wait. To be called before the source is closed: had its descriptor been duplicated, the kernel would go
    /// on reporting it.
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

    /// An attempt was answered with `WouldBlock`: all that the kernel said before is over.
    pub(crate) fn would_block(&self, key: SourceKey, direction: Direction) {
        // stage: hole "would_block"
        let urgent = Latches::URGENT.only_if(direction == Direction::Read);
        let over = Latches::ready(direction).union(Latches::closed(direction)).union(urgent);
        self.with(key, |source| source.latches = source.latches.without(over));
        // stage: end
    }

    /// A number for a future that is about to wait.
    pub(crate) fn new_waiter(&self) -> WaiterId {
        let this = self.next_waiter.get();
        self.next_waiter.set(this.0.checked_add(1).map_or(WaiterId::FIRST_FUTURE, WaiterId));
        this
    }

    /// Leaves a waker until the next event. Returns the one it makes superfluous.
    #[inline(always)]
    pub(crate) fn wait(&self, key: SourceKey, waiting: Waiting) -> Option<Waker> {
        let mut sources = self.sources.borrow_mut();
        let Some(source) = sources.get_mut(key.0.slot as usize).filter(|source| source.serial == key.0.serial) else {
            return Some(waiting.waker);
        };
        source.add(waiting)
    }

    /// Sleeps until an event or the end of `timeout`; then takes the whole batch in. Nobody is woken before that.
    pub(crate) fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        let mut events = self.events.borrow_mut();
        match self.poll.borrow_mut().poll(&mut events, timeout.map(|t| t.min(LONGEST_PARK))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in events.iter() {
            self.dispatch(event.token(), Latches::of(event));
        }
        Ok(())
    }

    /// The kernel has said this of the source with this token: sets the latches, and collects the wakers for
    /// [`pop_arrival`](Self::pop_arrival). A function of its own, so that a test may say what the kernel says.
    pub(crate) fn dispatch(&self, said_of: Token, latches: Latches) {
        let (mut sources, mut arrivals) = (self.sources.borrow_mut(), self.arrivals.borrow_mut());
        let slot = said_of.0 as u32;
        let Some(source) = sources.get_mut(slot as usize) else { return };
        let key = Key { runtime: self.runtime, slot, serial: source.serial };
        // stage: hole "dispatch"
        if token(key) != said_of {
            return;
        }
        let key = SourceKey(key);
        source.latches = source.latches.union(latches);
        arrivals.push_back(Arrival { key, news: Some(latches), waker: source.take_first(latches) });
        let others = source.take_others(latches).into_iter();
        arrivals.extend(others.map(|waiting| Arrival { key, news: None, waker: Some(waiting.waker) }));
        // stage: end
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

impl Latches {
    /// As the trace wants it: may read, may write, and whether either way is closed.
    pub(crate) fn told(self) -> [bool; 4] {
        use Direction::{Read, Write};
        [Self::ready(Read), Self::ready(Write), Self::closed(Read), Self::closed(Write)].map(|latch| self.any(latch))
    }
}

/// A source's key as mio carries it: the slot and as much of the serial as fits.
pub(crate) fn token(key: Key) -> Token {
    Token((key.serial as u32 as usize) << 32 | key.slot as usize)
}
