//! Aborting: what comes of it at every moment of a task's life, asked by anybody.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::thread::{self, ThreadId};
use std::time::Duration;

use oneloop::task::{AbortHandle, JoinHandle, yield_now};
use oneloop::time::sleep;
use oneloop::{Runtime, spawn};

use crate::kit::support::{Count, alone, my_waker, on_drop, poll_with, rounds};
use crate::kit::watch::{builder, in_order, spawn_thread, unobserved, watch};

#[derive(Clone, Copy, PartialEq, Debug)]
enum When {
    BeforeItsFirstPoll,
    WhileItWaits,
    WhileItIsReady,
    AfterItsEnd,
    TwiceWhileItWaits,
}

#[derive(Clone, Copy, Debug)]
enum Who {
    ItsOwner,
    AnotherTask,
    ADestructor,
    AnotherThread,
}

const WHEN: [When; 5] =
    [When::BeforeItsFirstPoll, When::WhileItWaits, When::WhileItIsReady, When::AfterItsEnd, When::TwiceWhileItWaits];
const WHO: [Who; 4] = [Who::ItsOwner, Who::AnotherTask, Who::ADestructor, Who::AnotherThread];

/// A task to be aborted, and what became of it.
struct Victim {
    polls: Count,
    dropped: Rc<Cell<Vec<ThreadId>>>,
    task: JoinHandle<&'static str>,
}

impl Victim {
    fn new() -> Self {
        let (polls, dropped) = (Count::default(), Rc::new(Cell::new(Vec::new())));
        let note = Rc::clone(&dropped);
        let noted = on_drop(move || {
            let mut threads = note.take();
            threads.push(thread::current().id());
            note.set(threads);
        });
        let task = spawn(polls.polls(async move {
            let _noted = noted;
            sleep(Duration::from_secs(1)).await;
            "done"
        }));
        Self { polls, dropped, task }
    }

    /// Brings the task to the moment at which it is to be aborted.
    async fn wait_until(&self, when: When) {
        match when {
            When::BeforeItsFirstPoll => {}
            When::WhileItWaits | When::TwiceWhileItWaits => rounds(1).await,
            When::WhileItIsReady => {
                // This task's timer is set first, so it runs first, with the victim ready behind it.
                let mut until = sleep(Duration::from_secs(1));
                assert!(poll_with(&mut until, &my_waker().await).is_pending());
                rounds(1).await;
                until.await;
            }
            When::AfterItsEnd => {
                sleep(Duration::from_secs(2)).await;
                assert!(self.task.is_finished());
            }
        }
    }
}

async fn abort_by(who: Who, victim: AbortHandle, times: usize) {
    let abort = move || (0..times).for_each(|_| victim.abort());
    match who {
        Who::ItsOwner => abort(),
        Who::AnotherTask => spawn(async move { abort() }).await.unwrap(),
        Who::ADestructor => drop(on_drop(abort)),
        Who::AnotherThread => spawn_thread(abort).join().unwrap(),
    }
}

/// One poll a turn, so that the inbox is drained between any two polls.
fn one_poll_a_turn() -> Runtime {
    builder().virtual_clock().polls_per_turn(1).build().unwrap()
}

#[test]
fn an_aborted_task_is_dropped_once_on_its_loop_and_its_handle_says_so() {
    watch(|| {
        for (when, who) in WHEN.into_iter().flat_map(|when| WHO.map(|who| (when, who))) {
            let runtime = one_poll_a_turn();
            runtime.block_on(async {
                let victim = Victim::new();
                victim.wait_until(when).await;
                let times = if when == When::TwiceWhileItWaits { 2 } else { 1 };
                abort_by(who, victim.task.abort_handle(), times).await;
                let ended = victim.task.await;
                let what = format!("{who:?} aborts {when:?}: {ended:?}");
                // Another task stands behind the victim in the queue: it comes one poll too late.
                let late = usize::from(matches!(who, Who::AnotherTask));
                let (polls, ends) = match when {
                    When::BeforeItsFirstPoll => (late, false),
                    When::WhileItWaits | When::TwiceWhileItWaits => (1, false),
                    When::WhileItIsReady => (1 + late, late == 1),
                    When::AfterItsEnd => (2, true),
                };
                assert_eq!(ended.is_ok(), ends, "{what}");
                assert!(ended.is_ok() || ended.is_err_and(|error| error.is_cancelled()), "{what}");
                assert_eq!(victim.dropped.take(), [thread::current().id()], "{what}");
                assert_eq!(victim.polls.get(), polls, "{what}");
            });
        }
    });
}

#[test]
fn an_aborted_task_ends_although_its_handle_was_dropped_at_once() {
    watch(|| {
        for (when, who) in WHEN.into_iter().flat_map(|when| WHO.map(|who| (when, who))) {
            let runtime = one_poll_a_turn();
            runtime.block_on(async {
                let victim = Victim::new();
                victim.wait_until(when).await;
                let (abort, times) = (victim.task.abort_handle(), 1 + usize::from(when == When::TwiceWhileItWaits));
                drop(victim.task);
                abort_by(who, abort, times).await;
                // Time for the inbox and for the task's turn, but not for its sleep.
                rounds(2).await;
                assert_eq!(victim.dropped.take(), [thread::current().id()], "{who:?} aborts {when:?}");
                assert_eq!(runtime.metrics().tasks, 0);
            });
        }
    });
}

#[test]
fn aborting_drops_nothing_by_itself() {
    watch(|| {
        unobserved().block_on(async {
            let dropped = Count::default();
            let guard = dropped.at_drop();
            let task = spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            task.abort();
            assert_eq!((dropped.get(), task.is_finished()), (0, false));
            yield_now().await;
            assert_eq!((dropped.get(), task.is_finished()), (1, true));
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        });
    });
}

#[test]
fn a_task_that_aborts_itself_ends_where_it_next_waits() {
    watch(|| {
        in_order().block_on(async {
            let own = Rc::new(Cell::new(None::<AbortHandle>));
            let reached = Rc::new(Cell::new(0));
            let task = |waits: bool| {
                let (own, reached) = (Rc::clone(&own), Rc::clone(&reached));
                spawn(async move {
                    own.take().unwrap().abort();
                    reached.set(1);
                    if waits {
                        yield_now().await;
                        reached.set(2);
                    }
                    "done"
                })
            };
            let waits = task(true);
            own.set(Some(waits.abort_handle()));
            assert!(waits.await.unwrap_err().is_cancelled());
            assert_eq!(reached.get(), 1);
            let ends = task(false);
            own.set(Some(ends.abort_handle()));
            assert_eq!(ends.await.unwrap(), "done", "an output that is there is not thrown away");
        });
    });
}

#[test]
fn an_aborted_task_is_not_polled_again_although_it_is_woken() {
    watch(|| {
        unobserved().block_on(async {
            let polls = Count::default();
            let (send, receive) = std::sync::mpsc::channel();
            let task = spawn(polls.polls(async move {
                send.send(my_waker().await).unwrap();
                pending::<()>().await;
            }));
            rounds(1).await;
            let waker = receive.recv().unwrap();
            waker.wake_by_ref();
            task.abort();
            waker.wake_by_ref();
            rounds(3).await;
            waker.wake();
            rounds(1).await;
            assert_eq!(polls.get(), 1);
            assert!(task.is_finished());
        });
    });
}

#[test]
fn an_abort_handle_of_an_ended_task_misses_the_slots_next_tenant() {
    watch(|| {
        in_order().block_on(async {
            let over = spawn(async {});
            let (stale, slot) = (over.abort_handle(), over.id().slot());
            over.await.unwrap();
            let tenant = spawn(async {
                sleep(Duration::from_secs(1)).await;
                "done"
            });
            assert_eq!(tenant.id().slot(), slot);
            assert!(stale.is_finished() && !tenant.is_finished());
            stale.abort();
            let thread = stale.clone();
            spawn_thread(move || thread.abort()).join().unwrap();
            assert_eq!(tenant.await.unwrap(), "done");
        });
    });
}

#[test]
fn an_abort_handle_that_outlives_its_runtime_is_harmless() {
    watch(|| {
        let stale = unobserved().block_on(async { spawn(pending::<()>()).abort_handle() });
        stale.abort();
        let polls = in_order().block_on(async {
            let polls = Count::default();
            let tenant = spawn(polls.polls(rounds(3)));
            assert_eq!(tenant.id().as_u64(), stale.id().as_u64());
            stale.abort();
            spawn_thread(move || stale.abort()).join().unwrap();
            tenant.await.unwrap();
            polls.get()
        });
        assert_eq!(polls, 4);
    });
}

#[test]
fn aborting_a_task_of_another_runtime_reaches_it_when_it_runs() {
    watch(|| {
        let (here, other) = (in_order(), in_order());
        let task = here.block_on(async { spawn(pending::<()>()) });
        other.block_on(async { task.abort() });
        let error = here.block_on(task).unwrap_err();
        assert!(error.is_cancelled());
    });
}

#[test]
fn a_hundred_thousand_tasks_may_abort_each_other_as_they_drop() {
    alone(|| {
        // A quarter of what a thread is given by default.
        let small = thread::Builder::new().stack_size(512 * 1024);
        let dropped = Count::default();
        let chain = dropped.clone();
        let ran = small.spawn(move || {
            let runtime = Runtime::new().unwrap();
            runtime.block_on(async {
                let first = abort_chain(100_000, &chain);
                rounds(1).await;
                first.abort();
                assert!(first.await.unwrap_err().is_cancelled());
                while runtime.metrics().tasks > 0 {
                    yield_now().await;
                }
                assert_eq!(chain.get(), 100_000);
                drop(abort_chain(100_000, &chain));
            });
        });
        ran.unwrap().join().unwrap();
        assert_eq!(dropped.get(), 200_000, "also where the runtime drops them");
    });
}

/// Tasks of which each aborts the next when it is dropped; the handle is the first one's.
fn abort_chain(links: usize, dropped: &Count) -> JoinHandle<()> {
    let mut next = None::<JoinHandle<()>>;
    for _ in 0..links {
        let dropped = dropped.clone();
        let aborts = on_drop(move || {
            dropped.add();
            if let Some(next) = next {
                next.abort();
            }
        });
        next = Some(spawn(async move {
            let _aborts = aborts;
            pending::<()>().await;
        }));
    }
    next.expect("a chain has links")
}

#[test]
fn an_aborted_task_that_keeps_itself_alive_by_a_cycle_leaks_alone() {
    watch(|| {
        let runtime = in_order();
        let (leaked, kept) = (Count::default(), Count::default());
        runtime.block_on(async {
            let (guard, in_future) = (leaked.at_drop(), kept.at_drop());
            let cycle: Rc<Cell<Option<Rc<dyn std::any::Any>>>> = Rc::new(Cell::new(None));
            cycle.set(Some(Rc::new((guard, Rc::clone(&cycle)))));
            let task = spawn(async move {
                let _held = (cycle, in_future);
                pending::<()>().await;
            });
            let sibling = spawn(rounds(5));
            rounds(1).await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
            sibling.await.unwrap();
            assert_eq!(runtime.metrics().tasks, 0);
        });
        drop(runtime);
        assert_eq!((leaked.get(), kept.get()), (0, 1));
    });
}
