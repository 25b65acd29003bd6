//! Rules about what a reader opens: words, headings, links, the list of demos, versions.

use crate::house::HOUSE;
use crate::markdown;
use crate::repo::{File, Finding, Repo, findings};

/// Words that no file of the project may hold. They are put together here so that this file does
/// not hold them either.
const FORBIDDEN: [(&str, &str); 8] = [
    (concat!("/wo", "rk/"), "is a path of somebody's machine; make it relative"),
    (concat!("/ro", "ot/"), "is a path of somebody's machine; make it relative"),
    (concat!("/ho", "me/"), "is a path of somebody's machine; make it relative"),
    (concat!("/Us", "ers/"), "is a path of somebody's machine; make it relative"),
    (concat!("/tmp/", "target"), "is a path of somebody's machine; make it relative"),
    (concat!("TO", "DO"), "is a note to oneself; do it, or leave it and say so in the docs"),
    (concat!("FIX", "ME"), "is a note to oneself; do it, or leave it and say so in the docs"),
    (concat!("XX", "X"), "is a note to oneself; do it, or leave it and say so in the docs"),
];

/// No file holds a path of the machine it was written on, or a note to oneself.
pub(crate) fn forbidden_words(repo: &Repo) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in repo.files() {
        for (word, says) in FORBIDDEN.iter().filter(|(word, _)| file.text.contains(word)) {
            let lines = file.lines().filter(|(_, text)| stands_alone(text, word));
            found.extend(lines.map(|(line, _)| Finding::new(&file.path, line, format!("`{word}` {says}"))));
        }
    }
    found
}

/// Whether a word is there, and not as part of a longer one.
fn stands_alone(text: &str, word: &str) -> bool {
    let letter = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
        word.starts_with('/') || !letter(before) && !letter(after)
    })
}

/// Every page opens with its title.
pub(crate) fn page_titles(repo: &Repo) -> Vec<Finding> {
    let untitled =
        repo.pages().filter(|page| page.text.strip_prefix("# ").is_none_or(|title| title.trim_start().is_empty()));
    untitled.map(|page| Finding::new(&page.path, 1, "open the page with its title: `# Title`")).collect()
}

/// Words with which no sentence of a comment opens, unless it asks: its subject would come late.
const LATE_SUBJECTS: [&str; 10] =
    ["Of", "That", "What", "Whatever", "Where", "Wherever", "Who", "Whoever", "Whom", "Whose"];

/// The folders whose comments open with their subjects.
const SUBJECT_FIRST: [&str; 4] = ["runtime/src/", "demos/", "tests/", "docs/workshop/"];

/// Each sentence of a comment in these folders opens with its subject.
pub(crate) fn subjects(repo: &Repo) -> Vec<Finding> {
    let mut found = Vec::new();
    let is_held = |file: &&File| SUBJECT_FIRST.iter().any(|folder| file.path.starts_with(folder));
    for file in repo.rust_files().filter(is_held) {
        let (mut opens, mut fenced) = (true, false);
        for (line, text) in file.lines() {
            let Some(comment) = text.trim_start().strip_prefix("//") else {
                (opens, fenced) = (true, false);
                continue;
            };
            let comment = comment.trim_start_matches(['/', '!']);
            fenced ^= comment.trim_start().starts_with("```");
            let words = comment.trim().trim_start_matches("- ");
            if fenced || words.is_empty() || comment.starts_with("     ") {
                opens = true;
                continue;
            }
            let sentences: Vec<&str> = words.split_inclusive(['.', '?', '!']).map(str::trim_start).collect();
            for sentence in sentences.into_iter().skip(usize::from(!opens)) {
                let opener = sentence.split(|letter: char| !letter.is_alphabetic()).next().unwrap_or_default();
                if LATE_SUBJECTS.contains(&opener) && !sentence.ends_with('?') {
                    let says = format!("the sentence opens with `{opener}`; open it with its subject");
                    found.push(Finding::new(&file.path, line, says));
                }
            }
            opens = words.ends_with(['.', '?', '!']);
        }
    }
    found
}

/// Each sentence of a page opens with its subject, and so does each cell of its tables. The workshop's pages and the
/// translations are not held to it.
pub(crate) fn subjects_of_pages(repo: &Repo) -> Vec<Finding> {
    let mut found = Vec::new();
    let is_held = |page: &&File| page.path == "README.md" || page.path.matches('/').count() == 1;
    for page in repo.pages().filter(is_held) {
        let mut opens = true;
        for line in markdown::lines(page).iter().filter(|line| !line.fenced) {
            for cell in line.text.trim_start_matches("- ").split('|').map(str::trim) {
                opens |= line.text.starts_with('|') || line.text.starts_with("- ");
                let sentences: Vec<&str> = cell.split_inclusive(['.', '?', '!', ':']).map(str::trim_start).collect();
                for sentence in sentences.into_iter().skip(usize::from(!opens)) {
                    let opener = sentence.split(|letter: char| !letter.is_alphabetic()).next().unwrap_or_default();
                    if LATE_SUBJECTS.contains(&opener) && !sentence.ends_with('?') {
                        let says = format!("the sentence opens with `{opener}`; open it with its subject");
                        found.push(Finding::new(&page.path, line.number, says));
                    }
                }
                opens = cell.is_empty() || cell.starts_with('#') || cell.ends_with(['.', '?', '!']);
            }
        }
    }
    found
}

/// A relative link leads to a file that is there, and to a heading that it has.
pub(crate) fn links(repo: &Repo) -> Vec<Finding> {
    let mut found = Vec::new();
    for page in repo.pages() {
        for line in markdown::lines(page) {
            let relative = |link: &&str| !link.contains("://") && !link.starts_with("mailto:");
            for link in line.links().into_iter().filter(relative) {
                let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
                let target = if target.is_empty() { page.path.clone() } else { resolve(&page.path, target) };
                if !repo.exists(&target) {
                    found.push(Finding::new(
                        &page.path,
                        line.number,
                        format!("`{link}` leads to {target}, which is not there; mend the link"),
                    ));
                } else if repo.get(&target).is_some_and(|target| !has_anchor(target, anchor)) {
                    found.push(Finding::new(
                        &page.path,
                        line.number,
                        format!("`{link}`: {target} has no heading of that name; mend the link"),
                    ));
                }
            }
        }
    }
    found
}

fn has_anchor(page: &File, anchor: &str) -> bool {
    let headings = || {
        markdown::lines(page)
            .into_iter()
            .filter_map(|line| Some(markdown::anchor(line.heading()?.1)))
            .collect::<Vec<_>>()
    };
    anchor.is_empty() || !page.path.ends_with(".md") || headings().iter().any(|heading| heading == anchor)
}

/// The path of `link`, as seen from the page at `from`.
fn resolve(from: &str, link: &str) -> String {
    let mut names: Vec<&str> = from.split('/').collect();
    names.pop();
    for name in link.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                // Above the project's top there is nothing to link to.
                if names.pop().is_none() {
                    names.push("..");
                }
            }
            name => names.push(name),
        }
    }
    names.join("/")
}

/// The demos' index lists every demo, and every demo it lists is there.
pub(crate) fn demo_list(repo: &Repo) -> Vec<Finding> {
    let readme = match repo.require(DEMO_INDEX, "the list of all demos") {
        Ok(readme) => readme,
        Err(missing) => return vec![missing],
    };
    let listed = listed_demos(readme);
    let demos: Vec<(&str, &str)> =
        repo.rust_files().filter_map(|file| Some((demo_of_file(&file.path)?, file.path.as_str()))).collect();
    let mut found = Vec::new();
    for (name, path) in &demos {
        if listed.iter().all(|(_, listed)| listed != name) {
            found.push(Finding::new(
                path,
                1,
                format!("{DEMO_INDEX} does not list `{name}` under its heading of demos; add a line on what to watch"),
            ));
        }
    }
    for (line, name) in listed {
        if demos.iter().all(|(demo, _)| *demo != name) {
            found.push(Finding::new(
                &readme.path,
                line,
                format!("`{name}` is no demo: there is no src/bin/{name}.rs in demos or a package below it; mend or remove the line"),
            ));
        }
    }
    found
}

const DEMO_INDEX: &str = "demos/README.md";

/// The demo whose main file this is, in the package of the demos or in one below it.
fn demo_of_file(path: &str) -> Option<&str> {
    let (package, inside) = path.strip_prefix("demos/")?.split_once("src/bin/")?;
    if package.matches('/').count() > 1 {
        return None;
    }
    inside.strip_suffix("/main.rs").or_else(|| inside.strip_suffix(".rs").filter(|name| !name.contains('/')))
}

/// Below a heading that says "demo": the names in backticks in the first cell of a table row, and the
/// first of a list item. A name may stand behind `--bin` in a command.
fn listed_demos(readme: &File) -> Vec<(usize, &str)> {
    let mut listed = Vec::new();
    let mut list_level = None;
    for line in markdown::lines(readme) {
        if let Some((level, heading)) = line.heading() {
            let inside = list_level.is_some_and(|list_level| level > list_level);
            list_level = if inside { list_level } else { heading.to_lowercase().contains("demo").then_some(level) };
        } else if list_level.is_some() && !line.fenced {
            let (text, names) = match line.text.split('|').nth(1) {
                Some(cell) if line.text.starts_with('|') => (cell, usize::MAX),
                _ if line.text.starts_with(['-', '*']) => (line.text, 1),
                _ => continue,
            };
            let names = markdown::code_spans(text).take(names);
            let names = names.map(|name| name.split_once("--bin ").map_or(name, |(_, name)| name));
            listed.extend(names.filter_map(|name| Some((line.number, name.split_whitespace().next()?))));
        }
    }
    listed
}

/// The shelves lead to every page of the docs.
pub(crate) fn shelves(repo: &Repo) -> Vec<Finding> {
    const SHELVES: &str = "docs/README.md";
    let page = match repo.require(SHELVES, "the list of all pages") {
        Ok(page) => page,
        Err(missing) => return vec![missing],
    };
    let lines = markdown::lines(page);
    let listed: Vec<&str> = lines.iter().flat_map(markdown::Line::links).collect();
    let pages = repo.pages().filter_map(|page| page.path.strip_prefix("docs/"));
    pages
        .filter(|name| !name.contains('/') && *name != "README.md" && !listed.contains(name))
        .map(|name| {
            Finding::new(SHELVES, 1, format!("no shelf holds `{name}`; put it on the one where it is looked for"))
        })
        .collect()
}

/// The README and rustfmt name the same Rust and the same edition as the manifest.
pub(crate) fn versions(repo: &Repo) -> Vec<Finding> {
    let manifest = match repo.require("Cargo.toml", "the manifest of the workspace") {
        Ok(manifest) => manifest,
        Err(missing) => return vec![missing],
    };
    let mut found = Vec::new();
    for (path, before, key) in [
        ("README.md", "Rust ", "rust-version"),
        ("README.md", "edition ", "edition"),
        ("rustfmt.toml", "edition = \"", "edition"),
    ] {
        let Some(version) = value_of(manifest, key) else {
            found.push(Finding::new(
                &manifest.path,
                1,
                format!("`{key}` is missing; name it under [workspace.package]"),
            ));
            continue;
        };
        match repo.require(path, "it names the edition") {
            Ok(file) => found.extend(disagreements(file, before, version)),
            Err(missing) => found.push(missing),
        }
    }
    found
}

fn value_of<'a>(manifest: &'a File, key: &str) -> Option<&'a str> {
    let (_, line) = manifest.lines().find(|(_, line)| line.split(['=', ' ']).next() == Some(key))?;
    line.split('"').nth(1)
}

/// The lines where a file names another version behind `before`, or the fact that it never names this one.
fn disagreements(file: &File, before: &str, version: &str) -> Vec<Finding> {
    let mut named = false;
    let mut found = Vec::new();
    for (line, text) in file.lines() {
        for (at, _) in text.match_indices(before) {
            let end = |letter: char| !letter.is_ascii_digit() && letter != '.';
            let said = text[at + before.len()..].split(end).next().unwrap_or_default().trim_end_matches('.');
            named |= said == version;
            if !said.is_empty() && said != version {
                found.push(Finding::new(
                    &file.path,
                    line,
                    format!("`{before}{said}`, but Cargo.toml says {version}; write that"),
                ));
            }
        }
    }
    if !named && found.is_empty() {
        found.push(Finding::new(
            &file.path,
            1,
            format!("nowhere is it said which is meant; write `{before}{version}` as in Cargo.toml"),
        ));
    }
    found
}

/// A table of the architecture page that gives layers to files gives the layers of the house.
pub(crate) fn architecture_table(repo: &Repo) -> Vec<Finding> {
    let page = match repo.require("docs/architecture.md", "the house on two pages, with its invariants") {
        Ok(page) => page,
        Err(missing) => return vec![missing],
    };
    let mut found = Vec::new();
    let mut rows = String::new();
    for line in markdown::lines(page).iter().filter(|line| line.text.starts_with('|')) {
        rows.push_str(line.text);
        let Some(Ok(layer)) = line.text.split('|').nth(1).map(|cell| cell.trim().parse::<u8>()) else {
            continue;
        };
        for name in line.code_spans() {
            if let Some(room) = HOUSE.iter().find(|room| room.name == name && room.layer != layer) {
                let says =
                    format!("`{name}` stands on layer {} in tests/tidy/house.rs; say the same in both", room.layer);
                found.push(Finding::new(&page.path, line.number, says));
            }
        }
    }
    let missing = HOUSE.iter().filter(|room| !rows.contains(&format!("`{}`", room.name)));
    found.extend(missing.map(|room| {
        let says = format!("`{}`, layer {}, has no row in the table of layers; write one", room.name, room.layer);
        Finding::new(&page.path, 1, says)
    }));
    found
}

#[test]
fn a_forbidden_word_is_found_in_any_text() {
    for (word, _) in FORBIDDEN {
        let text = format!("fine\nsee {word} there\n");
        assert_eq!(findings(forbidden_words, &[("docs/a.svg", &text)]), ["docs/a.svg:2"], "of {word}");
    }
    let inside_words = concat!("mktemp -d t.XX", "XX\nmasTO", "DON\n");
    assert_eq!(findings(forbidden_words, &[(".ci/run", inside_words)]), [""; 0]);
}

#[test]
fn a_page_without_a_title_is_found() {
    let files =
        [("docs/a.md", "# A\n"), ("docs/b.md", "B\n"), ("docs/c.md", "# \n"), ("README.md", ""), ("docs/d.txt", "")];
    assert_eq!(findings(page_titles, &files), ["README.md:1", "docs/b.md:1", "docs/c.md:1"]);
}

#[test]
fn a_sentence_that_does_not_open_with_its_subject_is_found() {
    let text = "//! Of wakes: all.\n//!\n//! Why is it so? Where it is shown, what is\n//! that. Of course.\n//!\n\
                //! ```text\n//! What a drawing\n//! ```\nfn f() {\n    // Whoever asks. The loop\n    // What it says.\n\
                    // The loop. That is it.\n}\n";
    assert_eq!(
        findings(subjects, &[("runtime/src/heart/a.rs", text), ("docs/a.rs", text)]),
        [
            "runtime/src/heart/a.rs:1",
            "runtime/src/heart/a.rs:3",
            "runtime/src/heart/a.rs:4",
            "runtime/src/heart/a.rs:10",
            "runtime/src/heart/a.rs:12"
        ]
    );
    let late = "/// What it is.\n";
    assert_eq!(
        findings(subjects, &[("demos/web/a.rs", late), ("tests/a.rs", late)]),
        ["demos/web/a.rs:1", "tests/a.rs:1"]
    );
}

#[test]
fn a_sentence_of_a_page_that_does_not_open_with_its_subject_is_found() {
    let page = "# What a page is\n\nIt begins.\nThat is late.\n\n- What is it?\n- Who comes, waits. He\n  says What is so.\n\n\
                | a | Where it is |\n\n```text\nThat is code.\n```\n";
    let found = findings(subjects_of_pages, &[("docs/a.md", page), ("docs/workshop/a.md", page)]);
    assert_eq!(found, ["docs/a.md:4", "docs/a.md:7", "docs/a.md:10"]);
}

#[test]
fn a_link_to_nothing_is_found() {
    let readme = "# R\n[a](docs/a.md) [b](docs/b.md)\n[c](#r) [d](#s)\n[e](docs/a.md#two-words) [f](docs/a.md#x)\n\
                  [g](https://example.org/x) [h](docs/)\n[i](../i.md)\n";
    let files = [("README.md", readme), ("docs/a.md", "# A\n## Two words\n[r](../README.md)\n[s](./b.md)\n")];
    assert_eq!(findings(links, &files), ["README.md:2", "README.md:3", "README.md:4", "README.md:6", "docs/a.md:4"]);
}

#[test]
fn a_demo_that_is_not_listed_and_one_that_is_not_there_are_found() {
    let readme = "# oneloop\n- `not` a demo\n## The demos\n| demo | watch |\n|---|---|\n| [`echo`](x), `twin` | `lines` |\n\
                  ### More\n- `cargo run --bin step1 -- --help`\n- `ghost`\n## After\n- `later`\n";
    let files = [
        (DEMO_INDEX, readme),
        ("demos/src/bin/echo.rs", ""),
        ("demos/src/bin/twin.rs", ""),
        ("demos/src/bin/step1/main.rs", ""),
        ("demos/src/bin/shy.rs", ""),
        ("demos/web/src/bin/far.rs", ""),
    ];
    assert_eq!(
        findings(demo_list, &files),
        ["demos/src/bin/shy.rs:1", "demos/web/src/bin/far.rs:1", "demos/README.md:9"]
    );
    assert_eq!(findings(demo_list, &[]), ["demos/README.md:1"]);
}

#[test]
fn a_version_that_differs_from_the_manifest_is_found() {
    let manifest = "[workspace.package]\nedition = \"2024\"\nrust-version = \"1.85\"\n";
    let of = |readme, rustfmt| {
        findings(versions, &[("Cargo.toml", manifest), ("README.md", readme), ("rustfmt.toml", rustfmt)])
    };
    let rustfmt = "edition = \"2024\"";
    assert_eq!(of("Needs Rust 1.85 or newer (edition 2024).", rustfmt), [""; 0]);
    assert_eq!(of("A Rust runtime.\nNeeds Rust 1.85.\nAnd edition 2021.", rustfmt), ["README.md:3"]);
    assert_eq!(of("edition 2024\nRust 1.80, or Rust 1.85", rustfmt), ["README.md:2"]);
    assert_eq!(of("edition 2024", rustfmt), ["README.md:1"]);
    assert_eq!(of("Rust 1.85, edition 2024", "edition = \"2021\""), ["rustfmt.toml:1"]);
    assert_eq!(findings(versions, &[]), ["Cargo.toml:1"]);
}

#[test]
fn a_layer_that_differs_from_the_house_is_found() {
    let page = "# A\n| layer | file |\n|---|---|\n| 0 | `heart/key.rs` |\n| 4 | `heart/tasks/`, `heart/core.rs` |\n";
    let found = findings(architecture_table, &[("docs/architecture.md", page)]);
    assert_eq!(found[0], "docs/architecture.md:5");
    assert_eq!(found[1..], vec!["docs/architecture.md:1"; HOUSE.len() - 3], "each room without a row");
    assert_eq!(findings(architecture_table, &[]), ["docs/architecture.md:1"]);
}

#[test]
fn a_page_on_no_shelf_is_found() {
    let files = [("docs/README.md", "# S\n[a](a.md)\n"), ("docs/a.md", "# A\n"), ("docs/b.md", "# B\n")];
    assert_eq!(findings(shelves, &files), ["docs/README.md:1"]);
    assert_eq!(findings(shelves, &files[..2]), [""; 0]);
}
