//! The words of the written form: how a cause, a place or an outcome is called there.
//!
//! Each is written by its `Display`, or by a table that the reader searches, so the two cannot disagree.

use std::fmt;
use std::time::Duration;

use crate::ground::event::{Cause, Finding, Finished, Place, Polled, Resource, WaitsFor};
use crate::ground::place::interned;
use crate::ground::shown::Shown;
use crate::ground::span::Span;
use crate::see::model::state::Phase;
use crate::see::model::things::{On, TaskState, Who};

pub(crate) const PHASES: [(Phase, &str); 5] = [
    (Phase::Idle, "idle"),
    (Phase::Inbox, "inbox"),
    (Phase::Timers, "timers"),
    (Phase::Poll, "poll"),
    (Phase::Park, "park"),
];

/// The last is the store's alone: the events know no task that is over.
pub(crate) const STATES: [(TaskState, &str); 4] = [
    (TaskState::Waiting, "waiting"),
    (TaskState::Ready, "ready"),
    (TaskState::Running, "running"),
    (TaskState::Done, "done"),
];

pub(crate) const POLLED: [(Polled, &str); 3] =
    [(Polled::Pending, "pending"), (Polled::Ready, "ready"), (Polled::Panicked, "panicked")];

pub(crate) const FINISHED: [(Finished, &str); 3] =
    [(Finished::Returned, "returned"), (Finished::Panicked, "panicked"), (Finished::Aborted, "aborted")];

pub(crate) const FINDINGS: [(Finding, &str); 5] = [
    (Finding::SlowPoll, "slow_poll"),
    (Finding::SelfWakeStorm, "self_wake_storm"),
    (Finding::NobodyCanWake, "nobody_can_wake"),
    (Finding::EveryoneWaits, "everyone_waits"),
    (Finding::TimerPileUp, "timer_pile_up"),
];

/// The word for a value. Tables name every value that is ever written.
pub(crate) fn word<T: PartialEq + Copy>(table: &[(T, &'static str)], value: T) -> &'static str {
    table.iter().find(|(known, _)| *known == value).map_or("unknown", |(_, word)| word)
}

/// The value that a word stands for.
pub(crate) fn meaning<T: Copy>(table: &[(T, &str)], text: &str) -> Result<T, String> {
    let known = || table.iter().map(|(_, word)| *word).collect::<Vec<_>>().join(", ");
    let found = table.iter().find(|(_, word)| *word == text).map(|(value, _)| *value);
    found.ok_or_else(|| format!("{text:?} is none of {}", known()))
}

/// A resource's kind, and its address, if it has one.
pub(crate) fn of_resource(resource: Option<Resource>) -> (&'static str, Option<String>) {
    match resource {
        None => ("unknown", None),
        Some(Resource::TcpListener(at)) => ("tcp listener", Some(at.to_string())),
        Some(Resource::TcpStream(peer)) => ("tcp stream", Some(peer.to_string())),
        Some(Resource::UdpSocket(at)) => ("udp socket", Some(at.to_string())),
        Some(Resource::ChildPipe(child)) => ("child pipe", Some(format!("process {child}"))),
        Some(Resource::Signals) => ("signals", None),
        Some(Resource::UnixListener) => ("unix listener", None),
        Some(Resource::UnixStream) => ("unix stream", None),
        Some(Resource::UnixDatagram) => ("unix datagram", None),
        Some(Resource::Descriptor(fd)) => ("descriptor", Some(format!("fd {fd}"))),
    }
}

/// The resource of this kind, at this address. A kind that came later is no error, but unknown.
pub(crate) fn to_resource(kind: &str, address: Option<&str>) -> Result<Option<Resource>, String> {
    let socket = || {
        let text = address.ok_or_else(|| format!("a {kind} has an \"address\""))?;
        text.parse().map_err(|_| format!("{text:?} is not an address and a port"))
    };
    let child = || {
        let number = address.and_then(|text| text.strip_prefix("process ")).and_then(|number| number.parse().ok());
        number.ok_or_else(|| String::from("the \"address\" of a child pipe is as in \"process 12\""))
    };
    let descriptor = || {
        let number = address.and_then(|text| text.strip_prefix("fd ")).and_then(|number| number.parse().ok());
        number.ok_or_else(|| String::from("the \"address\" of a descriptor is as in \"fd 7\""))
    };
    Ok(Some(match kind {
        "tcp listener" => Resource::TcpListener(socket()?),
        "tcp stream" => Resource::TcpStream(socket()?),
        "udp socket" => Resource::UdpSocket(socket()?),
        "child pipe" => Resource::ChildPipe(child()?),
        "signals" => Resource::Signals,
        "unix listener" => Resource::UnixListener,
        "unix stream" => Resource::UnixStream,
        "unix datagram" => Resource::UnixDatagram,
        "descriptor" => Resource::Descriptor(descriptor()?),
        _ => return Ok(None),
    }))
}

/// A task's number, and its name if it has one, as a terminal may be sent it.
pub(crate) struct Named<'a>(pub(crate) u64, pub(crate) Option<&'a str>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(task, name) = self;
        write!(f, "task {task}")?;
        name.map_or(Ok(()), |name| write!(f, " {}", Shown(name)))
    }
}

/// A wait, such as `timer 3 (due in 5 ms) at src/main.rs:3:14 for 2 s`, as far as it is known.
pub(crate) fn wait_in_words(on: On, about: Option<String>, at: Option<Place>, lasts: Option<Duration>) -> String {
    let about = about.map_or_else(String::new, |about| format!(" ({about})"));
    let at = at.map_or_else(String::new, |at| format!(" at {at}"));
    let lasts = lasts.map_or_else(String::new, |lasts| format!(" for {}", Span(lasts)));
    format!("{on}{about}{at}{lasts}")
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(word(&STATES, *self))
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(number) => write!(f, "task {number}"),
            Self::Timer(number) => write!(f, "timer {number}"),
            Self::Source(number) => write!(f, "source {number}"),
            Self::Thread(number) => write!(f, "thread {number}"),
            Self::Outside => f.write_str("outside"),
        }
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timer(number) => write!(f, "timer {number}"),
            Self::Read(number) => write!(f, "read {number}"),
            Self::Write(number) => write!(f, "write {number}"),
            Self::Join(number) => write!(f, "join {number}"),
            Self::Other(number) => write!(f, "other {number}"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Who::from(*self).fmt(f)
    }
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        On::from(*self).fmt(f)
    }
}

impl std::str::FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok();
        let who = match text.split_once(' ') {
            None if text == "outside" => Some(Self::Outside),
            Some(("task", n)) => number(n).map(Self::Task),
            Some(("timer", n)) => number(n).map(Self::Timer),
            Some(("source", n)) => number(n).map(Self::Source),
            Some(("thread", n)) => number(n).map(Self::Thread),
            _ => None,
        };
        who.ok_or_else(|| format!("{text:?} is no cause, such as \"task 3\", \"timer 5\" or \"outside\""))
    }
}

impl std::str::FromStr for On {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok();
        let on = match text.split_once(' ') {
            Some(("timer", n)) => number(n).map(Self::Timer),
            Some(("read", n)) => number(n).map(Self::Read),
            Some(("write", n)) => number(n).map(Self::Write),
            Some(("join", n)) => number(n).map(Self::Join),
            Some(("other", n)) => number(n).map(Self::Other),
            _ => None,
        };
        on.ok_or_else(|| format!("{text:?} is nothing to wait for, such as \"timer 3\" or \"read 2\""))
    }
}

/// A place as it was written: `file:line:column`.
pub(crate) fn to_place(text: &str) -> Result<Place, String> {
    let mut parts = text.rsplitn(3, ':');
    let column = parts.next().and_then(|column| column.parse().ok());
    let line = parts.next().and_then(|line| line.parse().ok());
    match (parts.next(), line, column) {
        (Some(file), Some(line), Some(column)) => Ok(Place { file: interned(file), line, column }),
        _ => Err(format!("{text:?} is no place, such as \"src/main.rs:3:14\"")),
    }
}

/// A count and what is counted, such as "1 timer" and "2 timers".
pub(crate) fn several(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}
