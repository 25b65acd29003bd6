//! A second look: how the end of a child is heard where no signal tells of it.
//!
//! SIGCHLD is quick, but not to be relied on alone. It may be blocked in every thread, ignored, or handled by others.
//! So a task that waits for a child asks after it from time to time, too, in pauses that grow.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::heart::current::expect_current;
use crate::net::backoff::Pause;

/// The first pause.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest pause where a task waits.
pub(super) const AWAITED: Duration = Duration::from_secs(1);
/// The longest pause where nobody does, and only a zombie is to be buried.
pub(super) const UNAWAITED: Duration = Duration::from_secs(60);

/// When to look next.
pub(super) struct Look {
    longest: Duration,
    next: Duration,
    pause: Option<Pause>,
}

impl Look {
    pub(super) fn new(longest: Duration) -> Self {
        Self { longest, next: SHORTEST, pause: None }
    }

    /// Ready when it is time to ask again. The next pause begins with the next poll.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, at: &'static Location<'static>) -> Poll<()> {
        let core = expect_current("a child process");
        let pause = self.pause.get_or_insert_with(|| Pause::new(&core, self.next, at));
        ready!(Pin::new(pause).poll(cx));
        self.pause = None;
        self.next = self.next.saturating_mul(2).min(self.longest);
        Poll::Ready(())
    }
}
