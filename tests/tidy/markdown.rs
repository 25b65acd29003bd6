//! Just enough of Markdown to read our own pages: fences, headings, links, and code in backticks.

use crate::repo::File;

/// One line of a page that is not inside a fenced block, unless `fenced` says so.
pub(crate) struct Line<'a> {
    pub(crate) number: usize,
    pub(crate) text: &'a str,
    pub(crate) fenced: bool,
}

/// The lines of a page. The fences themselves are left out.
pub(crate) fn lines(page: &File) -> Vec<Line<'_>> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (number, text) in page.lines() {
        if text.trim_start().starts_with("```") {
            fenced = !fenced;
        } else {
            lines.push(Line { number, text, fenced });
        }
    }
    lines
}

impl<'a> Line<'a> {
    /// The level and the words of a heading.
    pub(crate) fn heading(&self) -> Option<(usize, &'a str)> {
        let words = self.text.trim_start_matches('#');
        let level = self.text.len() - words.len();
        (!self.fenced && level > 0 && words.starts_with(' ')).then(|| (level, words.trim()))
    }

    /// The texts in backticks.
    pub(crate) fn code_spans(&self) -> impl Iterator<Item = &'a str> {
        code_spans(self.text)
    }

    /// The targets of links and images: `[words](target)` and `[words]: target`.
    pub(crate) fn links(&self) -> Vec<&'a str> {
        if self.fenced {
            return Vec::new();
        }
        // Every other piece between backticks is code; `[a](b)` in it is an array and a call.
        let code = |at: usize| self.text[..at].matches('`').count() % 2 == 1;
        let mut links = Vec::new();
        for (at, _) in self.text.match_indices("](").filter(|&(at, _)| !code(at)) {
            let target = &self.text[at + 2..];
            links.extend(target.split([')', ' ']).next());
        }
        if let Some((_, target)) = self.text.split_once("]: ").filter(|(words, _)| words.starts_with('[')) {
            links.extend(target.split_whitespace().next());
        }
        links
    }
}

/// The texts in backticks.
pub(crate) fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The name of a heading in a link: `#the-life-of-a-wake`.
pub(crate) fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

fn page(text: &str) -> crate::repo::Repo {
    crate::repo::Repo::of(&[("docs/page.md", text)])
}

#[test]
fn links_are_found_outside_of_code_only() {
    let repo = page("See [a](a.md#x), ![b](b.png \"B\") and `[c](c)`.\n```\n[d](d)\n```\n[e]: e.md\n");
    let lines = lines(repo.get("docs/page.md").unwrap());
    let links: Vec<_> = lines.iter().flat_map(Line::links).collect();
    assert_eq!(links, ["a.md#x", "b.png", "e.md"]);
}

#[test]
fn headings_have_a_level_and_an_anchor() {
    let repo = page("# One `turn`, told\n#hash\n```\n# comment\n```\n### A-b c\n");
    let lines = lines(repo.get("docs/page.md").unwrap());
    let headings: Vec<_> = lines.iter().filter_map(Line::heading).collect();
    assert_eq!(headings, [(1, "One `turn`, told"), (3, "A-b c")]);
    assert_eq!(anchor(headings[0].1), "one-turn-told");
    assert_eq!(anchor(headings[1].1), "a-b-c");
    assert_eq!(anchor("Отмена — это ..."), "отмена--это-");
}

#[test]
fn code_spans_are_what_stands_in_backticks() {
    let repo = page("a `b` c `d::e` f");
    let lines = lines(repo.get("docs/page.md").unwrap());
    assert_eq!(lines[0].code_spans().collect::<Vec<_>>(), ["b", "d::e"]);
}
