//! The output where there is no terminal, and at the end: lines, and a summary.

use std::time::Duration;

use oneloop_demos::print;

use crate::process::Usage;
use crate::record::{Plan, Record, Span};
use crate::server::Account;
use crate::tally::{Counts, Histogram};
use crate::text::{grouped, megabytes, millis, per_second, percent};

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
        if !record.plan.has_rates(now.seconds) {
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

/// The parts of the summary.
pub(crate) struct Run {
    pub(crate) plan: Plan,
    /// From the moment when everybody was connected to the end of the time asked for.
    pub(crate) whole: Span,
    /// The counts of everything, goodbyes included.
    pub(crate) counts: Counts,
    pub(crate) usage: Usage,
    pub(crate) connecting: Duration,
    /// `None` if nobody was given the time for it.
    pub(crate) leaving: Option<Duration>,
    pub(crate) first_problem: Option<String>,
    /// The server's words at the end of the time, if it has a process of its own.
    pub(crate) server: Option<Account>,
}

impl Run {
    /// Prints the whole run for a script: one line, with `null` where this system does not tell.
    pub(crate) fn print_json(&self) {
        let Self { plan, whole, counts, usage, .. } = self;
        let Counts { echoes, wrong, lost, fired, early, cut, half_closed, .. } = counts;
        let ms = |time: Duration| format!("{:.3}", time.as_secs_f64() * 1e3);
        let [trip, late] =
            [&whole.trips, &whole.late].map(|times| [times.quantile(0.5), times.quantile(0.99), times.max()]);
        let [[trip50, trip99, trip_max], [late50, late99, late_max]] = [trip.map(ms), late.map(ms)];
        let known = |number: Option<u64>| number.map_or_else(|| "null".to_owned(), |number| number.to_string());
        let (threads, memory) = (known(usage.threads), known(usage.memory_peak_kib));
        let each = known(self.server.and_then(|server| server.each));
        print(format_args!(
            "{{\"ok\":{},\"connections\":{},\"timers\":{},\"seconds\":{:.3},\"threads\":{threads},\
             \"echoes\":{echoes},\"wrong\":{wrong},\"lost\":{lost},\"reset\":{cut},\"half_closed\":{half_closed},\
             \"echo_ms_p50\":{trip50},\"echo_ms_p99\":{trip99},\"echo_ms_max\":{trip_max},\
             \"fired\":{fired},\"early\":{early},\
             \"late_ms_p50\":{late50},\"late_ms_p99\":{late99},\"late_ms_max\":{late_max},\
             \"memory_kib_max\":{memory},\"server_bytes_a_connection\":{each}}}",
            counts.faultless(),
            plan.connections,
            plan.timers,
            whole.seconds,
        ));
    }

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
        // There is no rate of no time.
        let tells = self.plan.has_rates(whole.seconds);
        let connecting = self.connecting.as_secs_f64();
        let left = self.leaving.map_or_else(String::new, |time| format!(", hung up in {:.2} s", time.as_secs_f64()));
        let percentiles = |times: &Histogram| {
            let [p50, p99, max] = quantiles(times);
            format!("{p50} ms p50, {p99} p99, {max} max")
        };
        row("echoes", format!("{} compared byte for byte: {} wrong", grouped(counts.echoes), counts.wrong));
        if tells {
            row("", format!("{} a second", rate(whole.echoes)));
            row("", format!("back after {}", percentiles(&whole.trips)));
        }
        row("sockets", format!("connected in {connecting:.2} s{left}: {} lost", counts.lost));
        if counts.cut + counts.half_closed > 0 {
            let (cut, half) = (grouped(counts.cut), grouped(counts.half_closed));
            row("", format!("{cut} reset, {half} closed by half; all came back"));
        }
        if let Some(Account { open, each, .. }) = self.server {
            let each =
                each.map(|each| format!(",\n            {} bytes of memory each", grouped(each))).unwrap_or_default();
            row("server", format!("a process of its own: {} connections{each}", grouped(open)));
        }
        row("timers", format!("{} fired: {} early", grouped(counts.fired), counts.early));
        let memory = megabytes(usage.memory_peak_kib);
        if tells {
            row("", format!("{} a second", rate(whole.fired)));
            row("", format!("late by {}", percentiles(&whole.late)));
            let [turns, polls, parks] = [whole.turns, whole.polls, whole.parks].map(rate);
            row("the loop", format!("{turns} turns, {polls} polls, {parks} parks a second"));
            row("the cost", format!("{} of one core, {memory} at most", percent(whole.cpu)));
        } else {
            row("the cost", format!("{memory} at most"));
        }

        print(match &self.first_problem {
            _ if counts.faultless() => "\nok: every byte came back, nobody was lost, no timer early".to_owned(),
            Some(problem) => format!("\nFAILED; the first of it: {problem}"),
            None => {
                let Counts { resets, cut, lost, .. } = counts;
                format!("\nFAILED: the server lost {lost}, and saw {resets} resets where clients made {cut}")
            }
        });
    }
}
