//! A table for people at a terminal: the one writer of every task table.

use std::fmt::Display;

use crate::ground::shown::ISOLATE;

/// A cell that is wider than this widens no other row.
const WIDEST: usize = 40;
/// How many of the things that a task waits for are listed.
const LISTED: usize = 8;

/// Writes a head and rows, in columns. No cell holds an end of line.
pub(crate) fn table<const COLUMNS: usize>(head: [&str; COLUMNS], rows: Vec<[String; COLUMNS]>) -> String {
    let rows: Vec<_> = [head.map(String::from)].into_iter().chain(rows).collect();
    let widest = |column: usize| rows.iter().map(|row| width(&row[column])).filter(|width| *width <= WIDEST).max();
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| widest(column).unwrap_or(WIDEST));
    let mut text = String::new();
    for row in &rows {
        let start = text.len();
        for (cell, column) in row.iter().zip(widths) {
            text.push_str(cell);
            // Not by the width of a format, which is bounded, and panics beyond.
            text.extend(std::iter::repeat_n(' ', column.saturating_sub(width(cell)) + 2));
        }
        text.truncate(start + text[start..].trim_end().len());
        text.push('\n');
    }
    text
}

/// A few things in one cell, and how many more there are.
pub(crate) fn listed<T: Display>(things: &[T]) -> String {
    let mut words: Vec<_> = things.iter().take(LISTED).map(ToString::to_string).collect();
    if let more @ 1.. = things.len().saturating_sub(LISTED) {
        words.push(format!("and {more} more"));
    }
    if words.is_empty() { String::from("-") } else { words.join("; ") }
}

fn width(cell: &str) -> usize {
    cell.chars().filter(|letter| !ISOLATE.contains(letter)).count()
}

#[test]
fn a_long_cell_widens_no_other_row() {
    let long = "x".repeat(100_000);
    let text = table(["a", "b"], vec![[long.clone(), "1".into()], ["short".into(), "2".into()]]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines, ["a      b", &format!("{long}  1"), "short  2"]);
}
