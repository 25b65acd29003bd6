//! Backing off: pauses that grow, for attempts whose time to be made again the kernel does not tell.
//!
//! Such an attempt waits for the outside, though no source of the reactor says so. While a [`Pause`] lasts, the
//! virtual clock does not jump.

use std::future::poll_fn;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::heart::budget::ready_within_budget;
use crate::heart::core::Core;
use crate::heart::current::{at_home, expect_current};
use crate::time::Sleep;

const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(500);

/// The pause after the attempt that was the `failures`-th to fail after the first: twice as long each
/// time, up to half a second.
pub(crate) fn growing(failures: u32) -> Duration {
    SHORTEST.saturating_mul(1 << failures.min(7)).min(LONGEST)
}

/// A pause, from when it is made. It counts as a wait for the outside until it is dropped.
pub(crate) struct Pause {
    sleep: Sleep,
    runtime: u32,
}

impl Pause {
    pub(crate) fn new(core: &Core, length: Duration, at: &'static Location<'static>) -> Self {
        core.outside_waits.set(core.outside_waits.get() + 1);
        Self { sleep: Sleep::new(core, core.timers.deadline(length), at), runtime: core.number }
    }
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.sleep).poll(cx)
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        at_home(self.runtime, |core| core.outside_waits.set(core.outside_waits.get() - 1));
    }
}

/// Makes an attempt until it does not say `WouldBlock`, with a pause after each, of up to 40 ms.
pub(crate) async fn insist<R>(
    at: &'static Location<'static>,
    mut attempt: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    for failures in 0.. {
        poll_fn(|cx| ready_within_budget(cx)).await;
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let core = expect_current(format_args!("a socket, asked for at {at},"));
                Pause::new(&core, growing(failures.min(3)), at).await;
            }
            result => return result,
        }
    }
    unreachable!("the loop ends by returning")
}
