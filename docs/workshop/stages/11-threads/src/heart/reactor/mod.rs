//! The reactor: the kernel's poll, and a slab of the sources registered with it.
//!
//! It owns what the kernel last said about each source (the *latches*) and the wakers of whoever waits for it to say
//! more. It never reads or writes a socket: the socket's owner does that, and reports what it learnt.
//!
//! ```text
//!              event: readable                          read -> WouldBlock
//!     not ready ---------------> ready: try to read  --------------------> not ready: leave a waker
//!                                  |        ^
//!                                  '--------'
//!                                read -> data
//! ```

mod latches;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::task::Waker;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};

use crate::ground::sync::Bell;
use crate::heart::key::{Key, SourceKey};
use crate::slab::Slab;

pub(crate) use self::latches::{Direction, Latches};

/// The name of the inbox's bell among the sources.
const BELL: Token = Token(usize::MAX);

/// One source: the news of it, and those who wait for it.
struct Source {
    latches: Latches,
    waiting: Vec<Waiting>,
}

/// One who waits for one direction of a source. A waiter has one waker: the latest it was polled with.
struct Waiting {
    waiter: u64,
    direction: Direction,
    waker: Waker,
}

/// The work for a source once a batch of events is in: the news of it, and somebody to wake.
pub(crate) struct Arrival {
    pub(crate) key: SourceKey,
    pub(crate) news: Option<Latches>,
    pub(crate) waker: Option<Waker>,
}

/// The reactor.
pub(crate) struct Reactor {
    runtime: u32,
    poll: RefCell<Poll>,
    events: RefCell<Events>,
    sources: RefCell<Slab<Source>>,
    arrivals: RefCell<VecDeque<Arrival>>,
    last_waiter: Cell<u64>,
}

impl Reactor {
    /// Asks the kernel for an event queue. Also returns the bell that ends a park from any thread.
    pub(crate) fn new() -> io::Result<(Self, Bell)> {
        let poll = Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), BELL)?;
        let reactor = Self {
            runtime: 0,
            poll: RefCell::new(poll),
            events: RefCell::new(Events::with_capacity(1024)),
            sources: RefCell::new(Slab::new()),
            arrivals: RefCell::default(),
            last_waiter: Cell::new(0),
        };
        Ok((reactor, Bell::new(move || waker.wake())))
    }

    /// Tells the reactor the number of its runtime, which is known only after the inbox has its bell.
    pub(crate) fn belongs_to(mut self, runtime: u32) -> Self {
        self.runtime = runtime;
        self
    }

    /// How many sources are registered.
    pub(crate) fn len(&self) -> usize {
        self.sources.borrow().len()
    }

    /// Whether anybody waits for a source.
    pub(crate) fn is_awaited(&self) -> bool {
        self.sources.borrow().iter().any(|(.., source)| !source.waiting.is_empty())
    }

    /// Registers a source for both directions, once and for all. The first attempt is made without asking the kernel.
    pub(crate) fn register(&self, io: &mut impl mio::event::Source) -> io::Result<SourceKey> {
        let latches = Latches::ready(Direction::Read).union(Latches::ready(Direction::Write));
        let source = Source { latches, waiting: Vec::new() };
        let (slot, serial) = self.sources.borrow_mut().insert(source);
        let key = SourceKey(Key { runtime: self.runtime, slot, serial });
        let interest = Interest::READABLE.add(Interest::WRITABLE);
        let registered = self.poll.borrow().registry().register(io, token(key), interest);
        if registered.is_err() {
            self.sources.borrow_mut().remove(slot, serial);
        }
        registered.map(|()| key)
    }

    /// Deregisters a source and frees its slot. Returns the wakers of those who still wait.
    pub(crate) fn deregister(&self, io: &mut impl mio::event::Source, SourceKey(key): SourceKey) -> Vec<Waker> {
        let _ = self.poll.borrow().registry().deregister(io);
        let source = self.sources.borrow_mut().remove(key.slot, key.serial);
        source.map_or_else(Vec::new, |source| source.waiting.into_iter().map(|waiting| waiting.waker).collect())
    }

    /// Whether an attempt may succeed, as far as is known.
    pub(crate) fn is_ready(&self, SourceKey(key): SourceKey, direction: Direction) -> bool {
        let mut sources = self.sources.borrow_mut();
        sources.get_mut(key.slot, key.serial).is_none_or(|source| source.latches.any(Latches::ready(direction)))
    }

    /// An attempt was answered with `WouldBlock`: whatever the kernel said about this direction is over.
    pub(crate) fn would_block(&self, SourceKey(key): SourceKey, direction: Direction) {
        let mut sources = self.sources.borrow_mut();
        let Some(source) = sources.get_mut(key.slot, key.serial) else { return };
        // stage: hole "would_block"
        let over = Latches::ready(direction).union(Latches::closed(direction));
        source.latches = source.latches.without(over);
        // stage: end
    }

    /// A number for a future that may have to wait.
    pub(crate) fn new_waiter(&self) -> u64 {
        self.last_waiter.set(self.last_waiter.get() + 1);
        self.last_waiter.get()
    }

    /// Leaves a waker until the next event. Returns the one that it replaces.
    pub(crate) fn wait(
        &self,
        SourceKey(key): SourceKey,
        direction: Direction,
        waiter: u64,
        waker: Waker,
    ) -> Option<Waker> {
        let mut sources = self.sources.borrow_mut();
        let Some(source) = sources.get_mut(key.slot, key.serial) else { return Some(waker) };
        // stage: hole "wait for a source"
        match source.waiting.iter_mut().find(|waiting| waiting.waiter == waiter && waiting.direction == direction) {
            Some(waiting) => Some(std::mem::replace(&mut waiting.waker, waker)),
            None => {
                source.waiting.push(Waiting { waiter, direction, waker });
                None
            }
        }
        // stage: end
    }

    /// A future that waited is dropped. Returns its waker, if no event has taken it.
    pub(crate) fn forget(&self, SourceKey(key): SourceKey, direction: Direction, waiter: u64) -> Option<Waker> {
        let mut sources = self.sources.borrow_mut();
        let source = sources.get_mut(key.slot, key.serial)?;
        // stage: hole "forget"
        let is = |waiting: &Waiting| waiting.waiter == waiter && waiting.direction == direction;
        let place = source.waiting.iter().position(is)?;
        Some(source.waiting.swap_remove(place).waker)
        // stage: end
    }

    /// Sleeps until an event or the end of `timeout`, and takes the whole batch in. Nobody is woken before that.
    pub(crate) fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        let mut events = self.events.borrow_mut();
        match self.poll.borrow_mut().poll(&mut events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in events.iter().filter(|event| event.token() != BELL) {
            self.dispatch(event.token(), Latches::of(event));
        }
        Ok(())
    }

    /// The kernel has said this of the source with this token: sets the latches, and notes who is to be woken.
    pub(crate) fn dispatch(&self, token_said: Token, news: Latches) {
        let (mut sources, mut arrivals) = (self.sources.borrow_mut(), self.arrivals.borrow_mut());
        let slot = token_said.0 as u32;
        let Some((serial, source)) = sources.tenant(slot as usize) else { return };
        let key = SourceKey(Key { runtime: self.runtime, slot, serial });
        // stage: hole "dispatch"
        if token(key) != token_said {
            return;
        }
        source.latches = source.latches.union(news);
        arrivals.push_back(Arrival { key, news: Some(news), waker: None });
        for waiting in std::mem::take(&mut source.waiting) {
            if news.any(Latches::ready(waiting.direction)) {
                arrivals.push_back(Arrival { key, news: None, waker: Some(waiting.waker) });
            } else {
                source.waiting.push(waiting);
            }
        }
        // stage: end
    }

    /// Takes the next thing that the last batch of events left to be done.
    pub(crate) fn pop_arrival(&self) -> Option<Arrival> {
        self.arrivals.borrow_mut().pop_front()
    }

    /// Takes every waker out, for the end of the runtime.
    pub(crate) fn take_wakers(&self) -> Vec<Waker> {
        let mut wakers: Vec<Waker> = self.arrivals.take().into_iter().filter_map(|arrival| arrival.waker).collect();
        let keys: Vec<(u32, u64)> = self.sources.borrow().iter().map(|(slot, serial, _)| (slot, serial)).collect();
        for (slot, serial) in keys {
            let waiting = self.sources.borrow_mut().get_mut(slot, serial).map(|source| std::mem::take(&mut source.waiting));
            wakers.extend(waiting.into_iter().flatten().map(|waiting| waiting.waker));
        }
        wakers
    }
}

impl Latches {
    /// As the trace wants it: may read, may write, and whether either way is closed.
    pub(crate) fn told(self) -> [bool; 4] {
        use Direction::{Read, Write};
        [Self::ready(Read), Self::ready(Write), Self::closed(Read), Self::closed(Write)].map(|latch| self.any(latch))
    }
}

/// A source's key as mio carries it: the slot, and as much of the serial as fits.
pub(crate) fn token(SourceKey(key): SourceKey) -> Token {
    Token((key.serial as u32 as usize) << 32 | key.slot as usize)
}
