//! The ring: the last events of a loop, and what the loop looked like before the oldest of them.
//!
//! It fills while the loop runs, and forgets the oldest events first. A forgotten event is applied to a state that is
//! kept beside the others. So a reader can always begin with a state, and apply the events that are left.
//!
//! ```text
//!     past, for those who look      |  tail, which the loop writes
//!     base: Base    seen: State     |  gone              full                    open
//!     ( before 41 ) ( after 50 )    |  [ 41 .. ]  ->     [ .. ] [ .. ] [ .. ]    [ .. 50 ]  <- 51
//! ```
//!
//! The loop waits for nobody who looks, however much there is to look at. It writes into the open segment with its
//! pen, and takes the lock of the tail only where a segment is full. So does a looker, for as long as it takes to copy
//! the shares in some segments. States are made of these, on the looker's own thread, under the lock of the past.
//! Each time that a segment is full, the loop applies an old one to the base, but only if the lock of the past is free.
//! A looker takes the past first, then the tail.
//!
//! A ring that comes late begins with a copy of the loop's stores. The loop copies a share in each turn, and sends
//! itself a message so that it does not sleep before the next. Lookers on other threads wait until that is done.

use std::fmt::Write as _;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use crate::ground::event::{Event, Observer, Pen, Place, nanos, thread_number};
use crate::ground::packed::Packed;
use crate::heart::core::{Core, Message};
use crate::heart::current::{current, with_current};
use crate::see::model::kept::Kept;
use crate::see::model::live::Copying;
use crate::see::model::ndjson::{Line, Run};
use crate::see::model::state::State;
use crate::see::model::whole::Occasion;
use crate::see::record::Record;
use crate::see::record::cut::Cut;
use crate::see::record::past::Past;
use crate::see::record::pen::{Paper, RingPen};
use crate::see::record::places::Places;
use crate::see::record::segment::Segment;
use crate::see::record::tail::Tail;

/// How many forgotten segments the loop takes into the base at a time: one goes each time that one is full.
const KEEP_UP_BY: usize = 2;

/// How many slots of the stores the loop copies in one turn. It takes some tenths of a millisecond.
const COPIED: usize = 1 << 12;

/// How long a looker waits for a copy. A loop that is stuck in a poll makes none.
const TO_BE_COPIED: Duration = Duration::from_secs(1);

/// How many things of a loop that ran already go into the base at a time, before events do.
const READ_ON_BY: usize = 1024;

/// Keeps the last events of one runtime, to be written down or looked at, from any
/// thread. A clone is the same ring.
///
/// Runtimes that share a ring have to be on one thread, and their tasks have the same numbers. A runtime on another
/// thread panics, with a sentence that says so, when it is given a ring into which one writes already.
///
/// ```
/// let ring = oneloop::see::Ring::new(1000);
/// let runtime = oneloop::Runtime::builder().observer(ring.clone()).build()?;
/// runtime.block_on(oneloop::task::yield_now());
///
/// let mut written = Vec::new();
/// ring.write_to(&mut written)?;
/// let text = String::from_utf8(written)?;
/// assert!(text.starts_with(r#"{"oneloop":"events","version":1,"clock":"real","first":1,"dropped":0,"#));
/// assert_eq!(text.lines().count(), 1 + ring.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Ring(Arc<Shared>);

struct Shared {
    tail: Mutex<Tail>,
    past: Mutex<Past>,
    places: Places,
    /// Held by one who tells the ring, as no loop does.
    tellers: Mutex<()>,
    /// A copy of the stores is whole.
    copied: Condvar,
}

/// Events as text, for a reader who comes back for more.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Batch {
    /// Lines, each with its end. Before the first there is a header, and facts, if the reader has to
    /// begin anew.
    pub text: String,
    /// Whether it begins anew: with a header, and the state before the first event that follows.
    pub anew: bool,
    /// The number to ask with the next time: that of the last event that is told of here.
    pub cursor: u64,
}

impl Ring {
    /// A ring that keeps the last `capacity` events, at least one. An event takes some 45 bytes.
    pub fn new(capacity: usize) -> Self {
        let tail = Mutex::new(Tail::new(capacity.max(1)));
        let (past, places, tellers) = (Mutex::default(), Places::default(), Mutex::default());
        Self(Arc::new(Shared { tail, past, places, tellers, copied: Condvar::new() }))
    }

    /// How many events it holds.
    pub fn len(&self) -> usize {
        let tail = self.tail();
        let last = tail.last();
        last.min(tail.capacity as u64) as usize
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many events it has forgotten.
    pub fn dropped(&self) -> u64 {
        self.tail().dropped()
    }

    /// The state of the loop after the last event.
    pub fn state(&self) -> State {
        Arc::unwrap_or_clone(self.seen_now())
    }

    /// Calls `look` with what the loop looks like after the last event.
    pub fn with_state<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.seen_now())
    }

    /// Writes all that it holds: a header, the state before the first event if anything was forgotten, and
    /// a line an event (`docs/events.md`). The header says how many lines follow it.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub fn write_to(&self, mut out: impl io::Write) -> io::Result<()> {
        self.write_on(Occasion::Asked, &mut out)
    }

    pub(crate) fn write_on(&self, occasion: Occasion, out: &mut dyn io::Write) -> io::Result<()> {
        let (mut text, cut) = {
            let (past, cut) = self.look();
            (cut.beginning(cut.dropped, &past.base.1.state(&cut.places), Some(occasion)), cut)
        };
        for (n, record) in cut.after(cut.dropped) {
            let _ = writeln!(text, "{}", Line { n, at: record.at, event: record.event() });
            if text.len() > 1 << 16 {
                out.write_all(text.as_bytes())?;
                text.clear();
            }
        }
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// The events after the one with number `cursor`, at most `max` of them, for a reader that
    /// comes again and again. A new reader asks with 0.
    ///
    /// A reader that is new, or too late for what it asks for, gets a header and facts first. All events follow, if
    /// there are at most `max`. If there are more, the facts are those of the loop as it is now, and no events follow.
    pub fn since(&self, cursor: u64, max: usize) -> Batch {
        let going_on = {
            let tail = self.tail();
            let fits = cursor > 0 && (tail.dropped()..=tail.last()).contains(&cursor);
            fits.then(|| tail.cut(cursor, cursor.saturating_add(max as u64), &self.0.places))
        };
        let (text, from, cut) = match going_on {
            Some(cut) => (String::new(), cursor, cut),
            None => self.begin_anew(max),
        };
        batch(text, from, &cut, max, cursor == 0 || from != cursor)
    }

    /// The first events of all that are kept, at most `max`, after a header and facts: for a new reader of a loop that
    /// rests, who can catch up.
    pub(crate) fn whole_past(&self, max: usize) -> Batch {
        let (past, cut) = self.look();
        let text = cut.beginning(cut.dropped, &past.base.1.state(&cut.places), None);
        drop(past);
        batch(text, cut.dropped, &cut, max, true)
    }

    /// The header and facts for a reader that begins anew, and after which event it goes on.
    fn begin_anew(&self, max: usize) -> (String, u64, Cut) {
        let (mut past, cut) = self.look();
        let from = if cut.last - cut.dropped <= max as u64 { cut.dropped } else { cut.last };
        if from == cut.last && from > cut.dropped {
            let seen = past.see(&cut);
            drop(past);
            return (cut.beginning(from, &seen, None), from, cut);
        }
        (cut.beginning(from, &past.base.1.state(&cut.places), None), from, cut)
    }

    /// Whether events after the one with this number are forgotten, so that who knows it has to begin anew.
    pub(crate) fn has_lost(&self, cursor: u64) -> bool {
        cursor < self.dropped()
    }

    /// The number of the last event.
    pub fn last(&self) -> u64 {
        self.tail().last()
    }

    /// A copy of the events before the one with number `before`, at most `max`, those next to it.
    pub(crate) fn page(&self, before: u64, max: usize) -> Vec<Record> {
        let until = before.saturating_sub(1);
        let cut = self.tail().cut(until.saturating_sub(max as u64), until, &self.0.places);
        let from = until.saturating_sub(max as u64).max(cut.dropped);
        cut.after(from).take_while(|(n, _)| *n <= until).map(|(_, record)| record).collect()
    }

    fn seen_now(&self) -> Arc<State> {
        let (mut past, cut) = self.look();
        past.see(&cut)
    }

    /// The past, with a base that is up to date, and all events that are kept.
    fn look(&self) -> (MutexGuard<'_, Past>, Cut) {
        let mut past = self.copied_past();
        past.base.1.read_on(usize::MAX, &self.0.places);
        let cut = self.tail().take_all(&self.0.places);
        cut.bring_up(&mut past.base);
        (past, cut)
    }

    /// The past, with all that there is to copy: the loop's own thread copies the rest at once, any other waits for it.
    fn copied_past(&self) -> MutexGuard<'_, Past> {
        let mut past = self.past();
        let Some((runtime, _)) = past.copying else { return past };
        match current().filter(|core| core.number == runtime) {
            Some(core) => {
                past.copy_on(&core, usize::MAX);
            }
            None => {
                let waited = self.0.copied.wait_timeout_while(past, TO_BE_COPIED, |past| past.copying.is_some());
                past = waited.unwrap_or_else(PoisonError::into_inner).0;
                past.end_copying();
            }
        }
        past
    }

    /// Copies a share of the stores, and has the next turn copy another if that was not all.
    fn copy_on(&self, core: &Core) {
        let is_whole = self.past().copy_on(core, COPIED);
        if is_whole {
            self.0.copied.notify_all();
        } else {
            let ring = self.clone();
            let _ = core.inbox.send(Message::Run(Box::new(move |core| ring.copy_on(core)), thread_number()));
        }
    }

    /// Brings the base up to date. It reads on in the stores' copy that a late ring began with, or applies the segments
    /// that are not kept any more. A looker that holds the lock does this itself.
    fn keep_up(&self) {
        let mut past = match self.0.past.try_lock() {
            Ok(past) => past,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if past.copying.is_some() || !past.base.1.read_on(READ_ON_BY, &self.0.places) {
            return;
        }
        for _ in 0..KEEP_UP_BY {
            let Some((before, oldest)) = self.tail().oldest_gone() else { return };
            let (after, base) = &mut past.base;
            // A looker may have brought it further than this segment goes.
            *after += base.apply_all(oldest.rows(after.saturating_sub(before) as usize), &oldest);
            self.tail().give_back(oldest);
        }
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.0.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.0.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Paper for Ring {
    fn take_up(&self) {
        let here = std::thread::current().id();
        let writer = &mut self.tail().writer;
        let (thread, pens) = writer.get_or_insert((here, 0));
        let is_here = *thread == here;
        *pens += usize::from(is_here);
        assert!(
            is_here,
            "a Ring keeps the events of one thread at a time, and a loop on another thread writes into this one: \
             give this thread's loop a Ring of its own"
        );
    }

    fn put_down(&self) {
        let writer = &mut self.tail().writer;
        *writer = writer.filter(|(_, pens)| *pens > 1).map(|(thread, pens)| (thread, pens - 1));
    }

    fn begin(&self) -> Arc<Segment> {
        let mut tail = self.tail();
        if tail.last() == 0 {
            tail.run = with_current(|core| Run::of(core)).unwrap_or(tail.run);
            let ring = self.clone();
            Kept::keep(Rc::new(move || ring.state()));
        }
        Arc::clone(&tail.open)
    }

    fn turn_over(&self) {
        self.tail().turn_over();
        self.keep_up();
    }

    fn number(&self, place: Place) -> u32 {
        self.0.places.number(place)
    }
}

impl Observer for Ring {
    /// For those who tell a ring themselves, by turns. A loop has its pen.
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        let _my_turn = self.0.tellers.lock().unwrap_or_else(PoisonError::into_inner);
        let pen = RingPen::new(self.clone());
        Packed::of(nanos(at), event, &pen).write_with(&pen);
    }

    fn pen(&self) -> Option<Box<dyn Pen>> {
        Some(Box::new(RingPen::new(self.clone())))
    }

    fn only_notes(&self) -> bool {
        true
    }

    fn on_attached(&self, _: Duration) {
        let Some(core) = current() else { return };
        {
            let (mut past, mut tail) = (self.past(), self.tail());
            tail.run = Run::of(&core);
            let copying = Some((core.number, Copying::begin(&core)));
            *past = Past { base: (tail.dropped(), Default::default()), copying, ..Past::default() };
        }
        self.copy_on(&core);
    }
}

/// The lines of at most `max` events after the one with number `from`, behind what stands before them.
fn batch(mut text: String, from: u64, cut: &Cut, max: usize, anew: bool) -> Batch {
    let until = cut.last.min(from.saturating_add(max as u64));
    for (n, record) in cut.after(from).take_while(|(n, _)| *n <= until) {
        let _ = writeln!(text, "{}", Line { n, at: record.at, event: record.event() });
    }
    Batch { text, anew, cursor: until }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ring({} events, {} dropped)", self.len(), self.dropped())
    }
}
