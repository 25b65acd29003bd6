//! Holes: regions of a file between two marks, which a learner fills.
//!
//! ```text
//!     // stage: hole "park"
//!     …the solution, or `todo!`, or what the learner wrote…
//!     // stage: end
//! ```
//!
//! The marks stay in the learner's file. By them a later stage that brings the same file anew finds what the
//! learner wrote, and carries it over.

use crate::Said;

const BEGIN: &str = "// stage: hole \"";
const END: &str = "// stage: end";

/// A file in pieces.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// The text that is given, line by line.
    Given(String),
    Hole {
        name: String,
        indent: String,
        text: String,
    },
}

/// Takes a file apart.
pub(crate) fn pieces(text: &str) -> Said<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut given = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.trim_start().strip_prefix(BEGIN) else {
            given.push_str(line);
            given.push('\n');
            continue;
        };
        let name = name.trim_end().trim_end_matches('"').to_owned();
        let indent = line[..line.len() - line.trim_start().len()].to_owned();
        let mut text = String::new();
        loop {
            let Some(line) = lines.next() else {
                return Err(format!("the hole \"{name}\" has no `{END}`; put the line back below it"));
            };
            if line.trim() == END {
                break;
            }
            text.push_str(line);
            text.push('\n');
        }
        pieces.push(Piece::Given(std::mem::take(&mut given)));
        pieces.push(Piece::Hole { name, indent, text });
    }
    pieces.push(Piece::Given(given));
    Ok(pieces)
}

/// Puts a file together, with the text of each hole as `fill` has it: from its name and its text, and whether it
/// is the last thing of its block.
pub(crate) fn join(pieces: &[Piece], mut fill: impl FnMut(&str, &str, &str, bool) -> String) -> String {
    let mut text = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Given(given) => text.push_str(given),
            Piece::Hole { name, indent, text: inside } => {
                let is_last = match pieces.get(at + 1) {
                    Some(Piece::Given(next)) => next.trim_start().starts_with('}'),
                    _ => false,
                };
                text.push_str(&format!("{indent}{BEGIN}{name}\"\n"));
                text.push_str(&fill(name, indent, inside, is_last));
                text.push_str(&format!("{indent}{END}\n"));
            }
        }
    }
    text
}

/// The holes of a file, by name.
pub(crate) fn holes(text: &str) -> Said<Vec<(String, String)>> {
    let holes = pieces(text)?.into_iter().filter_map(|piece| match piece {
        Piece::Hole { name, text, .. } => Some((name, text)),
        Piece::Given(_) => None,
    });
    Ok(holes.collect())
}

/// The hole that a line lies in, counted from 1.
pub(crate) fn at_line(text: &str, line: usize) -> Option<String> {
    let mut inside = None;
    for (number, text) in (1..).zip(text.lines()) {
        if let Some(name) = text.trim_start().strip_prefix(BEGIN) {
            inside = Some(name.trim_end().trim_end_matches('"').to_owned());
        } else if text.trim() == END {
            inside = None;
        }
        if number == line {
            return inside;
        }
    }
    None
}

/// A file without what its holes hold: by it one sees whether the given part was changed.
pub(crate) fn given(text: &str) -> Said<String> {
    Ok(join(&pieces(text)?, |_, _, _, _| String::new()))
}

/// The text of an empty hole.
pub(crate) fn stub(stage: usize, name: &str, indent: &str, is_last: bool) -> String {
    format!("{indent}todo!(\"stage {stage}: {name}\"){}\n", if is_last { "" } else { ";" })
}

#[test]
fn a_file_is_taken_apart_and_put_together_again() {
    let text = "fn a() {\n    // stage: hole \"x\"\n    1\n    // stage: end\n}\n";
    let pieces = pieces(text).expect("it is closed");
    assert_eq!(join(&pieces, |_, _, inside, _| inside.to_owned()), text);
    let stubbed = join(&pieces, |name, indent, _, is_last| stub(3, name, indent, is_last));
    assert!(stubbed.contains("\n    todo!(\"stage 3: x\")\n"), "{stubbed}");
    assert_eq!(holes(text).expect("it is closed"), [("x".to_owned(), "    1\n".to_owned())]);
    assert!(holes("// stage: hole \"x\"\n1\n").is_err());
    assert_eq!((at_line(text, 1), at_line(text, 3).as_deref(), at_line(text, 5)), (None, Some("x"), None));
}
