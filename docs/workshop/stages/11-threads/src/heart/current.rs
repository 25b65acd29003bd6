//! Given: how code on this thread finds the loop that runs on it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::LazyLock;

use crate::heart::core::{Core, Message};
use crate::heart::inbox::Registry;

/// All inboxes of this process.
pub(crate) static REGISTRY: LazyLock<Registry<Message>> = LazyLock::new(Registry::new);

thread_local! {
    static CURRENT: RefCell<Option<Rc<Core>>> = const { RefCell::new(None) };
}

/// Makes a core the current one until the guard is dropped.
pub(crate) struct Entered {
    before: Option<Rc<Core>>,
}

impl Entered {
    pub(crate) fn new(core: &Rc<Core>) -> Self {
        Self { before: CURRENT.replace(Some(Rc::clone(core))) }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // Bound to a name: the core may end here, and that must not happen in a borrow.
        let _left = CURRENT.replace(self.before.take());
    }
}

/// The core of the loop that runs on this thread, if one does.
pub(crate) fn current() -> Option<Rc<Core>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// The core, for code that cannot do without: `what` is the sentence's subject.
#[track_caller]
pub(crate) fn expect_current(what: &str) -> Rc<Core> {
    let Some(core) = current() else { panic!("{what} needs a running loop on this thread: call it inside block_on") };
    core
}
