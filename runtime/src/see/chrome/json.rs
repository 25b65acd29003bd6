//! How [`ChromeTrace`]'s picture is written as JSON.
//!
//! The format is Google's "Trace Event Format", the object form of it. The tasks are process 1. Each has a thread,
//! whose id is the task's number. The loop is process 2, with a thread for its turns and one for findings. Viewers put
//! the thread with the process's own id first: that is the thread of the loop's turns, and that of task 1.
//!
//! Rows are sorted by time. If two begin together, the one that ends later stands first. So each slice stands
//! before those inside it, and before the arrows that begin or end there. A viewer ties an arrow to the slice that
//! began last on its track, so nothing else may stand between. Findings have a track of their own.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use super::parts::{About, Counted, Drawn, What};
use super::text::Micros;
use super::{ChromeTrace, Picture};
use crate::ground::event::TaskId;
use crate::ground::span::Span;
use crate::see::model::json::{Lines, Members, object};
use crate::see::model::numbered::Numbered;
use crate::see::model::words::{FINISHED, POLLED, word};

const TASKS: u8 = 1;
const LOOP: Track = Track { process: 2, thread: 2 };
const FINDINGS: Track = Track { process: 2, thread: 3 };

#[derive(Clone, Copy)]
struct Track {
    process: u8,
    thread: u64,
}

/// One row of the file, still without its text.
struct Row<'a> {
    at: u64,
    end: u64,
    track: Track,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Slice(&'a What),
    ArrowStart(&'static str, usize),
    ArrowEnd(&'static str, usize),
    Count(Counted, u64),
    Note(&'a str),
}

type Names = Numbered<(TaskId, Arc<About>)>;

impl ChromeTrace {
    /// Writes the trace as JSON. A slice that still goes on is drawn as if it ended now.
    ///
    /// # Errors
    ///
    /// The errors of the writer.
    pub fn write_to(&self, mut out: impl Write) -> io::Result<()> {
        self.write_all_to(&mut out)
    }

    fn write_all_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let picture = self.picture();
        let unfinished = unfinished(&picture);
        let mut names = Names::default();
        let mut know = |id: TaskId, about: &Arc<About>| drop(names.insert(id.as_u64(), (id, Arc::clone(about))));
        picture.tasks.values().for_each(|task| know(task.id, &task.about));
        let mut rows = Vec::new();
        // Lives stand first, so that they hold even what begins and ends with them.
        for (number, drawn) in unfinished.iter().chain(&picture.drawn).enumerate() {
            if let What::Life(id, about, _) = &drawn.what {
                know(*id, about);
            }
            drawn.rows(number, picture.dropped_until, &mut rows);
        }
        rows.sort_by_key(|row| (row.at, Reverse(row.end)));
        let paper = Paper { picture: &picture, names: &names, rows: &rows };
        let mut out = BufWriter::new(out);
        writeln!(out, "{paper}")?;
        out.flush()
    }
}

/// The rows in their order, and the names of their tracks.
struct Paper<'a> {
    picture: &'a Picture,
    names: &'a Names,
    rows: &'a [Row<'a>],
}

impl fmt::Display for Paper<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        object(f, |trace| {
            trace.object("otherData", |other| {
                other.text("dropped", self.picture.dropped);
            });
            trace.list("traceEvents", |lines| {
                self.name_tracks(lines);
                for row in self.rows {
                    lines.object(|line| row.put_in(line, self.names));
                }
            });
        })
    }
}

/// The slices that have begun and not ended: lives first, then from the outside in.
fn unfinished(picture: &Picture) -> Vec<Drawn> {
    let end = picture.now.saturating_add(1);
    let mut unfinished: Vec<Drawn> = Vec::new();
    let mut add = |start, what| unfinished.push(Drawn { start, end, what });
    for task in picture.tasks.values() {
        let step = picture.step.as_ref().filter(|step| step.what.task() == Some(task.id));
        add(task.since, What::Life(task.id, Arc::clone(&task.about), step.and_then(|step| step.finished)));
    }
    for task in picture.tasks.values() {
        task.idling().into_iter().for_each(|(since, what)| add(since, what));
    }
    picture.turn.iter().for_each(|(turn, since)| add(*since, What::Turn(*turn)));
    picture.step.iter().for_each(|step| add(step.since, step.what.clone()));
    unfinished
}

impl Paper<'_> {
    /// The names of the tracks, in the order in which they are to be shown.
    fn name_tracks(&self, lines: &mut Lines<'_>) {
        let dropped = match self.picture.dropped {
            0 => String::new(),
            dropped => format!(" (the oldest {dropped} slices, arrows and counts were dropped)"),
        };
        name_track(lines, "process", LOOP, &format!("the loop{dropped}"), 1);
        name_track(lines, "thread", LOOP, "turns", 1);
        if self.rows.iter().any(|row| matches!(row.kind, Kind::Note(_))) {
            name_track(lines, "thread", FINDINGS, "findings", 2);
        }
        if !self.names.is_empty() {
            name_track(lines, "process", Track { process: TASKS, thread: u64::from(TASKS) }, "tasks", 2);
        }
        for (id, about) in self.names.values() {
            name_track(lines, "thread", Track::of(*id), &full_name(*id, about.name.as_deref()), id.as_u64());
        }
    }
}

fn name_track(lines: &mut Lines<'_>, what: &str, track: Track, name: &str, place: u64) {
    let Track { process, thread } = track;
    lines.object(|line| {
        line.text("ph", "M").text("name", format_args!("{what}_name")).number("pid", process).number("tid", thread);
        line.object("args", |args| {
            args.text("name", name);
        });
    });
    lines.object(|line| {
        line.text("ph", "M").text("name", format_args!("{what}_sort_index")).number("pid", process);
        line.number("tid", thread).object("args", |args| {
            args.number("sort_index", place);
        });
    });
}

impl Drawn {
    fn rows<'a>(&'a self, number: usize, dropped_until: u64, rows: &mut Vec<Row<'a>>) {
        let &Self { start, end, ref what } = self;
        let mut row = |at, end, track, kind| rows.push(Row { at, end, track, kind });
        match *what {
            // The step it comes from may be gone.
            What::Arrow(..) if start <= dropped_until => {}
            What::Arrow(name, from, to) => {
                row(start, start, from.map_or(LOOP, Track::of), Kind::ArrowStart(name, number));
                row(end, end, Track::of(to), Kind::ArrowEnd(name, number));
            }
            What::Count(counted, value) => row(end, end, LOOP, Kind::Count(counted, value)),
            What::Note(ref text) => row(end, end, FINDINGS, Kind::Note(text)),
            What::Life(task, ..) | What::Ready(task) | What::Waits(task, ..) => {
                row(start, end, Track::of(task), Kind::Slice(what));
            }
            _ => {
                row(start, end, LOOP, Kind::Slice(what));
                what.task().into_iter().for_each(|task| row(start, end, Track::of(task), Kind::Slice(what)));
            }
        }
    }
}

impl Row<'_> {
    fn put_in(&self, line: &mut Members<'_>, names: &Names) {
        match self.kind {
            Kind::Slice(what) => {
                let (category, name) = what.title(self.track.process == LOOP.process, names);
                let holds_others = matches!(what, What::Life(..) | What::Turn(_));
                let length = Micros::length(self.end - self.at, holds_others);
                self.put_place(line.text("ph", "X"));
                line.number("dur", length).text("cat", category).text("name", name);
                line.object("args", |args| what.put_args(args));
            }
            Kind::ArrowStart(name, id) => {
                self.put_place(line.text("ph", "s"));
                line.text("cat", "wake").text("name", name).number("id", id);
            }
            Kind::ArrowEnd(name, id) => {
                self.put_place(line.text("ph", "f").text("bp", "e"));
                line.text("cat", "wake").text("name", name).number("id", id);
            }
            Kind::Note(text) => {
                self.put_place(line.text("ph", "i").text("s", "t"));
                line.text("cat", "finding").text("name", text);
            }
            Kind::Count(Counted { which, what }, value) => {
                self.put_place(line.text("ph", "C"));
                line.text("name", which).object("args", |args| {
                    args.number(what, value);
                });
            }
        }
    }

    fn put_place(&self, line: &mut Members<'_>) {
        let Track { process, thread } = self.track;
        line.number("pid", process).number("tid", thread).number("ts", Micros::begin(self.at));
    }
}

impl What {
    /// Its category, and what stands on the slice. On its own track a task need not be named.
    fn title(&self, on_the_loop: bool, names: &Names) -> (&'static str, Cow<'static, str>) {
        let named = |id: TaskId| full_name(id, names.get(&id.as_u64()).and_then(|(_, about)| about.name.as_deref()));
        match *self {
            Self::Turn(turn) => ("turn", format!("turn {turn}").into()),
            Self::Poll(task, _) if on_the_loop => ("poll", format!("poll {}", named(task)).into()),
            Self::Poll(..) => ("poll", "poll".into()),
            Self::Drop(task) if on_the_loop => ("drop", format!("drop {}", named(task)).into()),
            Self::Drop(_) => ("drop", "drop".into()),
            Self::Timer(timer, _) => ("timer", format!("timer {timer}").into()),
            Self::Source(source, _) => ("source", format!("source {source}").into()),
            Self::Thread(thread) => ("thread", format!("thread {thread}").into()),
            Self::Park(..) => ("park", "park".into()),
            Self::Life(task, ..) => ("task", named(task).into()),
            Self::Ready(_) => ("ready", "ready".into()),
            Self::Waits(_, Some((on, _)), _) => ("waits", format!("waits for {on}").into()),
            Self::Waits(_, None, _) => ("waits", "waits".into()),
            Self::Arrow(name, ..) => ("", name.into()),
            Self::Count(counted, _) => ("", counted.which.into()),
            Self::Note(..) => ("finding", "finding".into()),
        }
    }

    /// The texts that are shown when the slice is selected.
    fn put_args(&self, args: &mut Members<'_>) {
        match self {
            Self::Poll(_, Some(outcome)) => args.text("outcome", word(&POLLED, *outcome)),
            Self::Timer(_, late) => args.text("late", Span(*late)),
            Self::Source(_, ready) => args.text("ready", format_args!("{ready:?}")),
            Self::Park(None, events) => args.text("timeout", "for ever").text("events", events),
            Self::Park(Some(timeout), events) => args.text("timeout", Span(*timeout)).text("events", events),
            Self::Life(_, about, outcome) => {
                if let Some((by, at)) = about.spawned {
                    args.text("spawned at", at).text("spawned by", by);
                }
                args.text("outcome", outcome.map_or("not over", |outcome| word(&FINISHED, outcome)))
            }
            Self::Waits(_, Some((_, at)), 0) => args.text("at", at),
            Self::Waits(_, Some((_, at)), more) => args.text("at", at).text("and for others", more),
            Self::Waits(..) => args.text("for", "something the runtime cannot see"),
            _ => args,
        };
    }
}

impl Track {
    fn of(task: TaskId) -> Self {
        Self { process: TASKS, thread: task.as_u64() }
    }
}

fn full_name(task: TaskId, name: Option<&str>) -> String {
    name.map_or_else(|| format!("task {task}"), |name| format!("task {task} {name}"))
}
