//! Observers that misbehave, and what they are told in rare cases.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use oneloop::event::{Cause, Event, Finished, Observer};
use oneloop::task::spawn_blocking;
use oneloop::time::{sleep, timeout};
use oneloop::{Handle, spawn};

use crate::kit::sockets::half;
use crate::kit::support::{Count, on_drop, panic_of, rounds};
use crate::kit::watch::{builder, in_order, spawn_thread, watch};

/// Panics once, at the next event of a kind.
struct PanicsAt(Rc<Cell<&'static str>>);

impl Observer for PanicsAt {
    fn on_event(&self, _at: Duration, event: &Event<'_>) {
        let kind = self.0.get();
        if !kind.is_empty() && format!("{event:?}").starts_with(kind) {
            self.0.set("");
            panic!("an observer at {kind}");
        }
    }
}

/// A bit of everything that is told of.
async fn a_bit_of_everything() {
    let sibling = spawn(async {
        rounds(1).await;
        assert!(timeout(Duration::from_secs(1), sleep(Duration::from_millis(1))).await.is_ok());
    });
    spawn(pending::<()>()).abort();
    let (here, there) = half();
    let reader = spawn(async move { here.read(&mut [0]).await });
    rounds(2).await;
    drop(there);
    assert_eq!(reader.await.unwrap().unwrap(), 0);
    sibling.await.unwrap();
    sleep(Duration::from_secs(5)).await;
}

#[test]
fn a_panic_in_an_observer_leaves_no_task_that_neither_ends_nor_runs() {
    watch(|| {
        let kinds = "TurnStart TurnEnd Spawn PollStart PollEnd Wake Wait Abort Finish TimerSet TimerFired TimerCancelled \
                     SourceOpened SourceReady SourceClosed ParkStart ParkEnd";
        for kind in kinds.split_whitespace() {
            let at = Rc::new(Cell::new(""));
            let runtime = builder().virtual_clock().observer(PanicsAt(Rc::clone(&at))).build().unwrap();
            let task = runtime.block_on(async {
                let task = spawn(async {
                    sleep(Duration::from_secs(1)).await;
                    sleep(Duration::from_secs(1)).await;
                });
                rounds(1).await;
                task
            });
            let said = panic_of(|| {
                runtime.block_on(async {
                    at.set(kind);
                    a_bit_of_everything().await;
                });
            });
            assert_eq!(said, format!("an observer at {kind}"));
            let ended = runtime.block_on(async { timeout(Duration::from_secs(10), task).await });
            assert!(ended.is_ok_and(|joined| joined.is_ok()), "after {kind}");
            runtime.block_on(async { sleep(Duration::from_secs(10)).await });
            let left = runtime.metrics();
            assert_eq!((left.tasks, left.timers, left.sources, left.ready), (0, 0, 0, 0), "after {kind}");
        }
    });
}

#[test]
fn a_panic_in_an_observer_while_another_panic_passes_is_no_second_one() {
    watch(|| {
        for kind in ["TimerCancelled", "Finish"] {
            let at = Rc::new(Cell::new(""));
            let runtime = builder().virtual_clock().observer(PanicsAt(Rc::clone(&at))).build().unwrap();
            let said = panic_of(|| {
                runtime.block_on(async {
                    let mut far = std::pin::pin!(sleep(Duration::from_secs(9)));
                    assert!(futures_lite::future::poll_once(&mut far).await.is_none());
                    at.set(kind);
                    panic!("the root");
                });
            });
            assert_eq!(said, "the root", "at {kind}");
            assert_eq!((at.get(), runtime.block_on(async { 7 })), ("", 7), "after {kind}");
        }
    });
}

#[test]
fn an_observers_panic_at_the_end_of_a_runtime_leaves_nothing_behind() {
    watch(|| {
        let (at, dropped) = (Rc::new(Cell::new("")), Count::default());
        let runtime = builder().virtual_clock().observer(PanicsAt(Rc::clone(&at))).build().unwrap();
        let guard = dropped.at_drop();
        let said = panic_of(|| {
            runtime.block_on(async {
                drop(spawn(async move {
                    let _guard = guard;
                    pending::<()>().await;
                }));
                rounds(1).await;
                at.set("Finish");
            });
        });
        assert_eq!(said, "an observer at Finish");
        at.set("Finish");
        assert_eq!((panic_of(|| drop(runtime)).as_str(), dropped.get(), at.get()), ("no panic", 1, ""));
    });
}

/// How the root ended.
struct RootsEnd(Rc<Cell<Option<Finished>>>);

impl Observer for RootsEnd {
    fn on_event(&self, _at: Duration, event: &Event<'_>) {
        if let Event::Finish { outcome, .. } = event {
            self.0.set(Some(*outcome));
        }
    }
}

#[test]
fn a_root_that_returned_is_told_so_although_an_observer_panicked() {
    watch(|| {
        let (at, end) = (Rc::new(Cell::new("")), Rc::new(Cell::new(None)));
        let observed = builder().observer(PanicsAt(Rc::clone(&at))).observer(RootsEnd(Rc::clone(&end)));
        let runtime = observed.build().unwrap();
        assert_eq!(panic_of(|| runtime.block_on(async { at.set("PollEnd") })), "an observer at PollEnd");
        assert_eq!(end.get(), Some(Finished::Returned));
    });
}

/// The causes of aborts and spawns, besides the root's.
#[derive(Clone, Default)]
struct Causes(Rc<RefCell<Vec<Cause>>>);

impl Observer for Causes {
    fn on_event(&self, _at: Duration, event: &Event<'_>) {
        if let Event::Abort { by, .. } | Event::Spawn { by, name: None, .. } = *event {
            self.0.borrow_mut().push(by);
        }
    }
}

#[test]
fn what_another_thread_spawns_and_aborts_is_its_doing() {
    watch(|| {
        let causes = Causes::default();
        builder().observer(causes.clone()).build().unwrap().block_on(async {
            let task = spawn(pending::<()>());
            let (abort, handle) = (task.abort_handle(), Handle::current());
            spawn_thread(move || {
                abort.abort();
                handle.spawn(async || ()).unwrap();
            })
            .join()
            .unwrap();
            assert!(task.await.is_err());
        });
        let causes = causes.0.take();
        assert!(matches!(causes[..], [Cause::Task(_), Cause::Thread(_), Cause::Thread(_)]), "{causes:?}");
    });
}

/// The causes of wakes.
#[derive(Clone, Default)]
struct Wakes(Rc<RefCell<Vec<Cause>>>);

impl Observer for Wakes {
    fn on_event(&self, _at: Duration, event: &Event<'_>) {
        if let Event::Wake { cause, .. } = *event {
            self.0.borrow_mut().push(cause);
        }
    }
}

#[test]
fn a_blocking_job_that_ends_is_told_as_a_wake_by_its_thread() {
    watch(|| {
        let wakes = Wakes::default();
        let runtime = builder().observer(wakes.clone()).build().unwrap();
        runtime.block_on(async { spawn_blocking(|| ()).await.unwrap() });
        let wakes = wakes.0.take();
        assert!(matches!(wakes[..], [Cause::Thread(_), Cause::Task(_)] | [Cause::Task(_)]), "{wakes:?}");
    });
}

#[test]
fn dropped_bodies_are_not_counted_as_polls() {
    watch(|| {
        let (runtime, polls) = (in_order(), Count::default());
        runtime.block_on(polls.polls(async {
            let task = spawn(polls.polls(pending::<()>()));
            rounds(1).await;
            task.abort();
            rounds(1).await;
        }));
        assert_eq!(runtime.metrics().polls, polls.get() as u64);
    });
}

#[test]
fn a_future_that_ends_while_its_thread_unwinds_is_told_as_returned() {
    #[derive(Clone, Default)]
    struct Ends(Rc<RefCell<Vec<String>>>);
    impl Observer for Ends {
        fn on_event(&self, _at: Duration, event: &Event<'_>) {
            if let Event::Finish { outcome, .. } = event {
                self.0.borrow_mut().push(format!("{outcome:?}"));
            }
        }
    }
    watch(|| {
        let ends = Ends::default();
        let runtime = builder().observer(ends.clone()).build().unwrap();
        let said = panic_of(|| {
            let _cleans_up = on_drop(|| runtime.block_on(async {}));
            panic!("elsewhere");
        });
        assert_eq!((said.as_str(), ends.0.take()), ("elsewhere", vec![String::from("Returned")]));
    });
}
