//! The cost of one more where many are already there: a task among a million, a sleep among a million, a
//! request among thousands of connections.
//!
//! The lines are flat where a runtime keeps its tasks in slabs and its timers on a wheel.

use std::fmt::Write as _;
use std::path::Path;

use crate::drive::{self, Under};
use crate::plot;
use crate::work::{Job, Workload};

/// The runtimes to compare: those that measure the same thing on the same selector.
const RUNTIMES: [&str; 4] = ["oneloop", "tokio", "smol", "monoio"];
/// A process may have 20,000 files open at most where nobody raised that limit.
const MOST_CONNECTIONS: u64 = 10_000;

/// One of the small plots: a figure over a number of things.
pub struct Curve {
    /// The name of the figure.
    pub title: &'static str,
    /// The things that there are many of.
    pub many: &'static str,
    /// The lines, each with its runtime's name.
    pub lines: Vec<(&'static str, Vec<Point>)>,
}

/// How many there are, and what one costs then.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// How many there are.
    pub many: u64,
    /// The cost of one.
    pub cost: f64,
}

/// How a figure is measured: for a runtime, among so many.
type Measure = fn(&str, u64) -> Result<f64, String>;

/// Measures everything, prints it as a table and draws it.
///
/// # Errors
///
/// A sentence when the picture cannot be written. A runtime that fails is left out of a curve, with a
/// note.
pub fn show(out: &Path, most: u64) -> Result<(), String> {
    let sizes = |least: u64, most: u64| {
        [10, 1_000, 10_000, 100_000, 1_000_000].into_iter().filter(move |many| (least..=most).contains(many))
    };
    let curves = [
        curve("instructions to spawn and join one", "tasks that wait", spawn, sizes(10, most)),
        curve("instructions of a sleep, set and dropped", "sleeps that are pending", sleep, sizes(10, most)),
        curve("instructions of an echoed request", "connections", echo, sizes(10, MOST_CONNECTIONS.min(most))),
        curve("bytes of memory a task", "tasks asleep", task_memory, sizes(1_000, most)),
        curve(
            "bytes of memory a connection",
            "idle connections",
            connection_memory,
            sizes(1_000, MOST_CONNECTIONS.min(most)),
        ),
    ];
    print!("{}", markdown(&curves));
    plot::draw(&curves, out)
}

fn curve(title: &'static str, many: &'static str, measure: Measure, sizes: impl Iterator<Item = u64>) -> Curve {
    let mut lines: Vec<_> = RUNTIMES.into_iter().map(|runtime| (runtime, Vec::new())).collect();
    for size in sizes {
        for (runtime, points) in &mut lines {
            eprintln!("running: {title}, {size} {many}, {runtime}");
            match measure(runtime, size) {
                Ok(cost) => points.push(Point { many: size, cost }),
                Err(error) => eprintln!("left out: {error}"),
            }
        }
    }
    Curve { title, many, lines }
}

fn spawn(runtime: &str, waiting: u64) -> Result<f64, String> {
    counted(runtime, Workload::SpawnJoin, waiting)
}

fn sleep(runtime: &str, pending: u64) -> Result<f64, String> {
    counted(runtime, Workload::SleepDrop, pending)
}

fn counted(runtime: &str, workload: Workload, extra: u64) -> Result<f64, String> {
    drive::instructions(runtime, [10_000, 50_000].map(|units| Job { workload, units, extra }))
}

/// Every connection sends the same number of requests, one at least.
fn echo(runtime: &str, connections: u64) -> Result<f64, String> {
    let units = [1, 5].map(|rounds| rounds * connections.max(5_000));
    drive::instructions(runtime, units.map(|units| Job { workload: Workload::Echo, units, extra: connections }))
}

fn task_memory(runtime: &str, tasks: u64) -> Result<f64, String> {
    memory(runtime, Workload::IdleTasks, "peak_rss_bytes", tasks)
}

fn connection_memory(runtime: &str, connections: u64) -> Result<f64, String> {
    memory(runtime, Workload::IdleConns, "rss_bytes", connections)
}

fn memory(runtime: &str, workload: Workload, figure: &str, units: u64) -> Result<f64, String> {
    let ran = drive::run(runtime, Job { workload, units, extra: 0 }, Under::Nothing)?;
    let bytes = ran.figures.get(figure).ok_or_else(|| format!("{workload} on {runtime} printed no {figure}"))?;
    Ok(bytes / units as f64)
}

/// A row for each curve and runtime, a column for each size.
fn markdown(curves: &[Curve]) -> String {
    let mut page = String::new();
    for Curve { title, many, lines } in curves {
        let sizes = lines.iter().map(|(_, points)| points).max_by_key(|points| points.len());
        let sizes: Vec<u64> = sizes.into_iter().flatten().map(|point| point.many).collect();
        let _infallible = write!(page, "| {title}, {many}: |");
        for size in &sizes {
            let _infallible = write!(page, " {} |", plot::grouped(*size));
        }
        let _infallible = write!(page, "\n|---|{}\n", "---:|".repeat(sizes.len()));
        for (runtime, points) in lines {
            let _infallible = write!(page, "| {runtime} |");
            for size in &sizes {
                match points.iter().find(|point| point.many == *size) {
                    Some(point) => drop(write!(page, " {:.0} |", point.cost)),
                    None => page.push_str(" - |"),
                }
            }
            page.push('\n');
        }
        page.push('\n');
    }
    page
}
