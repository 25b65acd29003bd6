//! Rules about the page that shows a loop: it is one file that asks nobody else for anything.

use crate::repo::{Finding, Repo, findings};

/// The page as a file for the disk.
const PAGE: &str = "docs/see.html";
/// The page once more, packed.
const PACKED: &str = "page.html.gz";
/// The folder of its source, and the file that joins it.
const ROOMS: &str = "runtime/src/see/serve/page/";
const JOINED: &str = "runtime/src/see/serve/page/mod.rs";
/// How many bytes the page may have: its source, and 28,000 for the packed recordings.
const PAGE_BYTES: usize = 240_000;

/// The words that the page may not say, and why.
const FORBIDDEN: [(&str, &str); 9] = [
    ("http:", "leads out of the page; all it needs is in this file"),
    ("https:", "leads out of the page; all it needs is in this file"),
    ("src=", "loads something; put it into this file"),
    ("@import", "loads something; put it into this file"),
    ("import(", "loads something; put it into this file"),
    ("url(", "loads something; put it into this file"),
    ("innerHTML", "makes markup of what a program chose; use textContent or el()"),
    ("insertAdjacentHTML", "makes markup of what a program chose; use textContent or el()"),
    ("document.write", "makes markup of what a program chose; use textContent or el()"),
];

/// Names of the language of drawings, which nobody fetches.
const NAMESPACE: &str = concat!("http:", "//www.w3.org/2000/svg");

/// The page is small enough to be embedded everywhere.
pub(crate) fn page_is_small(repo: &Repo) -> Vec<Finding> {
    let bytes = repo.get(PAGE).map_or(0, |page| page.text.len());
    let found = (bytes > PAGE_BYTES)
        .then(|| Finding::new(PAGE, 1, format!("{bytes} bytes are more than {PAGE_BYTES}; make the page smaller")));
    found.into_iter().collect()
}

/// The page loads nothing, and makes no markup of names.
pub(crate) fn page_stands_alone(repo: &Repo) -> Vec<Finding> {
    let page = match repo.require(PAGE, "the page that shows a loop") {
        Ok(page) => page,
        Err(missing) => return vec![missing],
    };
    let lines = || page.lines().map(|(line, text)| (line, text.replace(NAMESPACE, "")));
    let found = FORBIDDEN.iter().flat_map(|(word, says)| {
        let lines = lines().filter(move |(_, text)| text.contains(word));
        lines.map(move |(line, _)| Finding::new(PAGE, line, format!("`{word}` {says}")))
    });
    found.collect()
}

/// Each room of the page's source is joined, and the file for the disk has it as it is.
pub(crate) fn page_has_its_rooms(repo: &Repo) -> Vec<Finding> {
    let texts = (repo.require(JOINED, "what joins the page"), repo.require(PAGE, "the page that shows a loop"));
    let (joined, page) = match texts {
        (Ok(joined), Ok(page)) => (joined, page),
        (Err(missing), _) | (_, Err(missing)) => return vec![missing],
    };
    let rooms = repo.files().filter_map(|file| Some((file.path.strip_prefix(ROOMS)?, file)));
    let found = rooms.filter(|(name, file)| !file.is_rust() && *name != PACKED).filter_map(|(name, file)| {
        let is_joined = joined.text.contains(&format!("include_str!(\"{name}\")"));
        if !is_joined {
            return Some(Finding::new(JOINED, 1, format!("{name} is not joined; include it, or take it out")));
        }
        let says = format!("{name} has changed; write the page anew: cargo run -p oneloop-browser-tests --bin page");
        (!page.text.contains(&file.text)).then(|| Finding::new(PAGE, 1, says))
    });
    found.collect()
}

#[test]
fn a_room_that_is_not_joined_or_has_changed_is_found() {
    let joined = "include_str!(\"style.css\")";
    let room = "runtime/src/see/serve/page/style.css";
    assert_eq!(findings(page_has_its_rooms, &[(JOINED, joined), (room, "a {}"), (PAGE, "<style>a {}")]), [""; 0]);
    assert_eq!(findings(page_has_its_rooms, &[(JOINED, joined), (room, "b {}"), (PAGE, "a {}")]), ["docs/see.html:1"]);
    assert_eq!(
        findings(page_has_its_rooms, &[(JOINED, ""), (room, "a {}"), (PAGE, "a {}")]),
        ["runtime/src/see/serve/page/mod.rs:1"]
    );
}

#[test]
fn a_page_that_is_too_large_is_found() {
    assert_eq!(findings(page_is_small, &[(PAGE, &"x".repeat(PAGE_BYTES))]), [""; 0]);
    assert_eq!(findings(page_is_small, &[(PAGE, &"x".repeat(PAGE_BYTES + 1))]), ["docs/see.html:1"]);
}

#[test]
fn a_page_that_loads_something_is_found() {
    for (word, _) in FORBIDDEN {
        let text = format!("fine\n<p>{word}</p>\n");
        assert_eq!(findings(page_stands_alone, &[(PAGE, &text)]), ["docs/see.html:2"], "of {word}");
    }
    assert_eq!(findings(page_stands_alone, &[(PAGE, &format!("<svg xmlns='{NAMESPACE}'>"))]), [""; 0]);
    assert_eq!(findings(page_stands_alone, &[]), ["docs/see.html:1"]);
}
