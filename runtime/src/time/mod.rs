//! Time: sleeping, giving up after a while, and doing things again and again.

mod advance;
mod instant;
mod interval;
mod sleep;
mod timeout;

pub use advance::advance;
pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use std::time::Duration;
pub use timeout::{Elapsed, timeout, timeout_at};
