//! The Chrome trace: what is written keeps the format's rules, and shows what happened.
//!
//! The rules are those of Google's "Trace Event Format", as far as it is used here: slices that begin
//! and end together on one track (`X`), arrows that begin and end in slices (`s`, `f`), counters (`C`)
//! and names (`M`). If viewers take a rule differently, what is written is to be right in each way.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::time::Duration;

use oneloop::event::{Event, Finding, Observer};
use oneloop::net::{TcpListener, TcpStream};
use oneloop::see::ChromeTrace;
use oneloop::task::{Builder, yield_now};
use oneloop::time::{sleep, timeout};
use oneloop::{Runtime, spawn};
use serde_json::{Value, from_slice};

use crate::kit::support::{Numbers, join_all, my_waker, on_drop, one_wake, rounds};
use crate::kit::watch::{builder, spawn_thread, watch};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// The contents of a trace, with every rule of the format checked.
#[derive(Default)]
struct Checked {
    slices: Vec<Slice>,
    /// Each from where it begins to where it ends, by the index of the slice that holds the place.
    arrows: Vec<(String, usize, usize)>,
    /// The highest value of each counter.
    counters: BTreeMap<String, u64>,
    /// The findings of the diagnosis.
    notes: Vec<String>,
    /// The names of the tracks.
    tracks: BTreeMap<(u64, u64), String>,
}

#[derive(Debug)]
struct Slice {
    track: (u64, u64),
    category: String,
    name: String,
    start: u64,
    end: u64,
    args: Value,
}

/// Readers' ways to take a time in microseconds, before they add a length to it: some take it as it is, some as whole
/// nanoseconds, cut off or rounded.
const READERS: [fn(f64) -> f64; 3] =
    [|micros| micros, |micros| (micros * 1000.0).trunc(), |micros| (micros * 1000.0).round()];

fn text(row: &Value, key: &str) -> String {
    row[key].as_str().unwrap_or_else(|| panic!("{key} is no string in {row}")).to_owned()
}

fn number(row: &Value, key: &str) -> u64 {
    row[key].as_u64().unwrap_or_else(|| panic!("{key} is no whole number in {row}"))
}

/// Microseconds with three digits behind the point, as whole nanoseconds.
fn nanoseconds(row: &Value, key: &str) -> u64 {
    let time = row[key].as_f64().unwrap_or_else(|| panic!("{key} is no number in {row}"));
    assert!(time >= 0.0, "{row}");
    (time * 1000.0).round() as u64
}

impl Checked {
    fn of(trace: &ChromeTrace) -> Self {
        let mut json = Vec::new();
        trace.write_to(&mut json).unwrap();
        assert!(!json.iter().any(|byte| *byte == 0x7f || (*byte < b' ' && *byte != b'\n')), "letters that are no text");
        let file: Value = from_slice(&json).unwrap_or_else(|error| panic!("{error}"));
        assert!(file["displayTimeUnit"].is_null(), "some readers take it for the unit of the times in the file");
        let rows = file["traceEvents"].as_array().expect("the object form has a list of events");
        let mut checked = Self::default();
        checked.read_names(rows);
        checked.read_slices(rows);
        checked.read_arrows(rows);
        checked
    }

    /// Each process and each track is named once, and whatever is drawn is on a track with a name.
    fn read_names(&mut self, rows: &[Value]) {
        let mut processes = BTreeSet::new();
        let mut sorted = BTreeSet::new();
        let is_first = |track: (u64, u64), name: &str| {
            track.0 != track.1 || name == "turns" || name == "task 1" || name.starts_with("task 1 ")
        };
        for row in rows {
            let track = (number(row, "pid"), number(row, "tid"));
            match (text(row, "ph").as_str(), text(row, "name").as_str()) {
                ("M", "process_name") => assert!(processes.insert(track.0), "named twice: {row}"),
                ("M", "thread_name") => {
                    let name = text(&row["args"], "name");
                    assert!(is_first(track, &name), "a viewer takes it for the main thread: {row}");
                    let before = self.tracks.insert(track, name);
                    assert_eq!(before, None, "named twice: {row}");
                }
                ("M", what @ ("process_sort_index" | "thread_sort_index")) => {
                    number(&row["args"], "sort_index");
                    assert!(sorted.insert((what.to_owned(), track)), "sorted twice: {row}");
                }
                ("M", other) => panic!("{other} is no metadata that viewers know"),
                _ => assert!(processes.contains(&track.0) && self.tracks.contains_key(&track), "not named: {row}"),
            }
        }
    }

    /// Times go up from row to row; slices of a track lie side by side or one in the other.
    fn read_slices(&mut self, rows: &[Value]) {
        let mut last = 0;
        let mut open: BTreeMap<(u64, u64), [Vec<f64>; 3]> = BTreeMap::new();
        for row in rows.iter().filter(|row| row["ph"] != "M") {
            let start = nanoseconds(row, "ts");
            assert!(start >= last, "before the row above it: {row}");
            last = start;
            let track = (number(row, "pid"), number(row, "tid"));
            match text(row, "ph").as_str() {
                "X" => {
                    let [begin, length] = ["ts", "dur"].map(|key| row[key].as_f64().unwrap());
                    // Half a nanosecond is missing, so that nothing touches what begins at its end.
                    let end = start + (length * 1000.0).ceil() as u64;
                    assert!(end > start, "without a length: {row}");
                    let stack = open.entry(track).or_default();
                    for (reader, (is_whole, stack)) in READERS.iter().zip([false, true, true].into_iter().zip(stack)) {
                        let (begin, end) = (reader(begin), reader(begin) + reader(length));
                        // An end of whole numbers may be the next beginning.
                        while stack.last().is_some_and(|outer| *outer < begin || (is_whole && *outer == begin)) {
                            stack.pop();
                        }
                        assert!(stack.last().is_none_or(|outer| end <= *outer), "half inside {stack:?}: {row}");
                        stack.push(end);
                    }
                    let (category, name, args) = (text(row, "cat"), text(row, "name"), row["args"].clone());
                    assert!(args.is_object(), "{row}");
                    self.slices.push(Slice { track, category, name, start, end, args });
                }
                "C" => {
                    // A viewer's name for it.
                    let what =
                        row["args"].as_object().filter(|args| args.len() == 1).and_then(|args| args.keys().next());
                    let what = what.unwrap_or_else(|| panic!("one value each: {row}"));
                    let value = number(&row["args"], what);
                    let most = self.counters.entry(format!("{} {what}", text(row, "name"))).or_default();
                    *most = value.max(*most);
                }
                "i" => {
                    assert_eq!(text(row, "s"), "t", "it belongs to its track: {row}");
                    assert_eq!(self.tracks[&track], "findings", "an arrow would be tied to it: {row}");
                    self.notes.push(text(row, "name"));
                }
                "s" | "f" => {}
                other => panic!("{other} is no phase that is used here: {row}"),
            }
        }
    }

    /// Each arrow has a number of its own, begins once and ends once, later, and does both in a slice.
    fn read_arrows(&mut self, rows: &[Value]) {
        let mut begun = BTreeMap::new();
        let mut numbers = BTreeSet::new();
        // The slice that began last on each track, in the order of the file.
        let mut latest = BTreeMap::new();
        let mut slices = 0..self.slices.len();
        for row in rows {
            if row["ph"] == "X" {
                latest.insert((number(row, "pid"), number(row, "tid")), slices.next().unwrap());
            }
            let phase = text(row, "ph");
            if phase != "s" && phase != "f" {
                continue;
            }
            let (id, at) = (number(row, "id"), nanoseconds(row, "ts"));
            let track = (number(row, "pid"), number(row, "tid"));
            // The innermost one at that time: for some viewers, the one that began last.
            let holds = |slice: &Slice| slice.track == track && slice.start <= at && at < slice.end;
            let holder = self.slices.iter().rposition(holds).unwrap_or_else(|| panic!("not in a slice: {row}"));
            assert_eq!(latest.get(&track), Some(&holder), "it depends on the viewer which slice is meant: {row}");
            if phase == "s" {
                assert!(numbers.insert(id), "a number is used twice: {row}");
                begun.insert(id, (text(row, "name"), text(row, "cat"), at, holder));
            } else {
                assert_eq!(row["bp"], "e", "it would lead to the next slice: {row}");
                let (name, category, since, from) = begun.remove(&id).unwrap_or_else(|| panic!("never begun: {row}"));
                assert!(since <= at && name == text(row, "name") && category == text(row, "cat"), "{row}");
                self.arrows.push((name, from, holder));
            }
        }
        assert!(begun.is_empty(), "never ended: {begun:?}");
    }

    /// The arrows as text: from which slice of which track to which.
    fn arrows(&self) -> Vec<String> {
        let place = |slice: usize| {
            let slice = &self.slices[slice];
            format!("{}: {}", self.tracks[&slice.track], slice.name)
        };
        self.arrows.iter().map(|(name, from, to)| format!("{name} from {} to {}", place(*from), place(*to))).collect()
    }

    /// The slices of one track, by its name, in the order of their beginnings.
    fn on(&self, track: &str) -> Vec<&str> {
        let on = |slice: &&Slice| self.tracks[&slice.track] == track;
        self.slices.iter().filter(on).map(|slice| slice.name.as_str()).collect()
    }

    fn count(&self, category: &str) -> usize {
        self.slices.iter().filter(|slice| slice.category == category).count()
    }
}

fn drawn(trace: &ChromeTrace) -> Runtime {
    builder().virtual_clock().observer(trace.clone()).build().unwrap()
}

#[test]
fn a_task_that_sleeps_and_is_joined_gives_this_picture() {
    watch(|| {
        let trace = ChromeTrace::new();
        drawn(&trace).block_on(async {
            Builder::new().name("child").spawn(sleep(SECOND)).await.unwrap();
        });
        let picture = Checked::of(&trace);
        let turns = [
            "turn 1",
            "poll task 1 main",
            "poll task 2 child",
            "park",
            "turn 2",
            "timer 1",
            "poll task 2 child",
            "drop task 2 child",
            "poll task 1 main",
            "drop task 1 main",
            "drop task 1 main",
        ];
        assert_eq!(picture.on("turns"), turns);
        let main = ["task 1 main", "ready", "poll", "waits for join 2", "ready", "poll", "drop", "drop"];
        assert_eq!(picture.on("task 1 main"), main);
        let child = ["task 2 child", "ready", "poll", "waits for timer 1", "ready", "poll", "drop"];
        assert_eq!(picture.on("task 2 child"), child);
        let arrows = [
            "spawn from task 1 main: poll to task 2 child: poll",
            "wake from turns: timer 1 to task 2 child: poll",
            "wake from task 2 child: drop to task 1 main: poll",
        ];
        assert_eq!(picture.arrows(), arrows);
        let most = [("ready tasks", 1), ("living tasks", 2), ("pending timers", 1)]
            .map(|(name, most)| (name.to_owned(), most));
        assert_eq!(picture.counters, BTreeMap::from(most));
    });
}

#[test]
fn slices_last_as_long_as_what_they_show() {
    watch(|| {
        let trace = ChromeTrace::new();
        drawn(&trace).block_on(async { sleep(SECOND).await });
        let picture = Checked::of(&trace);
        for name in ["park", "waits for timer 1"] {
            let slice = picture.slices.iter().find(|slice| slice.name == name).unwrap();
            let length = Duration::from_nanos(slice.end - slice.start);
            // A nanosecond for each event since the clock last stood still.
            assert!(length <= SECOND && length > SECOND - MILLISECOND, "{slice:?}");
        }
        let waits = picture.slices.iter().find(|slice| slice.category == "waits").unwrap();
        assert!(text(&waits.args, "at").contains("chrome.rs:"), "{waits:?}");
        let life = picture.slices.iter().find(|slice| slice.category == "task").unwrap();
        assert_eq!(
            (life.args["outcome"].as_str(), life.args["spawned by"].as_str()),
            (Some("returned"), Some("outside"))
        );
        assert!(text(&life.args, "spawned at").contains("chrome.rs:"), "{life:?}");
    });
}

#[test]
fn an_arrow_leads_from_every_cause_to_the_poll_it_led_to() {
    watch(|| {
        let trace = ChromeTrace::new();
        let runtime = builder().observer(trace.clone()).build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let waker = my_waker().await;
            let theirs = waker.clone();
            drop(Builder::new().name("waker").spawn(async move { theirs.wake() }));
            one_wake().await;
            let thread = spawn_thread(move || {
                while handle.metrics().parks == 0 {
                    std::thread::yield_now();
                }
                waker.wake();
            });
            one_wake().await;
            thread.join().unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (server, _) = listener.accept().await.unwrap();
            let reader = Builder::new().name("reader").spawn(async move { server.read(&mut [0]).await.unwrap() });
            rounds(2).await;
            client.write_all(b"!").await.unwrap();
            assert_eq!(reader.await.unwrap(), 1);
            let aborted = Builder::new().name("aborted").spawn(pending::<()>());
            rounds(2).await;
            aborted.abort();
            aborted.await.unwrap_err();
        });
        let picture = Checked::of(&trace);
        let arrows = picture.arrows().join("\n");
        for arrow in [
            "wake from task 2 waker: poll to task 1 main: poll",
            "wake from turns: thread ",
            "wake from turns: source ",
            "abort from task 1 main: poll to task 4 aborted: drop",
            "wake from task 4 aborted: drop to task 1 main: poll",
            "wake from task 1 main: poll to task 1 main: poll",
        ] {
            assert!(arrows.contains(arrow), "{arrow:?} is not in:\n{arrows}");
        }
        assert_eq!(picture.counters["open sources"], 3);
    });
}

/// A program whose shape the seed gives: tasks that spawn, sleep, wake, abort, panic and join.
fn many_things(runtime: &Runtime, seed: u64) {
    async fn one(mut numbers: Numbers, depth: u64) {
        for _ in 0..numbers.below(5) {
            match numbers.below(7) {
                0 => yield_now().await,
                1 => sleep(MILLISECOND * numbers.below(5) as u32).await,
                2 => drop(timeout(MILLISECOND, pending::<()>()).await),
                3 if depth < 4 => drop(spawn(one(Numbers(numbers.0 ^ 0x5bd1), depth + 1))),
                4 if depth < 4 => drop(spawn(one(Numbers(numbers.0 ^ 0x9e37), depth + 1)).await),
                5 if depth < 4 => {
                    let other = spawn(async {
                        let _then = on_drop(|| drop(spawn(sleep(MILLISECOND))));
                        pending::<()>().await;
                    });
                    rounds(numbers.below(2) as usize).await;
                    other.abort();
                }
                6 if numbers.below(4) == 0 && depth > 0 => std::panic::resume_unwind(Box::new("as it is meant to")),
                _ => {}
            }
        }
    }
    runtime.block_on(async {
        let tasks: Vec<_> = (1..20).map(|n| spawn(one(Numbers(seed * 977 + n), 0))).collect();
        for done in join_all(tasks).await {
            drop(done);
        }
    });
}

#[test]
fn whatever_happens_the_picture_keeps_the_rules_and_shows_every_poll() {
    watch(|| {
        for seed in 1..60 {
            let trace = ChromeTrace::new();
            let runtime = builder().virtual_clock().seed(seed).observer(trace.clone()).build().unwrap();
            many_things(&runtime, seed);
            let picture = Checked::of(&trace);
            let (drops, polls) = (picture.count("drop"), picture.count("poll") / 2);
            let did = runtime.metrics();
            // A task that is dropped without a poll counts as one there.
            assert!(polls as u64 <= did.polls && (polls + drops) as u64 >= did.polls, "{polls} of {}", did.polls);
            assert_eq!(picture.count("turn") as u64, did.turns);
            drop(runtime);
            Checked::of(&trace);
        }
    });
}

#[test]
fn a_full_trace_drops_the_oldest_says_so_and_keeps_the_rules() {
    watch(|| {
        for room in [0, 1, 7, 40, 200] {
            let trace = ChromeTrace::with_capacity(room);
            let runtime = drawn(&trace);
            for seed in 1..6 {
                many_things(&runtime, seed);
                let picture = Checked::of(&trace);
                assert!(trace.dropped() > 0 && picture.tracks.len() > 1);
                let process = format!("the oldest {} slices", trace.dropped());
                let mut json = Vec::new();
                trace.write_to(&mut json).unwrap();
                assert!(String::from_utf8(json).unwrap().contains(&process));
            }
        }
    });
}

#[test]
fn a_trace_may_be_written_while_the_loop_turns_and_goes_on() {
    watch(|| {
        let trace = ChromeTrace::new();
        let inside = trace.clone();
        drawn(&trace).block_on(async move {
            let other = Builder::new().name("other").spawn(pending::<()>());
            drop(spawn(sleep(SECOND * 3)));
            sleep(SECOND).await;
            let picture = Checked::of(&inside);
            assert!(
                picture.on("turns").ends_with(&["turn 2", "timer 1", "poll task 1 main"]),
                "{:?}",
                picture.on("turns")
            );
            assert_eq!(picture.on("task 2 other"), ["task 2 other", "ready", "poll", "waits"]);
            drop(other);
        });
        assert!(Checked::of(&trace).slices.len() > 10);
    });
}

#[test]
fn names_of_all_kinds_stay_names() {
    watch(|| {
        let names = ["\"},{\"ph\":\"X", "back\\slash", "two\nlines\t\u{1}\u{7f}\u{2028}", "<b>&amp;", "Grüße 🙂", ""];
        let trace = ChromeTrace::new();
        drawn(&trace).block_on(async {
            for name in names {
                Builder::new().name(name).spawn(async {}).await.unwrap();
            }
        });
        let picture = Checked::of(&trace);
        for (name, id) in names.iter().zip(2_u64..) {
            assert_eq!(picture.tracks[&(1, id)], format!("task {id} {name}"));
        }
    });
}

#[test]
fn tasks_that_are_dropped_one_after_the_other_are_two() {
    watch(|| {
        let trace = ChromeTrace::new();
        drawn(&trace).block_on(async {
            let tasks = ["first", "second"].map(|name| Builder::new().name(name).spawn(pending::<()>()));
            rounds(1).await;
            tasks.iter().for_each(oneloop::JoinHandle::abort);
            rounds(2).await;
        });
        let picture = Checked::of(&trace);
        let turns = picture.on("turns");
        assert!(turns.windows(2).any(|pair| pair == ["drop task 2 first", "drop task 3 second"]), "{turns:?}");
        let aborts: Vec<_> = picture.arrows().into_iter().filter(|arrow| arrow.starts_with("abort")).collect();
        let expected =
            ["task 2 first", "task 3 second"].map(|task| format!("abort from task 1 main: poll to {task}: drop"));
        assert_eq!(aborts, expected);
    });
}

#[test]
fn a_wake_that_led_to_nothing_has_no_arrow() {
    watch(|| {
        let trace = ChromeTrace::new();
        drawn(&trace).block_on(async {
            let task = spawn(async {
                // Wakes itself, and is over in the same poll.
                my_waker().await.wake();
            });
            task.await.unwrap();
        });
        let expected = ["spawn from task 1 main: poll to task 2: poll", "wake from task 2: drop to task 1 main: poll"];
        assert_eq!(Checked::of(&trace).arrows(), expected);
    });
}

#[test]
fn what_was_given_up_in_the_same_poll_was_not_waited_for() {
    watch(|| {
        let trace = ChromeTrace::new();
        drawn(&trace).block_on(async {
            let mut later = Box::pin(sleep(SECOND));
            assert!(futures_lite::future::poll_once(&mut later).await.is_none());
            drop(later);
            sleep(MILLISECOND).await;
        });
        let main = Checked::of(&trace).on("task 1 main").join(", ");
        assert!(main.contains("waits for timer 2") && !main.contains("timer 1"), "{main}");
    });
}

#[test]
fn what_the_diagnosis_finds_is_noted() {
    watch(|| {
        let trace = ChromeTrace::new();
        drawn(&trace).block_on(yield_now());
        let text = "task 3 \"x\" ran for 2 s in one poll";
        trace.on_event(SECOND, &Event::Finding { kind: Finding::SlowPoll, task: None, text });
        assert_eq!(Checked::of(&trace).notes, [text]);
    });
}
