//! Rules about lists in the docs that repeat what the code knows: they must not drift apart.

use std::collections::BTreeMap;

use crate::markdown;
use crate::repo::{File, Finding, Repo, findings};

const CANCEL_PAGE: &str = "docs/cancel-safety.md";
const SECTION: &str = "# Cancel safety";

/// The front page of rustdoc, and its table of what people look for.
const FRONT_PAGE: &str = "runtime/src/lib.rs";
const HABITS: &str = "//! # If you look for";

/// The pages that say which test holds which property.
const CASES_PAGE: &str = "docs/reliability-cases.md";
const PROMISES_PAGE: &str = "docs/reliability.md";

/// Every async operation says what dropping it loses, and so does the table, which lists no other.
pub(crate) fn cancel_safety(repo: &Repo) -> Vec<Finding> {
    let page = match repo.require(CANCEL_PAGE, "what dropping each operation loses") {
        Ok(page) => page,
        Err(missing) => return vec![missing],
    };
    let mut documented = BTreeMap::new();
    let mut found = Vec::new();
    for file in repo.runtime_files() {
        for item in items(file) {
            if item.says_what_is_lost {
                documented.entry(item.name).or_insert((&file.path, item.line));
            } else if item.is_async {
                let says =
                    format!("`{}` is async and has no section `{SECTION}`; say what dropping it loses", item.name);
                found.push(Finding::new(&file.path, item.line, says));
            }
        }
    }
    let listed = first_cells(page);
    for (line, name) in &listed {
        if !documented.contains_key(name) {
            let says = format!("`{name}` is no operation with a section `{SECTION}`; correct its name, or write one");
            found.push(Finding::new(CANCEL_PAGE, *line, says));
        }
    }
    for (name, (path, line)) in documented {
        if !listed.iter().any(|(_, there)| *there == name) {
            found.push(Finding::new(path, line, format!("`{name}` is not in the table of {CANCEL_PAGE}; add it")));
        }
    }
    found
}

/// Something public, with what its docs and its signature tell.
struct Item<'a> {
    line: usize,
    name: &'a str,
    says_what_is_lost: bool,
    is_async: bool,
}

/// The names declared `pub` in a file, at the beginning of a line.
fn items(file: &File) -> Vec<Item<'_>> {
    let lines: Vec<_> = file.lines().collect();
    let mut items = Vec::new();
    let mut says = false;
    for (at, &(line, text)) in lines.iter().enumerate() {
        let text = text.trim_start();
        if text.starts_with("///") {
            says |= text.ends_with(SECTION);
            continue;
        }
        let words = ["pub fn ", "pub async fn ", "pub struct "].into_iter().find(|words| text.starts_with(words));
        if let Some(words) = words {
            let name = text[words.len()..].split(|letter: char| !letter.is_alphanumeric() && letter != '_').next();
            let signature = lines[at..].iter().map_while(|(_, text)| (!text.starts_with('}')).then_some(*text)).take(8);
            let signature: String = signature.collect::<Vec<_>>().join(" ");
            let signature = signature.split('{').next().unwrap_or_default();
            let is_async = words.contains("async") || signature.contains("-> impl Future");
            items.push(Item { line, name: name.unwrap_or_default(), says_what_is_lost: says, is_async });
        }
        says &= text.starts_with("#[");
    }
    items
}

/// The last parts of the names in the first column of a page's tables.
fn first_cells(page: &File) -> Vec<(usize, &str)> {
    let lines = markdown::lines(page).into_iter().filter(|line| line.text.starts_with('|'));
    let cells = lines.filter_map(|line| Some((line.number, line.text.split('|').nth(1)?)));
    let names = cells.flat_map(|(number, cell)| markdown::code_spans(cell).map(move |name| (number, name)));
    names.map(|(number, name)| (number, name.rsplit("::").next().unwrap_or(name))).collect()
}

/// Every habit in the table of the front page is an alias as well, or a function: rustdoc's search leads from it to what is here.
pub(crate) fn habits(repo: &Repo) -> Vec<Finding> {
    let front = match repo.require(FRONT_PAGE, "the table of habits") {
        Ok(front) => front,
        Err(missing) => return vec![missing],
    };
    let mut aliases = Vec::new();
    for (_, line) in repo.runtime_files().flat_map(File::lines) {
        if line.contains("#[doc(alias") {
            aliases.extend(line.split('"').skip(1).step_by(2));
        } else if let Some(function) = line.trim_start().strip_prefix("pub fn ") {
            aliases.extend(function.split('(').next());
        }
    }
    let rows = front.lines().skip_while(|(_, line)| *line != HABITS).skip_while(|(_, line)| !line.contains('|'));
    let mut found = Vec::new();
    for (number, row) in rows.take_while(|(_, line)| line.contains('|')) {
        let cell = row.split('|').nth(1).unwrap_or_default();
        for habit in markdown::code_spans(cell) {
            let name = habit.trim_matches(|letter: char| !letter.is_alphanumeric());
            let last = name.rsplit([':', '.']).next().unwrap_or(name);
            if !aliases.contains(&name) && !aliases.contains(&last) {
                let says = format!("`{habit}` has no #[doc(alias = \"{last}\")] where the table leads; add it");
                found.push(Finding::new(FRONT_PAGE, number, says));
            }
        }
    }
    found
}

/// Every test that the pages on reliability name is there.
pub(crate) fn failure_cases(repo: &Repo) -> Vec<Finding> {
    let mut functions = Vec::new();
    for file in repo.rust_files() {
        let tokens = file.tokens();
        functions.extend(tokens.windows(2).filter(|pair| pair[0].text == "fn").map(|pair| pair[1].text.to_owned()));
    }
    let pages = [CASES_PAGE, PROMISES_PAGE];
    pages.into_iter().flat_map(|page| tests_that_are_not_there(repo, page, &functions)).collect()
}

/// In a page's tables, the last column names tests.
fn tests_that_are_not_there(repo: &Repo, path: &str, functions: &[String]) -> Vec<Finding> {
    let page = match repo.require(path, "which test holds which property") {
        Ok(page) => page,
        Err(missing) => return vec![missing],
    };
    let mut found = Vec::new();
    for line in markdown::lines(page).iter().filter(|line| line.text.starts_with('|')) {
        let Some(tests) = line.text.trim_end_matches('|').rsplit('|').next() else { continue };
        for name in markdown::code_spans(tests).filter(|name| !functions.iter().any(|function| function == name)) {
            let says = format!("there is no test `{name}`; name the one that holds this property now");
            found.push(Finding::new(path, line.number, says));
        }
    }
    found
}

/// A demo whose manifest says that it has no unit tests has none: cargo would not run them.
pub(crate) fn untested_programs(repo: &Repo) -> Vec<Finding> {
    let mut found = Vec::new();
    for manifest in repo.files().filter(|file| file.path.ends_with("Cargo.toml")) {
        let folder = manifest.path.trim_end_matches("Cargo.toml");
        for (line, text) in manifest.lines().filter(|(_, text)| text.contains("test = false }")) {
            let Some(name) = text.split('"').nth(1) else { continue };
            let program = format!("{folder}src/bin/{name}");
            let (one, many) = (format!("{program}.rs"), format!("{program}/"));
            let sources: Vec<&File> =
                repo.files().filter(|file| file.path == one || file.path.starts_with(&many)).collect();
            if sources.is_empty() {
                let says = format!("there is no program `{name}`; take this line out");
                found.push(Finding::new(&manifest.path, line, says));
            }
            for file in sources {
                let tokens = file.tokens();
                let test = tokens.windows(3).find(|three| three.iter().map(|t| t.text).eq(["#", "[", "test"]));
                if let Some(test) = test {
                    let says = format!("cargo does not run this test; take `{name}` out of `bin` in {}", manifest.path);
                    found.push(Finding::new(&file.path, test[0].line, says));
                }
            }
        }
    }
    found
}

#[test]
fn a_unit_test_that_cargo_leaves_out_is_found() {
    let manifest = "bin = [\n    { name = \"one\", test = false },\n    { name = \"gone\", test = false },\n]\n";
    let code = "//! Tests.\n\n#[test]\nfn it_holds() {}\n";
    let files = [
        ("demos/Cargo.toml", manifest),
        ("demos/src/bin/one/parts.rs", code),
        ("demos/src/bin/two.rs", code),
        ("demos/src/bin/one_more.rs", code),
    ];
    assert_eq!(findings(untested_programs, &files), ["demos/src/bin/one/parts.rs:3", "demos/Cargo.toml:3"]);
    assert_eq!(findings(untested_programs, &[]), [""; 0]);
}

#[test]
fn an_operation_that_the_table_or_its_docs_leave_out_is_found() {
    let page = "# Cancel safety\n\n| operation |\n|---|\n| `net::accept`, `Handle` |\n| `gone` |\n";
    let code = "//! Net.\n\n/// # Cancel safety\n///\n/// Safe.\npub async fn accept() {}\n\n/// Waits.\npub fn silent(\n\
                ) -> impl Future<Output = ()> {\n}\n\n/// # Cancel safety\n#[must_use]\npub struct Handle;\n\n\
                /// # Cancel safety\npub fn unlisted() -> Handle {}\n\npub fn plain() {}\n";
    let found = findings(cancel_safety, &[(CANCEL_PAGE, page), ("runtime/src/net.rs", code)]);
    assert_eq!(found, ["runtime/src/net.rs:9", "docs/cancel-safety.md:6", "runtime/src/net.rs:18"]);
    assert_eq!(findings(cancel_safety, &[]), ["docs/cancel-safety.md:1"]);
}

#[test]
fn a_habit_without_an_alias_is_found() {
    let front = "//! A loop.\n//!\n//! # If you look for\n//!\n//! | a habit | here |\n//! |---|---|\n//! | `select!`, `gone`, `x::copy` | x |\n\
                 //! | `#[tokio::main]`, `asyncio.run` | `y` |\n//!\n//! `later` | no\n#[doc(alias(\"select\", \"main\"))]\nmod x;\n";
    let other = "//! X.\n\n#[doc(alias = \"asyncio.run\")]\npub fn run() {}\n\npub fn copy() {}\n";
    let found = findings(habits, &[(FRONT_PAGE, front), ("runtime/src/builder.rs", other)]);
    assert_eq!(found, ["runtime/src/lib.rs:7"]);
    assert_eq!(findings(habits, &[]), ["runtime/src/lib.rs:1"]);
}

#[test]
fn a_test_that_is_not_there_is_found() {
    let page =
        "# Cases\n\n| property | tests |\n|---|---|\n| `x` holds | `it_holds` |\n| so does y | `it_does_not` |\n";
    let code = "//! Tests.\n\n#[test]\nfn it_holds() {}\n";
    let found = findings(failure_cases, &[(CASES_PAGE, page), (PROMISES_PAGE, page), ("tests/it/a.rs", code)]);
    assert_eq!(found, ["docs/reliability-cases.md:6", "docs/reliability.md:6"]);
    assert_eq!(findings(failure_cases, &[]), ["docs/reliability-cases.md:1", "docs/reliability.md:1"]);
}
