//! Names, and text that others see: none of it may be taken for the room's own voice, or steer a terminal.
//!
//! The room's own lines have no name at all, so nobody can have it. A name that only reads as "room" would deceive
//! people all the same.

use unicode_security::confusable_detection::skeleton;

/// How long a name may be, in characters.
const NAME_MAX: usize = 24;

/// The name that somebody has given, as others see it; or `otherwise`, where it says nothing or is the room's.
pub(crate) fn name_or(given: &str, otherwise: impl FnOnce() -> String) -> String {
    let end = given.char_indices().nth(NAME_MAX).map_or(given.len(), |(end, _)| end);
    let name = printable(&given[..end]);
    // A line of the room begins with a star, at the doors that have no other way to show whose it is.
    let name =
        name.trim_start_matches(|letter: char| letter.is_whitespace() || skeleton(&letter.to_string()).eq(['*']));
    if is_blank(name) || as_read(name) == as_read("room") { otherwise() } else { name.to_owned() }
}

/// Text without what would steer the terminal or turn the line around: control characters, other line breaks, and
/// the marks of direction.
pub(crate) fn printable(text: &str) -> String {
    let steers = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.trim().chars().filter(|letter| !steers(*letter)).collect()
}

/// Whether there is nothing to see: the skeleton leaves out what is invisible, and has the empty pattern of Braille.
fn is_blank(name: &str) -> bool {
    skeleton(name).all(|letter| letter.is_whitespace() || letter == '\u{2800}')
}

/// A name as the eye reads it: "Room", "r o o m", "r00m" and one with letters of other alphabets are the same.
/// Small letters are taken as they look only after capitals have been, since each has lookalikes of its own.
fn as_read(name: &str) -> String {
    let once = |name: &str| -> String {
        skeleton(name).flat_map(char::to_lowercase).filter(|letter| letter.is_alphanumeric()).collect()
    };
    once(&once(name))
}
