//! One vocabulary: the states of a task, and what it may wait for, are called the same wherever they are read.
//!
//! docs/events.md has the words. The tables, the findings, the Chrome trace, the glossary and the page say no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use oneloop::see::{On, TaskState};

const EVENTS: &str = include_str!("../../../docs/events.md");
const GLOSSARY: &str = include_str!("../../../docs/glossary.md");
const STATES: [TaskState; 4] = [TaskState::Waiting, TaskState::Ready, TaskState::Running, TaskState::Done];
const WAITS: [On; 5] = [On::Timer(3), On::Read(2), On::Write(2), On::Join(4), On::Other(5)];

/// The rest of a row of docs/events.md, from here on.
fn row_behind(mark: &str) -> &'static str {
    let rest = EVENTS.lines().find_map(|line| Some(line.split_once(mark)?.1));
    rest.unwrap_or_else(|| panic!("docs/events.md has no row with {mark}"))
}

/// The words between `"` in a text.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('"').skip(1).step_by(2).collect()
}

/// The page's source, without what is packed into it.
fn page() -> String {
    fn read(folder: &Path, all: &mut String) {
        for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
            if file.is_dir() {
                read(&file, all);
            } else if file.extension().is_some_and(|kind| kind == "js") {
                all.push_str(&fs::read_to_string(file).unwrap());
            }
        }
    }
    let mut all = String::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/src/see/serve/page"), &mut all);
    all
}

/// The words that stand in quotes right behind one of these marks.
fn behind<'a>(text: &'a str, marks: &[&str]) -> BTreeSet<&'a str> {
    let after = |mark: &&str| text.split(&format!("{mark}\"")).skip(1).collect::<Vec<_>>();
    marks.iter().flat_map(after).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn a_tasks_states_have_the_same_words_in_docs_glossary_and_page() {
    let listed = quoted(row_behind("`state` (").split(')').next().unwrap());
    let words: Vec<_> = STATES.iter().map(ToString::to_string).collect();
    // The events know no task that is over.
    assert_eq!(listed, words[..3].iter().map(String::as_str).collect());
    for word in &words {
        assert!(GLOSSARY.contains(&format!("| {word} | The state of ")), "the glossary has no row for {word}");
    }
    let page = page();
    let said = behind(&page, &["state === ", "state: ", "becomes(task, "]);
    assert_eq!(said, listed, "the page's words");
}

#[test]
fn what_a_task_waits_for_has_the_same_words_in_docs_glossary_and_page() {
    let listed = quoted(row_behind("It left its waker with `on`:"));
    let words: Vec<_> = WAITS.iter().map(ToString::to_string).collect();
    assert_eq!(listed, words.iter().map(String::as_str).collect());
    let waiting = GLOSSARY.lines().find(|line| line.starts_with("| waiting |")).unwrap();
    words.iter().for_each(|word| assert!(waiting.contains(&format!("`{word}`")), "{word} is not in {waiting}"));
}
