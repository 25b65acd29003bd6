//! The written form: one flat JSON object a line. `docs/events.md` is its description for strangers.
//!
//! Everything here is a `Display` of a line without its end. The way back is in `parse.rs`.

use std::fmt::{self, Display, Formatter, Write as _};
use std::time::Duration;

use crate::ground::event::{Event, Readiness};
use crate::see::model::numbered::places;
use crate::see::model::state::State;
use crate::see::model::things::{Source, Task, Timer};
use crate::see::model::whole::Whole;
use crate::see::model::words::{FINDINGS, FINISHED, PHASES, POLLED, STATES, of_resource, word};

/// The version that is written, and the only one that is read.
pub(crate) const VERSION: u64 = 1;

/// The first line. `first` is the number of the first event that follows.
pub(crate) struct Header {
    pub(crate) run: Run,
    pub(crate) first: u64,
    pub(crate) dropped: u64,
    /// How much follows, where that is known.
    pub(crate) whole: Option<Whole>,
}

/// How the loop runs, as far as its builder has decided it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Run {
    pub(crate) is_virtual: bool,
    /// The seed that picks who is next, if one does.
    pub(crate) seed: Option<u64>,
}

impl Display for Header {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { run: Run { is_virtual, seed }, first, dropped, whole } = self;
        let (clock, seed) = (if *is_virtual { "virtual" } else { "real" }, Number("seed", *seed));
        write!(f, r#"{{"oneloop":"events","version":{VERSION},"clock":"{clock}"{seed}"#)?;
        write!(f, r#","first":{first},"dropped":{dropped}"#)?;
        whole.map_or(Ok(()), |whole| whole.fmt(f))?;
        f.write_char('}')
    }
}

/// An event's line.
pub(crate) struct Line<'a> {
    pub(crate) n: u64,
    pub(crate) at: Duration,
    pub(crate) event: Event<'a>,
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, r#"{{"n":{},"t":{},"e":"#, self.n, self.at.as_nanos())?;
        match self.event {
            Event::TurnStart { .. } | Event::TurnEnd { .. } | Event::ParkStart { .. } | Event::ParkEnd { .. } => {
                turn(f, &self.event)
            }
            Event::TimerSet { .. } | Event::TimerFired { .. } | Event::TimerCancelled { .. } => timer(f, &self.event),
            Event::SourceOpened { .. }
            | Event::SourceReady { .. }
            | Event::SourceDrained { .. }
            | Event::SourceClosed { .. } => source(f, &self.event),
            _ => task(f, &self.event),
        }?;
        f.write_char('}')
    }
}

fn turn(f: &mut Formatter<'_>, event: &Event<'_>) -> fmt::Result {
    match *event {
        Event::TurnStart { turn, inbox } => write!(f, r#""turn_start","turn":{turn},"inbox":{inbox}"#),
        Event::TurnEnd { turn, polls } => write!(f, r#""turn_end","turn":{turn},"polls":{polls}"#),
        Event::ParkStart { timeout: None } => f.write_str(r#""park_start","timeout":null"#),
        Event::ParkStart { timeout: Some(timeout) } => write!(f, r#""park_start","timeout":{}"#, timeout.as_nanos()),
        Event::ParkEnd { events } => write!(f, r#""park_end","events":{events}"#),
        _ => Ok(()),
    }
}

fn task(f: &mut Formatter<'_>, event: &Event<'_>) -> fmt::Result {
    match *event {
        Event::Spawn { task, by, name, at } => {
            let (slot, name, at) = (task.slot(), Field("name", name), Quoted(at));
            write!(f, r#""spawn","task":{task},"slot":{slot},"by":"{by}"{name},"at":{at}"#)
        }
        Event::PollStart { task } => write!(f, r#""poll_start","task":{task}"#),
        Event::PollEnd { task, outcome } => {
            write!(f, r#""poll_end","task":{task},"outcome":"{}""#, word(&POLLED, outcome))
        }
        Event::Wait { task, on, at } => write!(f, r#""wait","task":{task},"on":"{on}","at":{}"#, Quoted(at)),
        Event::WaitDropped { task, on } => write!(f, r#""wait_dropped","task":{task},"on":"{on}""#),
        Event::Wake { task, cause, queued } => write!(f, r#""wake","task":{task},"by":"{cause}","queued":{queued}"#),
        Event::Held { lasted } => write!(f, r#""held","lasted":{}"#, lasted.as_nanos()),
        Event::StaleWake { cause } => write!(f, r#""stale_wake","by":"{cause}""#),
        Event::Abort { task, by, at } => write!(f, r#""abort","task":{task},"by":"{by}","at":{}"#, Quoted(at)),
        Event::Finish { task, outcome } => {
            write!(f, r#""finish","task":{task},"outcome":"{}""#, word(&FINISHED, outcome))
        }
        Event::Finding { kind, task, text } => {
            write!(f, r#""finding","kind":"{}""#, word(&FINDINGS, kind))?;
            task.map_or(Ok(()), |task| write!(f, r#","task":{task}"#))?;
            write!(f, r#","text":{}"#, Quoted(text))
        }
        _ => Ok(()),
    }
}

fn timer(f: &mut Formatter<'_>, event: &Event<'_>) -> fmt::Result {
    match *event {
        Event::TimerSet { timer, by, deadline, at } => {
            let (slot, deadline, at) = (timer.slot(), deadline.as_nanos(), Quoted(at));
            write!(f, r#""timer_set","timer":{timer},"slot":{slot},"by":"{by}","deadline":{deadline},"at":{at}"#)
        }
        Event::TimerFired { timer, late } => {
            write!(f, r#""timer_fired","timer":{timer},"late":{}"#, late.as_nanos())
        }
        Event::TimerCancelled { timer } => write!(f, r#""timer_cancelled","timer":{timer}"#),
        _ => Ok(()),
    }
}

fn source(f: &mut Formatter<'_>, event: &Event<'_>) -> fmt::Result {
    match *event {
        Event::SourceOpened { source, resource, ready: Readiness { read, write, .. }, by, at } => {
            let (kind, address) = of_resource(Some(resource));
            let (slot, address, at) = (source.slot(), Field("address", address), Quoted(at));
            write!(f, r#""source_opened","source":{source},"slot":{slot},"kind":"{kind}"{address}"#)?;
            write!(f, r#","read":{read},"write":{write},"by":"{by}","at":{at}"#)
        }
        Event::SourceReady { source, ready } => write!(f, r#""source_ready","source":{source},{}"#, Latches(ready)),
        Event::SourceDrained { source, read, write } => {
            write!(f, r#""source_drained","source":{source},"read":{read},"write":{write}"#)
        }
        Event::SourceClosed { source } => write!(f, r#""source_closed","source":{source}"#),
        _ => Ok(()),
    }
}

/// A state as facts, each a line with its end. The waits come last.
pub(crate) struct Facts<'a>(pub(crate) &'a State);

impl Display for Facts<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let State { at, turn, phase, running, ready, tasks, timers, sources } = self.0;
        let (t, phase, running) = (at.as_nanos(), word(&PHASES, *phase), Nullable(*running));
        writeln!(f, r#"{{"fact":"loop","t":{t},"turn":{turn},"phase":"{phase}","running":{running}}}"#)?;
        let places = places(ready.iter().zip(0..).map(|(id, place)| (*id, place)).collect());
        tasks.iter().try_for_each(|(id, task)| task_fact(f, *id, task, places.get(id).copied()))?;
        timers.iter().try_for_each(|(id, timer)| timer_fact(f, *id, timer))?;
        sources.iter().try_for_each(|(id, source)| source_fact(f, *id, source))?;
        for (id, wait) in tasks.iter().flat_map(|(id, task)| task.waits.iter().map(move |wait| (id, wait))) {
            let (on, at, since) = (wait.on, Quoted(wait.at), wait.since.as_nanos());
            writeln!(f, r#"{{"fact":"wait","task":{id},"on":"{on}","at":{at},"since":{since}}}"#)?;
        }
        Ok(())
    }
}

fn task_fact(f: &mut Formatter<'_>, id: u64, task: &Task, place: Option<u32>) -> fmt::Result {
    let Task { slot, polls, by, .. } = task;
    let (name, state, at) = (Field("name", task.name.as_ref()), word(&STATES, task.state), Quoted(task.at));
    let (longest, since) = (task.longest.as_nanos(), task.since.as_nanos());
    write!(f, r#"{{"fact":"task","task":{id},"slot":{slot}{name},"state":"{state}""#)?;
    place.map_or(Ok(()), |place| write!(f, r#","queue":{place}"#))?;
    write!(f, r#","polls":{polls},"longest":{longest},"by":"{by}","at":{at}"#)?;
    if let Some((by, when)) = task.woken {
        write!(f, r#","woken_by":"{by}","woken":{}"#, when.as_nanos())?;
    }
    writeln!(f, r#","since":{since}}}"#)
}

fn timer_fact(f: &mut Formatter<'_>, id: u64, timer: &Timer) -> fmt::Result {
    let (slot, deadline, by, at) = (timer.slot, timer.deadline.as_nanos(), timer.by, Quoted(timer.at));
    writeln!(f, r#"{{"fact":"timer","timer":{id},"slot":{slot},"deadline":{deadline},"by":"{by}","at":{at}}}"#)
}

fn source_fact(f: &mut Formatter<'_>, id: u64, source: &Source) -> fmt::Result {
    let (kind, address) = of_resource(source.resource);
    let (slot, address, latches) = (source.slot, Field("address", address), Latches(source.ready));
    let (by, at) = (source.by, Quoted(source.at));
    write!(f, r#"{{"fact":"source","source":{id},"slot":{slot},"kind":"{kind}"{address},{latches}"#)?;
    writeln!(f, r#","by":"{by}","at":{at}}}"#)
}

struct Latches(Readiness);

impl Display for Latches {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Readiness { read, write, read_closed, write_closed } = self.0;
        write!(f, r#""read":{read},"write":{write},"read_closed":{read_closed},"write_closed":{write_closed}"#)
    }
}

/// A number, or null.
struct Nullable(Option<u64>);

impl Display for Nullable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => number.fmt(f),
            None => f.write_str("null"),
        }
    }
}

/// A key and its text, behind a comma; or nothing.
struct Field<T>(&'static str, Option<T>);

impl<T: Display> Display for Field<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(key, Some(value)) = self else { return Ok(()) };
        write!(f, r#","{key}":{}"#, Quoted(value))
    }
}

/// The same for a number.
struct Number(&'static str, Option<u64>);

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(key, Some(value)) = self else { return Ok(()) };
        write!(f, r#","{key}":{value}"#)
    }
}

/// A JSON string of whatever the value displays as.
pub(crate) struct Quoted<T>(pub(crate) T);

impl<T: Display> Display for Quoted<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write!(Escaped(f), "{}", self.0)?;
        f.write_char('"')
    }
}

struct Escaped<'a, 'b>(&'a mut Formatter<'b>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c.is_control() || c == '"' || c == '\\') {
            self.0.write_str(&rest[..at])?;
            let special = rest[at..].chars().next().unwrap_or_default();
            match special {
                '"' | '\\' => write!(self.0, "\\{special}"),
                _ => write!(self.0, "\\u{:04x}", u32::from(special)),
            }?;
            rest = &rest[at + special.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}
