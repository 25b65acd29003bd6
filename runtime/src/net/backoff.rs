//! Backing off: pauses that grow, for attempts whose time to be made again the kernel does not tell.

use std::future::poll_fn;
use std::io;
use std::panic::Location;
use std::time::Duration;

use crate::heart::budget::ready_at_a_price;
use crate::heart::context::{Core, expect_current};
use crate::time::Sleep;

const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(500);

/// The pause after the attempt that was the `failures`-th to fail after the first: twice as long each
/// time, up to half a second.
pub(crate) fn growing(failures: u32) -> Duration {
    SHORTEST.saturating_mul(1 << failures.min(7)).min(LONGEST)
}

/// A pause, from now.
pub(crate) fn pause(core: &Core, length: Duration, at: &'static Location<'static>) -> Sleep {
    Sleep::new(core, core.timers.deadline(length), at)
}

/// Makes an attempt until it does not say `WouldBlock`, with a pause after each, of up to 40 ms.
pub(crate) async fn insist<R>(
    at: &'static Location<'static>,
    mut attempt: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    for failures in 0.. {
        poll_fn(|cx| ready_at_a_price(cx)).await;
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                pause(&expect_current("a socket"), growing(failures.min(3)), at).await;
            }
            result => return result,
        }
    }
    unreachable!("the loop ends by returning")
}
