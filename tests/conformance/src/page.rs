//! The table, and the page in the docs that keeps it.

use std::fs;
use std::path::{Path, PathBuf};

use oneloop_conformance::Outcome;

/// The text before the table.
const HEAD: &str = include_str!("page_head.md");
/// The text behind it.
const TAIL: &str = include_str!("page_tail.md");

/// The runtimes that pass each check.
pub(crate) struct Table {
    columns: Vec<(&'static str, Vec<(&'static str, Outcome)>)>,
}

impl Table {
    pub(crate) fn new(columns: Vec<(&'static str, Vec<(&'static str, Outcome)>)>) -> Self {
        Self { columns }
    }

    pub(crate) fn markdown(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let mut text = format!("| check | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
        for row in 0..self.columns.first().map_or(0, |(_, column)| column.len()) {
            let check = self.columns[0].1[row].0.replace('_', " ");
            let cells: Vec<String> = self.columns.iter().map(|(_, column)| column[row].1.to_string()).collect();
            text += &format!("| {check} | {} |\n", cells.join(" | "));
        }
        let held = |column: &[(&str, Outcome)]| {
            let [held, has] = [|o: &Outcome| *o == Outcome::Holds, |o: &Outcome| *o != Outcome::HasNot]
                .map(|kind| column.iter().filter(|(_, outcome)| kind(outcome)).count());
            format!("{held} of {has}")
        };
        let sums: Vec<String> = self.columns.iter().map(|(_, column)| held(column)).collect();
        text + &format!("| **in all** | {} |\n", sums.join(" | "))
    }

    /// Why a check does not hold, in the words of its panic.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (runtime, column) in &self.columns {
            for (check, outcome) in column {
                match outcome {
                    Outcome::Fails(why) | Outcome::Dies(why) => lines.push(format!("{runtime}, {check}: {why}")),
                    Outcome::Hangs => lines.push(format!("{runtime}, {check}: it does not end")),
                    Outcome::Holds | Outcome::HasNot => {}
                }
            }
        }
        lines
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/conformance.md")
}

pub(crate) fn write(table: &Table) -> Result<(), String> {
    let text = format!("{HEAD}\n{}\n{TAIL}", table.markdown());
    fs::write(path(), text).map_err(|error| format!("docs/conformance.md cannot be written: {error}"))
}

/// The page's column for oneloop must say what oneloop does.
pub(crate) fn check(table: &Table) -> Result<(), String> {
    let page = fs::read_to_string(path()).map_err(|error| format!("docs/conformance.md cannot be read: {error}"))?;
    if !page.starts_with(HEAD) || !page.ends_with(TAIL) {
        return Err(out_of_step("its words differ from page_head.md or page_tail.md"));
    }
    let (first_two, told) = (columns(&page), columns(&table.markdown()));
    for (at, row) in told.iter().enumerate() {
        if first_two.get(at) != Some(row) {
            return Err(out_of_step(&format!("it should say `{} | {}`", row.0, row.1)));
        }
    }
    if first_two.len() == told.len() { Ok(()) } else { Err(out_of_step("it has rows that are no checks")) }
}

fn out_of_step(why: &str) -> String {
    format!(
        "docs/conformance.md is out of step: {why}; make it again with\n    \
         cargo run --release --manifest-path tests/conformance/Cargo.toml -- --write"
    )
}

/// The first two columns of a table.
fn columns(text: &str) -> Vec<(String, String)> {
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let cells =
        rows.map(|row| row.split(" | ").map(|cell| cell.trim_matches(['|', ' ']).to_owned()).collect::<Vec<_>>());
    cells.filter_map(|cells| Some((cells.first()?.clone(), cells.get(1)?.clone()))).collect()
}
