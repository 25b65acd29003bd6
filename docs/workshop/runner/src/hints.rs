//! Hints: three for each hole, from a nudge to nearly the code.
//!
//! `hints.md` has a heading `## hole` for each, and below it `### nudge`, `### shape` and `### nearly`. In a test's
//! file the line `/// hint: hole` above a test says which of them fits when it fails. A line `/// hint, if words: hole`
//! says it for a run whose wrong event is told in these words.
//!
//! The last hint for a short hole is a block of Rust. `cargo stage check` puts all of a stage's blocks into their holes,
//! and runs the tests. The pieces of code in the other last hints are compared with the solution.

use std::collections::BTreeMap;

use crate::Said;
use crate::holes::{join, pieces};
use crate::learner::Learner;
use crate::stages::{self, Stage, read};
use crate::tree::Files;

const LEVELS: [&str; 3] = ["nudge", "shape", "nearly"];

/// The hints of a stage: hole, and the text of each level.
pub(crate) fn of(stage: &Stage) -> Said<Vec<(String, Vec<String>)>> {
    let mut hints: Vec<(String, Vec<String>)> = Vec::new();
    let path = stage.path.join("hints.md");
    if !path.exists() {
        return Ok(hints);
    }
    for line in read(&path)?.lines() {
        if let Some(hole) = line.strip_prefix("## ") {
            hints.push((hole.trim().to_owned(), Vec::new()));
        } else if let (Some(_), Some((_, levels))) = (line.strip_prefix("### "), hints.last_mut()) {
            levels.push(String::new());
        } else if let Some(text) = hints.last_mut().and_then(|(_, levels)| levels.last_mut()) {
            text.push_str(line);
            text.push('\n');
        }
    }
    for (_, levels) in &mut hints {
        levels.iter_mut().for_each(|text| *text = text.trim().to_owned());
    }
    Ok(hints)
}

/// The faults of a stage's hints: each of its holes has three.
pub(crate) fn faults(stage: &Stage, holes: &[&String], solution: &Files) -> Said<Vec<String>> {
    let hints = of(stage)?;
    let missing = holes.iter().filter(|hole| {
        !hints.iter().any(|(name, levels)| name == **hole && levels.iter().filter(|text| !text.is_empty()).count() == 3)
    });
    let mut faults: Vec<String> =
        missing.map(|hole| format!("hints.md has no {} for the hole \"{hole}\"", LEVELS.join(", "))).collect();
    let solved: Said<Vec<_>> = solution.values().map(|text| crate::holes::holes(text)).collect();
    let solved: BTreeMap<String, String> = solved?.into_iter().flatten().collect();
    for (hole, levels) in hints.iter().filter(|(hole, _)| solved.contains_key(hole)) {
        let nearly = levels.last().map_or("", String::as_str);
        let pieces = block(nearly).map_or(nearly.to_owned(), |(around, _)| around);
        let wrong = pieces.split('`').skip(1).step_by(2).filter(|code| !stands_in(code, &solved[hole]));
        faults.extend(wrong.map(|code| format!("the last hint for \"{hole}\" has `{code}`, and the solution has not")));
    }
    let own = format!("tests/{}.rs", stage.module());
    for (_, text) in stage.files("tests")?.into_iter().filter(|(path, _)| *path == own) {
        for (_, hole) in text.lines().filter_map(asked_for) {
            if !hints.iter().any(|(name, _)| name == hole) {
                faults.push(format!("a test asks for the hint \"{hole}\", which is not there"));
            }
        }
    }
    Ok(faults)
}

/// The hole of a line above a test, and the words of a wrong event for which alone it fits.
fn asked_for(line: &str) -> Option<(Option<&str>, &str)> {
    let line = line.trim().strip_prefix("/// hint")?;
    match line.strip_prefix(", if ") {
        Some(rest) => rest.split_once(": ").map(|(words, hole)| (Some(words), hole)),
        None => line.strip_prefix(": ").map(|hole| (None, hole)),
    }
}

/// A hint's words, and its block of Rust, if it has one.
fn block(hint: &str) -> Option<(String, String)> {
    let (before, rest) = hint.split_once("```rust\n")?;
    let (code, after) = rest.split_once("```")?;
    Some((format!("{before}{after}"), code.to_owned()))
}

/// The files with the blocks of the last hints in their holes, and how many of those differ from the solution: what is
/// the solution, layout and comments apart, is run with it.
pub(crate) fn applied(stage: &Stage, solution: &Files) -> Said<(Files, usize)> {
    let blocks: BTreeMap<String, String> =
        of(stage)?.into_iter().filter_map(|(hole, levels)| Some((hole, block(levels.last()?)?.1))).collect();
    let (mut files, mut differ) = (solution.clone(), 0);
    for text in files.values_mut() {
        *text = join(&pieces(text)?, |name, indent, solved, _| match blocks.get(name) {
            Some(code) if squeeze(code) != squeeze(solved) => {
                differ += 1;
                code.lines().map(|line| format!("{indent}{line}\n")).collect()
            }
            _ => solved.to_owned(),
        });
    }
    Ok((files, differ))
}

/// Whether some code stands in a hole's text, layout apart. Dots in it stand for anything.
fn stands_in(code: &str, text: &str) -> bool {
    let text = squeeze(text);
    let mut rest = text.as_str();
    squeeze(code).split('…').all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

/// The code alone: no comments and no layout.
fn squeeze(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.flat_map(str::chars).filter(|letter| !letter.is_whitespace()).collect()
}

#[test]
fn code_of_a_hint_stands_in_the_solution_in_its_order() {
    let solution = "    match f(\n        a, b) { // why\n        Some(c) => c,\n    }\n";
    assert!(stands_in("match f(a, b)", solution) && stands_in("f(…) { Some(c)", solution));
    assert!(!stands_in("why", solution) && !stands_in("Some(c) … f(", solution));
}

#[test]
fn a_block_of_a_hint_is_told_from_its_words() {
    let hint = "So:\n\n```rust\nlet a = 1;\na\n```\nand `b`.";
    assert_eq!(block(hint), Some(("So:\n\n\nand `b`.".to_owned(), "let a = 1;\na\n".to_owned())));
    assert_eq!(block("`a`, and then `b`"), None);
}

/// The hole that fits a test that failed, and the nudge for it. `wrong` tells of the event that was wrong.
pub(crate) fn for_test(stages: &[Stage], test: &str, wrong: &str) -> Said<Option<(String, String)>> {
    let Some((module, name)) = test.split_once("::") else { return Ok(None) };
    let Some(stage) = stages.iter().find(|stage| stage.module() == module) else { return Ok(None) };
    for (_, text) in stage.files("tests")? {
        let Some(before) = text.split_once(&format!("fn {name}(")).map(|(before, _)| before) else { continue };
        let Some(hole) = fitting(before, wrong) else { continue };
        for (found, levels) in of(stage)? {
            if let (true, Some(nudge)) = (found == hole, levels.first()) {
                return Ok(Some((found, nudge.replace('\n', " "))));
            }
        }
    }
    Ok(None)
}

/// The hole that the lines above a test name: the first whose words fit, or else the one without a condition.
fn fitting<'a>(before: &'a str, wrong: &str) -> Option<&'a str> {
    let above = before.lines().rev().take_while(|line| !line.starts_with('}') && !line.is_empty());
    let asked: Vec<_> = above.filter_map(asked_for).collect();
    let fits = asked.iter().rev().find(|(words, _)| words.is_some_and(|words| wrong.contains(words)));
    fits.or_else(|| asked.iter().find(|(words, _)| words.is_none())).map(|(_, hole)| *hole)
}

#[test]
fn a_hint_fits_the_event_that_was_wrong() {
    let above = "}\n\n/// Tells.\n/// hint: a\n/// hint, if for too long: b\n#[test]\n";
    assert_eq!(fitting(above, "the loop parked at event 5 for too long"), Some("b"));
    assert_eq!((fitting(above, ""), fitting("#[test]\n", "")), (Some("a"), None));
}

/// The nudge for a hole of any stage.
pub(crate) fn nudge(stages: &[Stage], hole: &str) -> Said<Option<String>> {
    for stage in stages {
        if let Some((_, levels)) = of(stage)?.into_iter().find(|(name, _)| name == hole) {
            return Ok(levels.first().map(|nudge| nudge.replace('\n', " ")));
        }
    }
    Ok(None)
}

/// `cargo stage hint`.
pub(crate) fn hint(wanted: &str) -> Said<()> {
    let (learner, stages) = (Learner::find()?, stages::all()?);
    let stage = &stages[learner.stage()];
    let hints = of(stage)?;
    let wrote = learner.holes()?;
    let is_empty = |hole: &str| wrote.get(hole).is_some_and(|text| text.contains("todo!("));
    let chosen = hints
        .iter()
        .find(|(hole, _)| hole == wanted)
        .or_else(|| hints.iter().find(|(hole, _)| wanted.is_empty() && is_empty(hole)))
        .or_else(|| hints.first().filter(|_| wanted.is_empty()));
    let Some((hole, levels)) = chosen else {
        let holes: Vec<&str> = hints.iter().map(|(hole, _)| hole.as_str()).collect();
        if holes.is_empty() {
            return Err(format!("stage {} has no holes, so there is no hint; read its page", stage.number));
        }
        return Err(format!("stage {} has no hole \"{wanted}\"; it has: {}", stage.number, holes.join(", ")));
    };
    let key = format!("hint {hole}");
    let given: usize = learner.recall(&key).and_then(|given| given.parse().ok()).unwrap_or(0);
    let level = given.min(levels.len().saturating_sub(1));
    println!("{hole}, {} ({} of {}):\n\n{}", LEVELS[level], level + 1, levels.len(), levels[level]);
    if level + 1 < levels.len() {
        println!("\nAsk again for more: cargo stage hint {hole}");
    }
    learner.remember(&key, level + 1)
}
