//! The schedule: the table of the stages and the sessions, added up, and written between two marks of the README.

use crate::Said;
use crate::holes::holes;
use crate::stages::{Stage, read, workshop, write};
use crate::tree;

const BEGIN: &str = "<!-- schedule: written by `cargo stage check --write` -->";
const END: &str = "<!-- schedule: end -->";

/// The sessions: what each is called, its stages, and the cases of the clinic that it takes.
const SESSIONS: [(&str, &[usize], u64); 6] = [
    ("Taster, 90 minutes", &[0, 1, 2], 2),
    ("Half a day", &[0, 1, 2, 3, 4, 5], 0),
    ("One day", &[0, 1, 2, 3, 4, 5, 6, 8, 9, 10], 0),
    ("Three half days, the first", &[0, 1, 2, 3, 4, 5], 0),
    ("Three half days, the second", &[6, 7, 8, 9], 0),
    ("Three half days, the third", &[10, 11, 12, 13], 0),
];
/// Minutes for one case of the clinic, and for the break that each hour and a half of work brings.
pub(crate) const CASE: u64 = 15;
const BREAK: u64 = 10;

/// How many lines a learner writes: those of the solution in the stage's own holes.
fn lines(stages: &[Stage], stage: &Stage) -> Said<usize> {
    let origins = tree::origins(stages)?;
    let mut lines = 0;
    for (_, text) in stage.files("src")? {
        for (name, solved) in holes(&text)? {
            if origins.get(&name) == Some(&stage.number) {
                lines +=
                    solved.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with("//")).count();
            }
        }
    }
    Ok(lines)
}

/// The table.
fn table(stages: &[Stage]) -> Said<String> {
    let mut text = String::from(
        "| stage | you build | minutes | lines you write | wrong versions killed |\n|---|---|---|---|---|\n",
    );
    let (mut minutes, mut all_lines, mut all_broken) = (0, 0, 0);
    for stage in stages {
        let (lines, broken) = (lines(stages, stage)?, stage.broken().len());
        let link = format!("[{}](stages/{}/README.md)", stage.title, stage.folder);
        text.push_str(&format!("| {} | {link} | {} | {lines} | {broken} |\n", stage.number, stage.minutes));
        (minutes, all_lines, all_broken) = (minutes + stage.minutes, all_lines + lines, all_broken + broken);
    }
    text.push_str(&format!("| | **in all** | {minutes} | {all_lines} | {all_broken} |\n\n"));
    text.push_str("| session | stages | work | breaks | in all |\n|---|---|---|---|---|\n");
    for (name, wanted, cases) in SESSIONS {
        let there: Vec<&Stage> = stages.iter().filter(|stage| wanted.contains(&stage.number)).collect();
        if there.len() < wanted.len() {
            continue;
        }
        let work: u64 = there.iter().map(|stage| stage.minutes).sum::<u64>() + cases * CASE;
        let breaks = (work - 1) / 90 * BREAK;
        let mut numbers: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        if cases > 0 {
            numbers.push(format!("{cases} cases of the clinic"));
        }
        let hours = |minutes: u64| format!("{}:{:02}", minutes / 60, minutes % 60);
        text.push_str(&format!(
            "| {name} | {} | {} | {} | {} |\n",
            numbers.join(", "),
            hours(work),
            hours(breaks),
            hours(work + breaks)
        ));
    }
    Ok(text)
}

/// Compares the README with the table, or writes it there.
pub(crate) fn faults(stages: &[Stage], may_write: bool) -> Said<Vec<String>> {
    let path = workshop().join("README.md");
    let page = read(&path)?;
    let parts = page.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(END)?)));
    let Some((head, (there, tail))) = parts else {
        return Ok(vec![format!("docs/workshop/README.md lacks the marks `{BEGIN}` and `{END}`")]);
    };
    let table = format!("\n{}", table(stages)?);
    if there == table {
        return Ok(Vec::new());
    }
    if may_write {
        write(&path, &format!("{head}{BEGIN}{table}{END}{tail}"))?;
        return Ok(Vec::new());
    }
    Ok(vec![
        "the schedule in docs/workshop/README.md is not what the stages add up to; run `cargo stage check --write`"
            .to_owned(),
    ])
}
