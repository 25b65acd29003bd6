//! The ring: the last events of a loop, and what the loop looked like before the oldest of them.
//!
//! It fills while the loop runs, and forgets from the beginning. A forgotten event is applied to the state
//! that is kept with the rest, so what is left still tells a whole story: a state, and what became of it.
//!
//! ```text
//!     base: State        events                                        seen: State, for those who ask
//!     ( before 41 )  ->  [ 41 42 43 44 45 46 47 48 49 50 ]  <- 51         what is now
//! ```

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::ground::event::{Event, Observer};
use crate::heart::current::with_current;
use crate::see::model::kept::Kept;
use crate::see::model::live;
use crate::see::model::ndjson::{Facts, Header, Line, Run};
use crate::see::model::state::State;
use crate::see::record::Record;

/// Keeps the last events of one runtime, for whoever wants to write them down or look at them, from any
/// thread. A clone is the same ring.
///
/// ```
/// let ring = oneloop::see::Ring::new(1000);
/// let runtime = oneloop::Runtime::builder().observer(ring.clone()).build()?;
/// runtime.block_on(oneloop::task::yield_now());
///
/// let mut written = Vec::new();
/// ring.write_to(&mut written)?;
/// let text = String::from_utf8(written)?;
/// assert!(text.starts_with(r#"{"oneloop":"events","version":1,"clock":"real","first":1,"dropped":0}"#));
/// assert_eq!(text.lines().count(), 1 + ring.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Ring(Arc<Mutex<Inner>>);

struct Inner {
    capacity: usize,
    run: Run,
    /// What the loop looked like before the oldest event.
    base: State,
    events: VecDeque<Record>,
    /// How many events were forgotten.
    dropped: u64,
    /// What the loop looked like after so many events: the last answer to whoever asked.
    seen: (u64, State),
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
    /// What to ask with the next time: the number of the last event that is told of here.
    pub cursor: u64,
}

impl Ring {
    /// A ring that keeps the last `capacity` events, at least one. An event takes some 150 bytes.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self(Arc::new(Mutex::new(Inner {
            capacity,
            run: Run::default(),
            base: State::default(),
            events: VecDeque::new(),
            dropped: 0,
            seen: (0, State::default()),
        })))
    }

    /// How many events it holds.
    pub fn len(&self) -> usize {
        self.inner().events.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many events it has forgotten.
    pub fn dropped(&self) -> u64 {
        self.inner().dropped
    }

    /// What the loop looks like after the last event.
    pub fn state(&self) -> State {
        self.inner().see_now().clone()
    }

    /// Calls `look` with what the loop looks like after the last event. The loop waits meanwhile if it has
    /// something to tell.
    pub fn with_state<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(self.inner().see_now())
    }

    /// Writes all that it holds: a header, the state before the first event if anything was forgotten, and
    /// a line an event (`docs/events.md`). The loop waits meanwhile if it has something to tell.
    ///
    /// # Errors
    ///
    /// Whatever `out` says.
    pub fn write_to(&self, mut out: impl io::Write) -> io::Result<()> {
        let inner = self.inner();
        let mut text = inner.beginning(inner.dropped, &inner.base);
        for n in inner.dropped + 1..=inner.last() {
            inner.write_event(&mut text, n);
            if text.len() > 1 << 16 {
                out.write_all(text.as_bytes())?;
                text.clear();
            }
        }
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// What happened after the event with number `cursor`, at most `max` events of it, for a reader that
    /// comes again and again. A new reader asks with 0.
    ///
    /// A reader that is new, or too late for what it asks for, gets a header and facts before the events:
    /// all events that there are, if they are no more than `max`; else what the loop looks like now, and no
    /// events yet.
    pub fn since(&self, cursor: u64, max: usize) -> Batch {
        let mut inner = self.inner();
        let (first, last) = (inner.dropped, inner.last());
        let anew = cursor == 0 || cursor < first || cursor > last;
        let (mut text, from) = match anew {
            false => (String::new(), cursor),
            true if inner.events.len() <= max => (inner.beginning(first, &inner.base), first),
            true => {
                inner.see_now();
                (inner.beginning(last, &inner.seen.1), last)
            }
        };
        let until = last.min(from.saturating_add(max as u64));
        for n in from + 1..=until {
            inner.write_event(&mut text, n);
        }
        Batch { text, anew, cursor: until }
    }

    /// The number of the last event.
    pub fn last(&self) -> u64 {
        self.inner().last()
    }

    /// A copy of the events before the one with number `before`, at most `max`, those next to it.
    pub(crate) fn page(&self, before: u64, max: usize) -> Vec<Record> {
        let inner = self.inner();
        let until = before.saturating_sub(inner.dropped + 1).min(inner.events.len() as u64) as usize;
        inner.events.range(until.saturating_sub(max)..until).cloned().collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn last(&self) -> u64 {
        self.dropped + self.events.len() as u64
    }

    /// The header and facts of what comes after `before` events.
    fn beginning(&self, before: u64, state: &State) -> String {
        let mut text = format!("{}\n", Header { run: self.run, first: before + 1, dropped: before });
        if *state != State::default() {
            let _ = write!(text, "{}", Facts(state));
        }
        text
    }

    fn record(&self, n: u64) -> Option<&Record> {
        self.events.get(n.checked_sub(self.dropped + 1)? as usize)
    }

    fn write_event(&self, text: &mut String, n: u64) {
        if let Some(record) = self.record(n) {
            let _ = writeln!(text, "{}", Line { n, at: record.at, event: record.event() });
        }
    }

    fn push(&mut self, record: Record) {
        if self.events.len() == self.capacity {
            if let Some(oldest) = self.events.pop_front() {
                self.base.apply(oldest.at, &oldest.event());
                self.dropped += 1;
            }
        }
        self.events.push_back(record);
    }

    /// Brings the last answer up to date: from where it was, if the events since are still here.
    fn see_now(&mut self) -> &State {
        if self.seen.0 < self.dropped {
            self.seen = (self.dropped, self.base.clone());
        }
        let (after, state) = &mut self.seen;
        for record in self.events.iter().skip((*after - self.dropped) as usize) {
            state.apply(record.at, &record.event());
        }
        *after = self.dropped + self.events.len() as u64;
        state
    }
}

impl Observer for Ring {
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        let record = Record::of(at, event);
        let mut inner = self.inner();
        let is_first = inner.last() == 0;
        if is_first {
            inner.run = with_current(|core| Run::of(core)).unwrap_or(inner.run);
        }
        inner.push(record);
        drop(inner);
        if is_first {
            Kept::keep(self);
        }
    }

    fn on_attached(&self, _: Duration) {
        let (now, run) = with_current(|core| (live::state_of(core), Run::of(core))).unwrap_or_default();
        let mut inner = self.inner();
        inner.run = run;
        inner.seen = (0, now.clone());
        inner.base = now;
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inner = self.inner();
        write!(f, "Ring({} events, {} dropped)", inner.events.len(), inner.dropped)
    }
}
