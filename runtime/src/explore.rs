//! Exploring: one program, run again and again, each time in another of the orders that it may take.
//!
//! Nothing here knows how a task is scheduled. It builds runtimes with a seed and a limit on the picks
//! that the seed decides, and looks at how their programs end:
//!
//! ```text
//!     seed 0, 1, 2, ..            until one fails
//!     that seed, 0 picks, 1, ..   until it fails again: this is the shortest prefix
//! ```
//!
//! Of a run, only `seed:picks` is kept. That is enough, as the same seed gives the same run; a program
//! for which that is not so is told so.

mod judge;
mod quiet;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::str::FromStr;

use self::judge::{Judge, Watching};
use self::quiet::Quiet;
use crate::context::{Core, current, expect_current};
use crate::runtime::Runtime;
use crate::task::{Heard, panic_text};

/// The variable that replays one schedule: `seed:picks`.
const REPLAY: &str = "ONELOOP_EXPLORE";

/// How many prefixes are tried one by one, from the shortest up, before halving looks for one.
const ONE_BY_ONE: u64 = 1000;

/// Runs a program once with each seed, each time on a new runtime with the virtual clock, and panics if
/// it fails with any: if its future panics, if a task panics and nobody joins it, if it is stuck, or if it
/// has not ended after a million polls.
///
/// `program` makes the future to run. What the runs share (a static, something captured) they must
/// not change. A seed decides which of the ready tasks goes next, again and again: each is another
/// order in which the program may run. A thousand are soon tried, and most races show within them.
///
/// A program is *stuck* when its future waits, no task is ready, and there is no timer, socket or
/// blocking job to wait for. So tasks must not wait for threads that the program starts by itself.
///
/// # Panics
///
/// If a run fails. Its schedule is cut to the shortest prefix of the seed's picks with which
/// the program still fails, the tasks coming in order from there on. The message holds that of the
/// failure, and a line to run this one schedule again: with `ONELOOP_EXPLORE=7:3` in the environment,
/// `explore` runs the first 3 picks of seed 7 and nothing else, whatever the seeds it was given. That
/// run is not quiet, and `ONELOOP_LOG` shows its turns.
///
/// It panics as well if there are no seeds, if a runtime is already running on this thread, or if the system
/// refuses one its event queue.
///
/// A panic of a task that is joined is whoever's who joins it: it fails the program if it is passed on, as
/// by `task.await.unwrap()`. That of a task that nobody joins, because its handle is dropped or the program
/// is over, fails the program by itself. A poll that never returns hangs the search, as it would hang any loop.
///
/// # The panic hook
///
/// What panics on this thread during the search is not printed. For that, the first call puts a hook
/// before the process's panic hook, for good: it passes on all other panics.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use oneloop::task::yield_now;
///
/// async fn two_deposits() -> u32 {
///     let balance = Rc::new(Cell::new(0));
///     let deposit = |amount| {
///         let balance = Rc::clone(&balance);
///         oneloop::spawn(async move {
///             yield_now().await;
///             balance.set(balance.get() + amount); // no await between reading and writing
///         })
///     };
///     let (one, other) = (deposit(20), deposit(30));
///     one.await.unwrap();
///     other.await.unwrap();
///     balance.get()
/// }
///
/// oneloop::explore(|| async { assert_eq!(two_deposits().await, 50) }, 0..100);
/// ```
#[track_caller]
pub fn explore<F: Future<Output = ()>>(program: impl Fn() -> F, seeds: impl IntoIterator<Item = u64>) {
    assert!(current().is_none(), "explore runs runtimes of its own: call it outside a running oneloop runtime");
    if let Some(wanted) = std::env::var_os(REPLAY) {
        let schedule = wanted.to_str().and_then(|text| text.parse().ok());
        return replay(&program, schedule.unwrap_or_else(|| not_a_schedule(&wanted.to_string_lossy())));
    }
    let mut tried = 0;
    for seed in seeds {
        tried += 1;
        let found = run_quietly(&program, Schedule { seed, picks: u64::MAX });
        if let Err(failure) = found.end {
            fail(&shrink(&program, seed, found.picks, failure), tried);
        }
    }
    assert!(tried > 0, "explore was given no seed, and so ran nothing: give it some, as in explore(.., 0..1000)");
}

/// Which of the possible runs: the first `picks` picks are the seed's, and then tasks come in order.
#[derive(Clone, Copy)]
struct Schedule {
    seed: u64,
    picks: u64,
}

impl FromStr for Schedule {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (seed, picks) = text.split_once(':').ok_or(())?;
        Ok(Self { seed: seed.parse().map_err(drop)?, picks: picks.parse().map_err(drop)? })
    }
}

/// What came of a run.
struct Ran {
    /// How many picks the seed decided.
    picks: u64,
    end: Result<(), String>,
}

/// A failure, as it is reported.
struct Found {
    schedule: Schedule,
    failure: String,
    /// The very same schedule passed when it was run again.
    fickle: bool,
}

/// Runs the program once, and lets its panic pass.
fn run<F: Future<Output = ()>>(program: &impl Fn() -> F, schedule: Schedule, picks: &Cell<u64>) {
    let judge = Rc::new(Judge::default());
    let builder = Runtime::builder().virtual_clock().seed(schedule.seed).observer(Watching(Rc::clone(&judge)));
    let runtime = builder.build().unwrap_or_else(|error| panic!("explore could not make a runtime: {error}"));
    let heard = runtime.block_on(async {
        let core = expect_current("explore");
        core.tasks.with_queue(|ready| ready.limit_picks(schedule.picks));
        let heard = core.extension::<Heard>();
        heard.start();
        let _counting = Counting { core, picks };
        // Called in here, since the program's own closure may need the runtime too.
        program().await;
        heard
    });
    // A panic whose handle is still about now has nobody to hear it any more.
    drop(runtime);
    judge.look_for_unheard(|task| !heard.of(task));
}

/// Notes how many picks were made when the program's future is over, or dropped by its panic.
struct Counting<'a> {
    core: Rc<Core>,
    picks: &'a Cell<u64>,
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        self.picks.set(self.core.tasks.with_queue(|ready| ready.picks()));
    }
}

fn run_quietly<F: Future<Output = ()>>(program: &impl Fn() -> F, schedule: Schedule) -> Ran {
    let picks = Cell::new(0);
    let quiet = Quiet::new();
    let ended = catch_unwind(AssertUnwindSafe(|| run(program, schedule, &picks)));
    let at = quiet.last_place();
    let end = ended.map_err(|payload| {
        let text = panic_text(&*payload);
        let text = text.strip_prefix(": ").unwrap_or("a panic that says nothing");
        // The judge's own panic is ours, and its line says nothing.
        let at = at.filter(|at| !at.starts_with(file!().trim_end_matches(".rs")));
        at.map_or_else(|| String::from(text.trim_end()), |at| format!("{text}\n  panicked at {at}"))
    });
    Ran { picks: picks.get(), end }
}

/// Looks for the shortest prefix of a failing schedule that fails, in whatever way.
fn shrink<F: Future<Output = ()>>(program: &impl Fn() -> F, seed: u64, picks: u64, first: String) -> Found {
    let fails = |picks| {
        let schedule = Schedule { seed, picks };
        run_quietly(program, schedule).end.err().map(|failure| Found { schedule, failure, fickle: false })
    };
    if let Some(found) = (0..picks.min(ONE_BY_ONE)).find_map(fails) {
        return found;
    }
    let Some(mut found) = fails(picks) else {
        return Found { schedule: Schedule { seed, picks }, failure: first, fickle: true };
    };
    let mut passes = picks.min(ONE_BY_ONE);
    while passes + 1 < found.schedule.picks {
        let middle = passes + (found.schedule.picks - passes) / 2;
        match fails(middle) {
            Some(shorter) => found = shorter,
            None => passes = middle,
        }
    }
    found
}

#[track_caller]
fn fail(found: &Found, tried: u64) -> ! {
    let Found { schedule: Schedule { seed, picks }, failure, fickle } = found;
    if *fickle {
        panic!(
            "{failure}\n  so it ended with seed {seed}, and with the same seed again it did not: the program depends on \
             something besides it, such as a static, the real time, the order of a HashMap or another thread"
        );
    }
    let thread = std::thread::current();
    let command = match thread.name() {
        Some(test) if test != "main" => format!("cargo test {test}"),
        _ => String::from("and the same command again"),
    };
    panic!(
        "{failure}\n  with the first {picks} picks of seed {seed} (seeds tried: {tried}); to run this schedule alone:\n  \
         {REPLAY}={seed}:{picks} {command}"
    );
}

fn replay<F: Future<Output = ()>>(program: &impl Fn() -> F, schedule: Schedule) {
    run(program, schedule, &Cell::default());
    let Schedule { seed, picks } = schedule;
    eprintln!("{REPLAY}={seed}:{picks}: the program passed; no other schedule was run");
}

#[track_caller]
fn not_a_schedule(text: &str) -> ! {
    panic!("{REPLAY} is {text:?}, which names no schedule: give it a seed and a number of picks, as in {REPLAY}=7:3")
}
