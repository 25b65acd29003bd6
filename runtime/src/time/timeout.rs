//! Giving up after a while.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::panic::Location;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::heart::current::{current, expect_current};
use crate::time::{Instant, Sleep};

/// Waits for a future, but not longer than `duration`, counted from this call.
///
/// The future is asked first: one that is ready in time is never given up, however late the loop asks.
///
/// # Errors
///
/// [`Elapsed`] if the time ran out. The future has been dropped by then.
///
/// # Panics
///
/// If no runtime runs on this thread.
///
/// # Cancel safety
///
/// As safe as the future is.
///
/// ```
/// use std::{future::pending, time::Duration};
/// # let runtime = oneloop::Runtime::builder().virtual_clock().build()?;
/// # runtime.block_on(async {
/// let nothing_came = oneloop::time::timeout(Duration::from_secs(5), pending::<()>()).await;
/// assert!(nothing_came.is_err());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias("wait_for", "fail_after", "move_on_after"))]
#[track_caller]
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> impl Future<Output = Result<F::Output, Elapsed>> {
    let core = expect_current("oneloop::time::timeout");
    until(Sleep::new(&core, core.timers.deadline(duration), Location::caller()), future.into_future())
}

/// Waits for a future, but not beyond `deadline`. In all else as [`timeout`].
///
/// # Errors
///
/// [`Elapsed`] if the deadline passed.
///
/// # Panics
///
/// If no runtime runs on this thread.
///
/// # Cancel safety
///
/// As safe as the future is.
#[track_caller]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> impl Future<Output = Result<F::Output, Elapsed>> {
    let core = expect_current("oneloop::time::timeout_at");
    until(Sleep::new(&core, core.timers.deadline_at(deadline.0), Location::caller()), future.into_future())
}

async fn until<F: Future>(sleep: Sleep, future: F) -> Result<F::Output, Elapsed> {
    let (mut sleep, mut future) = (sleep, pin!(future));
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        std::task::ready!(pin!(&mut sleep).poll(cx));
        // A future that was asked with nothing left of the poll's share could not even look. So before it is
        // given up it is asked once more, with a share of its own.
        match current().filter(|core| !core.may_complete()) {
            Some(core) => match core.with_own_share(|| future.as_mut().poll(cx)).0 {
                Poll::Ready(output) => Poll::Ready(Ok(output)),
                Poll::Pending => Poll::Ready(Err(Elapsed(()))),
            },
            None => Poll::Ready(Err(Elapsed(()))),
        }
    })
    .await
}

/// The time allowed for something ran out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time allowed ran out")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(io::ErrorKind::TimedOut, elapsed)
    }
}
