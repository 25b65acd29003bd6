//! The diagnosis: it names what keeps a program from going on, and is silent about all else.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::io::{BufRead, BufReader};
use std::pin::Pin;
use std::process::Stdio;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use oneloop::event::{Event, Finding, Observer, TaskId};
use oneloop::net::{TcpListener, TcpStream};
use oneloop::see::Who;
use oneloop::task::{Builder, scope, spawn_blocking, yield_now};
use oneloop::time::{advance, sleep, timeout};
use oneloop::{JoinHandle, Runtime};

use crate::kit::support::{alone, child, child_command, child_with, processor_time};
use crate::kit::watch::{Watch, watch};

const MILLISECOND: Duration = Duration::from_millis(1);

/// For it no poll is slow and no timer late, however busy the machine is.
fn diagnosed() -> Runtime {
    Runtime::builder().diagnose(true).slow_poll(Duration::from_secs(3600)).build().expect("a runtime")
}

/// A program's words about itself.
#[track_caller]
fn findings(program: impl FnOnce()) -> Vec<String> {
    let output = child(program);
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines().filter_map(|line| line.strip_prefix("oneloop: ")).map(String::from).collect()
}

/// The same of a program that ends when its standard input does: that is when it has said enough.
#[track_caller]
fn findings_until(is_enough: impl Fn(&[String]) -> bool, program: impl FnOnce()) -> Vec<String> {
    let mut command = child_command(&[], program);
    let _watch = Watch::new(Duration::from_secs(40));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut findings, mut stdin) = (Vec::new(), child.stdin.take());
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap) {
        findings.extend(line.strip_prefix("oneloop: ").map(String::from));
        if is_enough(&findings) {
            drop(stdin.take());
        }
    }
    child.wait().unwrap();
    findings
}

/// Returns when the other process has read enough.
fn until_stdin_ends() {
    std::io::read_to_string(std::io::stdin()).unwrap();
}

#[track_caller]
fn assert_says(findings: &[String], parts: &[&str]) {
    let says = |line: &String| parts.iter().all(|part| line.contains(part));
    assert!(findings.iter().any(says), "{parts:?} is not in {findings:#?}");
}

#[test]
fn a_task_that_left_no_waker_is_named_with_the_line_that_spawned_it() {
    let findings = findings(|| {
        diagnosed().block_on(async {
            Builder::new().name("lost").spawn(poll_fn(|_| Poll::<()>::Pending));
            sleep(MILLISECOND).await;
            sleep(MILLISECOND).await;
        });
    });
    assert_says(&findings, &["nobody can wake task", "\"lost\"", "diagnosis.rs", "no waker of it is left"]);
    assert_eq!(findings.len(), 1, "said once: {findings:#?}");
}

#[test]
fn a_task_whose_last_waker_is_dropped_is_named_too() {
    let findings = findings(|| {
        diagnosed().block_on(async {
            let kept = Rc::new(RefCell::new(None::<Waker>));
            let keep = Rc::clone(&kept);
            Builder::new().name("bereft").spawn(async move {
                sleep(MILLISECOND).await;
                poll_fn(|cx| {
                    keep.replace(Some(cx.waker().clone()));
                    Poll::<()>::Pending
                })
                .await;
            });
            while kept.borrow().is_none() {
                sleep(MILLISECOND).await;
            }
            drop(kept.take());
            sleep(MILLISECOND).await;
        });
    });
    assert_says(&findings, &["nobody can wake task", "\"bereft\"", "last waited at"]);
}

/// A task that leaves its waker here each time it is polled.
fn leaves(waker: &Rc<RefCell<Option<Waker>>>) -> JoinHandle<()> {
    let left = Rc::clone(waker);
    oneloop::spawn(poll_fn(move |cx| {
        left.replace(Some(cx.waker().clone()));
        Poll::Pending
    }))
}

/// Hands a waker to another thread, and waits until that thread is over.
fn elsewhere<T: Send + 'static>(waker: Waker, use_it: fn(Waker) -> T) -> T {
    std::thread::spawn(move || use_it(waker)).join().unwrap()
}

#[test]
fn a_last_waker_is_missed_wherever_wakers_are_cloned_and_dropped() {
    watch(|| {
        let (findings, kept) = (Findings::default(), Rc::default());
        let builder = Runtime::builder().virtual_clock().diagnose(true).observer(findings.clone());
        builder.build().expect("a runtime").block_on(async {
            let nobody_is_missed = async || {
                sleep(MILLISECOND).await;
                assert_eq!(findings.0.take(), []);
            };
            let one_is_missed = async || {
                sleep(MILLISECOND).await;
                assert_eq!(findings.0.take().len(), 1);
            };
            let left = async || {
                let task = leaves(&kept);
                yield_now().await;
                (task, kept.take().unwrap())
            };

            // Cloned here, dropped there.
            let (_there, waker) = left().await;
            nobody_is_missed().await;
            elsewhere(waker, drop);
            one_is_missed().await;

            // Cloned there, dropped here.
            let (_here, waker) = left().await;
            let other = elsewhere(waker, |waker| waker.clone());
            nobody_is_missed().await;
            drop(other);
            one_is_missed().await;

            // A waker of a slot's former tenant is no waker of the next one.
            let (former, waker) = left().await;
            let slot = former.id().slot();
            former.abort();
            let _ = former.await;
            let (next, its_waker) = left().await;
            assert_eq!(next.id().slot(), slot);
            drop(its_waker);
            one_is_missed().await;
            elsewhere(waker.clone(), drop);
            drop(waker);
            nobody_is_missed().await;
        });
    });
}

#[test]
fn tasks_that_wait_for_each_other_are_shown_as_a_circle() {
    // A line of the main task, three of the circle, and four of the sleep.
    let findings = findings_until(
        |said| said.len() == 8,
        || {
            std::thread::spawn(|| {
                until_stdin_ends();
                std::process::exit(0);
            });
            diagnosed().block_on(async {
                let other: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
                let others = Rc::clone(&other);
                let first = Builder::new().name("hen").spawn(async move {
                    yield_now().await;
                    let egg = others.take().expect("the egg is there by now");
                    egg.await.unwrap();
                });
                other.replace(Some(Builder::new().name("egg").spawn(async { first.await.unwrap() })));
                pending::<()>().await;
            });
        },
    );
    assert_says(&findings, &["the loop sleeps for ever"]);
    assert_says(&findings, &["\"hen\"", "waits for join 3"]);
    assert_says(&findings, &["\"egg\"", "waits for join 2"]);
    assert_says(&findings, &["in a circle: task 2 waits for task 3 waits for task 2"]);
}

/// A lock of somebody else's, which the runtime knows nothing of.
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
}

/// Two tasks that take the same two locks, each in another order.
async fn philosophers() {
    let (left, right) = (Lock::default(), Lock::default());
    let philosopher = |name: &str, first: &Lock, second: &Lock| {
        let (first, second) = (first.clone(), second.clone());
        Builder::new().name(name).spawn(async move {
            first.lock().await;
            sleep(MILLISECOND).await;
            second.lock().await;
        })
    };
    let (plato, kant) = (philosopher("plato", &left, &right), philosopher("kant", &right, &left));
    plato.await.unwrap();
    kant.await.unwrap();
}

/// Only in a program without threads of its own: else one of them might keep the wakers, and use them. A
/// forked child has none.
#[cfg(target_os = "linux")]
#[test]
fn tasks_that_wait_for_locks_of_others_are_named_with_what_is_known_of_it() {
    let findings = findings_until(
        |said| said.len() == 5,
        || {
            crate::process::system_faults::fork_and_wait(|| {
                // A shell gives what runs in its background an empty standard input.
                let end = "exec 3<&0; (cat <&3; kill $PPID) >/dev/null 2>&1 &";
                std::process::Command::new("sh").args(["-c", end]).status().unwrap();
                diagnosed().block_on(philosophers());
            });
        },
    );
    assert_says(&findings, &["the loop sleeps for ever"]);
    for name in ["\"plato\"", "\"kant\""] {
        assert_says(&findings, &[name, "spawned at", "diagnosis.rs", "that keeps a waker of it, such as a lock"]);
    }
    assert_says(&findings, &["task 1", "waits for join 2"]);
    assert_says(&findings, &["who could end such a wait", "is one of these tasks, or gone"]);
    assert!(!findings.iter().any(|line| line.contains("nobody can wake")), "{findings:#?}");
}

/// Two tasks that wait for each other's end, by what `wait` makes of a handle.
async fn hen_and_egg<F: Future<Output = ()> + 'static>(wait: impl Fn(JoinHandle<()>) -> F + Copy + 'static) {
    let other: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let others = Rc::clone(&other);
    let first = Builder::new().name("hen").spawn(async move {
        yield_now().await;
        let egg = others.take().expect("the egg is there by now");
        wait(egg).await;
    });
    other.replace(Some(Builder::new().name("egg").spawn(async move { wait(first).await })));
    sleep(MILLISECOND * 5).await;
    sleep(MILLISECOND * 5).await;
}

#[test]
fn a_circle_is_found_while_others_go_on_and_told_once() {
    let findings = findings(|| diagnosed().block_on(hen_and_egg(async |other| drop(other.await))));
    assert_says(&findings, &["in a circle: task 2 waits for task 3 waits for task 2"]);
    for name in ["\"hen\"", "\"egg\""] {
        assert_says(&findings, &[name, "spawned at", "last waited at", "diagnosis.rs"]);
    }
    assert_eq!(findings.len(), 3, "{findings:#?}");
}

#[test]
fn who_joins_for_a_while_only_is_in_no_circle() {
    let findings = findings(|| {
        diagnosed().block_on(hen_and_egg(async |other| drop(timeout(MILLISECOND * 7, other).await)));
    });
    assert_eq!(findings, [""; 0]);
}

#[test]
fn who_has_left_its_waker_elsewhere_too_is_in_no_circle() {
    let findings = findings(|| {
        diagnosed().block_on(hen_and_egg(|mut other| {
            // Somebody else may wake it: the waker is kept elsewhere as well.
            poll_fn(move |cx| {
                std::mem::forget(cx.waker().clone());
                Pin::new(&mut other).poll(cx).map(drop)
            })
        }));
    });
    assert_eq!(findings, [""; 0]);
}

#[test]
fn a_slow_poll_is_reported_while_it_goes_on_and_when_it_is_over() {
    let is_held_up = |line: &String| line.contains("\"hog\"") && line.contains("holds up the loop");
    let findings = findings_until(
        |said| said.iter().any(is_held_up),
        || {
            let builder = Runtime::builder().diagnose(true).slow_poll(MILLISECOND * 50);
            builder.build().expect("a runtime").block_on(async {
                let hog = Builder::new().name("hog").spawn(async {
                    sleep(MILLISECOND).await;
                    until_stdin_ends();
                });
                hog.await.unwrap();
            });
        },
    );
    let line = findings.iter().position(is_held_up);
    let over = findings.iter().position(|line| line.contains("\"hog\"") && line.contains("in one poll"));
    assert!(line.is_some() && line < over, "{findings:#?}");
}

#[test]
fn a_poll_is_slow_by_the_clock_of_the_runtime() {
    let findings = findings(|| {
        let builder = Runtime::builder().virtual_clock().diagnose(true).slow_poll(MILLISECOND * 500);
        builder.build().expect("a runtime").block_on(async {
            advance(MILLISECOND * 400);
            yield_now().await;
            advance(MILLISECOND * 600);
        });
    });
    assert_says(&findings, &["\"main\"", "ran for 600 ms in one poll"]);
    assert_eq!(findings.len(), 1, "{findings:#?}");
}

#[test]
fn a_program_in_which_all_goes_well_is_met_with_silence() {
    let findings = findings(|| {
        diagnosed().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let server = oneloop::spawn(async move {
                let (stream, _) = listener.accept().await.unwrap();
                let mut buffer = [0; 8];
                let read = stream.read(&mut buffer).await.unwrap();
                stream.write_all(&buffer[..read]).await.unwrap();
            });
            let client = TcpStream::connect(addr).await.unwrap();
            client.write_all(b"hello").await.unwrap();
            assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 5);
            server.await.unwrap();
            scope(async |s| {
                for n in 0..10 {
                    s.spawn(sleep(MILLISECOND * n));
                }
                assert_eq!(spawn_blocking(|| 7).await.unwrap(), 7);
            })
            .await
            .unwrap();
            let (tell, told) = one_wake();
            std::thread::spawn(move || {
                std::thread::sleep(MILLISECOND * 20);
                tell();
            });
            told.await;
        });
    });
    assert_eq!(findings, [""; 0]);
}

/// A channel for one wake from another thread.
fn one_wake() -> (impl FnOnce() + Send, impl Future<Output = ()>) {
    use std::sync::{Arc, Mutex};
    let state = Arc::new(Mutex::new((false, None::<Waker>)));
    let shared = Arc::clone(&state);
    let tell = move || {
        let mut state = shared.lock().unwrap();
        state.0 = true;
        let waker = state.1.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    };
    let told = poll_fn(move |cx| {
        let mut state = state.lock().unwrap();
        state.1 = Some(cx.waker().clone());
        if state.0 { Poll::Ready(()) } else { Poll::Pending }
    });
    (tell, told)
}

/// The findings that an observer hears of, and what is reported besides.
#[derive(Clone, Default)]
struct Findings(Rc<RefCell<Vec<Found>>>);

type Found = (Finding, Option<u64>, String);

impl Observer for Findings {
    fn on_event(&self, _: Duration, event: &Event<'_>) {
        if let Event::Finding { kind, task, text } = *event {
            self.0.borrow_mut().push((kind, task.map(TaskId::as_u64), String::from(text)));
        }
    }
}

/// The findings of a program on the virtual clock.
fn found(program: impl Future<Output = ()>) -> Vec<Found> {
    let findings = Findings::default();
    let builder = Runtime::builder().virtual_clock().diagnose(true).observer(findings.clone());
    builder.build().expect("a runtime").block_on(program);
    findings.0.take()
}

/// The cost of `each` when a task of a diagnosed runtime does it 200 times, under a short name and under a long one.
fn costs<F: Future<Output = ()> + 'static>(each: impl Fn() -> F + Copy + 'static) -> [Duration; 2] {
    ["brief", &"x".repeat(1 << 20)].map(|name| {
        let task = Builder::new().name(name);
        processor_time(|| {
            let done = found(async move {
                let repeated = task.spawn(async move {
                    for _ in 0..200 {
                        each().await;
                    }
                });
                repeated.await.unwrap();
            });
            assert_eq!(done, []);
        })
    })
}

#[test]
fn a_names_cost_is_paid_when_a_sentence_is_made_not_at_every_poll() {
    alone(|| {
        let polls = || costs(yield_now);
        let aborts = || {
            costs(async || {
                let victim = oneloop::spawn(pending::<()>());
                victim.abort();
                assert!(victim.await.is_err());
            })
        };
        let cancels = || {
            costs(async || {
                let cancelled = scope(async |s| {
                    s.cancel("enough");
                    pending::<()>().await;
                })
                .await;
                assert!(cancelled.is_err());
            })
        };
        for what in [&polls as &dyn Fn() -> [Duration; 2], &aborts, &cancels] {
            let [brief, long] = what();
            assert!(long < (brief + MILLISECOND * 10) * 10, "{brief:?} under a short name, {long:?} under a long one");
        }
    });
}

#[test]
fn each_finding_is_an_event_after_the_one_that_shows_it() {
    watch(|| {
        let found = found(async {
            Builder::new().name("lost").spawn(poll_fn(|_| Poll::<()>::Pending));
            sleep(MILLISECOND).await;
            advance(MILLISECOND * 200);
            yield_now().await;
        });
        let kinds: Vec<_> = found.iter().map(|(kind, task, _)| (*kind, *task)).collect();
        assert_eq!(kinds, [(Finding::NobodyCanWake, Some(2)), (Finding::SlowPoll, Some(1))]);
        assert!(
            found[0].2.starts_with("nobody can wake task 2 \"lost\" (spawned at tests/it/see/diagnosis.rs:"),
            "{found:?}"
        );
        assert!(
            found[1].2.contains("task 1 \"main\"") && found[1].2.contains("ran for 200 ms in one poll"),
            "{found:?}"
        );
    });
}

/// Wakes itself so many times, each time after so long.
async fn storm(mut polls: u32, each: Duration) {
    poll_fn(|cx| {
        advance(each);
        polls -= 1;
        if polls == 0 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn a_task_that_wakes_itself_all_the_time_and_nobody_else_does_is_a_storm() {
    watch(|| {
        let storms = found(async { Builder::new().name("asker").spawn(storm(500, MILLISECOND)).await.unwrap() });
        let [(Finding::SelfWakeStorm, Some(2), text)] = &*storms else { panic!("{storms:?}") };
        assert!(text.starts_with("task 2 \"asker\" (spawned at tests/it/see/diagnosis.rs:"), "{text}");
        assert!(text.contains("has woken itself in 200 polls on end, for 199 ms"), "{text}");
        // Many, but soon over; long, but few.
        assert_eq!(found(storm(10_000, Duration::from_micros(5))), []);
        assert_eq!(found(storm(150, MILLISECOND * 2)), []);
        // Somebody else wakes it now and then.
        let woken = found(async {
            for _ in 0..10 {
                storm(100, MILLISECOND).await;
                sleep(MILLISECOND).await;
            }
        });
        assert_eq!(woken, []);
    });
}

#[test]
fn a_task_that_yields_or_has_had_its_share_of_a_poll_is_no_storm() {
    watch(|| {
        let yields = found(async {
            for _ in 0..500 {
                advance(MILLISECOND);
                yield_now().await;
            }
        });
        assert_eq!(yields, []);
        let reads = found(async {
            let (near, far) = oneloop::net::duplex(1);
            for n in 0..50_000 {
                near.write_all(b"x").await.unwrap();
                far.read(&mut [0]).await.unwrap();
                advance(MILLISECOND * u32::from(n % 100 == 0));
            }
        });
        assert_eq!(reads, []);
    });
}

/// Lets a task of the main thread be woken from another when the loop has made up its mind to sleep for ever.
struct LateWake(Rc<Cell<Option<Waker>>>);

impl Observer for LateWake {
    fn on_event(&self, _: Duration, event: &Event<'_>) {
        if matches!(event, Event::ParkStart { timeout: None }) {
            let waker = self.0.take().expect("it sleeps once");
            std::thread::spawn(move || waker.wake()).join().expect("a wake does not panic");
        }
    }
}

#[test]
fn a_wake_that_comes_when_the_loop_is_about_to_sleep_is_not_overlooked() {
    watch(|| {
        let (findings, kept) = (Findings::default(), Rc::new(Cell::new(None)));
        let builder = Runtime::builder().diagnose(true).observer(LateWake(Rc::clone(&kept)));
        let runtime = builder.observer(findings.clone()).build().expect("a runtime");
        let mut waits = true;
        runtime.block_on(poll_fn(|cx| {
            if std::mem::take(&mut waits) {
                kept.set(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            Poll::Ready(())
        }));
        assert_eq!(findings.0.take(), []);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn the_thread_that_watches_ends_with_its_runtime() {
    alone(|| {
        let threads = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        let before = threads();
        let slow = Duration::from_secs(3600);
        drop(Runtime::builder().diagnose(true).slow_poll(slow).build().expect("a runtime"));
        // A thread that was joined is over, but the kernel may list it for a moment more.
        while threads() != before {
            std::thread::yield_now();
        }
    });
}

#[test]
fn timers_that_pile_up_are_told_with_the_poll_that_kept_them() {
    watch(|| {
        let program = async |timers: usize, works: Duration| {
            let sleeps: Vec<_> = (0..timers).map(|_| oneloop::spawn(sleep(MILLISECOND))).collect();
            let hog = Builder::new().name("hog").spawn(async move { advance(works) });
            for sleep in sleeps {
                sleep.await.unwrap();
            }
            hog.await.unwrap();
        };
        let piled = found(program(30, MILLISECOND * 400));
        let [(Finding::SlowPoll, ..), (Finding::TimerPileUp, None, text)] = &*piled else { panic!("{piled:?}") };
        assert!(text.starts_with("30 timers fired together, up to 399 ms late: task 32 \"hog\" (spawned at"), "{text}");
        assert!(text.ends_with("ran for 400 ms in one poll before"), "{text}");
        assert_eq!(found(program(1000, MILLISECOND * 50)), []);
        assert_eq!(found(program(3, MILLISECOND * 400)).len(), 1, "only the poll was slow");
    });
}

#[test]
fn the_task_table_tells_the_past_where_somebody_followed_it() {
    watch(|| {
        let table = || async {
            let reader = Builder::new().name("reader").spawn(sleep(MILLISECOND * 20));
            yield_now().await;
            advance(MILLISECOND * 3);
            let dump = oneloop::see::dump();
            reader.await.unwrap();
            dump
        };
        let ring = oneloop::see::Ring::new(100);
        let followed = Runtime::builder().virtual_clock().observer(ring).build().unwrap().block_on(table());
        let diagnosed = Runtime::builder().virtual_clock().diagnose(true).build().unwrap().block_on(table());
        for dump in [followed, diagnosed] {
            let reader = dump.tasks[1].past.as_ref().unwrap();
            assert_eq!((reader.polls, reader.lasts, reader.woken_by), (1, MILLISECOND * 3, None));
            let main = dump.tasks[0].past.as_ref().unwrap();
            assert_eq!((main.polls, main.woken_by), (2, Some(Who::Task(1))));
            let text = dump.to_string();
            let line = text.lines().find(|line| line.contains("reader")).unwrap();
            let columns: Vec<_> = line.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
            assert_eq!(columns[..7], ["2", "reader", "waiting", "3 ms", "1", "0 s", "-"], "{text}");
        }
        let alone = Runtime::builder().virtual_clock().build().unwrap().block_on(table());
        assert!(alone.tasks[1].past.is_none() && alone.to_string().contains("reader"));
    });
}

#[test]
fn the_task_table_names_switches_that_have_the_past_told() {
    let table = || {
        Runtime::new().unwrap().block_on(async {
            let reader = Builder::new().name("reader").spawn(sleep(MILLISECOND));
            yield_now().await;
            print!("{}", oneloop::see::dump());
            reader.await.unwrap();
        });
    };
    for (variable, value, is_told) in [
        ("ONELOOP_LOG", "0", false),
        ("ONELOOP_LOG", "1", true),
        ("ONELOOP_DIAGNOSE", "1", true),
        ("ONELOOP_SEE", "127.0.0.1:0", true),
        ("ONELOOP_RECORD", "/dev/null", true),
        ("ONELOOP_TRACE", "/dev/null", true),
    ] {
        let output = child_with(&[(variable, value)], table);
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find(|line| line.contains("reader")).unwrap_or_else(|| panic!("{text}"));
        let polls = line.split("  ").map(str::trim).filter(|column| !column.is_empty()).nth(4);
        assert_eq!(polls, Some(if is_told { "1" } else { "-" }), "{variable}={value}: {text}");
        assert_eq!(text.contains("nobody has followed the events"), !is_told, "{variable}={value}: {text}");
    }
}
