//! The written form: one flat JSON object a line. `docs/events.md` is its description for strangers.
//!
//! Everything here is a `Display` of a line without its end. The way back is in `parse.rs`.

use std::fmt::{self, Display, Formatter, Write as _};
use std::time::Duration;

use crate::ground::event::{Event, Readiness, Resource};
use crate::see::model::json::{Members, object};
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
        object(f, |line| {
            line.text("oneloop", "events").number("version", VERSION);
            line.text("clock", if *is_virtual { "virtual" } else { "real" });
            if let Some(seed) = seed {
                line.number("seed", seed);
            }
            line.number("first", first).number("dropped", dropped);
            if let Some(whole) = whole {
                whole.put_in(line);
            }
        })
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
        object(f, |line| self.put_in(line))
    }
}

impl Line<'_> {
    pub(crate) fn put_in(&self, line: &mut Members<'_>) {
        line.number("n", self.n).number("t", self.at.as_nanos());
        let put = match self.event {
            Event::TurnStart { .. } | Event::TurnEnd { .. } | Event::ParkStart { .. } | Event::ParkEnd { .. } => turn,
            Event::TimerSet { .. } | Event::TimerFired { .. } | Event::TimerCancelled { .. } => timer,
            Event::SourceOpened { .. }
            | Event::SourceReady { .. }
            | Event::SourceDrained { .. }
            | Event::SourceClosed { .. } => source,
            _ => task,
        };
        put(line, &self.event);
    }
}

fn turn(line: &mut Members<'_>, event: &Event<'_>) {
    match *event {
        Event::TurnStart { turn, inbox } => line.text("e", "turn_start").number("turn", turn).number("inbox", inbox),
        Event::TurnEnd { turn, polls } => line.text("e", "turn_end").number("turn", turn).number("polls", polls),
        Event::ParkStart { timeout: None } => line.text("e", "park_start").null("timeout"),
        Event::ParkStart { timeout: Some(timeout) } => {
            line.text("e", "park_start").number("timeout", timeout.as_nanos())
        }
        Event::ParkEnd { events } => line.text("e", "park_end").number("events", events),
        _ => line,
    };
}

fn task(line: &mut Members<'_>, event: &Event<'_>) {
    match *event {
        Event::Spawn { task, by, name, at } => {
            line.text("e", "spawn").number("task", task).number("slot", task.slot()).text("by", by);
            if let Some(name) = name {
                line.text("name", name);
            }
            line.text("at", at)
        }
        Event::PollStart { task } => line.text("e", "poll_start").number("task", task),
        Event::PollEnd { task, outcome } => {
            line.text("e", "poll_end").number("task", task).text("outcome", word(&POLLED, outcome))
        }
        Event::Wait { task, on, at } => line.text("e", "wait").number("task", task).text("on", on).text("at", at),
        Event::WaitDropped { task, on } => line.text("e", "wait_dropped").number("task", task).text("on", on),
        Event::Wake { task, cause, queued } => {
            line.text("e", "wake").number("task", task).text("by", cause).truth("queued", queued)
        }
        Event::Held { lasted } => line.text("e", "held").number("lasted", lasted.as_nanos()),
        Event::StaleWake { cause } => line.text("e", "stale_wake").text("by", cause),
        Event::Abort { task, by, at } => line.text("e", "abort").number("task", task).text("by", by).text("at", at),
        Event::Finish { task, outcome } => {
            line.text("e", "finish").number("task", task).text("outcome", word(&FINISHED, outcome))
        }
        Event::Finding { kind, task, text } => {
            line.text("e", "finding").text("kind", word(&FINDINGS, kind));
            if let Some(task) = task {
                line.number("task", task);
            }
            line.text("text", text)
        }
        _ => line,
    };
}

fn timer(line: &mut Members<'_>, event: &Event<'_>) {
    match *event {
        Event::TimerSet { timer, by, deadline, at } => {
            line.text("e", "timer_set").number("timer", timer).number("slot", timer.slot());
            line.text("by", by).number("deadline", deadline.as_nanos()).text("at", at)
        }
        Event::TimerFired { timer, late } => {
            line.text("e", "timer_fired").number("timer", timer).number("late", late.as_nanos())
        }
        Event::TimerCancelled { timer } => line.text("e", "timer_cancelled").number("timer", timer),
        _ => line,
    };
}

fn source(line: &mut Members<'_>, event: &Event<'_>) {
    match *event {
        Event::SourceOpened { source, resource, ready: Readiness { read, write, .. }, by, at } => {
            line.text("e", "source_opened").number("source", source).number("slot", source.slot());
            put_resource(line, Some(resource));
            line.truth("read", read).truth("write", write).text("by", by).text("at", at)
        }
        Event::SourceReady { source, ready } => {
            put_latches(line.text("e", "source_ready").number("source", source), ready)
        }
        Event::SourceDrained { source, read, write } => {
            line.text("e", "source_drained").number("source", source).truth("read", read).truth("write", write)
        }
        Event::SourceClosed { source } => line.text("e", "source_closed").number("source", source),
        _ => line,
    };
}

fn put_resource(line: &mut Members<'_>, resource: Option<Resource>) {
    let (kind, address) = of_resource(resource);
    line.text("kind", kind);
    if let Some(address) = address {
        line.text("address", address);
    }
}

fn put_latches<'a, 'b>(line: &'a mut Members<'b>, ready: Readiness) -> &'a mut Members<'b> {
    let Readiness { read, write, read_closed, write_closed } = ready;
    line.truth("read", read).truth("write", write).truth("read_closed", read_closed).truth("write_closed", write_closed)
}

/// A state as facts, each a line with its end. The waits come last.
pub(crate) struct Facts<'a>(pub(crate) &'a State);

impl Display for Facts<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let State { at, turn, phase, running, ready, tasks, timers, sources } = self.0;
        fact(f, "loop", |line| {
            line.number("t", at.as_nanos()).number("turn", turn).text("phase", word(&PHASES, *phase));
            match running {
                Some(task) => line.number("running", task),
                None => line.null("running"),
            };
        })?;
        let places = places(ready.iter().zip(0..).map(|(id, place)| (*id, place)).collect());
        for (id, task) in tasks {
            fact(f, "task", |line| task_fact(line, *id, task, places.get(id).copied()))?;
        }
        for (id, timer) in timers {
            fact(f, "timer", |line| timer_fact(line, *id, timer))?;
        }
        for (id, source) in sources {
            fact(f, "source", |line| source_fact(line, *id, source))?;
        }
        for (id, wait) in tasks.iter().flat_map(|(id, task)| task.waits.iter().map(move |wait| (id, wait))) {
            fact(f, "wait", |line| {
                line.number("task", id).text("on", wait.on).text("at", wait.at).number("since", wait.since.as_nanos());
            })?;
        }
        Ok(())
    }
}

fn fact(f: &mut Formatter<'_>, kind: &str, put: impl FnOnce(&mut Members<'_>)) -> fmt::Result {
    object(f, |line| put(line.text("fact", kind)))?;
    f.write_char('\n')
}

fn task_fact(line: &mut Members<'_>, id: u64, task: &Task, place: Option<u32>) {
    line.number("task", id).number("slot", task.slot);
    if let Some(name) = &task.name {
        line.text("name", name);
    }
    line.text("state", word(&STATES, task.state));
    if let Some(place) = place {
        line.number("queue", place);
    }
    line.number("polls", task.polls).number("longest", task.longest.as_nanos()).text("by", task.by).text("at", task.at);
    if let Some((by, when)) = task.woken {
        line.text("woken_by", by).number("woken", when.as_nanos());
    }
    line.number("since", task.since.as_nanos());
}

fn timer_fact(line: &mut Members<'_>, id: u64, timer: &Timer) {
    line.number("timer", id).number("slot", timer.slot).number("deadline", timer.deadline.as_nanos());
    line.text("by", timer.by).text("at", timer.at);
}

fn source_fact(line: &mut Members<'_>, id: u64, source: &Source) {
    line.number("source", id).number("slot", source.slot);
    put_resource(line, source.resource);
    put_latches(line, source.ready).text("by", source.by).text("at", source.at);
}
