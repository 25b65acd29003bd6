//! Rule 7: what a stage's page shows is what there is.
//!
//! A fenced block says by its first line how it is held:
//!
//! ```text
//!     rust                a program: it is compiled inside the solution, and run
//!     text prints         what the program above it prints
//!     rust quote          lines that stand so in a file of the stage: solution, stub, tests or a wrong version
//!     text broken NAME    lines that `cargo stage test` says, in this order, of the wrong version NAME
//!     text trace TEST     lines that stand so, in this order, in the recording of a test of the solution
//!     text, console       a drawing, or something to type: not looked at
//! ```

use crate::Said;
use crate::stages::{Stage, read};

/// A fenced block of a page.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) line: usize,
    pub(crate) kind: String,
    pub(crate) text: String,
}

/// Around what a program of the page prints.
pub(crate) const MARK: &str = "--- the page's program ---";

/// The headings that every page of a stage has.
const HEADINGS: [&str; 6] = [
    "## What always holds",
    "## Predict first",
    "## The wrong version",
    "## Your task",
    "## What the tests look at",
    "## Three questions",
];

/// The blocks of a stage's page.
pub(crate) fn blocks(stage: &Stage) -> Said<Vec<Block>> {
    let page = read(&stage.readme())?;
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (line, text) in (1..).zip(page.lines()) {
        match (text.trim_start().strip_prefix("```"), open) {
            (Some(kind), false) => {
                blocks.push(Block { line, kind: kind.trim().to_owned(), text: String::new() });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                if let Some(block) = blocks.last_mut() {
                    block.text.push_str(text);
                    block.text.push('\n');
                }
            }
            (None, false) => {}
        }
    }
    Ok(blocks)
}

/// A module with the programs of a page as tests, and what each must print.
pub(crate) fn programs(blocks: &[Block]) -> (String, Vec<(String, Option<String>)>) {
    let mut module = String::from("//! The programs of the page.\n\nuse crate::*;\n\n");
    let mut expected = Vec::new();
    for (at, block) in blocks.iter().enumerate().filter(|(_, block)| block.kind == "rust") {
        let name = format!("line_{}", block.line);
        module.push_str(&format!(
            "#[test]\nfn {name}() {{\nprintln!(\"{MARK}\");\n{}\nprintln!(\"{MARK}\");\n}}\n\n",
            block.text
        ));
        let prints = blocks.get(at + 1).filter(|next| next.kind == "text prints").map(|next| next.text.clone());
        expected.push((format!("page::{name}"), prints));
    }
    (module, expected)
}

/// The lines that a program of the page printed between its marks.
pub(crate) fn between_marks(printed: &str) -> &str {
    let inside = printed.split_once(MARK).and_then(|(_, rest)| rest.rsplit_once(MARK)).map_or("", |(inside, _)| inside);
    inside.strip_prefix('\n').unwrap_or(inside)
}

/// The first line of `shown` that does not stand in `said`, in order. Blank lines and dots say "and so on", and the end
/// of a line may be left out.
pub(crate) fn first_missing<'a>(shown: &'a str, said: &str) -> Option<&'a str> {
    let mut said = said.lines().map(str::trim);
    let shown = shown.lines().filter(|line| !["", "…"].contains(&line.trim()));
    shown.into_iter().find(|line| !said.any(|there| there.starts_with(line.trim())))
}

/// The faults of a page's shape, and of what it quotes. `texts` are all that it may quote from.
pub(crate) fn faults(stage: &Stage, texts: &[&str]) -> Said<Vec<String>> {
    let mut faults = Vec::new();
    let page = read(&stage.readme())?;
    if !stage.files("src")?.is_empty() && stage.number > 0 {
        let missing = HEADINGS.iter().filter(|heading| !page.lines().any(|line| line.trim_end() == **heading));
        faults.extend(missing.map(|heading| format!("README.md lacks `{heading}`")));
        if page.matches("<details>").count() < 3 {
            faults.push("README.md lacks three questions with folded answers".to_owned());
        }
    }
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let squeezed: Vec<String> = texts.iter().map(|text| squeeze(text)).collect();
    for block in blocks(stage)? {
        let known = ["rust", "rust quote", "text", "text prints", "console", "python"];
        if block.kind == "rust quote" && !squeezed.iter().any(|text| text.contains(&squeeze(&block.text))) {
            faults.push(format!("README.md:{}: nothing of this stage has these lines", block.line));
        } else if !known.contains(&block.kind.as_str()) && !block.kind.starts_with("text ") {
            faults.push(format!("README.md:{}: a block `{}` is not known", block.line, block.kind));
        }
    }
    Ok(faults)
}

#[test]
fn lines_are_looked_for_in_order() {
    assert_eq!(first_missing("a\n\nc\n", "a\nb\nc\n"), None);
    assert_eq!(first_missing("c\na\n", "a\nb\nc\n"), Some("a"));
}
