//! The tail of a ring: its events, in segments.
//!
//! The loop writes into the open segment. A full one does not change any more. One of which nothing is to be kept is
//! gone, and waits until the base has it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::see::model::ndjson::Run;
use crate::see::record::cut::Cut;
use crate::see::record::segment::{SEGMENT, Segment};

/// The events.
pub(super) struct Tail {
    pub(super) capacity: usize,
    pub(super) run: Run,
    /// The number of the last event.
    pub(super) last: u64,
    pub(super) open: Segment,
    /// The segments before it of which something is kept. They are full.
    pub(super) full: VecDeque<Arc<Segment>>,
    /// The segments before those, until the base has them.
    pub(super) gone: VecDeque<Arc<Segment>>,
}

impl Tail {
    pub(super) fn new(capacity: usize) -> Self {
        let (run, open) = (Run::default(), Segment::with_room());
        Self { capacity, run, last: 0, open, full: VecDeque::new(), gone: VecDeque::new() }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.last.saturating_sub(self.capacity as u64)
    }

    pub(super) fn len(&self) -> usize {
        (self.last - self.dropped()) as usize
    }

    /// How many events there were before all full segments that are kept, and so many that are gone.
    pub(super) fn before(&self, gone: usize) -> u64 {
        self.last - (self.open.len() + (self.full.len() + gone) * SEGMENT) as u64
    }

    /// Begins a new segment, and lets those go of which nothing is to be kept.
    pub(super) fn turn_over(&mut self) {
        let full = std::mem::replace(&mut self.open, Segment::with_room());
        self.full.push_back(Arc::new(full));
        let forgotten = (self.dropped() - self.before(0)) as usize / SEGMENT;
        self.gone.extend(self.full.drain(..forgotten));
    }

    /// Takes the oldest segment of which nothing is kept, and how many events there were before it.
    pub(super) fn oldest_gone(&mut self) -> Option<(u64, Arc<Segment>)> {
        let before = self.before(self.gone.len());
        self.gone.pop_front().map(|segment| (before, segment))
    }

    /// A copy of the segments with the events behind the number `after` up to `until`, as far as they are kept.
    pub(super) fn cut(&self, after: u64, until: u64) -> Cut {
        let kept = self.before(0);
        let skipped = (after.saturating_sub(kept) as usize / SEGMENT).min(self.full.len());
        let wanted = (until.saturating_sub(kept) as usize).div_ceil(SEGMENT);
        let segments = self.full.iter().take(wanted).skip(skipped).map(Arc::clone);
        let open = (wanted > self.full.len()).then(|| Arc::new(self.open.clone()));
        let (run, dropped, last) = (self.run, self.dropped(), self.last);
        Cut { run, dropped, last, before: kept + (skipped * SEGMENT) as u64, segments: segments.chain(open).collect() }
    }

    /// A copy of all, with those that are gone. The taker has to bring the latter into the base.
    pub(super) fn take_all(&mut self) -> Cut {
        let before = self.before(self.gone.len());
        let gone = std::mem::take(&mut self.gone).into_iter();
        let Cut { run, dropped, last, segments, .. } = self.cut(0, u64::MAX);
        Cut { run, dropped, last, before, segments: gone.chain(segments).collect() }
    }
}
