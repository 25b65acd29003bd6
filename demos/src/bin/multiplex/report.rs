//! What the run says where there is no terminal, and at its end: lines, and a summary.

use std::time::Duration;

use oneloop_demos::print;

use crate::process::Usage;
use crate::record::{Plan, Record, Span};
use crate::server::Account;
use crate::tally::{Counts, Histogram};
use crate::text::{grouped, megabytes, millis, per_second, percent};

/// The shortest time whose rates say anything, in seconds.
pub(crate) const TELLING: f64 = 0.05;

/// The columns of the lines. Each number of a line is set below the end of its word.
const HEAD: &str = "   time  requests/s   turns/s   polls/s   parks/s    tasks   timers  sockets  \
                    late p50     p99      max ms  threads    memory";

/// A line a second, for files and pipes.
#[derive(Default)]
pub(crate) struct Lines {
    printed: usize,
}

impl Lines {
    pub(crate) fn print(&mut self, record: &Record) {
        let (Some(last), Some(now), Some(elapsed)) = (record.last(), record.now(), record.elapsed()) else {
            return; // still connecting
        };
        if now.seconds < TELLING {
            return;
        }
        if self.printed % 20 == 0 {
            print(HEAD);
        }
        self.printed += 1;
        let rate = |count| per_second(count, now.seconds);
        let [p50, p99, max] = quantiles(&now.late);
        let (metrics, usage) = (&last.metrics, &last.usage);
        print(format_args!(
            "{:5.1} s{:>12}{:>10}{:>10}{:>10}{:>9}{:>9}{:>9}{p50:>10}{p99:>8}{max:>12}{:>9}{:>10}",
            elapsed.as_secs_f64(),
            rate(now.echoes),
            rate(now.turns),
            rate(now.polls),
            rate(now.parks),
            grouped(metrics.tasks),
            grouped(metrics.timers),
            grouped(metrics.sources),
            usage.threads.map_or("-".to_owned(), grouped),
            megabytes(usage.memory_kib),
        ));
    }
}

fn quantiles(times: &Histogram) -> [String; 3] {
    [times.quantile(0.5), times.quantile(0.99), times.max()].map(millis)
}

/// What the summary is made of.
pub(crate) struct Run {
    pub(crate) plan: Plan,
    /// From the moment when everybody was connected to the end of the time asked for.
    pub(crate) whole: Span,
    /// Of everything, goodbyes included.
    pub(crate) counts: Counts,
    pub(crate) usage: Usage,
    pub(crate) connecting: Duration,
    /// `None` if nobody was given the time for it.
    pub(crate) leaving: Option<Duration>,
    pub(crate) first_problem: Option<String>,
    /// What the server said at the end of the time, if it has a process of its own.
    pub(crate) server: Option<Account>,
}

impl Run {
    /// Prints the whole run in a few sentences.
    pub(crate) fn print_summary(&self) {
        let Self { whole, counts, usage, .. } = self;
        let threads = match usage.threads {
            Some(1) => "1 thread".to_owned(),
            Some(threads) => format!("{threads} threads"),
            None => "one loop".to_owned(),
        };
        let (connections, timers) = (grouped(self.plan.connections), grouped(self.plan.timers.into()));
        let heading = format!("{connections} connections and {timers} timers on {threads}");
        print(format_args!("\n{heading} for {:.1} s\n", whole.seconds));

        let row = |name: &str, text: String| print(format_args!("  {name:10}{text}"));
        let rate = |count| per_second(count, whole.seconds);
        // Of no time there is no rate.
        let tells = whole.seconds >= TELLING;
        let connecting = self.connecting.as_secs_f64();
        let left = self.leaving.map_or_else(String::new, |time| format!(", hung up in {:.2} s", time.as_secs_f64()));
        let percentiles = |times: &Histogram| {
            let [p50, p99, max] = quantiles(times);
            format!("{p50} ms (p50), {p99} ms (p99), {max} ms (max)")
        };
        row("echoes", format!("{} compared byte for byte: {} wrong", grouped(counts.echoes), counts.wrong));
        if tells {
            row("", format!("{} a second; back after {}", rate(whole.echoes), percentiles(&whole.trips)));
        }
        row("sockets", format!("connected in {connecting:.2} s{left}: {} lost", counts.lost));
        if counts.cut + counts.half_closed > 0 {
            let (cut, half) = (grouped(counts.cut), grouped(counts.half_closed));
            row("", format!("{cut} reset, {half} closed by half; all of them came back"));
        }
        if let Some(Account { open, each, .. }) = self.server {
            let each = each.map(|each| format!(", {} bytes of memory each", grouped(each))).unwrap_or_default();
            row("server", format!("in a process of its own: {} connections{each}", grouped(open)));
        }
        row("timers", format!("{} fired: {} early", grouped(counts.fired), counts.early));
        let memory = megabytes(usage.memory_peak_kib);
        if tells {
            row("", format!("{} a second; late by {}", rate(whole.fired), percentiles(&whole.late)));
            let [turns, polls, parks] = [whole.turns, whole.polls, whole.parks].map(rate);
            row("the loop", format!("{turns} turns, {polls} polls, {parks} parks a second"));
            row("the cost", format!("{} of one core, {memory} of memory at most", percent(whole.cpu)));
        } else {
            row("the cost", format!("{memory} of memory at most"));
        }

        print(match &self.first_problem {
            _ if counts.faultless() => "\nok: every byte came back, nobody was lost, no timer was early".to_owned(),
            Some(problem) => format!("\nFAILED; the first of it: {problem}"),
            None => {
                let Counts { resets, cut, lost, .. } = counts;
                format!("\nFAILED: the server lost {lost}, and saw {resets} resets where clients made {cut}")
            }
        });
    }
}
