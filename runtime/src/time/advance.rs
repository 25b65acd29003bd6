//! Advancing: work that is only pretended, on the virtual clock.

use std::time::Duration;

use crate::heart::current::expect_current;

/// Moves the virtual clock forward, as if the code that calls this had taken that long. Timers that
/// become due meanwhile fire when the loop has its next turn, late by as much as the loop was kept.
///
/// A step beyond the end of the clock, which is some 584 million years after its start, leads to the end.
/// There the clock stands still, and every timer is due.
///
/// With it, a program that blocks its loop can be played in no time, and the same way each time.
///
/// # Panics
///
/// On the real clock, which nobody moves. If no runtime runs on this thread.
///
/// ```
/// use oneloop::time::{Duration, Instant, advance};
///
/// let runtime = oneloop::Runtime::builder().virtual_clock().build()?;
/// runtime.block_on(async {
///     let before = Instant::now();
///     advance(Duration::from_secs(2)); // a long calculation
///     assert_eq!(before.elapsed(), Duration::from_secs(2));
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn advance(by: Duration) {
    let core = expect_current("oneloop::time::advance");
    assert!(
        core.timers.is_virtual(),
        "oneloop::time::advance moves the virtual clock, and this runtime runs on the real one: build it with \
         Runtime::builder().virtual_clock()"
    );
    core.timers.move_virtual_clock(by);
    core.observers.reading.forget();
}
