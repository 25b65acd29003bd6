//! A cut: shares in some of a ring's events, to be read where nobody waits for it.

use std::sync::Arc;

use crate::ground::event::Place;
use crate::see::model::ndjson::{Facts, Header, Run};
use crate::see::model::state::State;
use crate::see::model::whole::{Occasion, Whole};
use crate::see::record::Record;
use crate::see::record::base::Base;
use crate::see::record::segment::{SEGMENT, Segment};

/// Some events that follow each other.
pub(super) struct Cut {
    pub(super) run: Run,
    /// How many events the ring has forgotten, and the number of its last.
    pub(super) dropped: u64,
    pub(super) last: u64,
    /// How many events there were before the first segment.
    pub(super) before: u64,
    /// All but the last are full. The last may have events that this cut has not.
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) places: Vec<Place>,
}

impl Cut {
    /// The header and facts of what comes after `before` events. If `occasion` is there, nothing comes after the last
    /// event of this cut, and the header says how much there is.
    pub(super) fn beginning(&self, before: u64, state: &State, occasion: Option<Occasion>) -> String {
        let facts = if state.is_untouched() { String::new() } else { Facts(state).to_string() };
        let lines = facts.lines().count() as u64 + (self.last - before);
        let whole = occasion.map(|_| Whole { lines, occasion });
        format!("{}\n{facts}", Header { run: self.run, first: before + 1, dropped: before, whole })
    }

    /// Takes a base, which is that after `after` events, on to the last event that the ring has forgotten.
    pub(super) fn bring_up(&self, (after, base): &mut (u64, Base)) {
        let mut before = self.before;
        for segment in &self.segments {
            let forgotten = self.dropped.saturating_sub(*after) as usize;
            let rows = segment.rows(after.saturating_sub(before) as usize);
            *after += base.apply_all(&rows[..forgotten.min(rows.len())], segment);
            before += SEGMENT as u64;
        }
    }

    /// The events behind this number, with theirs.
    pub(super) fn after(&self, after: u64) -> impl Iterator<Item = (u64, Record)> {
        let skipped = after.saturating_sub(self.before);
        let (segment, index) = (skipped as usize / SEGMENT, skipped as usize % SEGMENT);
        let segments = self.segments.iter().skip(segment).enumerate();
        let events = segments.flat_map(move |(n, segment)| {
            let rows = segment.rows(if n == 0 { index } else { 0 });
            rows.iter().map(move |row| (segment, row.packed()))
        });
        let numbered = (self.before + skipped + 1..=self.last).zip(events);
        numbered.filter_map(|(n, (segment, packed))| Some((n, packed.unpack(segment, &self.places)?)))
    }
}
