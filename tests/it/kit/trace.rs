//! The event stream as lines of text, to be compared.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use oneloop::event::{Cause, Event, Observer, WaitsFor};

/// Writes down every event as a short line: with the time, if it was asked to.
#[derive(Clone, Default)]
pub(crate) struct Trace {
    lines: Rc<RefCell<Vec<String>>>,
    timed: bool,
}

impl Trace {
    /// One whose lines begin with the time.
    pub(crate) fn timed() -> Self {
        Self { timed: true, ..Self::default() }
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.lines.take()
    }

    /// The lines that begin with this word.
    pub(crate) fn take_only(&self, word: &str) -> Vec<String> {
        self.take().into_iter().filter(|line| line.split(' ').next() == Some(word)).collect()
    }
}

impl Observer for Trace {
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        let line = line(event);
        self.lines.borrow_mut().push(if self.timed { format!("{at:?} {line}") } else { line });
    }
}

fn line(event: &Event<'_>) -> String {
    match *event {
        Event::TurnStart { turn, inbox } => format!("turn {turn}, inbox {inbox}"),
        Event::TurnEnd { turn, polls } => format!("turn {turn} ends, polls {polls}"),
        Event::Spawn { task, by, name: None, .. } => format!("spawn {task} by {}", cause(by)),
        Event::Spawn { task, by, name: Some(name), .. } => format!("spawn {task} {name} by {}", cause(by)),
        Event::PollStart { task } => format!("poll {task}"),
        Event::PollEnd { task, outcome } => format!("poll {task} ends {outcome:?}"),
        Event::Wait { task, on, .. } => format!("wait {task} {}", waits(on)),
        Event::WaitDropped { task, on } => format!("wait {task} {} dropped", waits(on)),
        Event::SourceOpened { source, .. } => format!("source {source} opened"),
        Event::SourceDrained { source, read: true, .. } => format!("source {source} drained to read"),
        Event::SourceDrained { source, .. } => format!("source {source} drained to write"),
        Event::Wake { task, cause: by, queued: true } => format!("wake {task} by {}", cause(by)),
        Event::Wake { task, cause: by, queued: false } => format!("wake {task} by {} in vain", cause(by)),
        Event::Held { lasted } => format!("held for {lasted:?}"),
        Event::StaleWake { cause: by } => format!("stale wake by {}", cause(by)),
        Event::Abort { task, by, .. } => format!("abort {task} by {}", cause(by)),
        Event::Finish { task, outcome } => format!("finish {task} {outcome:?}"),
        Event::TimerSet { timer, by, deadline, .. } => format!("timer {timer} set by {} for {deadline:?}", cause(by)),
        Event::TimerFired { timer, late } => format!("timer {timer} fired {late:?} late"),
        Event::TimerCancelled { timer } => format!("timer {timer} cancelled"),
        Event::ParkStart { timeout } => format!("park for {timeout:?}"),
        Event::ParkEnd { events } => format!("park ends, events {events}"),
        ref other => format!("{other:?}"),
    }
}

fn waits(on: WaitsFor) -> String {
    match on {
        WaitsFor::Timer(timer) => format!("for timer {timer}"),
        WaitsFor::Join(other) => format!("for task {other}"),
        WaitsFor::Read(source) => format!("to read {source}"),
        WaitsFor::Write(source) => format!("to write {source}"),
        WaitsFor::Other(number) => format!("for other {number}"),
        other => format!("for {other:?}"),
    }
}

fn cause(cause: Cause) -> String {
    match cause {
        Cause::Task(task) => format!("task {task}"),
        Cause::Timer(timer) => format!("timer {timer}"),
        // Which number a thread has depends on what else this process does.
        Cause::Thread(_) => String::from("a thread"),
        Cause::Outside => String::from("nobody"),
        other => format!("{other:?}"),
    }
}
