//! The task table, for people at a terminal: `see::dump`, the signals, `ps` and a search print this one.
//!
//! Names are anybody's text, and a terminal obeys what it is sent: they are shown with escapes. The table fits a narrow
//! terminal, so the places of a task stand below its row.

use crate::ground::event::Place;
use crate::ground::shown::{ISOLATE, Shown};
use crate::ground::span::Span;
use crate::see::model::things::{Past, TaskState};

const HEAD: [&str; 7] = ["task", "name", "state", "since", "polls", "longest", "woken by"];
/// A cell that is wider than this widens no other row.
const WIDEST: usize = 24;
/// How many of the things that a task waits for are listed.
const LISTED: usize = 8;

/// A task, as the table has it.
pub(crate) struct Row<'a> {
    pub(crate) task: u64,
    pub(crate) name: Option<&'a str>,
    pub(crate) state: TaskState,
    /// It is known where somebody has followed the events.
    pub(crate) past: Option<Past>,
    pub(crate) spawned: Place,
    /// In words.
    pub(crate) waits: Vec<String>,
}

/// The table: a line for the head, and for each task a row, where it was spawned, and what it waits for.
pub(crate) fn table<'a>(rows: impl Iterator<Item = Row<'a>>) -> String {
    columns(HEAD, rows.map(Row::parts).collect())
}

impl Row<'_> {
    /// The cells of its row, and the lines below.
    fn parts(self) -> ([String; HEAD.len()], String) {
        let unknown = || String::from("-");
        let name = self.name.map_or_else(unknown, |name| format!("{:#}", Shown(name)));
        let [since, polls, longest, woken] = self.past.map_or_else(
            || std::array::from_fn(|_| unknown()),
            |Past { polls, longest, lasts, woken_by }| {
                let woken = woken_by.map_or_else(unknown, |by| by.to_string());
                [Span(lasts).to_string(), polls.to_string(), Span(longest).to_string(), woken]
            },
        );
        let (task, state) = (self.task.to_string(), self.state.to_string());
        let mut below = format!("      spawned at {}\n", self.spawned);
        listed(self.waits).iter().for_each(|thing| below.extend(["      waits for ", thing, "\n"]));
        ([task, name, state, since, polls, longest, woken], below)
    }
}

/// Writes a head and rows, in columns, and below each row its lines. No cell holds an end of line.
fn columns<const COLUMNS: usize>(head: [&str; COLUMNS], rows: Vec<([String; COLUMNS], String)>) -> String {
    let rows: Vec<_> = [(head.map(String::from), String::new())].into_iter().chain(rows).collect();
    let widest = |column: usize| rows.iter().map(|(row, _)| width(&row[column])).filter(|width| *width <= WIDEST).max();
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| widest(column).unwrap_or(WIDEST));
    let mut text = String::new();
    for (row, below) in &rows {
        let start = text.len();
        for (cell, column) in row.iter().zip(widths) {
            text.push_str(cell);
            // Not by the width of a format, which is bounded, and panics beyond.
            text.extend(std::iter::repeat_n(' ', column.saturating_sub(width(cell)) + 2));
        }
        text.truncate(start + text[start..].trim_end().len());
        text.extend(["\n", below]);
    }
    text
}

/// A few things, and how many more there are.
fn listed(mut things: Vec<String>) -> Vec<String> {
    if let more @ 1.. = things.len().saturating_sub(LISTED) {
        things.truncate(LISTED);
        things.push(format!("{more} things more"));
    }
    things
}

fn width(cell: &str) -> usize {
    cell.chars().filter(|letter| !ISOLATE.contains(letter)).count()
}

#[test]
fn a_long_cell_widens_no_other_row() {
    let long = "x".repeat(100_000);
    let rows = vec![([long.clone(), "1".into()], "  below\n".into()), (["short".into(), "2".into()], String::new())];
    let text = columns(["a", "b"], rows);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines, ["a      b", &format!("{long}  1"), "  below", "short  2"]);
}
