//! The live board: the last second on a dozen lines, drawn in place.
//!
//! It never hides the cursor, never leaves the normal screen and always ends on a line of its own,
//! so there is nothing to clean up however the program ends.

use std::io;

use oneloop_demos::show;
use rustix::termios::tcgetwinsize;

use crate::record::{Record, Sample, Span};
use crate::tally::Histogram;
use crate::text::{Style, grouped, megabytes, millis, per_second, percent};

/// On a narrower terminal, columns stand one below the other.
const WIDTH: usize = 76;
/// Width of the curves, and of the bar for the processor beside them.
const CURVE: usize = 44;

pub(crate) struct Board {
    style: Style,
    /// Columns and rows of the terminal when it was drawn last.
    size: (u16, u16),
    /// Lines of the last drawing, above the cursor.
    drawn: usize,
}

impl Board {
    pub(crate) fn new() -> Self {
        Self { style: Style::of_terminal(), size: terminal_size(), drawn: 0 }
    }

    /// Draws the board over the last one, in one write, so that it does not flicker.
    pub(crate) fn draw(&mut self, record: &Record) {
        let size = terminal_size();
        let back = if size != self.size {
            "\x1b[2J\x1b[H".to_owned() // nobody knows where the old lines went
        } else if self.drawn > 0 {
            format!("\x1b[{}F", self.drawn)
        } else {
            String::new()
        };
        // One row stays free for the cursor. A board too high for the terminal loses its last
        // lines; one too wide is cut off by the terminal, as wrapping is off (?7l) meanwhile.
        let mut lines = self.lines(record);
        lines.truncate(usize::from(size.1).saturating_sub(1));
        // A terminal that stalls has none of it, and the next drawing goes over the last one that was drawn.
        if show(format!("{back}\x1b[?7l{}\x1b[K\x1b[?7h\n", lines.join("\x1b[K\n"))) {
            (self.size, self.drawn) = (size, lines.len());
        }
    }

    /// Two columns stay free at the left.
    fn width(&self) -> usize {
        usize::from(self.size.0).saturating_sub(2).clamp(40, WIDTH)
    }

    fn is_narrow(&self) -> bool {
        self.width() < WIDTH
    }

    fn lines(&self, record: &Record) -> Vec<String> {
        let name = "one thread, one loop";
        let (title, share) = progress(record);
        let width = self.width();
        let mut lines = vec![
            String::new(),
            format!("  {}{title:>1$}", self.style.bold(name), width - name.len()),
            format!("  {}", self.style.progress(share, width)),
            String::new(),
        ];
        if let (Some(now), Some(last)) = (record.now().filter(|now| record.plan.has_rates(now.seconds)), record.last())
        {
            lines.extend(self.figures(last, &now));
            lines.push(String::new());
            lines.extend(self.curves(record, &now));
            lines.push(String::new());
            lines.extend(self.connections(record));
        }
        lines
    }

    /// Three columns: what happens in a second, what there is, and how long things take.
    fn figures(&self, last: &Sample, now: &Span) -> Vec<String> {
        let style = self.style;
        let (metrics, counts, usage) = (&last.metrics, &last.counts, &last.usage);
        let cell = |name: &str, value: &str| format!("{name:9}{}", style.bold(&format!("{value:>9}")));
        let rate = |name: &str, count| cell(name, &per_second(count, now.seconds));
        let threads = match usage.threads {
            Some(1) => format!("{:9}{}", "threads", style.good(&format!("{:>9}", 1))),
            threads => cell("threads", &threads.map_or("-".to_owned(), grouped)),
        };
        let times = |name: &str, times: &Histogram| {
            let [p50, p99, max] = [times.quantile(0.5), times.quantile(0.99), times.max()].map(millis);
            format!("{name:11}{}", style.bold(&format!("{p50:>7}{p99:>7}{max:>7}")))
        };
        let checked = |count: u64, what: &str, faults: u64, fault: &str| {
            let verdict = format!("{} {fault}", grouped(faults));
            let verdict = if faults == 0 { style.good(&verdict) } else { style.bad(&verdict) };
            format!("{} {what}, {verdict}", style.bold(&grouped(count)))
        };
        let head = |text: &str| style.dim(text);
        let bad = counts.wrong + counts.lost;
        let rows = [
            [
                head(&format!("{:18}", "a second")),
                head(&format!("{:18}", "alive")),
                head("in ms          p50    p99    max"),
            ],
            [rate("turns", now.turns), cell("tasks", &grouped(metrics.tasks)), times("timers late", &now.late)],
            [rate("polls", now.polls), cell("timers", &grouped(metrics.timers)), times("echo back", &now.trips)],
            [rate("parks", now.parks), cell("sockets", &grouped(metrics.sources)), String::new()],
            [rate("requests", now.echoes), threads, checked(counts.echoes, "echoes", bad, "wrong or lost")],
            [
                rate("timers", now.fired),
                cell("memory", &megabytes(usage.memory_kib)),
                checked(counts.fired, "timers", counts.early, "early"),
            ],
        ];
        if !self.is_narrow() {
            return rows.map(|row| format!("  {}", row.join("    "))).into();
        }
        let [left, right] = [0..2, 2..3].map(|columns| rows.iter().map(move |row| row[columns.clone()].join("    ")));
        let lines = left.chain([String::new()]).chain(right.filter(|cell| !cell.is_empty()));
        lines.map(|line| format!("  {line}")).collect()
    }

    /// A dot for each connection. It is lit where one has just spoken.
    fn connections(&self, record: &Record) -> Vec<String> {
        let (share, rows) = self.style.dots(&record.speakers, self.width());
        let caption = match share {
            1 => "every connection is a dot".to_owned(),
            share => format!("every dot is {share} connections"),
        };
        let lit = if self.is_narrow() { "lit at an echo" } else { "lit if an echo has come back since the last frame" };
        let caption = self.style.dim(&format!("{caption}, {lit}"));
        let caption = (!rows.is_empty()).then_some(caption);
        rows.into_iter().chain(caption).map(|line| format!("  {line}")).collect()
    }

    fn curves(&self, record: &Record, now: &Span) -> [String; 3] {
        let style = self.style;
        let row = |name: &str, curve: &str, text: &str| {
            let text = if self.is_narrow() { "" } else { text };
            format!("  {}{curve}  {}", style.dim(&format!("{name:10}")), style.dim(text))
        };
        let peak = record.requests.iter().copied().fold(0.0, f64::max);
        let requests = style.curve(record.requests.iter().copied());
        let missing = " ".repeat(CURVE - record.requests.len().min(CURVE));
        let late = now.late.octave_quarters();
        let cpu = now.cpu.map_or_else(|| " ".repeat(CURVE), |share| style.progress(share, CURVE));
        [
            row("requests", &(missing + &requests), &format!("peak {} a second", grouped(peak as u64))),
            row("lateness", &style.curve(late.iter().map(|count| *count as f64)), "16 us to 33 ms, log"),
            row("processor", &cpu, &format!("{} of one core", percent(now.cpu))),
        ]
    }
}

/// The progress of the run, in words and as a share.
fn progress(record: &Record) -> (String, f64) {
    let plan = record.plan;
    if let Some(elapsed) = record.elapsed() {
        let (elapsed, length) = (elapsed.min(plan.length).as_secs_f64(), plan.length.as_secs_f64());
        return (format!("{elapsed:.1} of {length:.1} s"), elapsed / length);
    }
    let connected = record.last().map_or(0, |last| last.counts.connected);
    let title = format!("connecting {} of {}", grouped(connected), grouped(plan.connections));
    (title, connected as f64 / plan.connections as f64)
}

/// Columns and rows, or the usual size where the terminal does not tell.
fn terminal_size() -> (u16, u16) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_col, size.ws_row),
        _ => (80, 24),
    }
}
