//! Shown: a name in a sentence or in a table, for people at a terminal.
//!
//! A name is anybody's text, and a terminal obeys what it is sent. So letters that cannot be seen, or that reorder
//! text, are written as escapes. A name is cut. One that runs from right to left is isolated, so that it reorders no
//! word beside it. Source: Unicode Standard Annex #9, section 2.7.

use std::fmt::{self, Write as _};

/// How many characters of a name are shown.
const LONGEST: usize = 64;
/// The marks around a text that might run the other way.
pub(crate) const ISOLATE: [char; 2] = ['\u{2068}', '\u{2069}'];

/// A name in quotes, or with `{:#}` without.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = if f.alternate() { "" } else { "\"" };
        let [begin, end] = ISOLATE
            .map(|isolate| if self.0.chars().take(LONGEST).any(runs_back) { isolate.into() } else { String::new() });
        write!(f, "{quote}{begin}")?;
        let mut room = LONGEST;
        for letter in self.0.chars() {
            let escaped = escaped(letter, f.alternate());
            let Some(left) = room.checked_sub(escaped.chars().count()) else {
                f.write_char('…')?;
                break;
            };
            room = left;
            f.write_str(&escaped)?;
        }
        write!(f, "{end}{quote}")
    }
}

fn escaped(letter: char, is_bare: bool) -> String {
    match letter {
        '\'' => letter.into(),
        '"' if is_bare => letter.into(),
        _ => letter.escape_debug().to_string(),
    }
}

/// Whether a letter is of a script that runs from right to left.
fn runs_back(letter: char) -> bool {
    matches!(letter, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

#[test]
fn a_name_is_escaped_isolated_and_cut_wherever_it_is_shown() {
    assert_eq!(Shown("it's \"me\"").to_string(), r#""it's \"me\"""#);
    assert_eq!(format!("{:#}", Shown("it's \"me\"")), "it's \"me\"");
    assert_eq!(format!("{:#}", Shown("a\x1b[2J\0\r\n\u{202e}b")), r"a\u{1b}[2J\0\r\n\u{202e}b");
    assert_eq!(Shown("שלום").to_string(), "\"\u{2068}שלום\u{2069}\"");
    let long = Shown(&"x".repeat(65_536)).to_string();
    assert_eq!(long, format!("\"{}…\"", "x".repeat(64)));
    assert!(Shown(&"\u{202e}".repeat(65_536)).to_string().len() < 80);
}
