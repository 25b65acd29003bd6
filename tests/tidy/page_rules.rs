//! Rules about the page that shows a loop: it is one file that asks nobody else for anything.

use crate::repo::{Finding, Repo, findings};

const PAGE: &str = "runtime/src/see/page.html";
/// What the page's example is a copy of.
const EXAMPLE: &str = "docs/recordings/hog.ndjson";
/// How many bytes the page may have.
const PAGE_BYTES: usize = 150_000;

/// What the page may not say, and why.
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

/// The page's example is a recording that is made again with the demos.
pub(crate) fn page_example(repo: &Repo) -> Vec<Finding> {
    let texts = (repo.require(PAGE, "the page that shows a loop"), repo.require(EXAMPLE, "the page's example"));
    let (page, example) = match texts {
        (Ok(page), Ok(example)) => (page, example),
        (Err(missing), _) | (_, Err(missing)) => return vec![missing],
    };
    let has_it = page.text.contains(&format!("id=\"example\">\n{}</script>", example.text));
    let found = (!has_it).then(|| Finding::new(PAGE, 1, format!("its example is not {EXAMPLE}; copy that into it")));
    found.into_iter().collect()
}

#[test]
fn a_page_with_another_example_is_found() {
    let page = "<script id=\"example\">\n{}\n</script>";
    assert_eq!(findings(page_example, &[(PAGE, page), (EXAMPLE, "{}\n")]), [""; 0]);
    assert_eq!(findings(page_example, &[(PAGE, page), (EXAMPLE, "{1}\n")]), ["runtime/src/see/page.html:1"]);
    assert_eq!(findings(page_example, &[(PAGE, page)]), ["docs/recordings/hog.ndjson:1"]);
}

#[test]
fn a_page_that_is_too_large_is_found() {
    assert_eq!(findings(page_is_small, &[(PAGE, &"x".repeat(PAGE_BYTES))]), [""; 0]);
    assert_eq!(findings(page_is_small, &[(PAGE, &"x".repeat(PAGE_BYTES + 1))]), ["runtime/src/see/page.html:1"]);
}

#[test]
fn a_page_that_loads_something_is_found() {
    for (word, _) in FORBIDDEN {
        let text = format!("fine\n<p>{word}</p>\n");
        assert_eq!(findings(page_stands_alone, &[(PAGE, &text)]), ["runtime/src/see/page.html:2"], "of {word}");
    }
    assert_eq!(findings(page_stands_alone, &[(PAGE, &format!("<svg xmlns='{NAMESPACE}'>"))]), [""; 0]);
    assert_eq!(findings(page_stands_alone, &[]), ["runtime/src/see/page.html:1"]);
}
