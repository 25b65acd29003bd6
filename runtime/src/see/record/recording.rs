//! A recording: what a ring wrote, read back to be looked at or told again.

use std::io::{self, BufRead};

use crate::ground::event::Observer;
use crate::see::model::ndjson::{Header, Run};
use crate::see::model::parse::{Facts, Parsed, Slots, line};
use crate::see::model::state::State;
use crate::see::model::whole::{Occasion, Whole};
use crate::see::record::Record;

/// The events of a run that was written down, and what its loop looked like before the first of them.
///
/// ```
/// use oneloop::see::{Recording, Ring};
///
/// let ring = Ring::new(1000);
/// let runtime = oneloop::Runtime::builder().observer(ring.clone()).build()?;
/// runtime.block_on(oneloop::task::yield_now());
/// let mut written = Vec::new();
/// ring.write_to(&mut written)?;
///
/// let recording = Recording::read(&*written)?;
/// assert_eq!(recording.len(), ring.len());
/// assert_eq!(recording.state_after(recording.len()), ring.state());
///
/// let again = Ring::new(1000);
/// recording.replay(&again);
/// assert_eq!(again.len(), ring.len());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recording {
    run: Run,
    dropped: u64,
    base: State,
    events: Vec<Record>,
    whole: Option<Whole>,
    cut_short: Option<String>,
}

impl Recording {
    /// Reads what [`Ring::write_to`](crate::see::Ring::write_to) wrote. A recording whose end is missing, as by a full
    /// disk, is read as far as it goes: see [`cut_short`](Self::cut_short).
    ///
    /// # Errors
    ///
    /// If `input` cannot be read, or a whole line of it does not fit; the error names the line, and says why.
    pub fn read(mut input: impl BufRead) -> io::Result<Self> {
        let (mut reader, mut bytes, mut cut_short, mut lines) = (Reader::default(), Vec::new(), None, 0);
        for number in 1_u64.. {
            bytes.clear();
            if input.read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            let text = std::str::from_utf8(&bytes).map_err(|_| String::from("it is not UTF-8"));
            match text.and_then(|text| reader.line(text)) {
                Ok(()) => lines = number - 1,
                Err(_) if !bytes.ends_with(b"\n") && reader.recording.is_some() => {
                    cut_short = Some(format!("the recording is cut short: line {number} of it has no end"));
                }
                Err(why) => return Err(unreadable(&format!("line {number} of the recording: {why}"))),
            }
        }
        let recording = reader.finish().ok_or_else(|| {
            unreadable("the recording is empty: the program that writes it runs still, or was killed")
        })?;
        let missing = recording.whole.filter(|whole| lines < whole.lines);
        let cut_short = cut_short.or_else(|| missing.map(|whole| told_short(lines, whole.lines)));
        Ok(Self { cut_short, ..recording })
    }

    /// Says where the recording breaks off, if it does. All that stands before that is here: each event, and the state
    /// after it. An older recording, whose [`occasion`](Self::occasion) is unknown, is known to break off within a line
    /// only.
    pub fn cut_short(&self) -> Option<&str> {
        self.cut_short.as_deref()
    }

    /// The occasion on which it was written, unless that was before recordings said so. A process that is killed
    /// by SIGKILL or `abort` writes nothing, and an empty file is no recording.
    pub fn occasion(&self) -> Option<Occasion> {
        self.whole.and_then(|whole| whole.occasion)
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How many events happened before the first one here.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether the run was on the virtual clock.
    pub fn is_virtual(&self) -> bool {
        self.run.is_virtual
    }

    /// The seed that picked who was next, if one did. Without one, the queue was served in order.
    pub fn seed(&self) -> Option<u64> {
        self.run.seed
    }

    /// Tells all events to an observer, as fast as it takes them.
    pub fn replay(&self, observer: &impl Observer) {
        for record in &self.events {
            observer.on_event(record.at, &record.event());
        }
    }

    /// The state of the loop after the first `n` events of this recording; after all, if there are
    /// fewer.
    pub fn state_after(&self, n: usize) -> State {
        let mut state = self.base.clone();
        self.events.iter().take(n).for_each(|record| state.apply(record.at, &record.event()));
        state
    }
}

fn told_short(lines: u64, whole: u64) -> String {
    format!("the recording is cut short: {lines} of the {whole} lines behind its header are here")
}

fn unreadable(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// A recording that is being read.
#[derive(Default)]
struct Reader {
    recording: Option<Recording>,
    facts: Option<Facts>,
    slots: Slots,
    /// The number that the next event must have.
    next: u64,
}

impl Reader {
    fn line(&mut self, text: &str) -> Result<(), String> {
        if text.trim().is_empty() {
            return Ok(());
        }
        match (line(text)?, &mut self.recording) {
            (Parsed::Header(header), None) => {
                self.next = header.first;
                let (Header { run, dropped, whole, .. }, base) = (header, State::default());
                self.recording = Some(Recording { run, dropped, base, events: Vec::new(), whole, cut_short: None });
                self.facts = Some(Facts::default());
                Ok(())
            }
            (_, None) => {
                Err(String::from("the header is missing: {\"oneloop\":\"events\",\"version\":1,…} comes first"))
            }
            (Parsed::Header(_), Some(_)) => Err(String::from("there is a header already")),
            (Parsed::Fact(fact), Some(_)) => match &mut self.facts {
                Some(facts) => facts.add(&fact),
                None => Err(String::from("facts come before the events")),
            },
            (Parsed::Event(n, event), Some(recording)) => {
                if n != self.next {
                    return Err(format!("event {n} comes where event {} was to come", self.next));
                }
                self.next = n.checked_add(1).ok_or("no event comes after this number")?;
                if let Some(facts) = self.facts.take() {
                    recording.base = facts.finish();
                    self.slots = Slots::of(&recording.base);
                }
                if let Some((at, event)) = self.slots.event(&event)? {
                    recording.events.push(Record::of(at, &event));
                }
                Ok(())
            }
        }
    }

    fn finish(self) -> Option<Recording> {
        let mut recording = self.recording?;
        if let Some(facts) = self.facts {
            recording.base = facts.finish();
        }
        Some(recording)
    }
}
