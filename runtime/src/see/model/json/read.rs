//! A reader of flat JSON objects: the little of JSON (RFC 8259) that a recording needs.
//!
//! An object whose values are strings, numbers, `true`, `false` or `null` is taken apart; anything nested is
//! refused. Numbers can be asked for only where they are whole and not negative.

use std::borrow::Cow;
use std::time::Duration;

/// A flat object.
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

/// A value that is not nested.
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    /// As it was written.
    Number(&'a str),
    Text(Cow<'a, str>),
}

/// A type that a value can be read as.
pub(crate) trait Read<'v>: Sized {
    /// Its name in an error.
    const WHAT: &'static str;
    fn read(value: &'v Value<'_>) -> Option<Self>;
}

impl<'a> Object<'a> {
    /// # Errors
    ///
    /// Says what was to come where something else came, and at which byte.
    pub(crate) fn parse(text: &'a str) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0 };
        let object = reader.object()?;
        reader.spaces();
        if reader.at < text.len() {
            return Err(reader.expected("the end of the line"));
        }
        Ok(object)
    }

    fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// The value of a key that may be missing.
    pub(crate) fn maybe<'v, T: Read<'v>>(&'v self, key: &str) -> Result<Option<T>, String> {
        let read = |value| T::read(value).ok_or_else(|| format!("\"{key}\" is not {}", T::WHAT));
        self.get(key).map(read).transpose()
    }

    /// The value of a key that must be there.
    pub(crate) fn need<'v, T: Read<'v>>(&'v self, key: &str) -> Result<T, String> {
        self.maybe(key)?.ok_or_else(|| format!("\"{key}\" is missing"))
    }

    /// A value that is written as a text, and means something else.
    pub(crate) fn means<T>(&self, key: &str, meaning: impl FnOnce(&str) -> Result<T, String>) -> Result<T, String> {
        meaning(self.need(key)?).map_err(|error| format!("\"{key}\": {error}"))
    }
}

impl Read<'_> for bool {
    const WHAT: &'static str = "true or false";
    fn read(value: &Value<'_>) -> Option<Self> {
        if let Value::Bool(truth) = value { Some(*truth) } else { None }
    }
}

impl<'v> Read<'v> for &'v str {
    const WHAT: &'static str = "a text";
    fn read(value: &'v Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }
}

impl Read<'_> for u64 {
    const WHAT: &'static str = "a whole number from 0 to 18446744073709551615";
    fn read(value: &Value<'_>) -> Option<Self> {
        if let Value::Number(digits) = value { digits.parse().ok() } else { None }
    }
}

impl Read<'_> for usize {
    const WHAT: &'static str = u64::WHAT;
    fn read(value: &Value<'_>) -> Option<Self> {
        u64::read(value)?.try_into().ok()
    }
}

impl Read<'_> for u32 {
    const WHAT: &'static str = "a whole number from 0 to 4294967295";
    fn read(value: &Value<'_>) -> Option<Self> {
        u64::read(value)?.try_into().ok()
    }
}

impl Read<'_> for Duration {
    const WHAT: &'static str = "a number of nanoseconds";
    fn read(value: &Value<'_>) -> Option<Self> {
        let Value::Number(digits) = value else { return None };
        let nanoseconds: u128 = digits.parse().ok()?;
        let second = 1_000_000_000;
        Some(Self::new((nanoseconds / second).try_into().ok()?, (nanoseconds % second) as u32))
    }
}

/// A value, or null.
impl<'v, T: Read<'v>> Read<'v> for Option<T> {
    const WHAT: &'static str = T::WHAT;
    fn read(value: &'v Value<'_>) -> Option<Self> {
        if matches!(value, Value::Null) { Some(None) } else { T::read(value).map(Some) }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn expected(&self, what: &str) -> String {
        let found = self.rest().chars().next().map_or_else(|| String::from("the end"), |c| format!("{c:?}"));
        format!("at byte {} comes {found} instead of {what}", self.at + 1)
    }

    fn spaces(&mut self) {
        self.at += self.rest().bytes().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
    }

    /// Whether this comes next. If so, it is behind us.
    fn comes(&mut self, mark: &str) -> bool {
        self.spaces();
        let comes = self.rest().starts_with(mark);
        self.at += if comes { mark.len() } else { 0 };
        comes
    }

    fn must_come(&mut self, mark: &str) -> Result<(), String> {
        if self.comes(mark) { Ok(()) } else { Err(self.expected(&format!("{mark:?}"))) }
    }

    fn object(&mut self) -> Result<Object<'a>, String> {
        let mut pairs: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
        self.must_come("{")?;
        if self.comes("}") {
            return Ok(Object(pairs));
        }
        loop {
            self.must_come("\"")?;
            let key = self.text()?;
            if pairs.iter().any(|(known, _)| *known == key) {
                return Err(format!("{key:?} is there twice"));
            }
            self.must_come(":")?;
            pairs.push((key, self.value()?));
            if self.comes("}") {
                return Ok(Object(pairs));
            }
            self.must_come(",")?;
        }
    }

    fn value(&mut self) -> Result<Value<'a>, String> {
        if self.comes("\"") {
            return self.text().map(Value::Text);
        }
        for (word, value) in [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))] {
            if self.comes(word) {
                return Ok(value);
            }
        }
        let number = self.rest();
        let length = number.bytes().take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
        if length == 0 {
            return Err(self.expected("a text, a number, true, false or null"));
        }
        self.at += length;
        Ok(Value::Number(&number[..length]))
    }

    /// A string, behind its first quote. It is copied only if it has escapes.
    fn text(&mut self) -> Result<Cow<'a, str>, String> {
        let mut read = Cow::Borrowed("");
        loop {
            let rest = self.rest();
            let Some(stop) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') else {
                self.at = self.text.len();
                return Err(self.expected("the rest of a text"));
            };
            read += &rest[..stop];
            self.at += stop;
            if self.rest().starts_with('"') {
                self.at += 1;
                return Ok(read);
            }
            read.to_mut().push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let mut after = self.rest().chars().skip(1);
        let escaped = match (self.rest().starts_with('\\'), after.next()) {
            (true, Some(plain @ ('"' | '\\' | '/'))) => plain,
            (true, Some('b')) => '\u{8}',
            (true, Some('f')) => '\u{c}',
            (true, Some('n')) => '\n',
            (true, Some('r')) => '\r',
            (true, Some('t')) => '\t',
            (true, Some('u')) => return self.unicode(),
            _ => return Err(self.expected("an escape that JSON knows")),
        };
        self.at += 2;
        Ok(escaped)
    }

    /// `\u` and four hexadecimal digits; two of these make one character outside the first 65,536.
    fn unicode(&mut self) -> Result<char, String> {
        let wrong = self.expected("the escape of a character");
        let unit = |at: usize| {
            let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
            digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
        };
        let units: Vec<u16> = [unit(self.at), unit(self.at + 6)].into_iter().map_while(|unit| unit).collect();
        let Some(Ok(read)) = char::decode_utf16(units).next() else { return Err(wrong) };
        self.at += 6 * read.len_utf16();
        Ok(read)
    }
}
