//! Rule 5: a file of the solution equals a file of the heart, but for what `stage.toml` names.
//!
//! Compared is the code: comments, attributes and the marks of holes do not count, nor how lines are broken. What
//! `but` names is left out on both sides: `fn name` with its body, and any other text as it stands. `renamed` has names
//! that are others there: `theirs -> ours`.

use crate::Said;
use crate::stages::{Stage, project, read};
use crate::tree::Files;

/// What differs, for each pair that a stage names.
pub(crate) fn faults(stage: &Stage, solution: &Files) -> Said<Vec<String>> {
    let mut faults = Vec::new();
    for path in stage.toml.sections("same_as") {
        let section = format!("same_as.{path}");
        let real = stage.toml.text(&section, "real").unwrap_or_default().to_owned();
        let but = stage.toml.list(&section, "but");
        let Some(ours) = solution.get(&path) else {
            faults.push(format!("stage.toml compares {path}, which is not there"));
            continue;
        };
        let mut theirs = read(&project().join(&real))?;
        for names in stage.toml.list(&section, "renamed") {
            if let Some((there, here)) = names.split_once(" -> ") {
                theirs = theirs.replace(there, here);
            }
        }
        let (ours, theirs) = (code(ours, &but)?, code(&theirs, &but)?);
        let different = ours.iter().zip(&theirs).position(|(a, b)| a != b);
        let at = different.or((ours.len() != theirs.len()).then(|| ours.len().min(theirs.len())));
        if let Some(at) = at {
            let around = |words: &[String]| words[at.saturating_sub(6)..(at + 6).min(words.len())].join(" ");
            faults.push(format!(
                "{path} and {real} differ: `{}` here, `{}` there; make them equal, or name the difference in `but`",
                around(&ours),
                around(&theirs)
            ));
        }
    }
    Ok(faults)
}

/// The words of the code, without what does not count.
fn code(text: &str, but: &[String]) -> Said<Vec<String>> {
    let mut plain = String::new();
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default();
        if !code.trim_start().starts_with("#[") {
            plain.push_str(code);
            plain.push('\n');
        }
    }
    for item in but {
        plain = match item.strip_prefix("fn ") {
            Some(name) => without_function(&plain, name),
            None => plain.replace(item.as_str(), ""),
        };
    }
    Ok(words(&plain))
}

/// The text without a function, from the beginning of its line to its closing brace.
fn without_function(text: &str, name: &str) -> String {
    let Some(at) = text.find(&format!("fn {name}(")).or_else(|| text.find(&format!("fn {name}<"))) else {
        return text.to_owned();
    };
    let begin = text[..at].rfind('\n').map_or(0, |line| line + 1);
    let mut depth = 0;
    for (offset, letter) in text[at..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 1 => return format!("{}{}", &text[..begin], &text[at + offset + 1..]),
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.to_owned()
}

/// Names, numbers and signs, one by one. A comma before a closing bracket is only layout.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut in_word = false;
    for letter in text.chars() {
        let is_word = letter.is_alphanumeric() || letter == '_';
        if letter.is_whitespace() {
            in_word = false;
            continue;
        }
        if ")]}>".contains(letter) && words.last().is_some_and(|word| word == ",") {
            words.pop();
        }
        match words.last_mut() {
            Some(word) if in_word && is_word => word.push(letter),
            _ => words.push(letter.to_string()),
        }
        in_word = is_word;
    }
    words
}

#[test]
fn layout_comments_and_what_is_named_do_not_count() {
    let ours = "fn a(x: u8,) {\n    // stage: hole \"a\"\n    x + 1 // one\n    // stage: end\n}\n";
    let theirs = "/// Adds.\n#[inline]\nfn a(x: u8) { x + 1 }\nfn b() { if true { } }\n";
    let but = ["fn b".to_owned()];
    assert_eq!(code(ours, &but), code(theirs, &but));
    assert_ne!(code(ours, &[]), code(theirs, &[]));
}
