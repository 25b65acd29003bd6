//! A duration as a person reads it. The page's `span` in `see/serve/page/model/words.js` follows the same rule, and a
//! test compares the two.
//!
//! ```text
//!     0 s   870 ns   93.1 µs   199 ms   1.5 s   119 s      three digits, rounded half up, in the largest unit that fits
//!     2 min 5 s   119 min 59 s   2 h   3 days   4 years    from two of a unit on; what is left is cut off
//! ```
//!
//! A space stands before the unit, and no zero at the end of a fraction.

use std::fmt;
use std::time::Duration;

pub(crate) struct Span(pub(crate) Duration);

const SHORT: [(u128, &str); 4] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1000, "µs"), (1, "ns")];
/// In seconds. A year is the calendar's on average, of 365.25 days.
const LONG: [(u64, &str); 3] = [(31_557_600, "years"), (86_400, "days"), (3600, "h")];

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if let Some((size, unit)) = LONG.iter().find(|(size, _)| seconds >= 2 * size) {
            return write!(f, "{} {unit}", seconds / size);
        }
        if seconds >= 120 {
            return write!(f, "{} min {} s", seconds / 60, seconds % 60);
        }
        let nanos = three_digits(self.0.as_nanos());
        let (size, unit) = SHORT.into_iter().find(|(size, _)| nanos >= *size).unwrap_or(SHORT[0]);
        let (whole, hundredths) = (nanos / size, nanos * 100 / size % 100);
        match (hundredths / 10, hundredths % 10) {
            (0, 0) => write!(f, "{whole} {unit}"),
            (tenths, 0) => write!(f, "{whole}.{tenths} {unit}"),
            _ => write!(f, "{whole}.{hundredths:02} {unit}"),
        }
    }
}

/// The nearest number that has no more than three digits before its zeros.
fn three_digits(number: u128) -> u128 {
    let steps = std::iter::successors(Some(1), |step| Some(step * 10));
    let mut rounded = steps.map(|step| ((number + step / 2) / step, step));
    rounded.find(|(digits, _)| *digits < 1000).map_or(number, |(digits, step)| digits * step)
}
