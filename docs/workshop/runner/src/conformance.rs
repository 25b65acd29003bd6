//! `cargo stage conformance`: the project's conformance suite on the learner's crate, by the same adapter.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Said;
use crate::learner::Learner;
use crate::stages::{self, project, read, workshop, write};
use crate::tree;

/// Opens the line of a check that the last solution holds or not, as the race between two threads goes.
const EITHER: &str = "either: ";

/// From which stage on a crate can spawn, and so be asked.
pub(crate) const FROM: usize = 4;

/// `cargo stage conformance`.
pub(crate) fn conformance(words: &[&str]) -> Said<()> {
    let learner = Learner::find()?;
    if learner.stage() <= FROM {
        return Err(format!("the suite needs tasks: it can be asked from stage {} on", FROM + 1));
    }
    let crate_folder = learner.folder.join(".stage/conformance");
    prepare(&crate_folder, &learner.folder, learner.stage())?;
    let outcomes = ask(&crate_folder, words)?;
    print!("{}", with_column(&read(&project().join("docs/conformance.md"))?, &outcomes));
    Ok(())
}

/// Rule 4: the suite on the last solution. The checks that it does not hold are named in
/// `conformance.txt`, and only those. The last of them are those that it may hold or not.
pub(crate) fn check() -> Said<()> {
    let folder = project().join("target/workshop/conformance");
    let stages = stages::all()?;
    let last = stages.len() - 1;
    tree::lay(&folder.join("my-loop"), &tree::solution(&stages, last)?)?;
    write(&folder.join("my-loop/Cargo.toml"), &tree::manifest(last))?;
    prepare(&folder.join("suite"), &folder.join("my-loop"), last)?;
    let outcomes = ask(&folder.join("suite"), &[])?;
    let held = outcomes.iter().filter(|(_, how)| how == "yes").count();
    println!("the last solution holds {held} of {} checks", outcomes.len());
    let known = read(&workshop().join("runner/conformance.txt"))?;
    let either: Vec<&str> = known.lines().filter_map(|line| line.strip_prefix(EITHER)).collect();
    let failed: String = outcomes
        .iter()
        .filter(|(check, how)| how != "yes" && !either.contains(&check.as_str()))
        .map(|(check, how)| format!("{how}: {check}\n"))
        .chain(either.iter().map(|check| format!("{EITHER}{check}\n")))
        .collect();
    if failed == known { Ok(()) } else { Err(format!("conformance.txt should say:\n{failed}and says:\n{known}")) }
}

/// Makes the crate that plugs a runtime into the suite.
pub(crate) fn prepare(folder: &Path, runtime: &Path, stage: usize) -> Said<()> {
    let suite = project().join("tests/conformance");
    let manifest = format!(
        "[package]\nname = \"conformance-of-my-loop\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
         [workspace]\n\n[features]\nsleep = []\nsockets = []\ndefault = [{}]\n\n[dependencies]\nmy-loop = {{ path = {runtime:?} }}\nfutures-lite = \"2.6\"\n\
         oneloop-conformance = {{ path = {suite:?}, default-features = false }}\n",
        match stage {
            ..=6 => "",
            7..=9 => "\"sleep\"",
            _ => "\"sleep\", \"sockets\"",
        }
    );
    write(&folder.join("Cargo.toml"), &manifest)?;
    write(&folder.join("Cargo.lock"), &read(&project().join("Cargo.lock"))?)?;
    write(&folder.join("src/main.rs"), &read(&workshop().join("runner/adapter.rs"))?)
}

/// Runs the suite. Returns each check and how it ended.
pub(crate) fn ask(folder: &Path, words: &[&str]) -> Said<Vec<(String, String)>> {
    let output = Command::new("cargo")
        .args(["run", "--offline", "--quiet", "--"])
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = text.lines().filter_map(|line| Some((line.get(7..)?, line.get(..5)?.trim())));
    let known = ["yes", "no", "hangs", "dies", "-"];
    let outcomes: Vec<(String, String)> = rows
        .filter(|(_, how)| known.contains(how))
        .map(|(check, how)| (check.trim().to_owned(), how.to_owned()))
        .collect();
    let _ = fs::write(folder.join("said.txt"), &text);
    if outcomes.is_empty() { Err("the suite did not run; its words are above".to_owned()) } else { Ok(outcomes) }
}

/// The table of the docs, with one column more.
fn with_column(page: &str, outcomes: &[(String, String)]) -> String {
    let mut table = String::new();
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let check = line.split('|').nth(1).unwrap_or_default().trim();
        let how = outcomes.iter().find(|(name, _)| name == check).map(|(_, how)| how.as_str());
        let cell = match check {
            "check" => "yours".to_owned(),
            _ if check.starts_with("---") => {
                table.push_str(&format!("{line}---|\n"));
                continue;
            }
            "**in all**" => {
                let has = outcomes.iter().filter(|(_, how)| how != "-").count();
                format!("{} of {has}", outcomes.iter().filter(|(_, how)| how == "yes").count())
            }
            _ => match how {
                Some(how) => how.to_owned(),
                // Only some were asked for.
                None => continue,
            },
        };
        table.push_str(&format!("{line} {cell} |\n"));
    }
    table
}

#[test]
fn the_table_gets_one_column_more() {
    let page = "# T\n\n| check | oneloop |\n|---|---|\n| it runs | yes |\n| **in all** | 1 of 1 |\n";
    let table = with_column(page, &[("it runs".to_owned(), "no".to_owned())]);
    assert_eq!(
        table,
        "| check | oneloop | yours |\n|---|---|---|\n| it runs | yes | no |\n| **in all** | 1 of 1 | 0 of 1 |\n"
    );
}
