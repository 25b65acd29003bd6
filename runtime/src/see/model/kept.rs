//! The keeper of a loop's state: a ring, where one is told of its events. The task table asks it.

use std::cell::RefCell;
use std::rc::Rc;

use crate::heart::core::Core;
use crate::heart::current::with_current;
use crate::see::model::state::State;

/// Kept with the core: a way to ask somebody who follows the events. The first who comes knows the most.
#[derive(Default)]
pub(crate) struct Kept(RefCell<Option<Rc<Asked>>>);

/// Somebody who knows the state, asked for it.
type Asked = dyn Fn() -> State;

impl Kept {
    /// The state of this loop, if anybody keeps it.
    pub(crate) fn state_of(core: &Core) -> Option<State> {
        // In a forked child, the ring's lock may be held for ever.
        if core.reactor.is_foreign_process() {
            return None;
        }
        let asked = core.annex::<Self>().0.borrow().clone();
        asked.map(|asked| asked())
    }

    /// Tells the loop that runs here of somebody who follows its events.
    pub(crate) fn keep(asked: Rc<Asked>) {
        if let Some(kept) = with_current(|core| core.annex::<Self>()) {
            kept.0.borrow_mut().get_or_insert(asked);
        }
    }
}
