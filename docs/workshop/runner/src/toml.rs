//! The little of TOML that a `stage.toml` uses: sections, strings, whole numbers and lists of strings.

use std::collections::BTreeMap;

use crate::Said;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(u64),
    List(Vec<String>),
}

/// The values of each section by key; those before the first section are under an empty name.
#[derive(Default)]
pub(crate) struct Toml(pub(crate) BTreeMap<String, BTreeMap<String, Value>>);

impl Toml {
    pub(crate) fn parse(text: &str) -> Said<Self> {
        let mut toml = Self::default();
        let mut section = String::new();
        let mut lines = (1..).zip(text.lines());
        while let Some((number, line)) = lines.next() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.replace('"', "");
                toml.0.entry(section.clone()).or_default();
                continue;
            }
            let Some((key, value)) = line.split_once(" = ") else {
                return Err(format!("line {number} is no `key = value`: {line}"));
            };
            let mut value = value.to_owned();
            while value.starts_with('[') && !value.ends_with(']') {
                let Some((_, more)) = lines.next() else { break };
                value.push_str(more.trim());
            }
            let value = parse_value(&value).ok_or_else(|| format!("line {number}: `{value}` is no value here"))?;
            toml.0.entry(section.clone()).or_default().insert(key.trim().to_owned(), value);
        }
        Ok(toml)
    }

    pub(crate) fn text(&self, section: &str, key: &str) -> Option<&str> {
        match self.0.get(section)?.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        match self.0.get("")?.get(key)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn list(&self, section: &str, key: &str) -> Vec<String> {
        match self.0.get(section).and_then(|section| section.get(key)) {
            Some(Value::List(list)) => list.clone(),
            _ => Vec::new(),
        }
    }

    /// The names behind `prefix.`, of all sections that begin so.
    pub(crate) fn sections(&self, prefix: &str) -> Vec<String> {
        let names = self.0.keys().filter_map(|name| name.strip_prefix(prefix)?.strip_prefix('.'));
        names.map(str::to_owned).collect()
    }
}

fn parse_value(text: &str) -> Option<Value> {
    if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let strings = inside.split('"').skip(1).step_by(2);
        return Some(Value::List(strings.map(str::to_owned).collect()));
    }
    if let Some(inside) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return Some(Value::Text(inside.to_owned()));
    }
    text.parse().ok().map(Value::Number)
}

#[test]
fn sections_texts_numbers_and_lists_are_read() {
    let toml = Toml::parse("a = 3\nb = \"x y\"\n\n[s.t]\nc = [\n  \"1\",\n  \"2, 3\"]\n").expect("it is one");
    assert_eq!((toml.number("a"), toml.text("", "b")), (Some(3), Some("x y")));
    assert_eq!(toml.list("s.t", "c"), ["1", "2, 3"]);
    assert_eq!(toml.sections("s"), ["t"]);
    assert!(Toml::parse("nonsense").is_err());
}
