//! A loop in words: the task table, a task's place, the wheel, and the task that holds it up.

use std::fmt::Write as _;
use std::time::Duration;

use crate::ground::event::{Place, nanos};
use crate::ground::shown::Shown;
use crate::ground::span::Span;
use crate::heart::wheel;
use crate::see::model::numbered::Numbered;
use crate::see::model::state::{Phase, State};
use crate::see::model::table::{self, Row};
use crate::see::model::things::{On, Past, TaskState, Waiting};
use crate::see::model::words::{Named, several, wait_in_words};

/// From how long on a poll, or anything else that the loop is busy with, holds it up.
const LONG: Duration = Duration::from_millis(100);

/// Every task, one a line, in the order in which they were spawned.
pub(super) fn table(state: &State, now: Duration) -> String {
    let rows = state.tasks.iter().map(|(id, task)| Row {
        task: *id,
        name: task.name.as_deref(),
        state: task.state,
        past: Some(Past::of(task, now)),
        spawned: task.at,
        waits: task.waits.iter().map(|wait| wait_with_its_thing(state, wait, now)).collect(),
    });
    let mut text = table::table(rows);
    let _ = writeln!(
        text,
        "turn {}, {}; tasks {} (ready {}), timers {}, sources {}",
        state.turn,
        phase(state, now),
        state.tasks.len(),
        state.ready.len(),
        state.timers.len(),
        state.sources.len()
    );
    text
}

/// One task.
pub(super) fn task(state: &State, id: u64, now: Duration) -> Option<String> {
    let task = state.tasks.get(&id)?;
    let mut text = format!("{} was spawned by {} at {}\n", name(state, id), task.by, task.at);
    let _ = match (task.state, state.ready.iter().position(|ready| *ready == id)) {
        (TaskState::Ready, Some(place)) => writeln!(text, "it is number {} in the ready queue", place + 1),
        (task_state, _) => writeln!(text, "it has been {} for {}", task_state, since(task.since, now)),
    };
    for wait in &task.waits {
        let _ = writeln!(text, "it waits for {}", wait_with_its_thing(state, wait, now));
    }
    if task.waits.is_empty() && task.state == TaskState::Waiting {
        text.push_str("it waits for something that the runtime cannot see, such as a channel\n");
    }
    let _ = writeln!(text, "{}, the longest took {}", several(task.polls as usize, "poll"), Span(task.longest));
    Some(text)
}

/// The timers, level by level: in which list of the wheel each hangs.
pub(super) fn wheel(state: &State, now: Duration) -> String {
    let hand = state.at.as_millis() as u64;
    let mut text = format!("the hand is at tick {hand}; {}\n", several(state.timers.len(), "timer"));
    let mut timers: Vec<_> = state.timers.iter().map(|(id, timer)| (nanos(timer.deadline), *id)).collect();
    timers.sort_unstable();
    // By level and list.
    let mut lists: Numbered<Vec<u64>> = Numbered::default();
    for (deadline, id) in timers {
        let (level, list) = wheel::place(hand, deadline.div_ceil(1_000_000).max(hand));
        lists.get_or_insert_with(u64::from(level) << 32 | list, Vec::new).push(id);
    }
    for (place, timers) in &lists {
        let _ = write!(text, "level {:>2} list {:>2}:", place >> 32, place & 0xffff_ffff);
        for (id, timer) in timers.iter().filter_map(|id| Some((id, state.timers.get(id)?))).take(4) {
            let waiter = timer.waiter.map_or_else(String::new, |task| format!(" for {}", name(state, task)));
            let _ = write!(text, " timer {id}{waiter} {};", due(timer.deadline, now));
        }
        let more = timers.len().saturating_sub(4);
        let _ = if more > 0 { writeln!(text, " and {more} more") } else { writeln!(text) };
    }
    text
}

/// A sentence on who holds up the loop, if anybody does. `silence` is how long nothing has been told.
pub(super) fn culprit(state: &State, now: Duration, silence: Duration, last_wait: Option<Place>) -> Option<String> {
    if let Some((id, task)) = state.running.and_then(|id| Some((id, state.tasks.get(&id)?))) {
        // By a virtual clock, a poll takes no time.
        let long = now.saturating_sub(task.since).max(silence);
        let place =
            last_wait.map_or_else(|| format!("was spawned at {}", task.at), |at| format!("last waited at {at}"));
        return (long >= LONG)
            .then(|| format!("{} has been in one poll for {}; it {place}", name(state, id), Span(long)));
    }
    let busy = !matches!(state.phase, Phase::Park | Phase::Idle);
    (busy && silence >= LONG)
        .then(|| format!("the loop has been busy for {} outside any poll: in a drop, or in an observer", Span(silence)))
}

fn phase(state: &State, now: Duration) -> String {
    match (state.phase, state.running) {
        (_, Some(id)) => format!("polling {}", name(state, id)),
        (Phase::Idle, _) => String::from("between two turns"),
        (Phase::Inbox, _) => String::from("taking in what other threads sent"),
        (Phase::Timers, _) => String::from("firing timers"),
        (Phase::Poll, _) => String::from("polling"),
        (Phase::Park, _) => format!("asleep for {}", since(state.at, now)),
    }
}

/// A task's number, and its name if it has one.
pub(super) fn name(state: &State, id: u64) -> String {
    Named(id, state.tasks.get(&id).and_then(|task| task.name.as_deref())).to_string()
}

/// A wait, with what is known of the thing that is waited for.
fn wait_with_its_thing(state: &State, wait: &Waiting, now: Duration) -> String {
    let what = match wait.on {
        On::Timer(id) => state.timers.get(&id).map(|timer| due(timer.deadline, now)),
        On::Read(id) | On::Write(id) => state.sources.get(&id).map(|source| resource(source.resource)),
        On::Join(id) => state.tasks.get(&id).and_then(|task| task.name.as_ref()).map(|name| Shown(name).to_string()),
        On::Other(_) => None,
    };
    wait_in_words(wait.on, what, state.waits_at(wait), Some(now.saturating_sub(wait.since)))
}

/// A source's kind and address.
pub(super) fn resource(resource: Option<crate::ground::event::Resource>) -> String {
    match crate::see::model::words::of_resource(resource) {
        (kind, Some(address)) => format!("{kind} {address}"),
        (kind, None) => kind.to_owned(),
    }
}

fn due(deadline: Duration, now: Duration) -> String {
    match deadline.checked_sub(now) {
        Some(left) => format!("due in {}", Span(left)),
        None => format!("overdue by {}", Span(now - deadline)),
    }
}

/// How long ago something was.
pub(super) fn since(then: Duration, now: Duration) -> Span {
    Span(now.saturating_sub(then))
}
