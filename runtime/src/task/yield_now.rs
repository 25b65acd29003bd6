//! Yielding: letting the others run.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

thread_local! {
    static YIELDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a task has yielded since this was last asked. A diagnosis tells by it a task that makes room for the
/// others from one that wakes itself and never waits.
pub(crate) fn take_yielded() -> bool {
    YIELDED.take()
}

/// Goes to the end of the ready queue: every task that is ready now runs before this one goes on. The
/// counterpart of `await asyncio.sleep(0)`.
///
/// # Cancel safety
///
/// Dropping the future loses nothing.
///
/// ```
/// # oneloop::run(async {
/// oneloop::task::yield_now().await;
/// # });
/// ```
#[doc(alias("checkpoint"))]
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        YIELDED.set(true);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
