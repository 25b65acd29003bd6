//! Exploring: a race is found, cut to its shortest schedule, and replayed by the line that reports it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::future::poll_fn;
use std::process::{Command, Output};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use oneloop::see::Recording;
use oneloop::task::{Builder, spawn_blocking, yield_now};
use oneloop::time::sleep;
use oneloop::{Runtime, explore, spawn};

use crate::kit::support::{Folder, child, child_with, on_drop, panic_of, rounds, text_of};
use crate::kit::watch::{Watch, in_order, watch};

const REPLAY: &str = "ONELOOP_EXPLORE";

/// One task reads, awaits and writes back; so does the other, a little later. In order, that is enough.
async fn lost_update() {
    let balance = Rc::new(Cell::new(0));
    let deposit = |amount: u32, later: usize| {
        let balance = Rc::clone(&balance);
        spawn(async move {
            rounds(later).await;
            let before = balance.get();
            yield_now().await;
            balance.set(before + amount);
        })
    };
    let (one, other) = (deposit(20, 0), deposit(30, 4));
    one.await.unwrap();
    other.await.unwrap();
    assert_eq!(balance.get(), 50, "an update is lost");
}

/// A lock that is given up by `unlock` alone.
#[derive(Clone, Default)]
struct Lock(Rc<(Cell<bool>, RefCell<Vec<Waker>>)>);

impl Lock {
    async fn lock(&self) {
        poll_fn(|cx| {
            if self.0.0.replace(true) {
                self.0.1.borrow_mut().push(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    fn unlock(&self) {
        self.0.0.set(false);
        self.0.1.take().into_iter().for_each(Waker::wake);
    }
}

/// Two tasks take the same two locks, each in another order.
async fn lock_order() {
    let (left, right) = (Lock::default(), Lock::default());
    let philosopher = |name: &str, first: &Lock, second: &Lock, later: usize| {
        let (first, second) = (first.clone(), second.clone());
        Builder::new().name(name).spawn(async move {
            rounds(later).await;
            first.lock().await;
            yield_now().await;
            second.lock().await;
            second.unlock();
            first.unlock();
        })
    };
    let (plato, kant) = (philosopher("plato", &left, &right, 0), philosopher("kant", &right, &left, 4));
    plato.await.unwrap();
    kant.await.unwrap();
}

/// Runs one test of this program with a schedule in its environment.
fn replay(test: &str, schedule: &str) -> Output {
    replay_with(test, schedule, &[])
}

/// The same, with these variables besides.
fn replay_with(test: &str, schedule: &str, variables: &[(&str, &str)]) -> Output {
    let program = std::env::current_exe().expect("this program knows its own path");
    Command::new(program)
        .args(["--exact", test, "--nocapture"])
        .env(REPLAY, schedule)
        .envs(variables.iter().copied())
        .output()
        .expect("this program can be started again")
}

/// The seed and the number of picks in a report.
fn schedule_in(report: &str) -> (u64, u64) {
    let (_, after) = report.split_once(&format!("{REPLAY}=")).expect("a report says how to replay");
    let (schedule, _) = after.split_once(' ').expect("a command follows");
    let (seed, picks) = schedule.split_once(':').expect("a schedule is seed:picks");
    (seed.parse().unwrap(), picks.parse().unwrap())
}

/// Finds a failure of `program`, and replays it in another process: with its schedule it fails in the same way, and
/// with one pick less it passes.
fn found_cut_and_replayed<F: Future<Output = ()>>(test: &str, program: impl Fn() -> F, says: &str) {
    if std::env::var_os(REPLAY).is_some() {
        return explore(program, []);
    }
    let _watch = Watch::new(Duration::from_secs(60));
    let report = panic_of(|| explore(&program, 0..1000));
    assert!(report.contains(says), "{report}");
    assert!(report.ends_with(&format!(" cargo test {test}")), "{report}");
    assert_eq!(panic_of(|| explore(&program, 0..1000)), report, "the same search finds the same");
    let (seed, picks) = schedule_in(&report);
    assert!(picks > 0, "in order, the program is right: {report}");
    let failed = replay(test, &format!("{seed}:{picks}"));
    let cried = String::from_utf8_lossy(&failed.stderr);
    let first_line = report.lines().next().unwrap();
    assert!(!failed.status.success() && cried.contains(first_line), "{cried}");
    let passed = replay(test, &format!("{seed}:{}", picks - 1));
    let cried = String::from_utf8_lossy(&passed.stderr);
    assert!(passed.status.success() && cried.contains("the program passed"), "{cried}");
}

#[test]
fn a_lost_update_is_found_cut_and_replayed() {
    found_cut_and_replayed("task::explore::a_lost_update_is_found_cut_and_replayed", lost_update, "an update is lost");
}

#[test]
fn a_deadlock_is_found_cut_and_replayed() {
    found_cut_and_replayed("task::explore::a_deadlock_is_found_cut_and_replayed", lock_order, "the program is stuck");
}

/// Permits that wake one waiter each. A waiter that is cancelled when its wake is on the way takes that along.
#[derive(Clone, Default)]
struct Permits(Rc<(Cell<u32>, RefCell<VecDeque<Waker>>)>);

impl Permits {
    async fn acquire(&self) {
        poll_fn(|cx| {
            if let Some(left) = self.0.0.get().checked_sub(1) {
                self.0.0.set(left);
                return Poll::Ready(());
            }
            self.0.1.borrow_mut().push_back(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn release(&self) {
        self.0.0.set(self.0.0.get() + 1);
        let next = self.0.1.borrow_mut().pop_front();
        next.into_iter().for_each(Waker::wake);
    }
}

/// Two wait for a permit, and the first of them is cancelled at some time.
async fn lost_permit() {
    let permits = Permits::default();
    let waits = |later: usize| {
        let permits = permits.clone();
        spawn(async move {
            rounds(later).await;
            permits.acquire().await;
            permits.release();
        })
    };
    let (impatient, patient) = (waits(0), waits(1));
    rounds(4).await;
    let aborts = spawn(async move {
        rounds(2).await;
        impatient.abort();
    });
    permits.release();
    aborts.await.unwrap();
    patient.await.unwrap();
}

#[test]
fn a_lost_permit_is_found_cut_and_replayed() {
    found_cut_and_replayed(
        "task::explore::a_lost_permit_is_found_cut_and_replayed",
        lost_permit,
        "the program is stuck",
    );
}

/// A task that nobody joins finds something wrong, unless it comes first.
async fn detached_panic() {
    let told = Rc::new(Cell::new(false));
    let seen = Rc::clone(&told);
    drop(spawn(async move { assert!(!seen.get(), "too late") }));
    let tells = spawn(async move {
        rounds(3).await;
        told.set(true);
    });
    tells.await.unwrap();
}

#[test]
fn a_panic_of_a_task_that_nobody_joins_is_found_cut_and_replayed() {
    let test = "task::explore::a_panic_of_a_task_that_nobody_joins_is_found_cut_and_replayed";
    found_cut_and_replayed(test, detached_panic, "and nobody joined it");
}

#[test]
fn a_panic_is_a_failure_unless_somebody_hears_of_it() {
    watch(|| {
        let panics = || Builder::new().name("p").spawn(async { panic!("an {}", "outcry") });
        let detached = panic_of(|| {
            explore(
                || async {
                    drop(panics());
                    rounds(3).await;
                },
                0..1,
            );
        });
        let dropped_later = panic_of(|| {
            explore(
                || async {
                    let handle = panics();
                    rounds(3).await;
                    assert!(handle.is_finished());
                    drop(handle);
                    sleep(Duration::from_secs(1)).await;
                },
                0..1,
            );
        });
        let at_the_end = panic_of(|| {
            explore(
                || async {
                    let _handle = panics();
                    rounds(3).await;
                },
                0..1,
            );
        });
        for report in [detached, dropped_later, at_the_end] {
            for part in [
                "task 2 (spawned at",
                "and nobody joined it",
                "panicked at tests/it/task/explore.rs",
                ": an outcry",
                REPLAY,
            ] {
                assert!(report.contains(part), "{part:?} is not in\n{report}");
            }
        }
        explore(|| async { assert!(panics().await.unwrap_err().is_panic()) }, 0..10);
    });
}

/// One waits for a word, asking again and again, and the other forgets to give it if it comes late.
async fn spins() {
    let (asked, word) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let (count, given) = (Rc::clone(&asked), Rc::clone(&word));
    let waits = spawn(async move {
        while !word.get() {
            asked.set(asked.get() + 1);
            yield_now().await;
        }
    });
    let gives = spawn(async move { given.set(count.get() < 3) });
    gives.await.unwrap();
    waits.await.unwrap();
}

#[test]
fn a_program_that_spins_for_ever_is_found_cut_and_replayed() {
    let test = "task::explore::a_program_that_spins_for_ever_is_found_cut_and_replayed";
    found_cut_and_replayed(test, spins, "the program has not ended after 1000000 polls");
}

#[test]
fn a_program_that_is_stuck_is_reported_with_its_tasks() {
    watch(|| {
        let report = panic_of(|| explore(lock_order, 0..1000));
        for word in ["main", "plato", "kant", "waiting", "explore.rs", "join"] {
            assert!(report.contains(word), "{word:?} is not in\n{report}");
        }
    });
}

#[test]
fn a_report_names_the_line_that_panicked_and_the_shortest_schedule() {
    watch(|| {
        let in_order = panic_of(|| explore(|| async { panic!("always") }, 7..9));
        assert!(in_order.starts_with("always\n  panicked at "), "{in_order}");
        assert!(
            in_order.contains(file!()) && in_order.contains("first 0 picks of seed 7 (seeds tried: 1)"),
            "{in_order}"
        );
    });
}

#[test]
fn a_program_that_is_right_passes_a_thousand_seeds_in_different_orders() {
    watch(|| {
        let orders = RefCell::new(BTreeSet::new());
        let program = || async {
            let order = Rc::new(RefCell::new(Vec::new()));
            let tasks: Vec<_> = (0..5)
                .map(|n| {
                    let order = Rc::clone(&order);
                    spawn(async move {
                        sleep(Duration::from_secs(1)).await;
                        order.borrow_mut().push(n);
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            orders.borrow_mut().insert(order.take());
        };
        explore(program, 0..1000);
        // Each of the 5! orders is missed by a thousand fair runs with a probability of about 0.0002.
        assert!(orders.borrow().len() > 100, "{}", orders.borrow().len());
    });
}

#[test]
fn waiting_for_a_timer_or_a_blocking_job_is_not_being_stuck() {
    watch(|| {
        let program = || async {
            sleep(Duration::from_secs(3600)).await;
            assert_eq!(spawn_blocking(|| 7).await.unwrap(), 7);
        };
        explore(program, 0..10);
    });
}

#[test]
fn a_program_that_depends_on_more_than_its_seed_is_told_so() {
    watch(|| {
        let runs = Cell::new(0);
        let program = || {
            runs.set(runs.get() + 1);
            async { assert!(runs.get() != 5, "the fifth run") }
        };
        let report = panic_of(|| explore(program, 0..10));
        assert!(report.contains("the fifth run") && report.contains("depends on something besides it"), "{report}");
    });
}

#[test]
fn a_search_that_has_no_seed_or_is_inside_a_runtime_is_refused() {
    watch(|| {
        let no_seed = panic_of(|| explore(|| async {}, []));
        assert!(no_seed.contains("was given no seed"), "{no_seed}");
        let inside = panic_of(|| in_order().block_on(async { explore(|| async {}, 0..1) }));
        assert!(inside.contains("outside a running oneloop runtime"), "{inside}");
    });
}

#[test]
fn a_schedule_that_cannot_be_read_is_refused() {
    if std::env::var_os(REPLAY).is_some() {
        return explore(|| async {}, 0..1);
    }
    watch(|| {
        for wrong in ["", "x", "7:", ":3", "7:3:1", "-1:0", "x:y"] {
            let refused = replay("task::explore::a_schedule_that_cannot_be_read_is_refused", wrong);
            let cried = String::from_utf8_lossy(&refused.stderr);
            assert!(!refused.status.success() && cried.contains("names no schedule"), "{wrong:?}: {cried}");
        }
    });
}

#[test]
fn a_search_prints_its_seed_and_its_report_and_other_panics_as_ever() {
    let output = child(|| {
        let ends = std::panic::catch_unwind(|| explore(lost_update, 0..1000)).unwrap_err();
        println!("report: {}", text_of(&*ends).lines().count());
        let _ = std::panic::catch_unwind(|| panic!("another panic"));
    });
    let cried = String::from_utf8_lossy(&output.stderr);
    assert_eq!(cried.matches("an update is lost").count(), 2, "{cried}");
    // On a slow machine it says besides that it still looks for a shorter schedule.
    assert_eq!(cried.matches(" fails (seeds tried: ").count(), 1, "{cried}");
    assert_eq!(cried.matches("another panic").count(), 1, "{cried}");
}

/// Each run takes its time, and fails by the order of its last two steps alone.
async fn slow_and_long() {
    thread::sleep(Duration::from_millis(15));
    let first = Rc::new(Cell::new(true));
    let steps = |right: bool| {
        let first = Rc::clone(&first);
        spawn(async move {
            rounds(1500).await;
            assert!(first.replace(false) == right, "out of order");
        })
    };
    let (one, other) = (steps(true), steps(false));
    one.await.unwrap();
    other.await.unwrap();
}

#[test]
fn a_seed_is_told_at_once_and_shortening_has_a_limit_of_time() {
    let output = child(|| {
        let start = Instant::now();
        let report = panic_of(|| explore(slow_and_long, 0..100));
        println!("after {} s: {report}", start.elapsed().as_secs());
    });
    let (said, cried) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let (_, told) = cried.split_once(" fails (seeds tried: ").expect("the seed is told");
    assert!(told.contains("runs it alone; a shorter schedule is looked for, for 5 s at most"), "{told}");
    assert!(told.contains("looking for a shorter schedule: "), "it shows that it goes on: {told}");
    assert!(said.contains("a shorter prefix may fail too: 5 s did not do"), "{said}");
    let (_, after) = said.split_once("after ").expect("the child says how long it took");
    let seconds: u64 = after.split(' ').next().unwrap().parse().unwrap();
    assert!(seconds < 15, "{said}");
}

#[test]
fn a_seed_whose_run_hangs_is_told_while_it_hangs() {
    let output = child(|| {
        explore(|| async { thread::sleep(Duration::from_secs(3)) }, 7..8);
    });
    let cried = String::from_utf8_lossy(&output.stderr);
    assert!(cried.contains("none has failed; ONELOOP_EXPLORE=7 is the one that has been running for "), "{cried}");
}

/// A panic in a drop while another panic unwinds: the process is aborted.
async fn panics_twice(in_a_task: bool) {
    let twice = || async {
        let _last = on_drop(|| panic!("the second panic"));
        panic!("the first panic");
    };
    if in_a_task { drop(spawn(twice()).await) } else { twice().await }
}

extern "C" fn cannot_unwind() {
    panic!("the first panic");
}

#[test]
fn all_that_was_held_back_is_told_before_the_process_is_aborted() {
    const HOW: &str = "ONELOOP_TEST_ABORTS";
    for how in ["root", "task", "foreign"] {
        let output = child_with(&[(HOW, how)], || {
            let how = std::env::var(HOW).unwrap();
            explore(
                || async {
                    match &*how {
                        "foreign" => cannot_unwind(),
                        how => panics_twice(how == "task").await,
                    }
                },
                7..8,
            );
        });
        let cried = String::from_utf8_lossy(&output.stderr);
        let seconds = usize::from(how != "foreign");
        assert_eq!(cried.matches("the first panic").count(), 1, "{how}: {cried}");
        assert_eq!(cried.matches("the second panic").count(), seconds, "{how}: {cried}");
        let places = cried.lines().filter(|line| line.starts_with("  a panic at tests/it/task/explore.rs:")).count();
        assert_eq!(places, 1 + seconds, "{how}: {cried}");
        assert!(cried.contains("ONELOOP_EXPLORE=7 runs alone"), "{how}: {cried}");
        assert!(!output.status.success() && cried.contains("aborting"), "{how}: {cried}");
    }
}

#[test]
fn a_program_that_exits_in_the_midst_of_a_search_leaves_its_seed() {
    let output = child(|| explore(|| async { std::process::exit(3) }, 7..8));
    let cried = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{cried}");
    assert!(cried.contains("exits in the midst of a search: ") && cried.contains("ONELOOP_EXPLORE=7 "), "{cried}");
}

#[test]
fn a_program_that_exits_after_a_search_says_nothing_of_it() {
    for _ in 0..5 {
        let output = child(|| {
            explore(yield_now, 7..8);
            std::process::exit(3);
        });
        let cried = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), cried.contains("in the midst")), (Some(3), false), "{cried}");
    }
}

#[test]
fn the_environments_wishes_leave_the_loops_of_a_search_alone() {
    let folder = Folder::new();
    let (recording, trace) = (folder.file("recording"), folder.file("trace"));
    let variables = [
        ("ONELOOP_RECORD", &*recording),
        ("ONELOOP_TRACE", &*trace),
        ("ONELOOP_SEE", "127.0.0.1:0"),
        ("ONELOOP_LOG", "1"),
        ("ONELOOP_DIAGNOSE", "1"),
    ];
    let output = child_with(&variables, || {
        let inner = || drop(Runtime::new().unwrap());
        explore(
            || async move {
                inner();
                spawn_blocking(move || Runtime::new().unwrap().block_on(async {})).await.unwrap();
            },
            0..5,
        );
        eprintln!("the program's own");
        Runtime::new().unwrap().block_on(async {});
    });
    let cried = String::from_utf8_lossy(&output.stderr);
    let (before, after) = cried.split_once("the program's own\n").expect("the child comes that far");
    assert_eq!(before, "", "a search is silent");
    assert_eq!(after.matches("see it turn at").count(), 1, "{cried}");
    assert_eq!(after.matches("turn 1 ").count(), 1, "{cried}");
    for file in [&recording, &trace] {
        assert!(std::fs::read(file).is_ok_and(|bytes| !bytes.is_empty()), "the program's own loop is in it");
        assert!(std::fs::read(format!("{file}.2")).is_err(), "there is one file");
    }
}

#[test]
fn a_found_schedule_is_recorded_by_asking() {
    if std::env::var_os(REPLAY).is_some() {
        return explore(lost_update, []);
    }
    let _watch = Watch::new(Duration::from_secs(60));
    let (seed, picks) = schedule_in(&panic_of(|| explore(lost_update, 0..1000)));
    for schedule in [format!("{seed}:{picks}"), seed.to_string()] {
        let folder = Folder::new();
        let recording = folder.file("recording");
        let variables = [("ONELOOP_RECORD", &*recording)];
        let failed = replay_with("task::explore::a_found_schedule_is_recorded_by_asking", &schedule, &variables);
        assert!(String::from_utf8_lossy(&failed.stderr).contains("an update is lost"), "{schedule}");
        let read = Recording::read(std::io::BufReader::new(std::fs::File::open(&*recording).unwrap())).unwrap();
        assert_eq!(read.seed(), Some(seed), "{schedule}");
    }
}
