//! The state that is kept with the loop, where somebody asks for the events anyway: for the task table.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::ground::event::{Event, Observer};
use crate::heart::core::Core;
use crate::heart::current::{current, with_current};
use crate::see::model::state::State;

/// Kept with the core: the state of whoever follows the events, and a way to ask somebody else who does. Either
/// knows what there is to know.
#[derive(Default)]
pub(crate) struct Kept {
    state: RefCell<Option<State>>,
    asked: RefCell<Option<Rc<Asked>>>,
}

/// Somebody who knows the state, asked for it.
type Asked = dyn Fn() -> State;

/// Follows the events where nobody else does who keeps a state.
pub(crate) struct Follower;

impl Observer for Follower {
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        if let Some(core) = current() {
            Kept::apply(&core, at, event);
        }
    }
}

impl Kept {
    /// The state of this loop, if anybody keeps it.
    pub(crate) fn state_of(core: &Core) -> Option<State> {
        // What a forked child would ask may be locked for ever.
        if core.reactor.is_foreign_process() {
            return None;
        }
        let kept = core.annex::<Self>();
        let state = kept.state.borrow().clone();
        let asked = kept.asked.borrow().clone();
        state.or_else(|| asked.map(|asked| asked()))
    }

    /// Follows the events of the loop that runs here, unless somebody else has from the beginning.
    pub(crate) fn apply(core: &Core, at: Duration, event: &Event<'_>) {
        let kept = core.annex::<Self>();
        let mut state = kept.state.borrow_mut();
        if state.is_some() || kept.asked.borrow().is_none() {
            state.get_or_insert_default().apply(at, event);
        }
    }

    /// Tells the loop that runs here of somebody who follows its events.
    pub(crate) fn keep(asked: Rc<Asked>) {
        if let Some(kept) = with_current(|core| core.annex::<Self>()) {
            let _before = kept.asked.replace(Some(asked));
        }
    }
}
