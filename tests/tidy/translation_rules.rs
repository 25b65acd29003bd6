//! Rules about the Russian pages: each names the text that it was made from, and says so when that has changed.
//!
//! The name of a text is git's own for its content, so that `git diff NAME FILE` shows what has changed since. The
//! part of a page that a program writes, between two marks, does not count: the Russian page leads to it.

use sha1::{Digest, Sha1};

use crate::repo::{File, Finding, Repo, findings};

const RUSSIAN: &str = "docs/ru/";

/// The pages that are there in Russian too.
const TRANSLATED: [&str; 8] = [
    "README.md",
    "docs/from-asyncio.md",
    "docs/glossary.md",
    "docs/workshop/README.md",
    "docs/workshop/card.md",
    "docs/workshop/stages/00-doctor/README.md",
    "docs/workshop/stages/01-block-on/README.md",
    "docs/workshop/stages/02-leaf-futures/README.md",
];

/// Stands under the title of a page that is older than its source: the English page has changed, and is right.
const NOTICE: &str = "> Английская страница с тех пор изменилась; верна она.";

/// Stand around the part of a page that a program writes.
const GENERATED: (&str, &str) = ("<!-- schedule: written by", "<!-- schedule: end -->");

/// Stands at the end of each Russian page, and before the name of the text that it was made from.
const MADE_FROM: &str = "в редакции `";

/// Every Russian page names what it was made from. One that is older than that says so under its title.
pub(crate) fn translations(repo: &Repo) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in TRANSLATED {
        let russian = russian(source);
        found.extend(match (repo.get(source), repo.get(&russian)) {
            (Some(source), Some(page)) => judge(source, page),
            (None, _) => Some(Finding::new(source, 1, format!("the page is missing; {russian} goes with it"))),
            (_, None) => Some(Finding::new(&russian, 1, format!("the page is missing; translate {source}"))),
        });
    }
    let pages = repo.files().filter(|file| file.path.starts_with(RUSSIAN));
    let strays = pages.filter(|page| !TRANSLATED.iter().any(|source| russian(source) == page.path));
    found.extend(strays.map(|page| Finding::new(&page.path, 1, "the page is no translation that tests/tidy knows of")));
    found
}

/// The path of a page's translation.
fn russian(source: &str) -> String {
    format!("{RUSSIAN}{}", source.strip_prefix("docs/").unwrap_or(source))
}

/// Judges a Russian page: an error, or nothing.
fn judge(source: &File, page: &File) -> Option<Finding> {
    let now = name_of(&without_generated(&source.text));
    let last = page.text.lines().count();
    let made_from = page.text.lines().last().and_then(|line| line.split_once(MADE_FROM)?.1.split_once('`'));
    let Some((made_from, _)) = made_from.filter(|(name, _)| name.len() == 40) else {
        let says = format!("the last line names no text; end it with {MADE_FROM}{now}`");
        return Some(Finding::new(&page.path, last, says));
    };
    let notice = page.lines().find(|(_, line)| *line == NOTICE).map(|(line, _)| line);
    match (made_from == now, notice) {
        (false, None) => {
            let says = format!(
                "stale: {path} has changed since (git log -p {path}; git diff {made_from} {path}). Translate that and \
                 name {now} in the last line, or put this line under the title: {NOTICE}",
                path = source.path,
            );
            Some(Finding::new(&page.path, 1, says))
        }
        (true, Some(line)) => Some(Finding::new(&page.path, line, "the page is up to date; take the notice away")),
        (true, None) if blocks(page) != blocks(source) => {
            let says = format!("the blocks of code are not those of {}; take them as they are", source.path);
            Some(Finding::new(&page.path, 1, says))
        }
        _ => None,
    }
}

/// A page without the part that a program writes.
fn without_generated(text: &str) -> String {
    let parts = text.split_once(GENERATED.0).and_then(|(head, rest)| Some((head, rest.split_once(GENERATED.1)?.1)));
    parts.map_or_else(|| text.to_owned(), |(head, tail)| format!("{head}{tail}"))
}

/// The name that git gives to a file of this content.
fn name_of(text: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", text.len()));
    hash.update(text);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The blocks of code that a machine reads: Rust and Python, and what they print.
fn blocks(page: &File) -> Vec<&str> {
    let fenced = page.text.split("\n```").skip(1).step_by(2);
    fenced
        .filter(|block| {
            ["rust", "python", "toml", "text prints", "text broken"].iter().any(|kind| block.starts_with(kind))
        })
        .collect()
}

#[test]
fn a_text_has_the_name_that_git_gives_it() {
    assert_eq!(name_of(""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    assert_eq!(name_of("hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
}

#[test]
fn what_a_program_writes_into_a_page_does_not_count() {
    let page = |table: &str| format!("# A\n{} x -->\n{table}\n{}\nend\n", GENERATED.0, GENERATED.1);
    assert_eq!(without_generated(&page("| 1 |")), without_generated(&page("| 2 |")));
    assert_ne!(without_generated("# A\n"), without_generated("# B\n"));
}

#[test]
fn a_translation_that_is_older_than_its_source_is_found() {
    let source = "# Words\n\n```rust\nlet a = 1;\n```\n";
    const PAGE: &str = "# Слова\n\n```rust\nlet a = 1;\n```\n\nПереведено с words.md в редакции `NAME`.\n";
    let page = |notice: &str, code: &str, name: &str| {
        PAGE.replacen("\n\n", &format!("\n{notice}\n"), 1).replace('1', code).replace("NAME", name)
    };
    let of = |page: &str| {
        let files = TRANSLATED.map(|path| (path, source));
        let good = (TRANSLATED.map(russian), PAGE.replace("NAME", &name_of(source)));
        let pages = good.0.iter().map(|path| (path.as_str(), good.1.as_str()));
        let all: Vec<_> = files.into_iter().chain(pages).chain([("docs/ru/glossary.md", page)]).collect();
        findings(translations, &all)
    };
    let (now, before) = (name_of(source), name_of("# Word\n"));
    assert_eq!(of(&page("", "1", &now)), [""; 0]);
    assert_eq!(of(&page("", "1", &before)), ["docs/ru/glossary.md:1"]);
    assert_eq!(of(&page(NOTICE, "1", &before)), [""; 0]);
    assert_eq!(of(&page(NOTICE, "1", &now)), ["docs/ru/glossary.md:2"]);
    assert_eq!(of(&page("", "2", &now)), ["docs/ru/glossary.md:1"]);
    assert_eq!(of(&page("", "1", "main")), ["docs/ru/glossary.md:7"]);
    assert_eq!(findings(translations, &[]).len(), TRANSLATED.len());
    assert_eq!(findings(translations, &[("docs/ru/tour.md", "# Тур\n")]).last().unwrap(), "docs/ru/tour.md:1");
}
