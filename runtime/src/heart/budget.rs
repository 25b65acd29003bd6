//! The budget: how much a task may do in one poll.
//!
//! A socket that always has data is ready each time it is polled. So is a sleep that is over. A task that polls one in
//! a loop would never give the thread back. So every operation that may complete again and again without waiting is
//! counted. When the budget is used up, the next operation returns `Pending` and queues its task behind the others:
//!
//! ```text
//!     asked:  is anything left?  -- no --> wake the task, Pending
//!                  | yes
//!             can it complete?   -- no --> leave a waker, Pending: waiting costs nothing
//!                  | yes
//!             one less left, Ready
//! ```
//!
//! One poll may contain others: a scope polls its children, and each of them counts as a task. Such a part is polled
//! with a share of its own, so a greedy part before it takes nothing from it.

use std::task::{Context, Poll};

use crate::heart::core::Core;
use crate::heart::current::current;

/// How many operations a task may complete in one poll.
pub(crate) const OPERATIONS_PER_POLL: u32 = 128;

impl Core {
    /// Gives the task its full budget, at the beginning of a poll.
    pub(crate) fn renew_budget(&self) {
        self.operations_left.set(OPERATIONS_PER_POLL);
    }

    /// Polls a part of a task with a full share of its own, and returns how much the part spent. The task's own share
    /// pays for that, but keeps its last operation, so that the part's siblings go on as well.
    pub(crate) fn with_own_share<R>(&self, poll: impl FnOnce() -> R) -> (R, u32) {
        // `around` keeps the share of the task around the part.
        let around = self.operations_left.replace(OPERATIONS_PER_POLL);
        let result = poll();
        let spent = OPERATIONS_PER_POLL.saturating_sub(self.operations_left.get());
        self.operations_left.set(around.saturating_sub(spent).max(around.min(1)));
        (result, spent)
    }

    /// Whether the task has anything left of its share of this poll.
    pub(crate) fn may_complete(&self) -> bool {
        self.operations_left.get() > 0
    }

    /// Whether the task has used up its share of this poll. If so, it is woken at once, and the caller returns Pending.
    /// Every leaf future that may complete again and again without waiting calls this before it completes.
    pub(crate) fn must_yield(&self, cx: &Context<'_>) -> bool {
        let exhausted = !self.may_complete();
        if exhausted {
            cx.waker().wake_by_ref();
        }
        exhausted
    }

    /// Counts one operation. Every leaf future that calls [`must_yield`](Self::must_yield) calls this when it
    /// completes.
    pub(crate) fn spend(&self) {
        self.operations_left.set(self.operations_left.get().saturating_sub(1));
    }

    /// Gives back one operation. It was counted before an attempt that came to nothing.
    pub(crate) fn give_back(&self) {
        self.operations_left.set(self.operations_left.get() + 1);
    }
}

/// Ready, and counts one operation; Pending if the budget is used up. It serves leaf futures that are ready as often as
/// they are polled.
pub(crate) fn ready_within_budget(cx: &Context<'_>) -> Poll<()> {
    if let Some(core) = current() {
        if core.must_yield(cx) {
            return Poll::Pending;
        }
        core.spend();
    }
    Poll::Ready(())
}
