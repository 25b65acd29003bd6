//! The rows of the comparison, and the Markdown they become.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use crate::drive::{self, Under};
use crate::peers;
use crate::work::{Job, Workload};

/// A row of instruction counts: callgrind's, as the difference of two sizes.
pub struct Counted {
    /// The name in the file of limits.
    pub name: &'static str,
    /// Its name in the table.
    pub title: &'static str,
    /// The work itself.
    pub workload: Workload,
    /// The two sizes.
    pub units: [u64; 2],
    /// Pending sleeps or connections.
    pub extra: u64,
    /// Equal steps in a unit; the figure is that of one.
    pub steps: f64,
}

impl Counted {
    /// The two runs whose difference is the figure.
    #[must_use]
    pub fn jobs(&self) -> [Job; 2] {
        self.units.map(|units| Job { workload: self.workload, units, extra: self.extra })
    }

    /// The instructions of one step on a runtime.
    ///
    /// # Errors
    ///
    /// A sentence when a run fails or its report cannot be read.
    pub fn measure(&self, runtime: &str) -> Result<f64, String> {
        drive::instructions(runtime, self.jobs()).map(|count| count / self.steps)
    }
}

const fn counted(name: &'static str, title: &'static str, workload: Workload) -> Counted {
    Counted { name, title, workload, units: [10_000, 50_000], extra: 0, steps: 1.0 }
}

const fn sleep_drop(name: &'static str, title: &'static str, pending: u64) -> Counted {
    Counted { extra: pending, ..counted(name, title, Workload::SleepDrop) }
}

/// All instruction counts.
pub const COUNTED: [Counted; 11] = [
    counted("spawn_join", "spawn + join, 100 at a time", Workload::SpawnJoin),
    counted("spawn_join_value", "the same with a u64 as output", Workload::SpawnJoinValue),
    counted("spawn_join_one", "spawn + join, one at a time", Workload::SpawnJoinOne),
    counted("spawn_join_root", "the same from block_on's own future", Workload::SpawnJoinRoot),
    counted("yield", "yield, 100 tasks", Workload::Yield),
    counted("yield_lone", "yield, a lone task", Workload::YieldLone),
    Counted { steps: 2.0, ..counted("baton", "task wakes task (baton), one way", Workload::Baton) },
    sleep_drop("sleep_drop", "sleep created, polled once, dropped", 0),
    sleep_drop("sleep_drop_1000", "the same with 1,000 pending", 1_000),
    sleep_drop("sleep_drop_100000", "the same with 100,000 pending", 100_000),
    Counted {
        units: [5_000, 25_000],
        extra: 100,
        ..counted("echo", "echo, 100 connections, a request", Workload::Echo)
    },
];

/// One measurement of every runtime, or why there is none.
type Cells<T> = Vec<Result<T, String>>;

/// The figures that a run printed, by name.
type Figures = BTreeMap<String, f64>;

/// The table while it grows.
pub struct Table {
    runtimes: Vec<&'static str>,
    runs: usize,
    has_valgrind: bool,
    has_strace: bool,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Table {
    /// An empty table over `runtimes`; each figure in time is the median of `runs` interleaved runs.
    #[must_use]
    pub fn new(runtimes: Vec<&'static str>, runs: usize) -> Self {
        let has_valgrind = drive::is_installed("valgrind");
        let has_strace = drive::is_installed("strace");
        let mut notes = Vec::new();
        if !has_valgrind {
            notes.push("valgrind is not installed: no instruction counts.".to_owned());
        }
        if !has_strace {
            notes.push("strace is not installed: no counts of system calls.".to_owned());
        }
        let mut table = Self { runtimes, runs, has_valgrind, has_strace, rows: Vec::new(), notes };
        table.leave_out_what_does_not_start();
        table
    }

    /// io_uring may be switched off, or be unknown to the kernel.
    fn leave_out_what_does_not_start(&mut self) {
        let job = Job { workload: Workload::Yield, units: 1, extra: 0 };
        let notes = &mut self.notes;
        self.runtimes.retain(|runtime| match drive::run(runtime, job, Under::Nothing) {
            Ok(_) => true,
            Err(error) => {
                notes.push(format!("{runtime} is left out, it does not run here: {error}."));
                false
            }
        });
    }

    /// Measures everything that is known about one workload.
    pub fn measure(&mut self, workload: Workload) {
        if self.has_valgrind {
            for counted in COUNTED.iter().filter(|counted| counted.workload == workload) {
                self.count_instructions(counted);
            }
        }
        match workload {
            Workload::Echo => self.echo(),
            Workload::Timers => self.timers(),
            Workload::IdleTasks => self.idle_tasks(),
            Workload::Gather => self.gather(),
            Workload::WakeRemote => self.wake_remote(),
            Workload::IdleConns => self.idle_conns(),
            _ => {}
        }
    }

    fn count_instructions(&mut self, counted: &Counted) {
        eprintln!("counting instructions: {}", counted.title);
        let cells = self.each(counted.workload, |runtime| counted.measure(runtime));
        let cells = cells.into_iter().map(|cell| cell.map(|count| format!("{count:.0}"))).collect();
        self.row(&format!("{}, instructions", counted.title), cells);
    }

    fn echo(&mut self) {
        if self.has_strace {
            self.echo_calls(1, [500, 1_500]);
            self.echo_calls(100, [2_000, 12_000]);
        }
        let job = Job { workload: Workload::Echo, units: 100_000, extra: 100 };
        let runs = self.interleave(job);
        self.time_row("echo, 100 connections, server CPU a request", &runs, "cpu_ns", job.units);
        self.ratio_row("the same, ratio to raw", &runs, "cpu_ns", "raw");
    }

    fn echo_calls(&mut self, connections: u64, units: [u64; 2]) {
        eprintln!("counting system calls: echo, connections {connections}");
        let sizes = units.map(|units| Job { workload: Workload::Echo, units, extra: connections });
        let cells = self.each(Workload::Echo, |runtime| drive::system_calls(runtime, sizes));
        let plural = if connections == 1 { "" } else { "s" };
        let title = format!("echo, {connections} connection{plural}, system calls a request");
        for (runtime, calls) in self.runtimes.iter().zip(&cells) {
            if let Ok(calls) = calls {
                self.notes.push(format!("{title}, {runtime}: {}.", listed(calls)));
            }
        }
        let total = |calls: BTreeMap<String, f64>| format!("{:.2}", calls.values().sum::<f64>());
        self.row(&title, cells.into_iter().map(|calls| calls.map(total)).collect());
    }

    fn timers(&mut self) {
        let job = Job { workload: Workload::Timers, units: 100_000, extra: 0 };
        let runs = self.interleave(job);
        self.time_row("100,000 sleeps of 1..1000 ms, CPU each", &runs, "cpu_ns", job.units);
        self.figure_row("the same, late p50", &runs, "late_ms_p50", |late| format!("{late:.2} ms"));
        self.figure_row("the same, late p99", &runs, "late_ms_p99", |late| format!("{late:.2} ms"));
        self.figure_row("the same, earliest", &runs, "late_ms_min", |late| format!("{late:+.2} ms"));
    }

    fn idle_tasks(&mut self) {
        let job = Job { workload: Workload::IdleTasks, units: 1_000_000, extra: 0 };
        let runs = self.interleave(job);
        let each = |bytes: f64| format!("{:.0} B", bytes / job.units as f64);
        self.figure_row("1,000,000 tasks asleep, peak RSS a task", &runs, "peak_rss_bytes", each);
        self.time_row("the same, CPU a task, to the end of the drop", &runs, "cpu_ns", job.units);
    }

    fn gather(&mut self) {
        let runs = self.interleave(Job { workload: Workload::Gather, units: 7, extra: 0 });
        let shown = |overrun: f64| format!("{overrun:.2} ms");
        self.figure_row("30 sleeps of 100 ms gathered, overrun", &runs, "overrun_ms_p50", shown);
    }

    fn wake_remote(&mut self) {
        let job = Job { workload: Workload::WakeRemote, units: 20_000, extra: 0 };
        let runs = self.interleave(job);
        self.time_row("wake from another thread, round trip, wall time", &runs, "wall_ns", job.units);
    }

    fn idle_conns(&mut self) {
        let job = Job { workload: Workload::IdleConns, units: 10_000, extra: 0 };
        let runs = self.interleave(job);
        let each = |bytes: f64| format!("{:.0} B", bytes / job.units as f64);
        self.figure_row("10,000 idle connections, 1 KiB buffer each, RSS a connection", &runs, "rss_bytes", each);
    }

    /// Measures each runtime once, in the order of the columns.
    ///
    /// A runtime that the workload means nothing to gets an empty error.
    fn each<T>(&self, workload: Workload, measure: impl Fn(&str) -> Result<T, String>) -> Cells<T> {
        let cell = |runtime: &&str| match peers::can_run(runtime, workload) {
            true => measure(runtime),
            false => Err(String::new()),
        };
        self.runtimes.iter().map(cell).collect()
    }

    /// Runs the job on all runtimes in turn, several times over: what disturbs the machine, disturbs all.
    fn interleave(&self, job: Job) -> Vec<Cells<Figures>> {
        let plain = |runtime: &str| drive::run(runtime, job, Under::Nothing).map(|ran| ran.figures);
        let run = |number: usize| {
            eprintln!("running: {}, run {number} of {}", job.workload, self.runs);
            self.each(job.workload, plain)
        };
        (1..=self.runs).map(run).collect()
    }

    /// A row of times a unit, with the ratio to tokio where tokio runs too.
    fn time_row(&mut self, title: &str, runs: &[Cells<Figures>], name: &str, units: u64) {
        let cells = (0..self.runtimes.len()).map(|column| {
            let times: Result<Vec<f64>, String> = runs.iter().map(|run| figure(run, column, name)).collect();
            let time = microseconds(median(times?) / units as f64);
            Ok(self.ratio(runs, column, "tokio", name).map_or(time.clone(), |ratio| format!("{time} ({ratio:.2})")))
        });
        let cells = cells.collect();
        self.row(title, cells);
    }

    /// A row of the ratios to another column, left out where that column is.
    fn ratio_row(&mut self, title: &str, runs: &[Cells<Figures>], name: &str, base: &str) {
        let columns = 0..self.runtimes.len();
        let ratios: Vec<_> = columns.map(|column| self.ratio(runs, column, base, name)).collect();
        if ratios.iter().any(Option::is_some) {
            let shown = |ratio: Option<f64>| ratio.map(|ratio| format!("{ratio:.2}")).ok_or_else(String::new);
            self.row(title, ratios.into_iter().map(shown).collect());
        }
    }

    /// The median of the runs' ratios to another column; none where one of the two has no figure.
    fn ratio(&self, runs: &[Cells<Figures>], column: usize, base: &str, name: &str) -> Option<f64> {
        let base = self.runtimes.iter().position(|runtime| *runtime == base)?;
        let ratio = |run| Some(figure(run, column, name).ok()? / figure(run, base, name).ok()?);
        runs.iter().map(ratio).collect::<Option<Vec<f64>>>().map(median)
    }

    /// A row of any other figure.
    fn figure_row(&mut self, title: &str, runs: &[Cells<Figures>], name: &str, show: impl Fn(f64) -> String) {
        let cells = (0..self.runtimes.len()).map(|column| {
            let values: Result<Vec<f64>, String> = runs.iter().map(|run| figure(run, column, name)).collect();
            values.map(|values| show(median(values)))
        });
        let cells = cells.collect();
        self.row(title, cells);
    }

    fn row(&mut self, title: &str, cells: Cells<String>) {
        let mut row = vec![title.to_owned()];
        for (runtime, cell) in self.runtimes.iter().zip(cells) {
            row.push(cell.unwrap_or_else(|error| {
                if !error.is_empty() {
                    self.notes.push(format!("{title}, {runtime}: no figure: {error}."));
                }
                "-".to_owned()
            }));
        }
        self.rows.push(row);
    }

    /// The finished page: machine, versions, table, notes.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut page = format!("{}\n\n", machine());
        let header = std::iter::once("figure").chain(self.runtimes.iter().copied());
        line(&mut page, header);
        line(&mut page, std::iter::once("---").chain(self.runtimes.iter().map(|_| "---:")));
        for row in &self.rows {
            line(&mut page, row.iter().map(String::as_str));
        }
        let _infallible = writeln!(
            page,
            "\nInstructions are callgrind's, user space, the difference of two sizes. Times and memory are \
             medians of {} interleaved runs; in brackets the ratio to tokio, as the median of the runs' ratios.",
            self.runs
        );
        for note in &self.notes {
            let _infallible = writeln!(page, "- {note}");
        }
        page
    }
}

fn line<'a>(page: &mut String, cells: impl Iterator<Item = &'a str>) {
    for cell in cells {
        let _infallible = write!(page, "| {cell} ");
    }
    page.push_str("|\n");
}

/// A figure of one run; the error is empty where the runtime does not know the job.
fn figure(run: &Cells<Figures>, column: usize, name: &str) -> Result<f64, String> {
    let figures = run[column].as_ref().map_err(Clone::clone)?;
    figures.get(name).copied().ok_or_else(|| format!("it printed no {name}"))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn microseconds(nanos: f64) -> String {
    format!("{:.2} us", nanos / 1e3)
}

/// System calls by name, the frequent ones first, those that round to nothing left out.
fn listed(calls: &BTreeMap<String, f64>) -> String {
    let mut calls: Vec<_> = calls.iter().filter(|(_, count)| **count >= 0.005).collect();
    calls.sort_by(|left, right| right.1.total_cmp(left.1));
    let calls: Vec<String> = calls.iter().map(|(name, count)| format!("{name} {count:.2}")).collect();
    calls.join(", ")
}

/// One line about the machine and one about the versions that were built.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let versions: Vec<String> =
        ["tokio", "smol", "monoio"].iter().map(|name| format!("{name} {}", locked(name))).collect();
    format!(
        "{cores} cores ({}), Linux {}, {}; {}",
        processor(),
        kernel.trim(),
        env!("BENCH_RUSTC"),
        versions.join(", ")
    )
}

fn processor() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find(|line| line.starts_with("model name"));
    model.and_then(|line| line.split_once(": ")).map_or("unknown processor", |(_, name)| name).to_owned()
}

/// The version of a package in the lock file this program was built with.
fn locked(package: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let name = format!("name = \"{package}\"\nversion = \"");
    lock.split_once(name.as_str()).and_then(|(_, rest)| rest.split('"').next()).unwrap_or("?")
}
