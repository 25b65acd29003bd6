//! The judge: a recording tells which event was the first to break a rule.
//!
//! The judge knows no test. It replays the events and looks for what no runtime may do: poll a task that is over,
//! park while somebody is ready, fire early. At the end it looks for who was forgotten.

use std::collections::BTreeMap;

use crate::events::Event;
use crate::slots;

/// The nanoseconds of a tick, to which deadlines are rounded up.
const TICK: u64 = 1_000_000;
/// The future of `block_on`: the first task of every recording.
const MAIN: u64 = 1;

#[derive(Default)]
struct Task {
    /// The event that queued it, while it is in the queue.
    queued: Option<u64>,
    over: Option<u64>,
    aborted: Option<u64>,
    panicked: bool,
    polls: u64,
    /// The end of the poll in which it was ready, until it is told that it has finished.
    ready: Option<u64>,
    /// The things that it waits for, and since which event.
    waits: BTreeMap<String, u64>,
    last_poll: u64,
}

#[derive(Default)]
struct Loop {
    tasks: BTreeMap<u64, Task>,
    queue: Vec<u64>,
    running: Option<(u64, u64)>,
    /// The deadlines of those that are set.
    timers: BTreeMap<u64, u64>,
    /// The event that set a timer, the task that did, and its place among those that fire.
    setters: BTreeMap<u64, (u64, Option<u64>, u64)>,
    /// The beginning of the turn, until its first poll: event and time.
    turn: Option<(u64, u64)>,
    /// The things that have come, such as an event that was set, and when.
    come: BTreeMap<String, u64>,
    /// Whether a source is ready in one way, as `read 1`, and the event that said so or proved it over.
    latches: BTreeMap<String, (bool, u64)>,
    /// The park that nothing has come of yet: its beginning, once it is over.
    idle: Option<u64>,
    /// The park that goes on.
    park: Option<u64>,
    returned: bool,
    /// Whether what is dropped takes back what it left: from stage 10 on.
    takes_back: bool,
    /// The fault of the park that goes on.
    asleep: Option<String>,
}

/// The stage whose tests look at a slab alone.
const SLAB: usize = 3;
/// From this stage on a sleep that is dropped takes its timer back.
const DROPS_FROM: usize = 10;

/// Says which event was wrong, if one was. The `stage` is that of the test.
pub(crate) fn judge(events: &[Event], stage: usize) -> Option<String> {
    if stage == SLAB {
        return slots::judge(events);
    }
    let mut state = Loop { takes_back: stage >= DROPS_FROM, ..Loop::default() };
    events.iter().find_map(|event| state.apply(event)).or_else(|| state.at_the_end())
}

impl Loop {
    /// Applies an event. Returns what is wrong with it.
    fn apply(&mut self, event: &Event) -> Option<String> {
        let n = event.number;
        if !["turn_start", "turn_end", "park_start", "park_end"].contains(&event.kind.as_str()) {
            self.idle = None;
        }
        match event.kind.as_str() {
            "spawn" => {
                let id = event.task()?;
                self.tasks.insert(id, Task { queued: Some(n), ..Task::default() });
                self.queue.push(id);
            }
            "turn_start" => self.turn = Some((n, event.time)),
            "turn_end" => return self.fired_all(n),
            "poll_start" => return self.fired_all(n).or_else(|| self.poll_starts(event.task()?, n)),
            "poll_end" => {
                self.running = None;
                if event.get("outcome") == Some("ready") {
                    self.tasks.entry(event.task()?).or_default().ready = Some(n);
                }
                if event.get("outcome") == Some("panicked") {
                    // Its waits are gone with it; and if it is main, the others were not forgotten.
                    self.tasks.entry(event.task()?).or_default().panicked = true;
                    self.returned |= event.task() == Some(MAIN);
                }
            }
            "wait" | "wait_dropped" => return self.waits_in_vain(event).or_else(|| self.waits(event).and(None)),
            "source_opened" | "source_drained" | "source_ready" => return self.source(event),
            "wake" => return self.wakes(event),
            "abort" => return self.aborts(event.task()?, n),
            "finish" => return self.finishes(event),
            "event_set" => {
                self.come.insert(format!("event {}", event.get("event")?), n);
            }
            "park_start" => return self.parks(event),
            "park_end" => {
                self.asleep = None;
                self.idle = self.park.take();
            }
            "timer_set" => return self.sets(event).and(None),
            "timer_cancelled" => return self.cancels(event.number_of("timer")?, n),
            "timer_fired" => return self.fires(event),
            _ => {}
        }
        None
    }

    /// It is queued, to be dropped when its turn comes.
    fn aborts(&mut self, id: u64, n: u64) -> Option<String> {
        let task = self.tasks.entry(id).or_default();
        if let Some(over) = task.over {
            return Some(format!("task {id} was aborted at event {n}, though it had finished at event {over}"));
        }
        if let Some(before) = task.aborted.replace(n) {
            return Some(format!("task {id} was aborted at event {n}, and at event {before} already"));
        }
        if task.queued.replace(task.queued.unwrap_or(n)).is_none() {
            self.queue.push(id);
        }
        None
    }

    fn sets(&mut self, event: &Event) -> Option<()> {
        let (id, by) = (event.number_of("timer")?, event.get("by").unwrap_or_default());
        let deadline = event.number_of("deadline")?;
        self.timers.insert(id, deadline);
        let task = by.strip_prefix("task ").and_then(|task| task.parse().ok());
        // One that is set for a tick of the past has that of today.
        self.setters.insert(id, (event.number, task, deadline.max(event.time).div_ceil(TICK)));
        Some(())
    }

    fn cancels(&mut self, id: u64, n: u64) -> Option<String> {
        let is_late = self.timers.remove(&id).is_none() && self.setters.contains_key(&id);
        is_late.then(|| format!("timer {id} was cancelled at event {n}, though it had fired before or was cancelled"))
    }

    /// A wait for something that may be done already.
    fn waits_in_vain(&self, event: &Event) -> Option<String> {
        let (n, on) = (event.number, event.get("on").unwrap_or_default());
        let (true, Some((true, said))) = (event.kind == "wait", self.latches.get(on)) else { return None };
        let task = event.task()?;
        Some(format!(
            "task {task} waits for {on} at event {n}, though it may since event {said}, and nothing has proved the opposite"
        ))
    }

    /// The kernel has spoken of a source, or an attempt has proved it over.
    fn source(&mut self, event: &Event) -> Option<String> {
        let (n, may) = (event.number, event.kind != "source_drained");
        for way in ["read", "write"].into_iter().filter(|way| event.get(way) == Some("true")) {
            let on = format!("{way} {}", event.get("source")?);
            if event.kind == "source_ready" {
                self.come.insert(on.clone(), n);
            }
            if let (false, Some((false, before))) = (may, self.latches.insert(on.clone(), (may, n))) {
                return Some(format!(
                    "{on} was tried in vain at event {n}, and at event {before} already: the kernel had said nothing since"
                ));
            }
        }
        None
    }

    fn waits(&mut self, event: &Event) -> Option<()> {
        let on = event.get("on")?.to_owned();
        if event.kind == "wait_dropped" {
            self.tasks.entry(event.task()?).or_default().waits.remove(&on);
            return Some(());
        }
        if !on.starts_with("join") && !on.starts_with("event") {
            // A socket's earlier news may be over by now.
            self.come.remove(&on);
        }
        self.tasks.entry(event.task()?).or_default().waits.insert(on, event.number);
        Some(())
    }

    /// At the first poll of a turn, all timers have fired that were due when the turn began.
    fn fired_all(&mut self, n: u64) -> Option<String> {
        let (turn, began) = self.turn.take()?;
        // A deadline rounds up to its millisecond. The last one of all is beyond what a recording can tell apart.
        let due = |deadline: u64| deadline < u64::MAX && deadline.div_ceil(TICK).saturating_mul(TICK) <= began;
        let is_left =
            |(id, deadline): &(&u64, &u64)| due(**deadline) && self.setters.get(*id).is_some_and(|set| set.0 < turn);
        let (id, deadline) = self.timers.iter().find(is_left)?;
        let due = *deadline as f64 / 1e6;
        Some(format!(
            "the turn of event {turn} went on at event {n} before timer {id} had fired, which was due at {due} ms"
        ))
    }

    fn finishes(&mut self, event: &Event) -> Option<String> {
        let (id, n) = (event.task()?, event.number);
        if id == MAIN && event.get("outcome") == Some("panicked") {
            // The loop gave up: who was forgotten is said at the end.
            return None;
        }
        self.queue.retain(|queued| *queued != id);
        self.returned |= id == MAIN;
        let task = self.tasks.entry(id).or_default();
        if let Some(before) = task.over.replace(n) {
            return Some(format!("task {id} finished at event {n}, and had finished at event {before} already"));
        }
        self.come.insert(format!("join {id}"), n);
        (task.queued, task.ready, task.waits) = (None, None, BTreeMap::new());
        None
    }

    fn poll_starts(&mut self, id: u64, n: u64) -> Option<String> {
        if let Some((other, since)) = self.running.replace((id, n)) {
            return Some(format!(
                "task {id} was polled at event {n}, inside the poll of task {other} from event {since}"
            ));
        }
        let is_first = self.queue.first().is_none_or(|first| *first == id);
        let first = self.queue.first().copied().unwrap_or_default();
        self.queue.retain(|queued| *queued != id);
        let task = self.tasks.entry(id).or_default();
        let queued = task.queued.take();
        task.polls += 1;
        task.last_poll = n;
        if let Some(over) = task.over {
            return Some(format!("task {id} was polled at event {n}, though it had finished at event {over}"));
        }
        if queued.is_none() && task.polls > 1 {
            return Some(format!("task {id} was polled at event {n}, though nobody had woken it"));
        }
        (!is_first)
            .then(|| format!("task {id} was polled at event {n}, though task {first} was before it in the queue"))
    }

    fn wakes(&mut self, event: &Event) -> Option<String> {
        let (id, n) = (event.task()?, event.number);
        let by = event.get("by").unwrap_or_default().to_owned();
        let task = self.tasks.entry(id).or_default();
        if let Some(source) = by.strip_prefix("source ") {
            let mut ways =
                task.waits.keys().filter(|on| on.split_once(' ').is_some_and(|(_, of)| of == source)).peekable();
            if let (Some(on), true) = (ways.peek().copied(), ways.all(|on| !self.come.contains_key(on))) {
                return Some(format!(
                    "task {id} was woken at event {n} by {by}, though it waits for {on}, of which nothing was said"
                ));
            }
        }
        task.waits.remove(&by);
        task.waits.retain(|on, _| !self.come.contains_key(on));
        if event.get("queued") == Some("true") {
            if let Some(before) = task.queued {
                return Some(format!("task {id} was queued at event {n}, and was in the queue since event {before}"));
            }
            task.queued = Some(n);
            self.queue.push(id);
        } else if task.queued.is_none() && task.over.is_none() {
            return Some(format!("the wake of task {id} at event {n} was swallowed: the task is in no queue"));
        }
        None
    }

    fn parks(&mut self, event: &Event) -> Option<String> {
        let n = event.number;
        let timeout = event.number_of("timeout");
        if timeout == Some(0) {
            return None;
        }
        // A store alone has no task, and is asked as often as a test likes.
        if let Some(before) = self.idle.take().filter(|_| !self.tasks.is_empty()) {
            return Some(format!(
                "the loop parked at event {n}, and at event {before} already: nothing had come of that park"
            ));
        }
        self.park = Some(n);
        let until = timeout.map_or(u64::MAX, |timeout| event.time.saturating_add(timeout));
        // A millisecond is what deadlines are rounded up to.
        let sooner = self.timers.iter().find(|(_, deadline)| until > deadline.saturating_add(2_000_000));
        if let Some((timer, deadline)) = sooner {
            let due = *deadline as f64 / 1e6;
            return Some(format!("the loop parked at event {n} for too long: timer {timer} is due at {due} ms"));
        }
        let ready = self.tasks.iter().find_map(|(id, task)| Some((id, task.queued?)))?;
        // A parker with a token comes back at once; only one that stays away is wrong.
        self.asleep =
            Some(format!("the loop parked at event {n}, though task {} was ready since event {}", ready.0, ready.1));
        None
    }

    fn fires(&mut self, event: &Event) -> Option<String> {
        let id = event.number_of("timer")?;
        let Some(deadline) = self.timers.remove(&id) else {
            let n = event.number;
            return self
                .setters
                .contains_key(&id)
                .then(|| format!("timer {id} fired at event {n}, though it had fired before or was cancelled"));
        };
        self.come.insert(format!("timer {id}"), event.number);
        if let Some(before) = self.overtaken(id) {
            let n = event.number;
            return Some(format!("timer {id} fired at event {n} before timer {before}, which was due first"));
        }
        let (due, now) = (deadline as f64 / 1e6, event.time as f64 / 1e6);
        (event.time < deadline)
            .then(|| format!("timer {id} fired at event {}, at {now} ms: early, it is due at {due} ms", event.number))
    }

    /// A timer that was set before this turn and is due before the one that fires.
    fn overtaken(&self, fired: u64) -> Option<u64> {
        let (turn, _) = self.turn?;
        let place = self.setters.get(&fired)?.2;
        // The last ticks of all cannot be told apart in a recording.
        let place = (place < u64::MAX.div_ceil(TICK)).then_some(place)?;
        let is_before = |id: &&u64| {
            self.setters.get(*id).is_some_and(|(set, _, tick)| *set < turn && (*tick, **id) < (place, fired))
        };
        self.timers.keys().find(is_before).copied()
    }

    /// A timer whose task is over: its number, the event that set it, and the task.
    fn left_behind(&self, id: u64) -> Option<(u64, u64, u64)> {
        let (set, Some(task), _) = *self.setters.get(&id)? else { return None };
        self.tasks.get(&task)?.over?;
        Some((id, set, task))
    }

    /// The first task that was forgotten.
    fn at_the_end(&self) -> Option<String> {
        if self.asleep.is_some() {
            return self.asleep.clone();
        }
        if let Some((id, since)) = self.tasks.iter().find_map(|(id, task)| Some((id, task.ready?))) {
            return Some(format!("task {id} was ready at event {since}, and nobody said that it has finished"));
        }
        if let Some((id, set, task)) =
            self.timers.keys().find_map(|id| self.left_behind(*id)).filter(|_| self.takes_back)
        {
            return Some(format!(
                "timer {id}, set at event {set}, is still there, though task {task} that waited for it is over"
            ));
        }
        if self.returned {
            // Those who are left were not forgotten: the loop has ended.
            return None;
        }
        if let Some((id, since)) = self.running {
            return Some(format!("the poll of task {id} that began at event {since} never ended"));
        }
        for (id, task) in self.tasks.iter().filter(|(_, task)| task.over.is_none() && !task.panicked) {
            if let Some(woken) = task.queued {
                return Some(if task.polls == 0 {
                    format!("task {id} was spawned at event {woken} and never polled")
                } else {
                    format!("task {id} was woken at event {woken} and never polled again")
                });
            }
            let come = task.waits.iter().find_map(|(on, since)| Some((on, since, self.come.get(on)?)));
            if let Some((on, since, came)) = come {
                let what = format!("task {id} waits for {on} since event {since}");
                return Some(format!("{what}; that came at event {came}, and the task was not woken"));
            }
            if task.waits.is_empty() && task.polls > 0 {
                let poll = task.last_poll;
                return Some(format!("task {id} was polled at event {poll}, and left its waker with nobody"));
            }
        }
        None
    }
}

#[test]
fn a_task_that_is_ready_and_never_finishes_is_named() {
    let lines = [
        r#"{"n":1,"t":1,"e":"spawn","task":1}"#,
        r#"{"n":2,"t":2,"e":"poll_start","task":1}"#,
        r#"{"n":3,"t":3,"e":"poll_end","task":1,"outcome":"ready"}"#,
        r#"{"n":4,"t":4,"e":"finish","task":1,"outcome":"returned"}"#,
    ];
    let told = |lines: &[&str]| judge(&crate::events::parse(&lines.join("\n")), 4);
    assert_eq!(told(&lines), None);
    assert_eq!(told(&lines[..3]).as_deref(), Some("task 1 was ready at event 3, and nobody said that it has finished"));
}

#[test]
fn an_abort_of_one_that_is_over_or_was_aborted_is_named() {
    let lines = [
        r#"{"n":1,"t":1,"e":"spawn","task":2}"#,
        r#"{"n":2,"t":2,"e":"abort","task":2}"#,
        r#"{"n":3,"t":3,"e":"finish","task":2,"outcome":"aborted"}"#,
        r#"{"n":4,"t":4,"e":"abort","task":2}"#,
    ];
    let told = |lines: &[&str]| judge(&crate::events::parse(&lines.join("\n")), 10);
    let after = "task 2 was aborted at event 4, though it had finished at event 3";
    assert_eq!((told(&lines[..3]), told(&lines).as_deref()), (None, Some(after)));
    let twice = "task 2 was aborted at event 4, and at event 2 already";
    assert_eq!(told(&[lines[0], lines[1], lines[3]]).as_deref(), Some(twice));
}

#[test]
fn a_timer_that_is_late_or_left_behind_is_named() {
    let lines = [
        r#"{"n":1,"t":0,"e":"spawn","task":1}"#,
        r#"{"n":2,"t":0,"e":"poll_start","task":1}"#,
        r#"{"n":3,"t":0,"e":"timer_set","timer":7,"by":"task 1","deadline":1500000}"#,
        r#"{"n":4,"t":0,"e":"poll_end","task":1,"outcome":"ready"}"#,
        r#"{"n":5,"t":0,"e":"finish","task":1,"outcome":"returned"}"#,
        r#"{"n":6,"t":2000000,"e":"turn_start","turn":2}"#,
        r#"{"n":7,"t":2000000,"e":"poll_start","task":2}"#,
    ];
    let told = |lines: &[&str], stage| judge(&crate::events::parse(&lines.join("\n")), stage);
    let left = "timer 7, set at event 3, is still there, though task 1 that waited for it is over";
    assert_eq!((told(&lines[..6], 9), told(&lines[..6], 10).as_deref()), (None, Some(left)));
    let late = "the turn of event 6 went on at event 7 before timer 7 had fired, which was due at 1.5 ms";
    assert_eq!(told(&lines, 6).as_deref(), Some(late));
    let mut lines = vec![
        r#"{"n":1,"t":0,"e":"timer_set","timer":1,"by":"outside","deadline":5000000}"#,
        r#"{"n":2,"t":0,"e":"timer_set","timer":2,"by":"outside","deadline":4000000}"#,
        r#"{"n":3,"t":5000000,"e":"turn_start","turn":1}"#,
        r#"{"n":4,"t":5000000,"e":"timer_fired","timer":1}"#,
    ];
    assert_eq!(told(&lines, 7).as_deref(), Some("timer 1 fired at event 4 before timer 2, which was due first"));
    lines[3] = r#"{"n":4,"t":5000000,"e":"timer_fired","timer":2}"#;
    lines.push(r#"{"n":5,"t":5000000,"e":"timer_fired","timer":2}"#);
    let twice = "timer 2 fired at event 5, though it had fired before or was cancelled";
    assert_eq!(told(&lines, 7).as_deref(), Some(twice));
    lines[4] = r#"{"n":5,"t":5000000,"e":"timer_cancelled","timer":2}"#;
    let late = "timer 2 was cancelled at event 5, though it had fired before or was cancelled";
    assert_eq!(told(&lines, 10).as_deref(), Some(late));
    lines[4] = r#"{"n":5,"t":5000000,"e":"turn_end","turn":1}"#;
    let left = "the turn of event 3 went on at event 5 before timer 1 had fired, which was due at 5 ms";
    assert_eq!(told(&lines, 7).as_deref(), Some(left));
}

#[test]
fn a_wait_for_what_may_be_done_already_is_named() {
    let mut lines = vec![
        r#"{"n":1,"t":0,"e":"source_opened","source":3,"read":true,"write":true}"#,
        r#"{"n":2,"t":0,"e":"source_drained","source":3,"read":true,"write":false}"#,
        r#"{"n":3,"t":0,"e":"wait","task":2,"on":"read 3"}"#,
        r#"{"n":4,"t":0,"e":"source_ready","source":3,"read":false,"write":true}"#,
        r#"{"n":5,"t":0,"e":"wake","task":2,"by":"source 3","queued":true}"#,
    ];
    let told = |lines: &[&str]| judge(&crate::events::parse(&lines.join("\n")), 8).unwrap_or_default();
    assert!(told(&lines).starts_with("task 2 was woken at event 5 by source 3, though it waits for read 3"));
    lines[3] = r#"{"n":4,"t":0,"e":"source_drained","source":3,"read":true,"write":false}"#;
    assert!(told(&lines).starts_with("read 3 was tried in vain at event 4, and at event 2 already"));
    lines[3] = r#"{"n":4,"t":0,"e":"source_ready","source":3,"read":true,"write":false}"#;
    lines.push(r#"{"n":6,"t":0,"e":"wait","task":2,"on":"read 3"}"#);
    assert!(told(&lines).starts_with("task 2 waits for read 3 at event 6, though it may since event 4"));
}
