//! Rules about the workshop's papers: plans that add up, and a printed card that says what the page says.

use std::collections::BTreeSet;

use crate::markdown;
use crate::repo::{File, Finding, Repo, findings};

const KIT: &str = "docs/workshop/instructor.md";
const CARD: &str = "docs/workshop/card.md";
const PRINTED: &str = "docs/workshop/card.html";
const RUSSIAN_CARD: &str = "docs/ru/workshop/card.md";
const RUSSIAN_PRINTED: &str = "docs/workshop/card.ru.html";
const STAGES: &str = "docs/workshop/stages/";

/// In each session plan a row begins when the one before it ends, and a stage has the minutes of its `stage.toml`.
pub(crate) fn session_plans(repo: &Repo) -> Vec<Finding> {
    let kit = match repo.require(KIT, "the instructor's kit, with the session plans") {
        Ok(kit) => kit,
        Err(missing) => return vec![missing],
    };
    let mut found = Vec::new();
    let (mut clock, mut plans) = (0, 0);
    for (line, cells) in rows(kit) {
        let [at, minutes, what] = cells[..] else { continue };
        if at == "at" && minutes == "minutes" {
            (clock, plans) = (0, plans + 1);
            continue;
        }
        let Some(at) = at.split_once(':').and_then(|(hours, left)| Some((number(hours)?, number(left)?))) else {
            continue;
        };
        if at.0 * 60 + at.1 != clock {
            let says = format!("the rows above end at {}:{:02}; begin this one there", clock / 60, clock % 60);
            found.push(Finding::new(KIT, line, says));
        }
        clock = at.0 * 60 + at.1 + number(minutes).unwrap_or(0);
        let stage = what.strip_prefix("stage ").and_then(|rest| number(rest.split(':').next()?));
        let Some((stage, planned)) = stage.and_then(|stage| Some((stage, minutes_of(repo, stage)?))) else { continue };
        if number(minutes) != Some(planned) {
            let says =
                format!("stage {stage} has {planned} minutes in its stage.toml; write that, and move what follows");
            found.push(Finding::new(KIT, line, says));
        }
    }
    if plans == 0 {
        found.push(Finding::new(KIT, 1, "no plan is here; a plan is a table of `at`, `minutes` and `what`"));
    }
    found
}

/// The lines of a page's tables, with their cells.
fn rows(page: &File) -> impl Iterator<Item = (usize, Vec<&str>)> {
    let lines = page.lines().filter(|(_, text)| text.starts_with('|'));
    lines.map(|(line, text)| (line, text.trim_matches('|').split('|').map(str::trim).collect()))
}

fn number(text: &str) -> Option<u32> {
    text.trim().parse().ok()
}

/// The minutes of a stage, if it is on the disk.
fn minutes_of(repo: &Repo, stage: u32) -> Option<u32> {
    let folder = format!("{STAGES}{stage:02}-");
    let settings = repo.files().find(|file| file.path.starts_with(&folder) && file.path.ends_with("/stage.toml"))?;
    settings.lines().find_map(|(_, line)| number(line.strip_prefix("minutes = ")?))
}

/// The pages for the printer have every line of the card, and every row of the plans.
pub(crate) fn printed_card(repo: &Repo) -> Vec<Finding> {
    let texts = (
        repo.require(KIT, "the instructor's kit, with the session plans"),
        repo.require(PRINTED, "the card and the plans, for the printer"),
    );
    let (kit, printed) = match texts {
        (Ok(kit), Ok(printed)) => (kit, printed),
        (Err(missing), _) | (_, Err(missing)) => return vec![missing],
    };
    let mut found = Vec::new();
    for (card, printed) in [(CARD, PRINTED), (RUSSIAN_CARD, RUSSIAN_PRINTED)] {
        let texts = (repo.require(card, "the waker's contract"), repo.require(printed, "the card for the printer"));
        match texts {
            (Ok(card), Ok(printed)) => found.extend(not_printed(card, printed)),
            (Err(missing), _) | (_, Err(missing)) => found.push(missing),
        }
    }
    let words = plain(&printed.text);
    for (line, cells) in rows(kit).filter(|(_, cells)| cells[0].contains(':') && cells.len() == 3) {
        found.extend(cells.iter().filter_map(|cell| missing(kit, line, cell, printed, &words)));
    }
    found
}

/// The lines of a card that the page for the printer does not have.
fn not_printed(card: &File, printed: &File) -> Vec<Finding> {
    let words = plain(&printed.text);
    let mut found = Vec::new();
    for line in markdown::lines(card).iter().filter(|line| !line.text.contains("](")) {
        let text = line.text.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '#');
        let text = text.strip_prefix(". ").unwrap_or(text).trim();
        let cells = if line.text.starts_with('|') { text.trim_matches('|').split('|').collect() } else { vec![text] };
        let cells = cells.into_iter().filter(|cell| !cell.starts_with("---") && !cell.starts_with("```"));
        found.extend(cells.filter_map(|cell| missing(card, line.number, cell.trim(), printed, &words)));
    }
    found
}

/// A text that a printed page, of these words, does not have.
fn missing(page: &File, line: usize, text: &str, printed: &File, words: &str) -> Option<Finding> {
    let text = text.replace('`', "");
    let is_there = text.is_empty() || words.contains(&text);
    let says = || format!("{} does not say \"{text}\"; say the same in both", printed.path);
    (!is_there).then(|| Finding::new(&page.path, line, says()))
}

/// The words of a page without its marks.
fn plain(page: &str) -> String {
    let mut words = String::new();
    for part in page.split('<') {
        words.push_str(part.split_once('>').map_or(part, |(_, text)| text));
    }
    words.replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")
}

/// A stage's page names each call of the trace that its own holes want. Nobody who has only the page would make it, the
/// tests would pass, and the learner's run would not be seen.
pub(crate) fn trace_calls(repo: &Repo) -> Vec<Finding> {
    let mut found = Vec::new();
    // Holes of earlier stages come back filled.
    let mut known = BTreeSet::new();
    for page in repo.files().filter(|file| file.path.starts_with(STAGES) && file.path.ends_with("/README.md")) {
        let sources = page.path.replace("README.md", "src/");
        let files = repo.rust_files().filter(|file| file.path.starts_with(&sources));
        let holes: Vec<(&File, &str, &str)> = files.flat_map(holes).collect();
        for (file, name, code) in &holes {
            let calls = code.split("trace::").skip(1).map(|call| call.split('(').next().unwrap_or(call));
            for call in calls.filter(|call| !known.contains(*name) && !page.text.contains(&format!("trace::{call}"))) {
                let says = format!("hole \"{name}\" of {} wants `trace::{call}`; name it in the task", file.path);
                found.push(Finding::new(&page.path, 1, says));
            }
        }
        known.extend(holes.iter().map(|(_, name, _)| (*name).to_owned()));
    }
    found
}

/// The holes of a stage's file, each with its name and the solution in it.
fn holes(file: &File) -> impl Iterator<Item = (&File, &str, &str)> {
    file.text.split("// stage: hole \"").skip(1).filter_map(move |rest| {
        let (name, rest) = rest.split_once('"')?;
        Some((file, name, rest.split_once("// stage: end")?.0))
    })
}

#[test]
fn a_trace_call_that_no_page_names_is_found() {
    const SOURCE: &str = "//! A.\n// stage: hole \"x\"\ntrace::wait(1);\n// stage: end\ntrace::finish(2);\n";
    let of = |first: &str, second: &str| {
        let (one, two) = (format!("{STAGES}01-a/"), format!("{STAGES}02-b/"));
        let files =
            [format!("{one}README.md"), format!("{one}src/a.rs"), format!("{two}README.md"), format!("{two}src/a.rs")];
        let [page, source, later_page, later] = files.each_ref().map(String::as_str);
        findings(trace_calls, &[(page, first), (source, SOURCE), (later_page, second), (later, SOURCE)])
    };
    assert_eq!(of("# A\nCall `trace::wait`.\n", "# B\n"), [""; 0]);
    assert_eq!(of("# A\n", "# B\n"), ["docs/workshop/stages/01-a/README.md:1"]);
}

#[test]
fn a_plan_that_does_not_add_up_is_found() {
    let head = "# Kit\n\n| at | minutes | what |\n|---|---|---|\n";
    let of = |rows: &str| {
        let toml = "title = \"x\"\nminutes = 20\n";
        findings(session_plans, &[(KIT, &format!("{head}{rows}")), ("docs/workshop/stages/01-one/stage.toml", toml)])
    };
    assert_eq!(of("| 0:00 | 20 | stage 1: live |\n| 0:20 | 50 | break |\n| 1:10 | | end |\n"), [""; 0]);
    assert_eq!(of("| 0:00 | 20 | stage 1 |\n| 0:30 | | end |\n"), ["docs/workshop/instructor.md:6"]);
    assert_eq!(of("| 0:00 | 25 | stage 1: live |\n| 0:25 | | end |\n"), ["docs/workshop/instructor.md:5"]);
    let two_plans = format!("| 0:00 | 5 | x |\n| 0:05 | | end |\n\n{}| 0:05 | 9 | y |\n", &head[7..]);
    assert_eq!(of(&two_plans), ["docs/workshop/instructor.md:10"]);
    assert_eq!(findings(session_plans, &[(KIT, "# Kit\n")]), ["docs/workshop/instructor.md:1"]);
    assert_eq!(findings(session_plans, &[]), ["docs/workshop/instructor.md:1"]);
}

#[test]
fn a_word_of_the_card_that_is_not_printed_is_found() {
    let card = "# The card\n\nOn [paper](card.html).\n\n1. A `wake` is a hint.\n\n| ask | if not |\n|---|---|\n| a > b? | no |\n";
    let kit = "# Kit\n| at | minutes | what |\n|---|---|---|\n| 0:00 | 20 | live |\n";
    let printed = "<h1>The card</h1><li>A <code>wake</code> is a hint.</li><td>ask</td><td>if not</td>\
                   <td>a &gt; b?</td><td>no</td><td>0:00</td><td>20</td><td>live</td>";
    let russian = [(RUSSIAN_CARD, "# Card\n"), (RUSSIAN_PRINTED, "<h1>Card</h1>")];
    let of =
        |printed: &str| findings(printed_card, &[(CARD, card), (KIT, kit), (PRINTED, printed), russian[0], russian[1]]);
    assert_eq!(of(printed), [""; 0]);
    assert_eq!(of(&printed.replace("is a hint", "is an order")), ["docs/workshop/card.md:5"]);
    assert_eq!(of(&printed.replace("b?", "c?")), ["docs/workshop/card.md:9"]);
    assert_eq!(of(&printed.replace("live", "alone")), ["docs/workshop/instructor.md:4"]);
    assert_eq!(findings(printed_card, &[]), ["docs/workshop/instructor.md:1"]);
    let stale = [(CARD, card), (KIT, kit), (PRINTED, printed), (RUSSIAN_CARD, "# Another\n"), russian[1]];
    assert_eq!(findings(printed_card, &stale), ["docs/ru/workshop/card.md:1"]);
}
