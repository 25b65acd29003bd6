//! Reading the written form back: a line becomes a header, a fact or an event again.
//!
//! The text may come from anywhere, so nothing is taken on trust. A line that does not fit is an error that says why,
//! and never a panic. Additions of a later writer of the same version are skipped.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ground::event::{Cause, Event, Place, Readiness, SourceId, TaskId, TimerId, WaitsFor};
use crate::heart::key::{Key, SourceKey, TaskKey, TimerKey};
use crate::see::model::json::Object;
use crate::see::model::ndjson::{Header, Run, VERSION};
use crate::see::model::numbered::{Numbered, places};
use crate::see::model::state::State;
use crate::see::model::things::{On, Source, Task, TaskState, Timer, Waiting, Who};
use crate::see::model::whole::Whole;
use crate::see::model::words::{FINDINGS, FINISHED, PHASES, POLLED, STATES, meaning, to_place, to_resource};

/// A line of a recording.
pub(crate) enum Parsed<'a> {
    Header(Header),
    Fact(Object<'a>),
    /// An event's number and the rest.
    Event(u64, Object<'a>),
}

/// Takes a line apart as far as is needed to know what it is.
pub(crate) fn line(text: &str) -> Result<Parsed<'_>, String> {
    let object = Object::parse(text)?;
    if let Some(what) = object.maybe::<&str>("oneloop")? {
        return header(&object, what).map(Parsed::Header);
    }
    if object.maybe::<&str>("fact")?.is_some() {
        return Ok(Parsed::Fact(object));
    }
    match object.maybe("n")? {
        Some(n) => Ok(Parsed::Event(n, object)),
        None => Err(String::from("it is neither a header (\"oneloop\") nor a fact (\"fact\") nor an event (\"n\")")),
    }
}

fn header(object: &Object<'_>, what: &str) -> Result<Header, String> {
    if what != "events" {
        return Err(format!("it holds {what:?}, and this reads \"events\""));
    }
    let version: u64 = object.need("version")?;
    if version != VERSION {
        return Err(format!("it is of version {version}, and this reads version {VERSION}"));
    }
    let is_virtual = object.means("clock", |clock| meaning(&[(false, "real"), (true, "virtual")], clock))?;
    let (first, dropped) = (object.need("first")?, object.need("dropped")?);
    let run = Run { is_virtual, seed: object.maybe("seed")? };
    Ok(Header { run, first, dropped, whole: Whole::of(object)? })
}

/// The slots in which tasks, timers and sources live or lived, by number: lines name most by number alone.
#[derive(Default)]
pub(crate) struct Slots {
    tasks: BTreeMap<u64, u32>,
    timers: BTreeMap<u64, u32>,
    sources: BTreeMap<u64, u32>,
}

/// The key of a thing that was read. It belongs to no runtime: none has number 0.
fn key(serial: u64, slots: &BTreeMap<u64, u32>) -> Key {
    Key { runtime: 0, slot: slots.get(&serial).copied().unwrap_or(0), serial }
}

fn slots_of<T>(things: &Numbered<T>, slot: fn(&T) -> u32) -> BTreeMap<u64, u32> {
    places(things.iter().map(|(number, thing)| (*number, slot(thing))).collect())
}

impl Slots {
    /// Notes where the things of a state live.
    pub(crate) fn of(state: &State) -> Self {
        Self {
            tasks: slots_of(&state.tasks, |task| task.slot),
            timers: slots_of(&state.timers, |timer| timer.slot),
            sources: slots_of(&state.sources, |source| source.slot),
        }
    }

    fn task(&self, number: u64) -> TaskId {
        TaskId(TaskKey(key(number, &self.tasks)))
    }

    fn timer(&self, number: u64) -> TimerId {
        TimerId(TimerKey(key(number, &self.timers)))
    }

    fn source(&self, number: u64) -> SourceId {
        SourceId(SourceKey(key(number, &self.sources)))
    }

    fn cause(&self, object: &Object<'_>) -> Result<Cause, String> {
        Ok(match who(object, "by")? {
            Who::Task(number) => Cause::Task(self.task(number)),
            Who::Timer(number) => Cause::Timer(self.timer(number)),
            Who::Source(number) => Cause::Source(self.source(number)),
            Who::Thread(number) => Cause::Thread(number),
            Who::Outside => Cause::Outside,
        })
    }

    fn waits_for(&self, object: &Object<'_>) -> Result<WaitsFor, String> {
        Ok(match object.means("on", str::parse)? {
            On::Timer(number) => WaitsFor::Timer(self.timer(number)),
            On::Read(number) => WaitsFor::Read(self.source(number)),
            On::Write(number) => WaitsFor::Write(self.source(number)),
            On::Join(number) => WaitsFor::Join(self.task(number)),
            On::Other(number) => WaitsFor::Other(number),
        })
    }

    /// An event and its time; `None` if it is of a kind that came later.
    pub(crate) fn event<'o>(&mut self, object: &'o Object<'_>) -> Result<Option<(Duration, Event<'o>)>, String> {
        let (at, kind): (_, &str) = (object.need("t")?, object.need("e")?);
        let event = match kind.split('_').next() {
            Some("turn" | "park") => turn(kind, object)?,
            Some("timer") => self.timer_event(kind, object)?,
            Some("source") => self.source_event(kind, object)?,
            _ => self.task_event(kind, object)?,
        };
        Ok(event.map(|event| (at, event)))
    }

    fn task_event<'o>(&mut self, kind: &str, object: &'o Object<'_>) -> Result<Option<Event<'o>>, String> {
        let o = object;
        if kind == "spawn" {
            self.tasks.insert(o.need("task")?, o.need("slot")?);
        }
        let task = || o.need("task").map(|number| self.task(number));
        Ok(Some(match kind {
            "spawn" => Event::Spawn { task: task()?, by: self.cause(o)?, name: o.maybe("name")?, at: place(o)? },
            "poll_start" => Event::PollStart { task: task()? },
            "poll_end" => Event::PollEnd { task: task()?, outcome: o.means("outcome", |text| meaning(&POLLED, text))? },
            "wait" => Event::Wait { task: task()?, on: self.waits_for(o)?, at: place(o)? },
            "wait_dropped" => Event::WaitDropped { task: task()?, on: self.waits_for(o)? },
            "wake" => Event::Wake { task: task()?, cause: self.cause(o)?, queued: o.need("queued")? },
            "held" => Event::Held { lasted: o.need("lasted")? },
            "stale_wake" => Event::StaleWake { cause: self.cause(o)? },
            "abort" => Event::Abort { task: task()?, by: self.cause(o)?, at: place(o)? },
            "finish" => Event::Finish { task: task()?, outcome: o.means("outcome", |text| meaning(&FINISHED, text))? },
            "finding" => {
                // A kind of finding that came later is skipped, as a kind of event is.
                let Ok(kind) = o.means("kind", |text| meaning(&FINDINGS, text)) else { return Ok(None) };
                let task = o.maybe("task")?.map(|number| self.task(number));
                Event::Finding { kind, task, text: o.need("text")? }
            }
            _ => return Ok(None),
        }))
    }

    fn timer_event(&mut self, kind: &str, o: &Object<'_>) -> Result<Option<Event<'static>>, String> {
        if kind == "timer_set" {
            self.timers.insert(o.need("timer")?, o.need("slot")?);
        }
        let timer = || o.need("timer").map(|number| self.timer(number));
        Ok(Some(match kind {
            "timer_set" => {
                let (by, deadline, at) = (self.cause(o)?, o.need("deadline")?, place(o)?);
                Event::TimerSet { timer: timer()?, by, deadline, at }
            }
            "timer_fired" => Event::TimerFired { timer: timer()?, late: o.need("late")? },
            "timer_cancelled" => Event::TimerCancelled { timer: timer()? },
            _ => return Ok(None),
        }))
    }

    fn source_event(&mut self, kind: &str, o: &Object<'_>) -> Result<Option<Event<'static>>, String> {
        if kind == "source_opened" {
            self.sources.insert(o.need("source")?, o.need("slot")?);
        }
        let source = || o.need("source").map(|number| self.source(number));
        Ok(Some(match kind {
            "source_opened" => {
                let Some(resource) = to_resource(o.need("kind")?, o.maybe("address")?)? else { return Ok(None) };
                let ready = Readiness { read: o.need("read")?, write: o.need("write")?, ..Readiness::default() };
                Event::SourceOpened { source: source()?, resource, ready, by: self.cause(o)?, at: place(o)? }
            }
            "source_ready" => Event::SourceReady { source: source()?, ready: readiness(o)? },
            "source_drained" => {
                Event::SourceDrained { source: source()?, read: o.need("read")?, write: o.need("write")? }
            }
            "source_closed" => Event::SourceClosed { source: source()? },
            _ => return Ok(None),
        }))
    }
}

fn turn(kind: &str, o: &Object<'_>) -> Result<Option<Event<'static>>, String> {
    Ok(Some(match kind {
        "turn_start" => Event::TurnStart { turn: o.need("turn")?, inbox: o.need("inbox")? },
        "turn_end" => Event::TurnEnd { turn: o.need("turn")?, polls: o.need("polls")? },
        "park_start" => Event::ParkStart { timeout: o.need("timeout")? },
        "park_end" => Event::ParkEnd { events: o.need("events")? },
        _ => return Ok(None),
    }))
}

fn who(object: &Object<'_>, key: &str) -> Result<Who, String> {
    object.means(key, str::parse)
}

fn place(object: &Object<'_>) -> Result<Place, String> {
    object.means("at", to_place)
}

fn readiness(o: &Object<'_>) -> Result<Readiness, String> {
    let (read_closed, write_closed) = (o.need("read_closed")?, o.need("write_closed")?);
    Ok(Readiness { read: o.need("read")?, write: o.need("write")?, read_closed, write_closed })
}

/// Facts that are being put together: what refers to others has to wait for all of them.
#[derive(Default)]
pub(crate) struct Facts {
    state: State,
    /// Tasks by their places.
    queue: Numbered<u64>,
    waits: Vec<(u64, Waiting)>,
}

impl Facts {
    pub(crate) fn add(&mut self, o: &Object<'_>) -> Result<(), String> {
        match o.need("fact")? {
            "loop" => {
                let state = &mut self.state;
                (state.at, state.turn, state.running) = (o.need("t")?, o.need("turn")?, o.need("running")?);
                state.phase = o.means("phase", |text| meaning(&PHASES, text))?;
            }
            "task" => self.add_task(o)?,
            "timer" => {
                let (slot, deadline, by) = (o.need("slot")?, o.need("deadline")?, who(o, "by")?);
                let timer = Timer { slot, deadline, by, at: place(o)?, waiter: None };
                self.state.timers.insert(o.need("timer")?, timer);
            }
            "source" => {
                let resource = to_resource(o.need("kind")?, o.maybe("address")?)?;
                let source = Source::new(o.need("slot")?, resource, readiness(o)?, who(o, "by")?, place(o)?);
                self.state.sources.insert(o.need("source")?, source);
            }
            "wait" => {
                let (on, at) = (o.means("on", str::parse)?, place(o)?);
                self.waits.push((o.need("task")?, Waiting { on, at, since: o.need("since")? }));
            }
            _ => {}
        }
        Ok(())
    }

    fn add_task(&mut self, o: &Object<'_>) -> Result<(), String> {
        let id: u64 = o.need("task")?;
        let mut task = Task::new(o.need("slot")?, o.maybe("name")?, who(o, "by")?, place(o)?, o.need("since")?);
        let state = o.means("state", |text| meaning(&STATES, text))?;
        (task.polls, task.longest) = (o.need("polls")?, o.need("longest")?);
        if o.maybe::<&str>("woken_by")?.is_some() {
            task.woken = Some((who(o, "woken_by")?, o.need("woken")?));
        }
        let place = o.maybe("queue")?;
        task.queued = place.is_some();
        task.state = match (state, task.queued) {
            (TaskState::Running, _) => state,
            (_, true) => TaskState::Ready,
            (_, false) => TaskState::Waiting,
        };
        if let Some(other) = place.and_then(|place| self.queue.insert(place, id)) {
            return Err(format!("task {id} has the same place in the queue as task {other}"));
        }
        if self.state.tasks.insert(id, task).is_some() {
            return Err(format!("task {id} is there twice"));
        }
        Ok(())
    }

    /// The state that the facts tell.
    pub(crate) fn finish(self) -> State {
        let Self { mut state, queue, waits } = self;
        state.ready = queue.values().copied().collect();
        waits.into_iter().for_each(|(task, wait)| state.wait(task, wait));
        state
    }
}
