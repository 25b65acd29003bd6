//! The tail of a ring: its events, in segments.
//!
//! The loop writes into the open segment. A full one does not change any more. One of which nothing is to be kept is
//! gone, and waits until the base has it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::ThreadId;

use crate::see::model::ndjson::Run;
use crate::see::record::cut::Cut;
use crate::see::record::places::Places;
use crate::see::record::segment::{SEGMENT, Segment};

/// The events.
pub(super) struct Tail {
    pub(super) capacity: usize,
    pub(super) run: Run,
    /// The thread that writes, and how many pens it has.
    pub(super) writer: Option<(ThreadId, usize)>,
    /// How many events there were before the open segment.
    before: u64,
    pub(super) open: Arc<Segment>,
    /// The segments before it of which something is kept. They are full.
    full: VecDeque<Arc<Segment>>,
    /// The segments before those, until the base has them.
    gone: VecDeque<Arc<Segment>>,
    /// One that the base has had, to be written anew.
    spare: Option<Arc<Segment>>,
}

impl Tail {
    pub(super) fn new(capacity: usize) -> Self {
        let (run, open) = (Run::default(), Arc::new(Segment::with_room()));
        let (full, gone) = (VecDeque::new(), VecDeque::new());
        Self { capacity, run, writer: None, before: 0, open, full, gone, spare: None }
    }

    /// The number of the last event. The loop may write the next one meanwhile.
    pub(super) fn last(&self) -> u64 {
        self.before + self.open.len() as u64
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped_at(self.last())
    }

    fn dropped_at(&self, last: u64) -> u64 {
        last.saturating_sub(self.capacity as u64)
    }

    /// How many events there were before the full segments that are kept and the last `gone` of those that are gone.
    fn before(&self, gone: usize) -> u64 {
        self.before - ((self.full.len() + gone) * SEGMENT) as u64
    }

    /// Begins a new segment if the open one is full, and lets those go of which nothing is to be kept.
    pub(super) fn turn_over(&mut self) {
        if !self.open.is_full() {
            return;
        }
        let next = self.spare.take().unwrap_or_else(|| Arc::new(Segment::with_room()));
        let full = std::mem::replace(&mut self.open, next);
        self.before += SEGMENT as u64;
        self.full.push_back(full);
        let forgotten = self.dropped().saturating_sub(self.before(0)) as usize / SEGMENT;
        self.gone.extend(self.full.drain(..forgotten));
    }

    /// Takes the oldest segment of which nothing is kept, and how many events there were before it.
    pub(super) fn oldest_gone(&mut self) -> Option<(u64, Arc<Segment>)> {
        let before = self.before(self.gone.len());
        self.gone.pop_front().map(|segment| (before, segment))
    }

    /// Gives back a segment that the base has, for the next events, unless somebody reads it.
    pub(super) fn give_back(&mut self, mut had: Arc<Segment>) {
        if let Some(segment) = Arc::get_mut(&mut had) {
            segment.clear();
            self.spare = Some(had);
        }
    }

    /// The segments with the events behind the number `after` up to `until`, as far as they are kept.
    pub(super) fn cut(&self, after: u64, until: u64, places: &Places) -> Cut {
        let last = self.last();
        let kept = self.before(0);
        let skipped = (after.saturating_sub(kept) as usize / SEGMENT).min(self.full.len());
        let wanted = (until.saturating_sub(kept) as usize).div_ceil(SEGMENT);
        let segments = self.full.iter().chain([&self.open]).take(wanted).skip(skipped).map(Arc::clone).collect();
        // The places come last: they include those of all events up to here.
        let (run, dropped, places) = (self.run, self.dropped_at(last), places.all());
        Cut { run, dropped, last, before: kept + (skipped * SEGMENT) as u64, segments, places }
    }

    /// All segments, with those that are gone. The taker has to bring the latter into the base.
    pub(super) fn take_all(&mut self, places: &Places) -> Cut {
        let before = self.before(self.gone.len());
        let gone = std::mem::take(&mut self.gone).into_iter();
        let cut = self.cut(0, u64::MAX, places);
        Cut { before, segments: gone.chain(cut.segments).collect(), ..cut }
    }
}
