//! The past of a ring: what its loop looked like before the events that are kept.

use std::sync::Arc;

use crate::heart::core::Core;
use crate::see::model::live::Copying;
use crate::see::model::state::State;
use crate::see::record::base::Base;
use crate::see::record::cut::Cut;

/// All that a ring knows of its loop, apart from the events that are kept.
#[derive(Default)]
pub(super) struct Past {
    /// The loop after this many events. The last of them is not kept any more.
    pub(super) base: (u64, Base),
    /// The loop as the last looker saw it, after this many events.
    pub(super) seen: (u64, Arc<State>),
    /// The stores of a loop that ran already, until all of them are copied. Before that there is no base.
    pub(super) copying: Option<(u32, Copying)>,
}

impl Past {
    /// Copies the next slots of the stores, at most `most`. Returns whether all are copied.
    pub(super) fn copy_on(&mut self, core: &Core, most: usize) -> bool {
        let is_whole = self.copying.as_mut().is_none_or(|(_, copying)| copying.go_on(core, most));
        if is_whole {
            self.end_copying();
        }
        is_whole
    }

    /// Makes the base of what is copied.
    pub(super) fn end_copying(&mut self) {
        if let Some((_, copying)) = self.copying.take() {
            self.base.1 = Base::of(copying.end());
        }
    }

    /// The state of the loop after the last event: from where it was seen last, if the events since are
    /// still here.
    pub(super) fn see(&mut self, cut: &Cut) -> Arc<State> {
        if self.seen.0 < self.base.0 || self.seen.0 == 0 {
            self.seen = (self.base.0, Arc::new(self.base.1.state(&cut.places)));
        }
        let (after, state) = &mut self.seen;
        if *after < cut.last {
            let state = Arc::make_mut(state);
            cut.after(*after).for_each(|(_, record)| state.apply(record.at, &record.event()));
            *after = cut.last;
        }
        Arc::clone(state)
    }
}
