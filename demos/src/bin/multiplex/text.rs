//! Numbers as people read them, bars and curves of characters, and colours where they are welcome.

use std::env;
use std::time::Duration;

/// A number with its thousands apart: 12,345.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The same for so many in so many seconds.
pub(crate) fn per_second(number: u64, seconds: f64) -> String {
    grouped((number as f64 / seconds).round() as u64)
}

/// A time in milliseconds, to the hundredth; rounded up, as lateness should be.
pub(crate) fn millis(time: Duration) -> String {
    format!("{:.2}", (time.as_secs_f64() * 1e5).ceil() / 1e2)
}

/// Kibibytes as megabytes, or a dash where they are not known.
pub(crate) fn megabytes(kib: Option<u64>) -> String {
    kib.map_or("-".to_owned(), |kib| format!("{:.1} MB", kib as f64 * 1024.0 / 1e6))
}

pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

/// The abilities of a terminal.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    color: bool,
    unicode: bool,
}

impl Style {
    /// No colours where `NO_COLOR` is set; plain characters where the locale is not UTF-8.
    pub(crate) fn of_terminal() -> Self {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        let locale = locale.unwrap_or_default().to_uppercase();
        let unicode = locale.contains("UTF-8") || locale.contains("UTF8");
        Self { color: set("NO_COLOR").is_none(), unicode }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.paint("1;32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// A bar that is filled from the left to `share`.
    pub(crate) fn progress(self, share: f64, width: usize) -> String {
        let filled = (share.clamp(0.0, 1.0) * width as f64).round() as usize;
        let [done, open] = if self.unicode { ["━", "─"] } else { ["=", "-"] };
        self.paint("36", &done.repeat(filled)) + &self.dim(&open.repeat(width - filled))
    }

    /// A curve of one character a value, the largest one full height. Every value above zero shows.
    pub(crate) fn curve(self, values: impl Iterator<Item = f64> + Clone) -> String {
        let ramp = if self.unicode {
            [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
        } else {
            [' ', '.', ':', '-', '=', '+', '*', '%', '#']
        };
        let top = values.clone().fold(f64::MIN_POSITIVE, f64::max);
        let curve: String = values.map(|value| ramp[(value / top * 8.0).ceil() as usize]).collect();
        self.paint("36", &curve)
    }

    /// Rows of Braille, eight dots a character: a dot for each value that is set. More values than
    /// six rows can show share dots. Returns how many share one; and no rows where there is no
    /// Braille.
    pub(crate) fn dots(self, set: &[bool], width: usize) -> (usize, Vec<String>) {
        if !self.unicode || set.is_empty() {
            return (1, Vec::new());
        }
        let dots_a_row = width * 8;
        let rows = set.len().div_ceil(dots_a_row).min(6);
        let share = set.len().div_ceil(rows * dots_a_row);
        let dots: Vec<bool> = set.chunks(share).map(|shared| shared.contains(&true)).collect();
        let cell = |dots: &[bool]| {
            let bits = dots.iter().rev().fold(0, |bits, dot| bits << 1 | u32::from(*dot));
            char::from_u32(0x2800 + bits).unwrap_or(' ')
        };
        let row = |dots: &[bool]| self.paint("36", &dots.chunks(8).map(cell).collect::<String>());
        (share, dots.chunks(dots_a_row).map(row).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, grouped, millis};

    #[test]
    fn thousands_are_set_apart() {
        let shown: Vec<_> = [0, 999, 1_000, 1_234_567].map(grouped).into();
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn no_time_looks_shorter_than_it_was() {
        assert_eq!(millis(Duration::from_micros(1_001)), "1.01");
        assert_eq!(millis(Duration::ZERO), "0.00");
    }
}
