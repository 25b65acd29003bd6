//! Rule 5: the solutions grow into the heart, and every item that differs has a reason in `stage.toml`.
//!
//! Compared are functions, types and constants, one by one and by name: only their code counts. A file that
//! `same_as` names has the items of the heart's file, and no others. For all other files the last stage has sections
//! `beyond.NAME`: `why` is the reason, and `items` are those of the heart which the solution has otherwise or not at
//! all, as `turn.rs: poll_task`, or a whole file. Under `yours` stand those that only the solution has.

use std::collections::{BTreeMap, BTreeSet};

use crate::Said;
use crate::items::items;
use crate::stages::{Stage, collect, project, read, write};
use crate::tree::Files;

/// The folder that the solutions grow into.
const HEART: &str = "runtime/src/heart";
/// The form of the queue of timers that the wheel replaces.
const HEAP: &str = "src/heart/heap.rs";

const BEGIN: &str = "<!-- beyond: written by `cargo stage check --write` -->";
const END: &str = "<!-- beyond: end -->";

/// The differences of each file that a stage names.
pub(crate) fn faults(stage: &Stage, solution: &Files) -> Said<Vec<String>> {
    let mut faults = Vec::new();
    for path in stage.toml.sections("same_as") {
        let real = stage.toml.text(&format!("same_as.{path}"), "real").unwrap_or_default().to_owned();
        let Some(ours) = solution.get(&path) else {
            faults.push(format!("stage.toml compares {path}, which is not there"));
            continue;
        };
        let (ours, theirs) = (items(ours)?, items(&read(&project().join(&real))?)?);
        let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        let differ = names.into_iter().filter(|name| ours.get(*name) != theirs.get(*name));
        faults.extend(differ.map(|name| format!("`{name}` of {path} differs from that of {real}")));
    }
    Ok(faults)
}

/// The items of the heart by file, and those of the solution that have no counterpart there.
struct Compared {
    /// File and name, and whether the solution has it as it is.
    theirs: BTreeMap<(String, String), bool>,
    yours: BTreeSet<String>,
}

/// The heart's names that the solution has otherwise, as `wheel -> queue`.
fn renamed(code: &str, names: &[(String, String)]) -> String {
    let word =
        |word: &str| names.iter().find(|(theirs, _)| theirs == word).map_or(word.to_owned(), |(_, ours)| ours.clone());
    code.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn compare(stage: &Stage, solution: &Files) -> Said<Compared> {
    let names = stage.toml.list("", "renamed");
    let names: Vec<(String, String)> =
        names.iter().filter_map(|pair| pair.split_once(" -> ")).map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    // Two files may have an item of one name, as each has its `const _`.
    let mut ours: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in solution.iter().filter(|(path, _)| path.starts_with("src/heart/") && **path != HEAP) {
        for (name, code) in items(text).map_err(|error| format!("{path}: {error}"))? {
            ours.entry(name).or_default().push(code);
        }
    }
    let mut files = Vec::new();
    collect(&project().join(HEART), "", &mut files)?;
    let mut compared = Compared { theirs: BTreeMap::new(), yours: ours.keys().cloned().collect() };
    for (path, text) in files {
        for (name, code) in items(&text).map_err(|error| format!("{path}: {error}"))? {
            compared.yours.remove(&name);
            let renamed = renamed(&code, &names);
            let is_equal = ours.get(&name).is_some_and(|ours| ours.contains(&code) || ours.contains(&renamed));
            compared.theirs.insert((path.trim_start_matches('/').to_owned(), name), is_equal);
        }
    }
    Ok(compared)
}

/// Whether the last stage names each difference once, and its page shows them.
pub(crate) fn beyond(stage: &Stage, solution: &Files, may_write: bool) -> Said<Vec<String>> {
    let compared = compare(stage, solution)?;
    let mut faults = Vec::new();
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    for reason in stage.toml.sections("beyond") {
        for item in stage.toml.list(&format!("beyond.{reason}"), "items") {
            *named.entry(item).or_default() += 1;
        }
    }
    let files: BTreeSet<&String> = compared.theirs.keys().map(|(file, _)| file).collect();
    for ((file, name), is_equal) in &compared.theirs {
        let item = format!("{file}: {name}");
        let times = named.remove(&item).unwrap_or(0) + named.get(file.as_str()).copied().unwrap_or(0);
        match (is_equal, times) {
            (true, 0) | (false, 1) => {}
            (true, _) => faults.push(format!("stage.toml names `{item}`, which is equal by now")),
            (false, 0) => {
                faults.push(format!("`{item}` differs from the solution, and stage.toml has no reason for it"));
            }
            (false, _) => faults.push(format!("stage.toml has {times} reasons for `{item}`; one is enough")),
        }
    }
    let gone = named.keys().filter(|item| !files.contains(item));
    faults.extend(gone.map(|item| format!("stage.toml names `{item}`, which the heart does not have")));
    let yours: BTreeSet<String> = stage.toml.list("yours", "items").into_iter().collect();
    faults.extend(
        yours.difference(&compared.yours).map(|item| format!("stage.toml names `{item}` under yours; it is not")),
    );
    faults.extend(
        compared.yours.difference(&yours).map(|item| format!("`{item}` is not in the heart; name it under yours")),
    );
    if faults.is_empty() {
        faults.extend(page(stage, &compared, may_write)?);
    }
    Ok(faults)
}

/// Compares the last page with the differences, or writes them there.
fn page(stage: &Stage, compared: &Compared, may_write: bool) -> Said<Vec<String>> {
    let text = read(&stage.readme())?;
    let parts = text.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(END)?)));
    let Some((head, (there, tail))) = parts else {
        return Ok(vec![format!("README.md lacks the marks `{BEGIN}` and `{END}`")]);
    };
    let lists = format!("\n{}", lists(stage, compared));
    if there == lists {
        return Ok(Vec::new());
    }
    if may_write {
        write(&stage.readme(), &format!("{head}{BEGIN}{lists}{END}{tail}"))?;
        return Ok(Vec::new());
    }
    Ok(vec!["README.md does not show these differences; run `cargo stage check --write`".to_owned()])
}

/// The equal items, counted for each file, and all others by their reason.
fn lists(stage: &Stage, compared: &Compared) -> String {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for ((file, _), is_equal) in &compared.theirs {
        let (equal, all) = counts.entry(file).or_default();
        (*equal, *all) = (*equal + usize::from(*is_equal), *all + 1);
    }
    let differing = |item: &str| {
        let of_file = |file: &str| compared.theirs.iter().filter(|((f, _), equal)| f == file && !**equal).count();
        if item.contains(": ") { 1 } else { of_file(item) }
    };
    let mut text = String::from("| file | items | as you wrote them |\n|---|---|---|\n");
    let (mut all_equal, mut all_items) = (0, 0);
    for (file, (equal, all)) in counts {
        text.push_str(&format!("| `{file}` | {all} | {equal} |\n"));
        (all_equal, all_items) = (all_equal + equal, all_items + all);
    }
    text.push_str(&format!("| **in all** | {all_items} | {all_equal} |\n"));
    text.push_str("\n| reason | items that differ |\n|---|---|\n");
    let count = |reason: &String| -> usize {
        stage.toml.list(&format!("beyond.{reason}"), "items").iter().map(|item| differing(item)).sum()
    };
    for reason in stage.toml.sections("beyond") {
        text.push_str(&format!("| {} | {} |\n", reason.replace('_', " "), count(&reason)));
    }
    text.push_str(&format!("| **in all** | {} |\n", all_items - all_equal));
    for reason in stage.toml.sections("beyond") {
        let section = format!("beyond.{reason}");
        let why = stage.toml.text(&section, "why").unwrap_or_default();
        let mut by_file: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for item in stage.toml.list(&section, "items") {
            let (file, name) = item.split_once(": ").unwrap_or((&item, "all of it"));
            by_file.entry(file.to_owned()).or_default().push(name.to_owned());
        }
        text.push_str(&format!("\n**{}.** {why}\n\n", reason.replace('_', " ")));
        for (file, names) in by_file {
            let names: Vec<String> =
                names.iter().map(|name| if name == "all of it" { name.clone() } else { format!("`{name}`") }).collect();
            text.push_str(&format!("- `{file}`: {}\n", names.join(", ")));
        }
    }
    let yours: Vec<String> = stage.toml.list("yours", "items").iter().map(|item| format!("`{item}`")).collect();
    let why = stage.toml.text("yours", "why").unwrap_or_default();
    text.push_str(&format!("\n**Only yours.** {why}\n\n{}\n", yours.join(", ")));
    text
}
