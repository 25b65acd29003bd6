//! Exploring: one program, run again and again, each time in another of the orders that it may take.
//!
//! Nothing here knows how a task is scheduled. It builds runtimes with a seed and a limit on the picks
//! that the seed decides, and looks at how their programs end:
//!
//! ```text
//!     seed 0, 1, 2, ..            until one fails, which is told at once
//!     that seed, 0 picks, 1, ..   until it fails again, or the time is up: this is the shortest prefix
//! ```
//!
//! Only `seed:picks` is kept of a run. It is enough, as the same seed gives the same run. A program whose runs differ
//! all the same is told so.

mod judge;
mod quiet;
mod teller;

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::str::FromStr;
use std::time::{Duration, Instant};

use self::judge::{Judge, Watching};
use self::quiet::Quiet;
use self::teller::Teller;
use crate::ground::span::Span;
use crate::ground::wishes::Deaf;
use crate::heart::core::Core;
use crate::heart::current::{current, expect_current};
use crate::heart::runtime::Runtime;
use crate::task::{Heard, panic_text};

/// The variable that replays one schedule: `seed:picks`, or `seed` for all picks.
const REPLAY: &str = "ONELOOP_EXPLORE";

/// How many prefixes are tried one by one, from the shortest up, before halving looks for one.
const ONE_BY_ONE: u64 = 1000;

/// How long a shorter schedule is looked for. Half of it belongs to the prefixes that are tried one by one.
const TIME_TO_CUT: Duration = Duration::from_secs(5);

/// Runs a program once with each seed, each time on a new runtime with the virtual clock, and panics if it fails with
/// any. It fails if its future panics, or a task that nobody joins. It fails as well if it is stuck, or has not ended
/// after a million polls.
///
/// `program` makes the future to run. The runs must not change anything that they share, such as a static or
/// something captured. A seed decides which of the ready tasks goes next, again and again: each is another order in
/// which the program may run. A thousand are soon tried, and most races show within them.
///
/// A program is *stuck* when its future waits, no task is ready, and there is no timer, socket or
/// blocking job to wait for. So tasks must not wait for threads that the program starts by itself.
///
/// # Panics
///
/// If a run fails. Its seed is told on stderr at once. Then its schedule is cut to the shortest prefix of the seed's
/// picks with which the program still fails. From there on, tasks come in order. After five seconds the shortest that
/// was found has to do. The message holds that of the failure, and a line to run this one schedule again.
///
/// It also panics if there are no seeds, if a runtime already runs on this thread, or if the system refuses an event
/// queue.
///
/// A panic of a task that is joined belongs to the one who joins it. It fails the program if it is passed on, as by
/// `task.await.unwrap()`. A task's panic fails the program by itself if nobody joins the task, because its handle is
/// dropped or the program is over. A poll that never returns hangs the search, as it would hang any loop. A line on
/// stderr then names the seed. Such a line comes from time to time wherever a search takes long.
///
/// # One schedule alone, and its recording
///
/// With `ONELOOP_EXPLORE=7:3` in the environment, `explore` runs the first 3 picks of seed 7 and nothing else,
/// whatever the seeds it was given. `ONELOOP_EXPLORE=7` runs all picks of that seed. Such a run is not quiet.
///
/// `ONELOOP_RECORD`, `ONELOOP_TRACE`, `ONELOOP_LOG`, `ONELOOP_SEE` and `ONELOOP_DIAGNOSE` concern a program's own
/// loops. They do nothing to the loops of a search, nor to those that its program builds inside. They do act on a
/// schedule that runs alone, so this writes down the one that was found:
///
/// ```text
/// ONELOOP_EXPLORE=7:3 ONELOOP_RECORD=found.ndjson cargo test name_of_the_test
/// ```
///
/// # The panic hook
///
/// Panics on this thread during the search are not printed. For that, the first call puts a hook before the process's
/// panic hook, for good: it passes on all other panics. It also passes on a panic that ends the process, such as one in
/// a drop while another panic unwinds. Before that, it prints the seed and all that was held back.
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
    let teller = Teller::new();
    for seed in seeds {
        tried += 1;
        let found = run_quietly(&program, Schedule { seed, picks: u64::MAX }, &teller);
        if let Err(failure) = found.end {
            let schedule = Schedule { seed, picks: found.picks };
            teller.found(schedule, tried, &failure);
            fail(&shrink(&program, schedule, failure, &teller), tried);
        }
    }
    assert!(tried > 0, "explore was given no seed, and so ran nothing: give it some, as in explore(.., 0..1000)");
}

/// Which of the possible runs: the first `picks` picks are the seed's, and then tasks come in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Schedule {
    seed: u64,
    picks: u64,
}

impl FromStr for Schedule {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (seed, picks) = text.split_once(':').map_or((text, None), |(seed, picks)| (seed, Some(picks)));
        let picks = picks.map_or(Ok(u64::MAX), |picks| picks.parse().map_err(drop))?;
        Ok(Self { seed: seed.parse().map_err(drop)?, picks })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.picks {
            u64::MAX => write!(f, "{}", self.seed),
            picks => write!(f, "{}:{picks}", self.seed),
        }
    }
}

/// The outcome of a run.
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
    /// There was no time to look for a shorter one to the end.
    hurried: bool,
}

/// Runs the program once, and lets its panic pass.
fn run<F: Future<Output = ()>>(program: &impl Fn() -> F, schedule: Schedule, picks: &Cell<u64>) {
    let judge = Rc::new(Judge::default());
    let builder = Runtime::builder().virtual_clock().seed(schedule.seed).observer(Watching(Rc::clone(&judge)));
    let runtime = builder.build().unwrap_or_else(|error| panic!("explore could not make a runtime: {error}"));
    let heard = runtime.block_on(async {
        let core = expect_current("explore");
        core.tasks.with_queue(|ready| ready.limit_picks(schedule.picks));
        let heard = core.annex.get::<Heard>();
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

fn run_quietly<F: Future<Output = ()>>(program: &impl Fn() -> F, schedule: Schedule, teller: &Teller) -> Ran {
    teller.starts(schedule);
    let picks = Cell::new(0);
    let quiet = Quiet::new(schedule);
    let _deaf = Deaf::new(true);
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

/// Looks for the shortest prefix of a failing schedule that fails, in whatever way, for as long as there is time.
fn shrink<F: Future<Output = ()>>(
    program: &impl Fn() -> F,
    whole: Schedule,
    failure: String,
    teller: &Teller,
) -> Found {
    let start = Instant::now();
    let Schedule { seed, picks } = whole;
    let fails = |picks| {
        let schedule = Schedule { seed, picks };
        let failure = run_quietly(program, schedule, teller).end.err()?;
        Some(Found { schedule, failure, fickle: false, hurried: false })
    };
    let mut passes = 0;
    while passes < picks.min(ONE_BY_ONE) && start.elapsed() < TIME_TO_CUT / 2 {
        if let Some(found) = fails(passes) {
            return found;
        }
        passes += 1;
    }
    let Some(mut found) = fails(picks) else {
        return Found { schedule: whole, failure, fickle: true, hurried: false };
    };
    found.hurried = passes < picks.min(ONE_BY_ONE);
    while passes + 1 < found.schedule.picks {
        if start.elapsed() > TIME_TO_CUT {
            found.hurried = true;
            break;
        }
        let middle = passes + (found.schedule.picks - passes) / 2;
        match fails(middle) {
            Some(shorter) => found = Found { hurried: found.hurried, ..shorter },
            None => passes = middle,
        }
    }
    found
}

#[track_caller]
fn fail(found: &Found, tried: u64) -> ! {
    let Found { schedule, failure, fickle, hurried } = found;
    let Schedule { seed, picks } = schedule;
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
    let hurried = if *hurried {
        format!("; a shorter prefix may fail too: {} did not do", Span(TIME_TO_CUT))
    } else {
        String::new()
    };
    panic!(
        "{failure}\n  with the first {picks} picks of seed {seed} (seeds tried: {tried}{hurried}); to run this schedule \
         alone:\n  {REPLAY}={schedule} {command}"
    );
}

fn replay<F: Future<Output = ()>>(program: &impl Fn() -> F, schedule: Schedule) {
    run(program, schedule, &Cell::default());
    eprintln!("{REPLAY}={schedule}: the program passed; no other schedule was run");
}

#[track_caller]
fn not_a_schedule(text: &str) -> ! {
    panic!(
        "{REPLAY} is {text:?}, which names no schedule: give it a seed, as in {REPLAY}=7, or a seed and a number of picks, as in {REPLAY}=7:3"
    )
}
