//! The account of a run: samples of everything that is counted, and what they say about the last
//! second and about the whole.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use oneloop::{Handle, Metrics};

use crate::process::{Usage, usage};
use crate::tally::{Counts, Histogram, Tally};

/// The span that "now" means on the board: long enough for steady figures, short enough to follow.
const NOW: Duration = Duration::from_secs(1);
/// How many samples the curve of requests goes back.
const HISTORY: usize = 44;

/// The shortest time whose rates say anything, in seconds.
const TELLING: f64 = 0.05;

/// The plan of the run.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) connections: u64,
    pub(crate) timers: u32,
    pub(crate) length: Duration,
}

impl Plan {
    /// Whether so many seconds of this run have rates that say anything. A run that was to take no time has none, also
    /// where the machine held it up.
    pub(crate) fn has_rates(&self, seconds: f64) -> bool {
        seconds.min(self.length.as_secs_f64()) >= TELLING
    }
}

/// Everything that can be read off at one moment.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    pub(crate) metrics: Metrics,
    pub(crate) counts: Counts,
    pub(crate) usage: Usage,
    late: Histogram,
    trips: Histogram,
}

/// The difference between two samples.
pub(crate) struct Span {
    pub(crate) seconds: f64,
    pub(crate) turns: u64,
    pub(crate) polls: u64,
    pub(crate) parks: u64,
    pub(crate) echoes: u64,
    pub(crate) fired: u64,
    /// The share of one processor that was used.
    pub(crate) cpu: Option<f64>,
    pub(crate) late: Histogram,
    pub(crate) trips: Histogram,
}

pub(crate) struct Record {
    pub(crate) plan: Plan,
    tally: Rc<Tally>,
    /// The times of the whole run, up to the last sample.
    late: Histogram,
    trips: Histogram,
    /// Oldest first: those of the last second and the one before.
    recent: VecDeque<Sample>,
    /// The first sample with everybody connected.
    begin: Option<Sample>,
    /// Which clients have had an echo between the last two samples.
    pub(crate) speakers: Vec<bool>,
    /// Requests a second, sample by sample.
    pub(crate) requests: VecDeque<f64>,
}

impl Record {
    pub(crate) fn new(plan: Plan, tally: Rc<Tally>) -> Self {
        let (late, trips, recent, speakers, requests) = Default::default();
        Self { plan, tally, late, trips, recent, begin: None, speakers, requests }
    }

    /// Looks at everything and writes it down.
    pub(crate) fn sample(&mut self) {
        let (late, trips) = self.tally.take_times();
        self.late.merge(&late);
        self.trips.merge(&trips);
        self.speakers = self.tally.take_speakers();
        let metrics = Handle::current().metrics();
        let (at, counts) = (Instant::now(), self.tally.counts());
        let sample = Sample { at, metrics, counts, usage: usage(), late, trips };
        if let Some(last) = self.recent.back() {
            let seconds = at.duration_since(last.at).as_secs_f64();
            self.requests.push_back((counts.echoes - last.counts.echoes) as f64 / seconds);
        }
        if self.requests.len() > HISTORY {
            self.requests.pop_front();
        }
        self.recent.push_back(sample);
        while self.recent.get(1).is_some_and(|second| at - second.at >= NOW) {
            self.recent.pop_front();
        }
    }

    /// Takes a sample and counts the run from here: everybody is connected.
    pub(crate) fn begin(&mut self) {
        self.sample();
        self.begin = self.recent.pop_back();
        self.recent = self.begin.iter().cloned().collect();
        self.requests.clear();
    }

    /// How long the run has been going on, once everybody is connected.
    pub(crate) fn elapsed(&self) -> Option<Duration> {
        Some(self.last()?.at - self.begin.as_ref()?.at)
    }

    /// The last sample.
    pub(crate) fn last(&self) -> Option<&Sample> {
        self.recent.back()
    }

    /// The last second.
    pub(crate) fn now(&self) -> Option<Span> {
        let (first, last) = (self.recent.front()?, self.recent.back()?);
        let (mut late, mut trips) = (Histogram::default(), Histogram::default());
        for sample in self.recent.iter().skip(1) {
            late.merge(&sample.late);
            trips.merge(&sample.trips);
        }
        (last.at > first.at).then(|| span(first, last, late, trips))
    }

    /// The whole run, from [`begin`](Self::begin) to the last sample.
    pub(crate) fn whole(&self) -> Span {
        let ends = self.begin.as_ref().zip(self.recent.back());
        let (first, last) = ends.expect("whole() was called before begin()");
        span(first, last, self.late.clone(), self.trips.clone())
    }
}

fn span(from: &Sample, to: &Sample, late: Histogram, trips: Histogram) -> Span {
    let seconds = (to.at - from.at).as_secs_f64();
    let cpu = to.usage.cpu.zip(from.usage.cpu);
    Span {
        seconds,
        turns: to.metrics.turns - from.metrics.turns,
        polls: to.metrics.polls - from.metrics.polls,
        parks: to.metrics.parks - from.metrics.parks,
        echoes: to.counts.echoes - from.counts.echoes,
        fired: to.counts.fired - from.counts.fired,
        cpu: cpu.map(|(to, from)| to.saturating_sub(from).as_secs_f64() / seconds),
        late,
        trips,
    }
}
