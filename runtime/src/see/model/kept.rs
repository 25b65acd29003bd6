//! The keeper of a loop's state. A ring that is told of a loop's events leaves a function here, and the task table
//! calls it.

use std::cell::RefCell;
use std::rc::Rc;

use crate::heart::core::Core;
use crate::heart::current::with_current;
use crate::see::model::state::State;

/// The function that tells the state, kept with the core. The first stays: its ring was told of the most.
#[derive(Default)]
pub(crate) struct Kept(RefCell<Option<Rc<Asked>>>);

/// Tells the state of the loop as of now.
type Asked = dyn Fn() -> State;

impl Kept {
    /// The state of this loop, if anybody keeps it.
    pub(crate) fn state_of(core: &Core) -> Option<State> {
        // In a forked child, the ring's lock may be held for ever.
        if core.reactor.is_foreign_process() {
            return None;
        }
        let asked = core.annex.get::<Self>().0.borrow().clone();
        asked.map(|asked| asked())
    }

    /// Tells the loop that runs here of somebody who follows its events.
    pub(crate) fn keep(asked: Rc<Asked>) {
        if let Some(kept) = with_current(|core| core.annex.get::<Self>()) {
            kept.0.borrow_mut().get_or_insert(asked);
        }
    }
}
