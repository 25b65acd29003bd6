//! The event stream: the exact sequence of small programs, each step with its exact cause.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use oneloop::event::{Event, Observer};
use oneloop::net::{TcpListener, TcpStream, UnixStream};
use oneloop::task::{Builder, yield_now};
use oneloop::time::{advance, sleep, timeout};
use oneloop::{Handle, Runtime, spawn};

use crate::kit::support::{Count, join_all, my_waker, on_drop, one_wake, panic_of, rounds};
use crate::kit::trace::Trace;
use crate::kit::watch::{builder, spawn_thread, watch};

const SECOND: Duration = Duration::from_secs(1);

fn traced(trace: &Trace) -> Runtime {
    builder().virtual_clock().observer(trace.clone()).build().unwrap()
}

#[test]
fn a_task_that_sleeps_and_is_joined_leaves_this_trace() {
    watch(|| {
        let trace = Trace::default();
        let runtime = traced(&trace);
        runtime.block_on(async {
            let child = Builder::new().name("child").spawn(sleep(SECOND));
            child.await.unwrap();
        });
        let expected = [
            "spawn 1 main by nobody",
            "turn 1, inbox 0",
            "poll 1",
            "spawn 2 child by task 1",
            "wait 1 for task 2",
            "poll 1 ends Pending",
            "poll 2",
            "timer 1 set by task 2 for 1s",
            "wait 2 for timer 1",
            "poll 2 ends Pending",
            "park for Some(1s)",
            "park ends, events 0",
            "turn 1 ends, polls 2",
            "turn 2, inbox 0",
            "timer 1 fired 0ns late",
            "wake 2 by timer 1",
            "poll 2",
            "poll 2 ends Ready",
            "finish 2 Returned",
            "wake 1 by task 2",
            "poll 1",
            "poll 1 ends Ready",
            "turn 2 ends, polls 2",
            "finish 1 Returned",
        ];
        assert_eq!(trace.take(), expected);
        drop(runtime);
        assert_eq!(trace.take(), [""; 0]);
    });
}

#[test]
fn aborts_panics_and_cancelled_timers_leave_this_trace() {
    watch(|| {
        let trace = Trace::default();
        traced(&trace).block_on(async {
            let sleeps = spawn(sleep(SECOND));
            let panics = spawn(async { panic!("an event") });
            yield_now().await;
            sleeps.abort();
            sleeps.abort();
            let _: Result<(), _> = panics.await;
            sleeps.await.unwrap_err();
        });
        let expected = [
            "spawn 1 main by nobody",
            "turn 1, inbox 0",
            "poll 1",
            "spawn 2 by task 1",
            "spawn 3 by task 1",
            "wake 1 by task 1",
            "poll 1 ends Pending",
            "poll 2",
            "timer 1 set by task 2 for 1s",
            "wait 2 for timer 1",
            "poll 2 ends Pending",
            "poll 3",
            "poll 3 ends Panicked",
            "finish 3 Panicked",
            "poll 1",
            "abort 2 by task 1",
            "wait 1 for task 2",
            "poll 1 ends Pending",
            "timer 1 cancelled",
            "finish 2 Aborted",
            "wake 1 by task 2",
            "poll 1",
            "poll 1 ends Ready",
            // The drop of an aborted task is no poll, though a turn is bounded in both together.
            "turn 1 ends, polls 5",
            "finish 1 Returned",
        ];
        assert_eq!(trace.take(), expected);
    });
}

#[test]
fn a_runtime_that_ends_tells_of_its_tasks_ends() {
    watch(|| {
        let trace = Trace::default();
        let runtime = traced(&trace);
        runtime.block_on(async {
            drop(spawn(sleep(SECOND)));
            drop(spawn(async {
                let _then = on_drop(|| drop(spawn(async {})));
                pending::<()>().await;
            }));
            rounds(1).await;
        });
        trace.take();
        drop(runtime);
        let expected =
            ["timer 1 cancelled", "finish 2 Aborted", "spawn 4 by task 3", "finish 3 Aborted", "finish 4 Aborted"];
        assert_eq!(trace.take(), expected);
    });
}

#[test]
fn each_wake_names_its_cause() {
    watch(|| {
        let trace = Trace::default();
        let runtime = builder().observer(trace.clone()).build().unwrap();
        let waker = runtime.block_on(async {
            let waker = my_waker().await;
            // By itself, while it is polled; a second time in vain.
            waker.wake_by_ref();
            yield_now().await;
            // By another task.
            let theirs = waker.clone();
            let child = spawn(async move { theirs.wake() });
            child.await.unwrap();
            // By a timer.
            sleep(Duration::from_millis(1)).await;
            // By another thread.
            let (theirs, handle) = (waker.clone(), Handle::current());
            // A busy machine may be too slow for the sleep above to park.
            let parks = handle.metrics().parks;
            let thread = spawn_thread(move || {
                while handle.metrics().parks == parks {
                    std::thread::yield_now();
                }
                theirs.wake();
            });
            one_wake().await;
            thread.join().unwrap();
            waker
        });
        // By code outside the loop, when its task is gone.
        waker.wake();
        runtime.block_on(async { sleep(Duration::from_millis(1)).await });
        let wakes: Vec<_> = trace.take().into_iter().filter(|line| line.contains("wake")).collect();
        let expected = [
            "wake 1 by task 1",
            "wake 1 by task 1 in vain",
            "wake 1 by task 2",
            "wake 1 by task 2 in vain",
            "wake 1 by timer 1",
            "wake 1 by a thread",
            "stale wake by a thread",
            "wake 3 by timer 2",
        ];
        assert_eq!(wakes, expected);
    });
}

#[test]
fn a_wake_in_a_destructor_names_the_task_that_is_dropped() {
    watch(|| {
        let trace = Trace::default();
        traced(&trace).block_on(async {
            let waker = my_waker().await;
            let dropped = spawn(async move {
                let _wakes = on_drop(move || waker.wake());
                pending::<()>().await;
            });
            rounds(1).await;
            dropped.abort();
            drop(dropped);
            trace.take();
            one_wake().await;
        });
        assert_eq!(trace.take_only("wake"), ["wake 1 by task 2"]);
    });
}

#[test]
fn parks_tell_what_the_kernel_was_asked_for() {
    watch(|| {
        let trace = Trace::default();
        let runtime = builder().observer(trace.clone()).build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let waker = my_waker().await;
            let thread = spawn_thread(move || {
                while handle.metrics().parks == 0 {
                    std::thread::yield_now();
                }
                waker.wake();
            });
            one_wake().await;
            thread.join().unwrap();
        });
        assert_eq!(trace.take_only("park"), ["park for None", "park ends, events 0"]);
    });
}

/// The places where things were made, as the events tell it.
#[derive(Clone, Default)]
struct Places(Rc<RefCell<Vec<(&'static str, u32)>>>);

impl Observer for Places {
    fn on_event(&self, _at: Duration, event: &Event<'_>) {
        let (what, at) = match *event {
            Event::Spawn { at, .. } => ("spawn", at),
            Event::Wait { at, .. } => ("wait", at),
            Event::Abort { at, .. } => ("abort", at),
            Event::TimerSet { at, .. } => ("timer", at),
            _ => return,
        };
        assert_eq!(at.file, file!(), "{event:?}");
        self.0.borrow_mut().push((what, at.line));
    }
}

#[test]
fn events_know_the_line_of_the_user_that_caused_them() {
    watch(|| {
        let places = Places::default();
        let runtime = builder().virtual_clock().observer(places.clone()).build().unwrap();
        let line = line!();
        runtime.block_on(async {
            let sleeps = sleep(SECOND);
            sleeps.await;
            let waits = spawn(pending::<()>());
            let _ = timeout(SECOND, pending::<()>()).await;
            waits.abort();
            let _ = waits.await;
            let mut every = oneloop::time::interval(SECOND);
            every.tick().await;
            every.tick().await;
        });
        let expected = [
            ("spawn", 1),
            ("timer", 2),
            ("wait", 2),
            ("spawn", 4),
            ("timer", 5),
            ("wait", 5),
            ("abort", 6),
            ("wait", 7),
            ("timer", 8),
            ("wait", 8),
        ];
        assert_eq!(places.0.take(), expected.map(|(what, after)| (what, line + after)));
    });
}

#[test]
fn a_join_waits_at_its_await_and_nowhere_where_that_is_unknown() {
    watch(|| {
        let runtime = builder().virtual_clock().diagnose(true).build().unwrap();
        runtime.block_on(async {
            let [direct, mut behind_a_reference, in_a_box, itself] = [(); 4].map(|()| spawn(pending::<()>()));
            let line = line!();
            let _tasks = [
                spawn(async { drop(direct.await) }),
                spawn(async move { drop((&mut behind_a_reference).await) }),
                spawn(async { drop(Box::pin(in_a_box).await) }),
                spawn(async { drop(spawn(itself).await) }),
            ];
            rounds(3).await;
            let dump = oneloop::see::dump();
            let joins = dump.tasks.iter().flat_map(|task| &task.waits);
            let joins = joins.filter(|wait| matches!(wait.on, oneloop::event::WaitsFor::Join(_)));
            let lines: Vec<_> = joins.map(|wait| wait.at.map(|at| at.line - line)).collect();
            // The last two: a task that is nothing but a handle, and who awaits that task.
            assert_eq!(lines, [Some(2), None, None, Some(5), None], "{dump}");
        });
    });
}

#[test]
fn observers_are_told_the_same_in_the_order_they_were_added() {
    watch(|| {
        let (first, second) = (Trace::default(), Trace::timed());
        let runtime = builder().virtual_clock().observer(first.clone()).observer(second.clone()).build().unwrap();
        runtime.block_on(async { sleep(SECOND).await });
        let (first, second) = (first.take(), second.take());
        assert_eq!(first.len(), second.len());
        for (one, two) in first.iter().zip(&second) {
            assert!(two == &format!("0ns {one}") || two == &format!("1s {one}"), "{one} {two}");
        }
        assert!(second[0].starts_with("0ns ") && second[second.len() - 1].starts_with("1s "));
    });
}

#[test]
fn a_runtime_without_observers_does_the_same_polls() {
    watch(|| {
        let polls = [true, false].map(|observed| {
            let builder = Runtime::builder().virtual_clock().seed(5);
            let builder = if observed { builder.observer(Trace::default()) } else { builder };
            let (runtime, polls) = (builder.build().unwrap(), Count::default());
            runtime.block_on(polls.polls(async {
                let tasks: Vec<_> = (0..50)
                    .map(|n| {
                        spawn(polls.polls(async move {
                            sleep(Duration::from_millis(n % 7)).await;
                            rounds(n as usize % 3).await;
                        }))
                    })
                    .collect();
                let _ = join_all(tasks).await;
            }));
            let did = runtime.metrics();
            (polls.get(), did.polls, did.turns, did.wakes_local)
        });
        assert_eq!(polls[0], polls[1]);
    });
}

#[test]
fn a_wait_that_is_given_up_is_told_once_when_nothing_is_left_of_it() {
    watch(|| {
        let trace = Trace::default();
        traced(&trace).block_on(async {
            let (one, _other) = UnixStream::pair().unwrap();
            let slow = spawn(sleep(SECOND));
            assert!(timeout(Duration::ZERO, one.read(&mut [0; 8])).await.is_err());
            // Two futures of one task wait for the same thing: the first to go leaves the second.
            let (mut first, mut second) = (Box::pin(one.readable()), Box::pin(one.readable()));
            poll_fn(|cx| {
                assert!(first.as_mut().poll(cx).is_pending() && second.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            trace.take();
            drop(first);
            assert_eq!(trace.take(), [""; 0]);
            drop(second);
            assert_eq!(trace.take(), ["wait 1 to read 1 dropped"]);
            let mut slow = slow;
            poll_fn(|cx| {
                assert!(Pin::new(&mut slow).poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            trace.take();
            drop(slow);
            assert_eq!(trace.take(), ["wait 1 for task 2 dropped"]);
        });
    });
}

#[test]
fn what_drains_a_source_is_told() {
    watch(|| {
        let trace = Trace::default();
        builder().observer(trace.clone()).build().unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let other = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (one, _) = listener.accept().await.unwrap();
            trace.take();
            // Nothing to read yet.
            assert!(timeout(Duration::from_millis(1), one.read(&mut [0; 8])).await.is_err());
            assert_eq!(trace.take_only("source"), ["source 3 drained to read"]);
            other.write_all(b"!").await.unwrap();
            one.readable().await.unwrap();
            trace.take();
            let mut buffer = [0; 8];
            assert_eq!(one.read(&mut buffer).await.unwrap(), 1);
            let told = trace.take_only("source");
            // A short read proves it; on other systems the next attempt does.
            assert!(told.iter().all(|line| line == "source 3 drained to read") && told.len() <= 1, "{told:?}");
            assert_eq!(told.len(), usize::from(cfg!(target_os = "linux") && !cfg!(mio_unsupported_force_poll_poll)));
        });
    });
}

/// Each event's kind and time. It takes its own time at the end of a poll.
#[derive(Clone, Default)]
struct Times(Rc<RefCell<Vec<(&'static str, Duration)>>>, Duration);

impl Observer for Times {
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        let kind = match event {
            Event::PollStart { .. } => "start",
            Event::PollEnd { .. } => "end",
            Event::Wake { .. } => "wake",
            _ => return,
        };
        self.0.borrow_mut().push((kind, at));
        if kind == "end" {
            std::thread::sleep(self.1);
        }
    }
}

#[test]
fn a_poll_is_as_long_as_it_was_and_what_happens_in_it_is_at_its_start() {
    watch(|| {
        const SLOW: Duration = Duration::from_millis(20);
        let times = Times(Rc::default(), SLOW);
        let ring = oneloop::see::Ring::new(100);
        let runtime = builder().observer(times.clone()).observer(ring).build().unwrap();
        runtime.block_on(async {
            std::thread::sleep(SLOW);
            yield_now().await;
        });
        let times = times.0.take();
        let kinds: Vec<_> = times.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, ["start", "wake", "end", "start", "end"]);
        let at: Vec<_> = times.iter().map(|(_, at)| *at).collect();
        assert_eq!(at[0], at[1], "the clock is not read within a poll");
        assert!(at[2] - at[0] >= SLOW, "the first poll took {SLOW:?}, and is told to have taken {:?}", at[2] - at[0]);
        assert!(at[3] - at[2] >= SLOW, "an observer's time is none of a poll's");
    });
}

/// An output that takes long to drop.
struct SlowToDrop(Duration);

impl Drop for SlowToDrop {
    fn drop(&mut self) {
        std::thread::sleep(self.0);
    }
}

#[test]
fn an_output_is_dropped_in_no_poll_and_a_return_shares_its_reading() {
    watch(|| {
        const SLOW: Duration = Duration::from_millis(20);
        let ring = oneloop::see::Ring::new(100);
        // The watchdog of the other tests is told of each event, and then no two polls share a reading.
        let runtime = Runtime::builder().observer(ring.clone()).build().unwrap();
        runtime.block_on(async {
            let joined = spawn(async {});
            drop(spawn(async { SlowToDrop(SLOW) }));
            drop(spawn(async {}));
            joined.await.unwrap();
        });
        let mut text = Vec::new();
        ring.write_to(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let time_of = |what: &str| -> u64 {
            let line = text.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("no {what} in {text}"));
            let (_, time) = line.split_once("\"t\":").unwrap();
            time.split(',').next().unwrap().parse().unwrap()
        };
        let [first, slow, third] = [2, 3, 4].map(|task| {
            let start = time_of(&format!(r#""e":"poll_start","task":{task}}}"#));
            (start, time_of(&format!(r#""e":"poll_end","task":{task},"#)))
        });
        assert_eq!(first.1, slow.0, "a poll begins where the one before it has ended, though that task returned");
        assert!(third.0 - slow.1 >= SLOW.as_nanos() as u64, "the drop of an output is before the next poll's start");
    });
}

#[test]
fn outside_of_turns_each_event_has_its_own_time() {
    watch(|| {
        const SLOW: Duration = Duration::from_millis(5);
        let ring = oneloop::see::Ring::new(100);
        let runtime = builder().observer(ring.clone()).build().unwrap();
        assert!(panic_of(|| runtime.block_on(async { panic!("at once") })).contains("at once"));
        std::thread::sleep(SLOW);
        let before = ring.state().at;
        {
            let _entered = runtime.enter();
            drop(spawn(async {}));
        }
        assert!(ring.state().at - before >= SLOW, "the reading of a turn that a panic ended is shared no more");
    });
}

#[test]
fn a_late_observer_is_told_from_there_on_in_its_place() {
    watch(|| {
        let (first, late) = (Trace::default(), Trace::default());
        let runtime = builder().virtual_clock().observer(first.clone()).build().unwrap();
        runtime.block_on(async {
            yield_now().await;
            first.take();
            oneloop::see::attach(late.clone());
            sleep(SECOND).await;
        });
        assert_eq!(first.take(), late.take());
        let unobserved = crate::kit::watch::unobserved();
        unobserved.block_on(async {
            oneloop::see::attach(late.clone());
            yield_now().await;
        });
        let expected = ["wake 1 by task 1", "poll 1 ends Pending", "poll 1", "poll 1 ends Ready"];
        assert_eq!(late.take()[..4], expected);
    });
}

/// In a task's poll or in its drop, whatever comes of that. Nobody was told that the poll began.
#[test]
fn whoever_comes_in_the_middle_of_a_poll_is_told_from_the_next_event_on() {
    let attaching = |trace: &Trace| {
        let late = trace.clone();
        move || oneloop::see::attach(late)
    };
    watch(move || {
        let trace = Trace::default();
        let told = |task: std::pin::Pin<Box<dyn Future<Output = ()>>>, abort: bool| {
            crate::kit::watch::unobserved().block_on(async {
                let task = spawn(task);
                if abort {
                    yield_now().await;
                    task.abort();
                }
                let _ended = task.await;
            });
            trace.take()[..3].to_vec()
        };
        let attach = attaching(&trace);
        let waits = Box::pin(async move {
            attach();
            yield_now().await;
        });
        assert_eq!(told(waits, false), ["wake 2 by task 2", "poll 2 ends Pending", "poll 2"]);
        let attach = attaching(&trace);
        let returns = Box::pin(async move { attach() });
        assert_eq!(told(returns, false), ["poll 2 ends Ready", "finish 2 Returned", "wake 1 by task 2"]);
        let attach = on_drop(attaching(&trace));
        let panics = Box::pin(async move {
            let _attach = attach;
            panic!("as planned");
        });
        assert_eq!(told(panics, false), ["poll 2 ends Panicked", "finish 2 Panicked", "wake 1 by task 2"]);
        let attach = on_drop(attaching(&trace));
        let is_dropped = Box::pin(async move {
            let _attach = attach;
            std::future::pending::<()>().await;
        });
        let of_a_drop = told(is_dropped, true);
        assert_eq!(of_a_drop[..2], ["finish 2 Aborted", "wake 1 by task 2"]);
    });
}

#[test]
fn a_second_observer_that_comes_in_the_middle_of_a_turn_does_not_end_it() {
    watch(|| {
        let (first, late) = (Trace::default(), Trace::default());
        let (runtime, comes) = (traced(&first), late.clone());
        runtime.block_on(async move {
            drop(spawn(async move { oneloop::see::attach(comes) }));
            let task = spawn(async {});
            task.await.unwrap();
        });
        let polls = ["poll 2 ends Ready", "finish 2 Returned", "poll 3", "poll 3 ends Ready", "finish 3 Returned"];
        assert_eq!(late.take()[..5], polls);
        assert_eq!(first.take_only("turn").len(), 2, "it begins and ends");
    });
}

#[test]
fn time_that_a_task_pretends_to_take_makes_timers_late_by_as_much() {
    watch(|| {
        let trace = Trace::timed();
        traced(&trace).block_on(async {
            let sleeps = spawn(sleep(SECOND));
            yield_now().await;
            advance(SECOND * 3);
            sleeps.await.unwrap();
        });
        let told = trace.take();
        assert!(told.contains(&String::from("3s timer 1 fired 2s late")), "{told:?}");
        let refused = panic_of(|| crate::kit::watch::runtime().block_on(async { advance(SECOND) }));
        assert!(refused.contains("moves the virtual clock, and this runtime runs on the real one"), "{refused}");
    });
}
