//! The counts: echoes, timers, mistakes, and how long things took.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Written by every client and every timer, read by the board. One thread, so plain cells do.
#[derive(Default)]
pub(crate) struct Tally {
    counts: RefCell<Counts>,
    /// How late timers fired, since the board last asked.
    late: RefCell<Histogram>,
    /// From the first byte sent to the last byte back, since the board last asked.
    trips: RefCell<Histogram>,
    /// Which clients have had an echo since the board last asked, by number.
    speakers: RefCell<Vec<bool>>,
    first_problem: RefCell<Option<String>>,
    /// How many connections the server has just now.
    open: Rc<Cell<u64>>,
}

/// A connection of the server, until this is dropped.
pub(crate) struct Open(Rc<Cell<u64>>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Totals since the start.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) connected: u64,
    pub(crate) echoes: u64,
    pub(crate) wrong: u64,
    pub(crate) lost: u64,
    pub(crate) fired: u64,
    pub(crate) early: u64,
    /// Connections that clients reset, that they closed by half, and that the server saw reset.
    pub(crate) cut: u64,
    pub(crate) half_closed: u64,
    pub(crate) resets: u64,
}

impl Counts {
    /// Whether all is well: a reset that no client made is a fault too.
    pub(crate) fn faultless(&self) -> bool {
        self.wrong + self.lost + self.early == 0 && self.resets <= self.cut
    }
}

impl Tally {
    pub(crate) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    pub(crate) fn connected(&self) {
        self.counts.borrow_mut().connected += 1;
        self.speakers.borrow_mut().push(false);
    }

    pub(crate) fn echoed(&self, client: usize, trip: Duration) {
        self.counts.borrow_mut().echoes += 1;
        self.trips.borrow_mut().record(trip);
        self.speakers.borrow_mut()[client] = true;
    }

    pub(crate) fn wrong(&self, problem: String) {
        self.counts.borrow_mut().wrong += 1;
        self.first_problem.borrow_mut().get_or_insert(problem);
    }

    pub(crate) fn lost(&self, problem: String) {
        self.counts.borrow_mut().lost += 1;
        self.first_problem.borrow_mut().get_or_insert(problem);
    }

    pub(crate) fn served(&self) -> Open {
        self.open.set(self.open.get() + 1);
        Open(Rc::clone(&self.open))
    }

    pub(crate) fn served_now(&self) -> u64 {
        self.open.get()
    }

    pub(crate) fn resets(&self) {
        self.counts.borrow_mut().cut += 1;
    }

    pub(crate) fn half_closes(&self) {
        self.counts.borrow_mut().half_closed += 1;
    }

    pub(crate) fn was_reset(&self) {
        self.counts.borrow_mut().resets += 1;
    }

    /// The counts of a server that has a process of its own.
    pub(crate) fn server_saw(&self, resets: u64, lost: u64) {
        let mut counts = self.counts.borrow_mut();
        (counts.resets, counts.lost) = (resets, counts.lost + lost);
    }

    /// A timer that should have taken `asked` took `took`.
    pub(crate) fn fired(&self, asked: Duration, took: Duration) {
        let mut counts = self.counts.borrow_mut();
        counts.fired += 1;
        let Some(late) = took.checked_sub(asked) else {
            counts.early += 1;
            let problem = format!("a timer of {} s fired after {} s", asked.as_secs_f64(), took.as_secs_f64());
            self.first_problem.borrow_mut().get_or_insert(problem);
            return;
        };
        self.late.borrow_mut().record(late);
    }

    /// The lateness of timers and the round trips since the last call.
    pub(crate) fn take_times(&self) -> (Histogram, Histogram) {
        (self.late.take(), self.trips.take())
    }

    /// For each client, whether it has had an echo since the last call.
    pub(crate) fn take_speakers(&self) -> Vec<bool> {
        let mut speakers = self.speakers.borrow_mut();
        let quiet = vec![false; speakers.len()];
        std::mem::replace(&mut *speakers, quiet)
    }

    pub(crate) fn first_problem(&self) -> Option<String> {
        self.first_problem.borrow().clone()
    }
}

/// Times in buckets of microseconds. Each power of two has 16 buckets, so a quantile is off by at
/// most one part in 16, and always upwards: no figure looks better than it was.
#[derive(Clone)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; bucket(u64::MAX) + 1], count: 0, max: Duration::ZERO }
    }
}

/// The bucket of a number of microseconds: itself below 16; above, the place of its highest bit and
/// the four bits that follow.
fn bucket(micros: u64) -> usize {
    let power = micros.max(16).ilog2() - 4;
    (power * 16) as usize + (micros >> power) as usize
}

/// The first number of microseconds that is too large for a bucket, and so its upper bound.
fn bound(bucket: usize) -> u64 {
    let power = (bucket / 16).saturating_sub(1);
    ((bucket + 1 - power * 16) as u64) << power
}

impl Histogram {
    pub(crate) fn record(&mut self, time: Duration) {
        self.buckets[bucket(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))] += 1;
        self.count += 1;
        self.max = self.max.max(time);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    pub(crate) fn max(&self) -> Duration {
        self.max
    }

    /// The time that `share` of all recorded times do not exceed; zero if there are none.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= wanted {
                return Duration::from_micros(bound(index)).min(self.max);
            }
        }
        self.max
    }

    /// How many times there are in each quarter of an octave, from 16 microseconds to 33 ms.
    /// Shorter ones count to the first, and longer ones to the last.
    pub(crate) fn octave_quarters(&self) -> [u64; 44] {
        let mut quarters = [0; 44];
        for (index, count) in self.buckets.iter().enumerate() {
            quarters[(index / 4).clamp(4, 47) - 4] += count;
        }
        quarters
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Histogram, Tally, bound, bucket};

    #[test]
    fn a_timer_that_is_early_by_a_nanosecond_is_a_fault() {
        let tally = Tally::default();
        let asked = Duration::from_millis(10);
        tally.fired(asked, asked);
        assert!(tally.counts().faultless());
        tally.fired(asked, asked - Duration::from_nanos(1));
        assert!(!tally.counts().faultless());
        assert_eq!((tally.counts().fired, tally.counts().early), (2, 1));
    }

    #[test]
    fn every_time_lies_below_its_bucket_s_bound_and_not_below_the_one_before() {
        for power in 0..40 {
            for micros in [(1_u64 << power) - 1, 1 << power, (1 << power) + 1] {
                let index = bucket(micros);
                assert!(micros < bound(index), "{micros} is in bucket {index}");
                assert!(index == 0 || micros >= bound(index - 1), "{micros} is in bucket {index}");
            }
        }
    }

    #[test]
    fn quantiles_are_never_too_low_and_at_most_a_sixteenth_too_high() {
        let mut times = Histogram::default();
        for micros in 1..=10_000 {
            times.record(Duration::from_micros(micros));
        }
        for (share, exact) in [(0.5, 5_000), (0.99, 9_900), (1.0, 10_000)] {
            let shown = times.quantile(share).as_micros();
            assert!((exact..=exact + exact / 16 + 1).contains(&shown), "{share}: {shown}");
        }
        assert_eq!(times.max(), Duration::from_millis(10));
        assert_eq!(Histogram::default().quantile(0.5), Duration::ZERO);
    }
}
