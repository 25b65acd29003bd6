//! A recording, as a learner's tests write it: one flat JSON object a line, as in docs/events.md.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

/// An event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Event {
    pub(crate) number: u64,
    pub(crate) time: u64,
    pub(crate) kind: String,
    facts: BTreeMap<String, String>,
}

impl Event {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.facts.get(key).map(String::as_str)
    }

    pub(crate) fn number_of(&self, key: &str) -> Option<u64> {
        self.get(key)?.parse().ok()
    }

    pub(crate) fn task(&self) -> Option<u64> {
        self.number_of("task")
    }

    /// The event without its number, and where `with_times` is false without any span of time.
    pub(crate) fn told(&self, with_times: bool) -> String {
        let keys = KEYS.into_iter().filter(|key| with_times || !["deadline", "timeout"].contains(key));
        let facts = keys.filter_map(|key| self.fact(key));
        std::iter::once(self.kind.clone()).chain(facts).collect::<Vec<_>>().join(" ")
    }

    /// One fact of it, for a person.
    fn fact(&self, key: &str) -> Option<String> {
        match (key, self.get(key)?) {
            ("queued", "true") => None,
            ("queued", _) => Some("(queued already)".to_owned()),
            ("outcome" | "name" | "text", value) => Some(value.to_owned()),
            ("timeout", "null") => Some("until a wake".to_owned()),
            ("deadline" | "timeout", value) => {
                Some(format!("{key} {} ms", value.parse::<u64>().unwrap_or(0) as f64 / 1e6))
            }
            (_, value) => Some(format!("{key} {value}")),
        }
    }
}

/// The keys that are shown, in their order.
const KEYS: [&str; 16] = [
    "task", "timer", "source", "turn", "name", "outcome", "on", "by", "queued", "deadline", "timeout", "read", "write",
    "events", "polls", "text",
];

/// A line for a person, without the time: so the same run reads the same.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>4}  {:<15}", self.number, self.kind)?;
        KEYS.into_iter().filter_map(|key| self.fact(key)).try_for_each(|fact| write!(f, " {fact}"))?;
        Ok(())
    }
}

/// The events of a recording; none where there is none. The header and lines that are no events are skipped.
pub(crate) fn read(path: &Path) -> Vec<Event> {
    parse(&fs::read_to_string(path).unwrap_or_default())
}

/// Whether the page has something to show of a recording: a task, or a timer.
pub(crate) fn has_tasks(path: &Path) -> bool {
    read(path).iter().any(|event| ["spawn", "timer_set"].contains(&event.kind.as_str()))
}

/// The events of a recording's text.
pub(crate) fn parse(text: &str) -> Vec<Event> {
    text.lines().filter_map(event).collect()
}

fn event(line: &str) -> Option<Event> {
    let mut facts = BTreeMap::new();
    let mut rest = line.trim().strip_prefix('{')?;
    while let Some((key, after)) = string(rest.trim_start_matches([',', ' '])) {
        let after = after.trim_start().strip_prefix(':')?.trim_start();
        let (value, after) = match string(after) {
            Some(found) => found,
            None => {
                let end = after.find([',', '}'])?;
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        facts.insert(key, value);
        rest = after;
    }
    let number = |key: &str| facts.get(key).and_then(|value| value.parse().ok());
    let (n, time) = (number("n")?, number("t")?);
    let kind = facts.remove("e")?;
    Some(Event { number: n, time, kind, facts })
}

/// A string at the beginning, and what comes behind it.
fn string(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.strip_prefix('"')?.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 2..])),
            '\\' => value.push(letters.next()?.1),
            letter => value.push(letter),
        }
    }
    None
}

#[test]
fn an_event_is_read_and_told() {
    let line = r#"{"n":7,"t":5,"e":"wake","task":2,"by":"thread 1","queued":false}"#;
    let event = event(line).expect("it is one");
    assert_eq!((event.number, event.time, event.task()), (7, 5, Some(2)));
    assert_eq!(event.to_string(), "   7  wake            task 2 by thread 1 (queued already)");
}
