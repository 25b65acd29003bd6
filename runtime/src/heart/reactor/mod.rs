//! The reactor: the kernel's poll, and a slab of the sources registered with it.
//!
//! This is the only file that knows mio's `Poll`. It owns what the kernel last said about each source
//! (the *latches*) and the wakers of whoever waits for it to say more. It never reads or writes a
//! socket: the socket's owner does that, and reports back what it learnt.
//!
//! The kernel is asked in edge-triggered mode: it speaks once when something changes and then never
//! again until it changes again. So what it said must be remembered, and forgotten only on proof:
//!
//! ```text
//!              event: readable                          read -> WouldBlock
//!     not ready ---------------> ready: try to read  --------------------> not ready: leave a waker
//!                                  |        ^      \---- a short read --->   (unless the peer has
//!                                  '--------'                                hung up: EOF is still
//!                                read -> data, buffer full                   to be read)
//! ```
//!
//! A batch of events only sets latches and collects wakers. Nobody is woken, and no task runs, before
//! the whole batch is in, so no slot changes its tenant inside a batch.

use std::cell::{Cell, RefCell};
use std::io;
use std::num::NonZeroU32;
use std::os::fd::RawFd;
use std::panic::Location;
use std::task::Waker;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::heart::key::{Key, SourceKey};

/// mio's name for the inbox's bell.
const BELL: Token = Token(usize::MAX);

/// How many events one look at the kernel takes. The rest keeps until the next look.
const BATCH: usize = 1024;

/// No park is longer than this, because kernels count milliseconds in an `int`; the loop just turns
/// and parks again.
const LONGEST_PARK: Duration = Duration::from_secs(24 * 60 * 60);

/// What the kernel is asked about every source. Only these systems tell of urgent data.
const INTEREST: Interest = {
    let both = Interest::READABLE.add(Interest::WRITABLE);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let both = both.add(Interest::PRIORITY);
    both
};

/// A read that does not fill its buffer has emptied the socket, and the next byte is a new edge: no
/// system call is spent on asking. Not so with mio's poll(2) backend, for testing, which speaks again
/// only after it was told `WouldBlock`, nor where a read may have stopped before urgent data untold.
const SHORT_MEANS_DRAINED: bool =
    cfg!(any(target_os = "linux", target_os = "android")) && !cfg!(mio_unsupported_force_poll_poll);

/// One of the two ways of a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Read = 0,
    Write = 1,
}

/// Who waits for one direction of a source. A waiter has one waker: the latest it was polled with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Waiter(NonZeroU32);

impl Waiter {
    /// Whoever holds the source by `&mut`: there is one at a time.
    pub(crate) const OWNER: Self = Self(NonZeroU32::MIN);
    /// Those who share the source by `&` and poll it directly. They can be told apart only by their
    /// wakers.
    pub(crate) const SHARER: Self = Self(NonZeroU32::MIN.saturating_add(1));
    /// The first of the futures, each of which has a number of its own.
    const FIRST_FUTURE: Self = Self(NonZeroU32::MIN.saturating_add(2));
}

/// What a batch of events leaves to be done about a source, once the batch is in: the news of it, in
/// its first such entry, and somebody to wake.
pub(crate) struct Ready {
    pub(crate) key: SourceKey,
    pub(crate) news: Option<Latches>,
    pub(crate) waker: Option<Waker>,
}

/// What is to be done after a batch of events, and how much of it has been done.
#[derive(Default)]
struct Batch {
    ready: Vec<Ready>,
    done: usize,
}

/// What the kernel said about one source and nobody has disproved yet: a bit for each thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Latches(u8);

impl Latches {
    const ALL: Self = Self(u8::MAX);
    /// Urgent data is on its way. A read stops before it, so a short read proves nothing.
    const URGENT: Self = Self(1 << 4);

    /// In this direction an attempt may succeed.
    pub(crate) const fn ready(direction: Direction) -> Self {
        Self(1 << direction as u8)
    }

    /// It is hung up in this direction, or has failed. An attempt will say so, and no short read disproves
    /// it.
    pub(crate) const fn closed(direction: Direction) -> Self {
        Self(1 << (2 + direction as u8))
    }

    /// Whether any of the others is set in these.
    pub(crate) const fn any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    const fn only_if(self, condition: bool) -> Self {
        Self(if condition { self.0 } else { 0 })
    }

    fn of(event: &mio::event::Event) -> Self {
        use Direction::{Read, Write};
        let shut = |direction| Self::closed(direction).with(Self::ready(direction));
        Self::ready(Read)
            .only_if(event.is_readable())
            .with(Self::ready(Write).only_if(event.is_writable()))
            .with(shut(Read).only_if(event.is_read_closed()))
            .with(shut(Write).only_if(event.is_write_closed()))
            .with(shut(Read).with(shut(Write)).only_if(event.is_error()))
            .with(Self::URGENT.only_if(event.is_priority()))
    }
}

/// What is known of one source. There are as many as there are connections, and of most nobody waits
/// for more than one thing: so one who waits has its place here, and those beside it in a list apart.
struct Source {
    serial: u64,
    /// The line that opened it.
    at: &'static Location<'static>,
    latches: Latches,
    first: Option<Waiting>,
    others: Option<Box<Others>>,
}

struct Others(Vec<Waiting>);

struct Waiting {
    waiter: Waiter,
    direction: Direction,
    waker: Waker,
    at: &'static Location<'static>,
}

const _: () = assert!(size_of::<Source>() <= 64, "a source's size is a connection's cost: change it knowingly");

/// The reactor.
pub(crate) struct Reactor {
    runtime: u32,
    /// The process that made the epoll set. A forked child shares the set and must not touch it.
    process: u32,
    poll: RefCell<Poll>,
    events: RefCell<Events>,
    sources: RefCell<Slab<Source>>,
    batch: RefCell<Batch>,
    last_serial: Cell<u64>,
    next_waiter: Cell<Waiter>,
    /// How many wait, over all sources.
    waiting: Cell<usize>,
}

impl Reactor {
    /// Asks the kernel for an event queue. Also returns the bell that wakes a park from any thread.
    pub(crate) fn new() -> io::Result<(Self, mio::Waker)> {
        let poll = Poll::new()?;
        let bell = mio::Waker::new(poll.registry(), BELL)?;
        let reactor = Self {
            runtime: 0,
            process: std::process::id(),
            poll: RefCell::new(poll),
            events: RefCell::new(Events::with_capacity(BATCH)),
            sources: RefCell::new(Slab::new()),
            batch: RefCell::default(),
            last_serial: Cell::new(0),
            next_waiter: Cell::new(Waiter::FIRST_FUTURE),
            waiting: Cell::new(0),
        };
        Ok((reactor, bell))
    }

    /// Tells the reactor the number of its runtime, which is known only after the inbox has its bell.
    pub(crate) fn belongs_to(mut self, runtime: u32) -> Self {
        self.runtime = runtime;
        self
    }

    /// Whether this is a forked child of the process that made the reactor.
    pub(crate) fn is_foreign_process(&self) -> bool {
        std::process::id() != self.process
    }

    /// The descriptor of the kernel's event queue, where that is an epoll set.
    pub(crate) fn epoll(&self) -> Option<RawFd> {
        #[cfg(all(any(target_os = "linux", target_os = "android"), not(mio_unsupported_force_poll_poll)))]
        return Some(std::os::fd::AsRawFd::as_raw_fd(&*self.poll.borrow()));
        #[cfg(not(all(any(target_os = "linux", target_os = "android"), not(mio_unsupported_force_poll_poll))))]
        None
    }

    /// How many sources are registered.
    pub(crate) fn len(&self) -> usize {
        self.sources.borrow().len()
    }

    /// Whether anybody waits for a source.
    pub(crate) fn is_awaited(&self) -> bool {
        self.waiting.get() > 0
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
        let latches = read.only_if(ready[0]).with(write.only_if(ready[1]));
        entry.insert(Source { serial, at, latches, first: None, others: None });
        Ok(SourceKey(key))
    }

    /// Deregisters a source and frees its slot, whatever the kernel says to it. Returns the wakers of
    /// those who still wait. To be called before the source is closed: had its descriptor been
    /// duplicated, the kernel would go on reporting it.
    pub(crate) fn deregister(&self, io: &mut impl mio::event::Source, SourceKey(key): SourceKey) -> Vec<Waker> {
        if !self.is_foreign_process() {
            let _ = self.poll.borrow().registry().deregister(io);
        }
        let mut sources = self.sources.borrow_mut();
        if sources.get(key.slot as usize).is_none_or(|source| source.serial != key.serial) {
            return Vec::new();
        }
        let mut wakers = Vec::new();
        sources.remove(key.slot as usize).take_waiting(Latches::ALL, |waker| wakers.push(waker));
        self.waiting.set(self.waiting.get() - wakers.len());
        wakers
    }

    /// Whether an attempt may succeed, as far as is known.
    pub(crate) fn is_ready(&self, key: SourceKey, direction: Direction) -> bool {
        self.with(key, |source| source.latches.any(Latches::ready(direction))).unwrap_or(true)
    }

    /// An attempt was answered with `WouldBlock`: whatever the kernel said is over.
    pub(crate) fn would_block(&self, key: SourceKey, direction: Direction) {
        let urgent = Latches::URGENT.only_if(direction == Direction::Read);
        let over = Latches::ready(direction).with(Latches::closed(direction)).with(urgent);
        self.with(key, |source| source.latches = source.latches.without(over));
    }

    /// An attempt took or gave less than it could have: the socket is drained or full, unless its end
    /// is still to be seen. Says whether it is drained.
    pub(crate) fn fell_short(&self, key: SourceKey, direction: Direction) -> bool {
        if !SHORT_MEANS_DRAINED {
            return false;
        }
        let cut = Latches::URGENT.only_if(direction == Direction::Read);
        let unproven = Latches::closed(direction).with(cut);
        let drained = self.with(key, |source| {
            let drained = !source.latches.any(unproven);
            source.latches = source.latches.without(Latches::ready(direction).only_if(drained));
            drained
        });
        drained == Some(true)
    }

    /// Whether one of the wakers that wait for this fits.
    pub(crate) fn waits(&self, key: SourceKey, direction: Direction, fits: impl Fn(&Waker) -> bool) -> bool {
        let any = |source: &mut Source| source.waiting_mut().any(|w| w.direction == direction && fits(&w.waker));
        self.with(key, any).unwrap_or(false)
    }

    /// The line that opened a source, which must be registered.
    pub(crate) fn opened_at(&self, key: SourceKey) -> &'static Location<'static> {
        self.with(key, |source| source.at).expect("a socket's source is registered for as long as it lives")
    }

    /// A number for a future that is about to wait.
    pub(crate) fn new_waiter(&self) -> Waiter {
        let this = self.next_waiter.get();
        self.next_waiter.set(this.0.checked_add(1).map_or(Waiter::FIRST_FUTURE, Waiter));
        this
    }

    /// Leaves a waker until the next event. Returns the one it makes superfluous.
    #[inline(always)]
    pub(crate) fn wait(
        &self,
        key: SourceKey,
        direction: Direction,
        waiter: Waiter,
        waker: Waker,
        at: &'static Location<'static>,
    ) -> Option<Waker> {
        let mut sources = self.sources.borrow_mut();
        let Some(source) = sources.get_mut(key.0.slot as usize).filter(|source| source.serial == key.0.serial) else {
            return Some(waker);
        };
        let replaced = source.add(Waiting { waiter, direction, waker, at });
        self.waiting.set(self.waiting.get() + usize::from(replaced.is_none()));
        replaced
    }

    /// A future that waited is dropped. Returns its waker, if no event has taken it.
    pub(crate) fn forget(&self, key: SourceKey, direction: Direction, waiter: Waiter) -> Option<Waker> {
        let waiting = self.with(key, |source| source.remove(direction, waiter))??;
        self.waiting.set(self.waiting.get() - 1);
        Some(waiting.waker)
    }

    /// Sleeps until an event, the bell or the end of `timeout`; then sets the latches of the whole
    /// batch and collects the wakers for [`pop_ready`](Self::pop_ready). Returns how many events came.
    pub(crate) fn park(&self, timeout: Option<Duration>) -> io::Result<usize> {
        let mut events = self.events.borrow_mut();
        match self.poll.borrow_mut().poll(&mut events, timeout.map(|t| t.min(LONGEST_PARK))) {
            Ok(()) => {}
            Err(interrupted) if interrupted.kind() == io::ErrorKind::Interrupted => return Ok(0),
            Err(error) => return Err(error),
        }
        let (mut sources, mut batch) = (self.sources.borrow_mut(), self.batch.borrow_mut());
        let mut count = 0;
        for event in events.iter().filter(|event| event.token() != BELL) {
            let slot = event.token().0 as u32;
            let Some(source) = sources.get_mut(slot as usize) else { continue };
            let key = Key { runtime: self.runtime, slot, serial: source.serial };
            if token(key) != event.token() {
                continue;
            }
            count += 1;
            let latches = Latches::of(event);
            source.latches = source.latches.with(latches);
            let mut news = Some(latches);
            let woken = source.take_waiting(latches, |waker| {
                batch.ready.push(Ready { key: SourceKey(key), news: news.take(), waker: Some(waker) });
            });
            self.waiting.set(self.waiting.get() - woken);
            if news.is_some() {
                batch.ready.push(Ready { key: SourceKey(key), news, waker: None });
            }
        }
        Ok(count)
    }

    /// Takes the next thing that the last batch of events left to be done.
    #[inline(always)]
    pub(crate) fn pop_ready(&self) -> Option<Ready> {
        let batch = &mut *self.batch.borrow_mut();
        let Some(ready) = batch.ready.get_mut(batch.done) else {
            batch.ready.clear();
            batch.done = 0;
            return None;
        };
        batch.done += 1;
        Some(Ready { waker: ready.waker.take(), ..*ready })
    }

    /// Takes all that the last batch of events left to be done, where a panic has kept it from being done.
    pub(crate) fn take_batch(&self) -> impl Iterator<Item = Ready> + use<> {
        let Batch { ready, done } = self.batch.take();
        ready.into_iter().skip(done)
    }

    /// Takes every waker out, for the end of the runtime.
    pub(crate) fn take_wakers(&self) -> Vec<Waker> {
        let mut wakers: Vec<_> = self.take_batch().filter_map(|ready| ready.waker).collect();
        for (_, source) in self.sources.borrow_mut().iter_mut() {
            source.take_waiting(Latches::ALL, |waker| wakers.push(waker));
        }
        wakers
    }

    /// Every source, with the line that opened it, visited by `look`.
    pub(crate) fn each_source(&self, mut look: impl FnMut(SourceKey, Latches, &'static Location<'static>)) {
        for (slot, source) in self.sources.borrow().iter() {
            let key = SourceKey(Key { runtime: self.runtime, slot: slot as u32, serial: source.serial });
            look(key, source.latches, source.at);
        }
    }

    /// Everyone who waits, with the line that created the future, visited by `look`, which must not be
    /// foreign code.
    pub(crate) fn each_waiter(&self, mut look: impl FnMut(SourceKey, Direction, &Waker, &'static Location<'static>)) {
        for (slot, source) in self.sources.borrow().iter() {
            let key = SourceKey(Key { runtime: self.runtime, slot: slot as u32, serial: source.serial });
            for waiting in source.first.iter().chain(source.others.iter().flat_map(|others| &others.0)) {
                look(key, waiting.direction, &waiting.waker, waiting.at);
            }
        }
    }

    fn with<R>(&self, SourceKey(key): SourceKey, f: impl FnOnce(&mut Source) -> R) -> Option<R> {
        let mut sources = self.sources.borrow_mut();
        sources.get_mut(key.slot as usize).filter(|source| source.serial == key.serial).map(f)
    }
}

impl Waiting {
    fn is(&self, direction: Direction, waiter: Waiter) -> bool {
        self.direction == direction && self.waiter == waiter
    }
}

impl Source {
    fn waiting_mut(&mut self) -> impl Iterator<Item = &mut Waiting> {
        self.first.iter_mut().chain(self.others.iter_mut().flat_map(|others| &mut others.0))
    }

    /// Returns the waker that this one makes superfluous.
    #[inline]
    fn add(&mut self, waiting: Waiting) -> Option<Waker> {
        if self.first.is_some() || self.others.is_some() {
            return self.add_beside(waiting);
        }
        self.first = Some(waiting);
        None
    }

    #[inline(never)]
    fn add_beside(&mut self, waiting: Waiting) -> Option<Waker> {
        let same = |w: &&mut Waiting| {
            w.is(waiting.direction, waiting.waiter)
                && (waiting.waiter != Waiter::SHARER || w.waker.will_wake(&waiting.waker))
        };
        if let Some(there) = self.waiting_mut().find(same) {
            return Some(std::mem::replace(there, waiting).waker);
        }
        match &mut self.first {
            first @ None => *first = Some(waiting),
            Some(_) => self.others.get_or_insert_with(|| Box::new(Others(Vec::new()))).0.push(waiting),
        }
        None
    }

    fn remove(&mut self, direction: Direction, waiter: Waiter) -> Option<Waiting> {
        if let first @ Some(_) = self.first.take_if(|w| w.is(direction, waiter)) {
            return first;
        }
        let Others(others) = &mut **self.others.as_mut()?;
        let place = others.iter().position(|w| w.is(direction, waiter))?;
        Some(others.swap_remove(place))
    }

    /// Takes out everyone who waits for what has come, and says how many.
    fn take_waiting(&mut self, come: Latches, mut each: impl FnMut(Waker)) -> usize {
        let come_for = |waiting: &Waiting| come.any(Latches::ready(waiting.direction));
        let mut count = 0;
        let mut take = |waiting: Waiting| {
            count += 1;
            each(waiting.waker);
        };
        self.first.take_if(|waiting| come_for(waiting)).into_iter().for_each(&mut take);
        if let Some(others) = &mut self.others {
            for waiting in std::mem::take(&mut others.0) {
                if come_for(&waiting) { take(waiting) } else { others.0.push(waiting) }
            }
        }
        count
    }
}

/// A source's key as mio carries it: the slot and as much of the serial as fits.
fn token(key: Key) -> Token {
    Token((key.serial as u32 as usize) << 32 | key.slot as usize)
}
