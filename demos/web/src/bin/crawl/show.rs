//! The view: a table of the hosts on a terminal, a line a second elsewhere, and the account.

use std::time::Duration;

use oneloop_demos::{counted, print, show};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Text;
use ratatui::widgets::{Row, StatefulWidget, Table, TableState};
use rustix::termios::tcgetwinsize;

use crate::Args;
use crate::frontier::{Frontier, Tally};
use crate::server::Served;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Table,
    Lines,
    Nothing,
}

pub(crate) struct Show {
    kind: Kind,
    /// Lines of the last drawing, above the cursor.
    drawn: u16,
    lines: u32,
}

impl Show {
    pub(crate) fn new(args: &Args, is_terminal: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let kind = match args {
            Args { json: true, .. } => Kind::Nothing,
            Args { plain: false, .. } if is_terminal && !dumb => Kind::Table,
            _ => Kind::Lines,
        };
        Self { kind, drawn: 0, lines: 0 }
    }

    pub(crate) fn period(&self) -> Duration {
        Duration::from_millis(if self.kind == Kind::Table { 100 } else { 1000 })
    }

    pub(crate) fn draw(&mut self, frontier: &Frontier, elapsed: Duration) {
        match self.kind {
            Kind::Table => self.draw_table(frontier, elapsed),
            Kind::Lines => {
                self.lines += 1;
                if self.lines > 1 {
                    print(line(&frontier.totals(), elapsed));
                }
            }
            Kind::Nothing => {}
        }
    }

    /// Draws over the last table. It never hides the cursor, so there is nothing to clean up.
    fn draw_table(&mut self, frontier: &Frontier, elapsed: Duration) {
        let columns = tcgetwinsize(std::io::stdout()).map_or(80, |size| size.ws_col).clamp(40, 100);
        let hosts = frontier.tallies();
        let height = u16::try_from(hosts.len()).unwrap_or(u16::MAX).min(20) + 2;
        let area = Rect::new(0, 0, columns, height);
        let mut buffer = Buffer::empty(area);
        let cells = |name: String, tally: &Tally| {
            let busy = "●".repeat(tally.at_work.min(if columns < 76 { 7 } else { 12 }) as usize);
            [
                name,
                busy,
                tally.waiting.to_string(),
                tally.done.to_string(),
                tally.retries.to_string(),
                tally.lost.to_string(),
                kib(tally.bytes),
            ]
        };
        let right = |cells: [String; 7]| {
            let cells = cells.into_iter().enumerate();
            Row::new(cells.map(|(at, cell)| if at < 2 { Text::from(cell) } else { Text::from(cell).right_aligned() }))
        };
        let head = ["host", "at work", "waiting", "done", "retries", "lost", "KiB"].map(str::to_owned);
        let rows = hosts.iter().map(|(host, tally)| right(cells(host.to_string(), tally)));
        let sum = right(cells(format!("{:.1} s", elapsed.as_secs_f64()), &Tally { at_work: 0, ..frontier.totals() }));
        let widths = if columns < 76 { [16, 7, 7, 5, 7, 5, 6] } else { [21, 12, 7, 6, 7, 5, 8] };
        let table = Table::new(
            rows.take(20).chain([sum.style(Style::new().add_modifier(Modifier::BOLD))]),
            widths.map(Constraint::Length),
        );
        let table = table.header(right(head).style(Style::new().fg(Color::Cyan)));
        StatefulWidget::render(table, area, &mut buffer, &mut TableState::default());
        let back = if self.drawn > 0 { format!("\x1b[{}F", self.drawn) } else { String::new() };
        if show(format!("{back}\x1b[?7l{}\x1b[?7h", drawn(&buffer))) {
            self.drawn = height;
        }
    }
}

/// A buffer as a terminal takes it: letters, with the few styles that are used.
fn drawn(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut style = (Color::Reset, Modifier::empty());
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            if (cell.fg, cell.modifier) != style {
                style = (cell.fg, cell.modifier);
                text += match style {
                    (_, Modifier::BOLD) => "\x1b[0;1m",
                    (Color::Cyan, _) => "\x1b[0;36m",
                    _ => "\x1b[0m",
                };
            }
            text += cell.symbol();
        }
        text += "\x1b[0m\x1b[K\n";
    }
    text
}

fn kib(bytes: u64) -> String {
    (bytes / 1024).to_string()
}

fn line(totals: &Tally, elapsed: Duration) -> String {
    let Tally { waiting, at_work, done, retries, lost, .. } = totals;
    let seconds = elapsed.as_secs_f64();
    format!("{seconds:5.1} s: {done} done, {at_work} at work, {waiting} waiting, {retries} retries, {lost} lost")
}

/// The account, for a person or as JSON.
pub(crate) fn account(
    args: &Args,
    frontier: &Frontier,
    served: Option<&Served>,
    elapsed: Duration,
    is_whole: bool,
) -> String {
    let Tally { done, retries, lost, bytes, .. } = frontier.totals();
    let (seconds, most) = (elapsed.as_secs_f64(), served.map(|served| served.most.get()));
    if args.json {
        let problems = frontier.problems.borrow();
        let account = serde_json::json!({ "pages": done, "bytes": bytes, "retries": retries, "lost": *problems,
            "seconds": seconds, "connections_allowed": args.connections, "connections_seen": most, "finished": is_whole });
        return account.to_string();
    }
    let end = if is_whole { "done" } else { "stopped" };
    let most = most.map(|most| format!("; the server saw {} at most", counted(most, "connection"))).unwrap_or_default();
    let problems: String =
        frontier.problems.borrow().iter().take(10).map(|problem| format!("lost: {problem}\n")).collect();
    format!(
        "{problems}{end}: {done} pages, {} KiB, in {seconds:.1} s, {retries} retries, {lost} lost{most}",
        kib(bytes)
    )
}
