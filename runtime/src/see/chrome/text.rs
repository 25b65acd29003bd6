//! Times as they are written: microseconds with so many digits that two slices overlap in no reader.

use std::fmt;

/// Nanoseconds and tenths of one, shown as microseconds, which is what the format counts in.
pub(super) struct Micros(u64, u8);

impl Micros {
    /// The written time at which something begins: a tenth of a nanosecond late. Some readers multiply the number by a
    /// thousand and cut off the fraction. As a binary fraction, 1.001 is a little less than that, and would lose a
    /// nanosecond.
    pub(super) fn begin(at: u64) -> Self {
        Self(at, 1)
    }

    /// The written length of a slice. Readers add it to the beginning as it is, or cut or round both to whole
    /// nanoseconds first. In each case, a slice ends before one that begins at its end, and not after the slice that it
    /// is inside of.
    pub(super) fn length(nanos: u64, holds_others: bool) -> Self {
        Self(nanos.saturating_sub(1), if holds_others { 3 } else { 2 })
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}{}", self.0 / 1000, self.0 % 1000, self.1)
    }
}

#[test]
fn slices_end_before_the_next_begins_and_not_after_what_holds_them() {
    let read = |micros: Micros| micros.to_string().parse::<f64>().unwrap();
    let mut dice = 1_u64;
    for _ in 0..20_000 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Up to a day after the start; some readers count from the first row of a track.
        let (end, first) = (1 + dice % 86_400_000_000_000, read(Micros::begin(dice % 1000)));
        for at in [0, end / 2, end / 1000, end.saturating_sub(1000), end - 1] {
            let ends = |at, outer| read(Micros::begin(at)) - first + read(Micros::length(end - at, outer));
            let (outer, inner) = (ends(at, true), ends(end - 1, false));
            assert!(inner < outer && outer < read(Micros::begin(end)) - first, "from {at} to {end}");
            for whole in [f64::trunc, f64::round] {
                let nanos = |micros| whole(read(micros) * 1000.0);
                let ends = |at, outer| nanos(Micros::begin(at)) + nanos(Micros::length(end - at, outer));
                assert_eq!((ends(at, true), ends(end - 1, false)), (end as f64 - 1.0, end as f64 - 1.0));
            }
        }
    }
}
