//! The waker: a word, and the two roads a wake can take.
//!
//! ```text
//!     wake ----> is this word's runtime running on this thread?
//!                  yes: Core::wake, a flag and a push
//!                  no:  Registry -> Inbox::send -> the loop's next drain
//! ```

use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::heart::core::Message;
use crate::heart::current::{REGISTRY, current};
use crate::heart::key::{TaskKey, WakeWord};
use crate::trace::thread_number;

struct TaskWaker {
    word: WakeWord,
}

/// The waker of a task.
pub(crate) fn waker_of(key: TaskKey) -> Waker {
    Waker::from(Arc::new(TaskWaker { word: WakeWord::new(key) }))
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let word = self.word;
        // stage: hole "wake"
        match current() {
            Some(core) if core.number as u16 == word.runtime() => core.wake(word),
            _ => wake_by_inbox(word),
        }
        // stage: end
    }
}

/// The road from another thread. A runtime that is gone meanwhile has no task to wake.
fn wake_by_inbox(word: WakeWord) {
    // stage: hole "wake_by_inbox"
    if let Some(inbox) = REGISTRY.hint(word.runtime()) {
        let _ = inbox.send(Message::Wake(word, thread_number()));
    }
    // stage: end
}
