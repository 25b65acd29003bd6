//! `cargo stage clinic`: sealed broken programs, known by their recording alone.
//!
//! A case is a folder of `docs/workshop/clinic`, dealt in the order of the folders' names. The page there describes its
//! four files: the complaint, the recording, the source on request, and the answer in Base64, so that no glance tells it.
//!
//! `cargo stage clinic seal FILE` prints a text in that form, for the author of a case.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Said;
use crate::learner::Learner;
use crate::schedule::CASE;
use crate::see;
use crate::stages::{project, read, workshop};
use crate::toml::Toml;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The cases, in order.
pub(crate) fn cases() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(workshop().join("clinic")) else { return Vec::new() };
    let mut cases: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    cases
}

/// The sentence about words that `clinic` cannot use.
pub(crate) fn misuse(words: &[&str]) -> Option<String> {
    let last = cases().len();
    let case = |word: &str| {
        let is_case = word.parse().is_ok_and(|number: usize| (1..=last).contains(&number));
        (!is_case).then(|| format!("there is no case `{word}`; the clinic has cases 1 to {last}"))
    };
    match words {
        [] | ["source" | "answer"] | ["seal", _] => None,
        ["source" | "answer", number] | [number] if *number != "seal" => case(number),
        ["seal"] => Some("`clinic seal` needs the file that it seals".to_owned()),
        _ => Some(
            "`clinic` takes a case, `source`, `answer` or `seal FILE`, as in `cargo stage clinic answer 3`".to_owned(),
        ),
    }
}

/// `cargo stage clinic`.
pub(crate) fn clinic(words: &[&str]) -> Said<()> {
    if let ["seal", file] = words {
        println!("{}", seal(read(Path::new(file))?.as_bytes()));
        return Ok(());
    }
    let cases = cases();
    if cases.is_empty() {
        return Err("docs/workshop/clinic has no case yet".to_owned());
    }
    let learner = Learner::find().ok();
    let dealt = learner.as_ref().and_then(|learner| learner.recall("case")?.parse::<usize>().ok());
    let named = words.iter().find_map(|word| word.parse::<usize>().ok()).map(|number| number.wrapping_sub(1));
    let number = match words {
        ["source" | "answer", ..] => named.or(dealt).unwrap_or(0),
        _ => named.unwrap_or_else(|| dealt.map_or(0, |last| last + 1)),
    };
    let number = if number < cases.len() { number } else { 0 };
    let case = &cases[number];
    match words.first() {
        Some(&"source") => println!("{}", read(&case.join("program.rs"))?),
        Some(&"answer") => println!("{}", open(&read(&case.join("answer.b64"))?)?),
        _ => {
            let toml = Toml::parse(&read(&case.join("case.toml"))?)?;
            println!("Case {} of {}: {}", number + 1, cases.len(), toml.text("", "title").unwrap_or_default());
            println!(
                "Read the recording, and name the bug and its line; {} min",
                toml.number("minutes").unwrap_or(CASE)
            );
            println!("Then: cargo stage clinic source {0}, and: cargo stage clinic answer {0}\n", number + 1);
            if let Some(learner) = &learner {
                learner.remember("case", number)?;
            }
            let folder = learner.map_or_else(|| project().join("target/workshop"), |learner| learner.folder);
            see::show(&case.join("recording.ndjson"), &folder.join(".stage/clinic.html"))?;
        }
    }
    Ok(())
}

/// The faults of a case.
pub(crate) fn faults(case: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    match read(&case.join("recording.ndjson")) {
        Ok(text) if text.starts_with("{\"oneloop\":\"events\"") => {}
        Ok(_) => faults.push("recording.ndjson has no header as docs/events.md has it".to_owned()),
        Err(sentence) => faults.push(sentence),
    }
    faults.extend(read(&case.join("program.rs")).err());
    match read(&case.join("case.toml")).and_then(|text| Toml::parse(&text)) {
        Ok(toml) if toml.text("", "title").is_some() => {}
        Ok(_) => faults.push("case.toml has no title".to_owned()),
        Err(sentence) => faults.push(sentence),
    }
    faults.extend(read(&case.join("answer.b64")).and_then(|text| open(&text)).err());
    faults
}

fn seal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= three.len() { letter as char } else { '=' });
        }
    }
    text
}

fn open(text: &str) -> Said<String> {
    let (mut bits, mut count, mut bytes) = (0u32, 0, Vec::new());
    for letter in text.bytes().filter(|letter| !letter.is_ascii_whitespace() && *letter != b'=') {
        let value = LETTERS.iter().position(|known| *known == letter).ok_or("an answer is no Base64")?;
        (bits, count) = (bits << 6 | value as u32, count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    String::from_utf8(bytes).map_err(|_| "an answer is no UTF-8".to_owned())
}

#[test]
fn what_is_sealed_is_opened_again() {
    assert_eq!(seal(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
    for text in ["", "a", "ab", "abc", "длинный ответ\n"] {
        assert_eq!(open(&seal(text.as_bytes())).as_deref(), Ok(text));
    }
    assert!(open("?").is_err());
}
