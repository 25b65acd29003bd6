//! Foreign code may do anything at any moment: no borrow of the runtime's is alive while it runs.
//!
//! [`Mischief`] is such code. It is run from every place from which the runtime calls code that is not
//! its own: polls, destructors, wakers that others made, observers and closures from other threads.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::panic::panic_any;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use oneloop::event::{Event, Observer};
use oneloop::net::UnixStream;
use oneloop::task::{AbortHandle, Builder, yield_now};
use oneloop::time::{Instant, interval, sleep};
use oneloop::{Handle, Runtime, see, spawn};

use crate::kit::support::{Count, Foreign, my_waker, on_drop, panic_of, poll_with, rounds};
use crate::kit::watch::{builder, in_order, sim, spawn_thread, unobserved, watch};

/// Does whatever code on a loop's thread may do.
#[derive(Clone, Default)]
struct Mischief {
    /// How often it came to its end.
    done: Count,
    /// Futures that it made, and those of them that were dropped.
    born: Count,
    gone: Count,
    /// The tasks it wakes and aborts, besides its own.
    wakers: Arc<Mutex<Vec<Waker>>>,
    victims: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Mischief {
    fn make(&self) {
        drop(spawn(self.future(1)));
        spawn(self.future(usize::MAX)).abort();
        let mut joined = Builder::new().name("mischief").spawn(self.future(2));
        assert!(poll_with(&mut joined, Waker::noop()).is_pending());
        self.wakers.lock().unwrap().clone().into_iter().for_each(Waker::wake);
        self.victims.lock().unwrap().iter().for_each(AbortHandle::abort);
        let mut soon = sleep(Duration::from_millis(1));
        assert!(poll_with(&mut soon, Waker::noop()).is_pending());
        soon.reset(Instant::now());
        assert!(poll_with(&mut pin!(interval(Duration::from_secs(1)).tick()), Waker::noop()).is_ready());
        let (handle, future) = (Handle::current(), self.future(1));
        let sendable = self.clone();
        sendable.born.add();
        let guard = sendable.gone.at_drop();
        // At the end it is refused, and dropped at once.
        let _ = handle.spawn(move || async move { drop(guard) });
        drop((future, see::dump().to_string(), handle.metrics()));
        let (one, two) = UnixStream::pair().unwrap();
        assert!(poll_with(&mut pin!(one.read(&mut [0])), Waker::noop()).is_pending());
        drop((one, two));
        // Its end makes it the current runtime for a moment.
        drop(Runtime::new().unwrap());
        drop((soon, joined));
        self.done.add();
    }

    /// A future that yields some times, and counts its birth and its end.
    fn future(&self, yields: usize) -> impl Future<Output = ()> + use<> {
        self.born.add();
        let guard = self.gone.at_drop();
        async move {
            let _guard = guard;
            for _ in 0..yields {
                yield_now().await;
            }
        }
    }

    fn at_drop(&self) -> impl Send + Sync + use<> {
        let mischief = self.clone();
        on_drop(move || mischief.make())
    }

    fn at_wake(&self) -> Waker {
        let mischief = self.clone();
        Foreign::waker(move || mischief.make(), || ())
    }

    fn at_waker_drop(&self) -> Waker {
        let mischief = self.clone();
        Foreign::waker(|| (), move || mischief.make())
    }
}

/// Runs a scenario on each kind of runtime and lets its tasks end; the mischief must have been made
/// that often by then, and everything that it made must be gone.
fn while_it_runs(times: usize, scenario: &impl AsyncFn(&Mischief)) {
    watch(|| {
        for runtime in [in_order(), sim(3), unobserved()] {
            let mischief = Mischief::default();
            runtime.block_on(scenario(&mischief));
            runtime.block_on(async {
                sleep(Duration::from_millis(5)).await;
                rounds(20).await;
            });
            assert_eq!(mischief.done.get(), times);
            assert_eq!((mischief.gone.get(), runtime.metrics().timers), (mischief.born.get(), 0));
            drop(runtime);
            assert_eq!(mischief.done.get(), times);
        }
    });
}

/// The same for a scenario that leaves something to the end of the runtime.
fn at_its_end(times: usize, scenario: &impl AsyncFn(&Mischief)) {
    watch(|| {
        for runtime in [in_order(), sim(3), unobserved()] {
            let mischief = Mischief::default();
            runtime.block_on(scenario(&mischief));
            assert_eq!(mischief.done.get(), 0);
            drop(runtime);
            assert_eq!(mischief.done.get(), times);
            assert_eq!(mischief.gone.get(), mischief.born.get());
        }
    });
}

#[test]
fn a_poll_may_do_anything() {
    while_it_runs(4, &async |mischief| {
        let (mine, wakers) = (mischief.clone(), Arc::clone(&mischief.wakers));
        let waker = my_waker().await;
        wakers.lock().unwrap().push(waker);
        let task = spawn(async move {
            mine.make();
            let waker = my_waker().await;
            mine.wakers.lock().unwrap().push(waker);
            mine.make();
            yield_now().await;
            mine.make();
        });
        mischief.victims.lock().unwrap().push(spawn(pending::<()>()).abort_handle());
        mischief.make();
        task.await.unwrap();
    });
}

#[test]
fn the_drop_of_a_future_may_do_anything() {
    while_it_runs(5, &async |mischief| {
        let [ends, panics, waits, is_new, roots] = [(); 5].map(|()| mischief.at_drop());
        let mut owned = Some(ends);
        spawn(poll_fn(move |_| {
            let _owned = &mut owned;
            Poll::Ready(())
        }))
        .await
        .unwrap();
        let mut owned = Some(panics);
        let panicked = spawn(poll_fn(move |_| -> Poll<()> {
            let _owned = &mut owned;
            panic!("to be dropped after a panic")
        }));
        assert!(panicked.await.is_err());
        let waiting = spawn(async move {
            let _owned = waits;
            pending::<()>().await;
        });
        mischief.victims.lock().unwrap().push(waiting.abort_handle());
        rounds(1).await;
        waiting.abort();
        let never_polled = spawn(async move { drop(is_new) });
        never_polled.abort();
        let _ = (waiting.await, never_polled.await);
        let _owned_by_the_root = roots;
    });
}

#[test]
fn the_drop_of_an_output_or_of_a_panics_payload_may_do_anything() {
    while_it_runs(5, &async |mischief| {
        let [detached, dropped, payload, dropped_payload, aborted] = [(); 5].map(|()| mischief.at_drop());
        drop(spawn(async move { detached }));
        drop(spawn(async move { panic_any(payload) }));
        let over = spawn(async move { dropped });
        let panicked = spawn(async move { panic_any(dropped_payload) });
        rounds(1).await;
        drop(over);
        drop(panicked);
        // Its output is dropped by an abort that comes when the task is over: not at all, until its handle is.
        let over = spawn(async move { aborted });
        rounds(1).await;
        over.abort();
        drop(over);
    });
}

#[test]
fn the_wake_of_a_stored_waker_may_do_anything() {
    while_it_runs(3, &async |mischief| {
        let mut task = spawn(rounds(1));
        assert!(poll_with(&mut task, &mischief.at_wake()).is_pending());
        let mut timer = sleep(Duration::from_millis(1));
        assert!(poll_with(&mut timer, &mischief.at_wake()).is_pending());
        let mut aborted = spawn(pending::<()>());
        assert!(poll_with(&mut aborted, &mischief.at_wake()).is_pending());
        aborted.abort();
        sleep(Duration::from_millis(2)).await;
        assert!(task.is_finished() && aborted.is_finished());
        assert!(poll_with(&mut timer, Waker::noop()).is_ready());
    });
}

#[test]
fn the_drop_of_a_stored_waker_may_do_anything() {
    while_it_runs(7, &async |mischief| {
        let mut task = spawn(sleep(Duration::from_millis(1)));
        assert!(poll_with(&mut task, &mischief.at_waker_drop()).is_pending());
        assert!(poll_with(&mut task, &mischief.at_waker_drop()).is_pending());
        assert_eq!(mischief.done.get(), 1, "replaced");
        drop(task);
        assert_eq!(mischief.done.get(), 2, "nobody joins any more");
        let mut timer = sleep(Duration::from_millis(1));
        assert!(poll_with(&mut timer, &mischief.at_waker_drop()).is_pending());
        assert!(poll_with(&mut timer, &mischief.at_waker_drop()).is_pending());
        assert_eq!(mischief.done.get(), 3, "replaced");
        drop(timer);
        assert_eq!(mischief.done.get(), 4, "cancelled");
        let mut fires = sleep(Duration::from_millis(1));
        assert!(poll_with(&mut fires, &mischief.at_waker_drop()).is_pending());
        let mut ends = spawn(yield_now());
        assert!(poll_with(&mut ends, &mischief.at_waker_drop()).is_pending());
        sleep(Duration::from_millis(2)).await;
        assert_eq!(mischief.done.get(), 6, "woken");
        assert!(poll_with(&mut ends, &mischief.at_waker_drop()).is_ready());
        assert_eq!(mischief.done.get(), 7, "superfluous");
    });
}

#[test]
fn the_wake_and_the_drop_of_a_sockets_stored_waker_may_do_anything() {
    while_it_runs(7, &async |mischief| {
        let (one, two) = UnixStream::pair().unwrap();
        let mut buffer = [0; 2];
        let mut read = pin!(one.read(&mut buffer));
        assert!(poll_with(&mut read, &mischief.at_waker_drop()).is_pending());
        assert!(poll_with(&mut read, &mischief.at_waker_drop()).is_pending());
        assert_eq!(mischief.done.get(), 1, "replaced");
        assert!(poll_with(&mut read, &mischief.at_wake()).is_pending());
        assert_eq!(mischief.done.get(), 2, "replaced again");
        let (mut twice, mut gives_up) = ([0; 2], [0; 2]);
        let mut also_reads = pin!(one.read(&mut twice));
        assert!(poll_with(&mut also_reads, &mischief.at_wake()).is_pending());
        {
            let mut read = pin!(one.read(&mut gives_up));
            assert!(poll_with(&mut read, &mischief.at_waker_drop()).is_pending());
        }
        assert_eq!(mischief.done.get(), 3, "given up");
        two.write_all(b"x").await.unwrap();
        sleep(Duration::from_millis(1)).await;
        assert_eq!(mischief.done.get(), 5, "two are woken by one event");
        assert!(poll_with(&mut read, Waker::noop()).is_ready());
        let owned = two;
        let mut closed = Box::pin(async move { owned.read(&mut [0]).await });
        assert!(poll_with(&mut closed, &mischief.at_waker_drop()).is_pending());
        drop(closed);
        assert_eq!(mischief.done.get(), 6, "closed");
        assert!(poll_with(&mut also_reads, &mischief.at_waker_drop()).is_ready());
        assert_eq!(mischief.done.get(), 7, "superfluous");
    });
}

#[test]
fn what_another_thread_sends_may_do_anything() {
    while_it_runs(3, &async |mischief| {
        let (handle, mine) = (Handle::current(), mischief.clone());
        let sent = spawn_thread(move || {
            let owned = mine.at_drop();
            let dropped = mine.at_drop();
            let spawned = handle.spawn(move || async move {
                mine.make();
                drop(owned);
            });
            spawned.unwrap();
            dropped
        });
        // A handle that is dropped elsewhere lets its task's output be dropped here, by the inbox.
        let dropped = sent.join().unwrap();
        let over = spawn(async move { dropped });
        rounds(1).await;
        spawn_thread(move || drop(over)).join().unwrap();
    });
}

#[test]
fn anything_may_be_done_at_the_end_of_the_runtime() {
    at_its_end(8, &async |mischief| {
        let [waits, is_new, output, payload, sent] = [(); 5].map(|()| mischief.at_drop());
        let over = spawn(async move { output });
        let panicked = spawn(async move { panic_any(payload) });
        let waiting = spawn(async move {
            let _owned = waits;
            pending::<()>().await;
        });
        let mut joined = spawn(pending::<()>());
        assert!(poll_with(&mut joined, &mischief.at_waker_drop()).is_pending());
        rounds(1).await;
        let never_polled = spawn(async move { drop(is_new) });
        let mut timer = sleep(Duration::from_secs(1));
        assert!(poll_with(&mut timer, &mischief.at_waker_drop()).is_pending());
        let handle = Handle::current();
        handle.spawn(move || async move { drop(sent) }).unwrap();
        std::mem::forget((over, panicked, waiting, joined, never_polled, timer));
        let mut woken = spawn(pending::<()>());
        assert!(poll_with(&mut woken, &mischief.at_wake()).is_pending());
        std::mem::forget(woken);
    });
}

#[test]
fn the_drop_of_the_root_future_may_do_anything_also_after_a_panic() {
    while_it_runs(1, &async |mischief| {
        let dropped_last = mischief.at_drop();
        rounds(1).await;
        let _owned = dropped_last;
    });
    watch(|| {
        let (runtime, mischief) = (in_order(), Mischief::default());
        let owned = mischief.at_drop();
        let said = panic_of(|| {
            runtime.block_on(async move {
                let _owned = owned;
                panic!("the root gives up");
            })
        });
        assert_eq!((said.as_str(), mischief.done.get()), ("the root gives up", 1));
        runtime.block_on(rounds(5));
        assert_eq!(mischief.gone.get(), mischief.born.get());
    });
}

/// Makes mischief at the first few events of each kind, but not at those that the mischief causes.
struct Meddler {
    mischief: Mischief,
    meddled: Rc<RefCell<BTreeMap<String, usize>>>,
    is_meddling: Cell<bool>,
}

impl Observer for Meddler {
    fn on_event(&self, _at: Duration, event: &Event<'_>) {
        let kind = format!("{event:?}").split(' ').next().unwrap_or_default().to_owned();
        let times = *self.meddled.borrow().get(&kind).unwrap_or(&0);
        if times < 5 && !self.is_meddling.replace(true) {
            self.meddled.borrow_mut().insert(kind, times + 1);
            self.mischief.make();
            self.is_meddling.set(false);
        }
    }
}

#[test]
fn an_observer_may_do_anything_at_every_event() {
    watch(|| {
        let (mischief, meddled) = (Mischief::default(), Rc::default());
        let meddler =
            Meddler { mischief: mischief.clone(), meddled: Rc::clone(&meddled), is_meddling: Cell::new(false) };
        let runtime = builder().observer(meddler).build().unwrap();
        runtime.block_on(async {
            let (stale, task) = (spawn(my_waker()), spawn(rounds(3)));
            stale.await.unwrap().wake();
            task.await.unwrap();
            let waits = spawn(pending::<()>());
            rounds(1).await;
            waits.abort();
            drop(spawn(async { panic!("an event too") }));
            let mut cancelled = sleep(Duration::from_secs(1));
            assert!(poll_with(&mut cancelled, Waker::noop()).is_pending());
            drop(cancelled);
            let handle = Handle::current();
            spawn_thread(move || handle.spawn(async || ())).join().unwrap().unwrap();
            for _ in 0..5 {
                sleep(Duration::from_millis(1)).await;
            }
        });
        let kinds: Vec<String> = meddled.borrow().keys().cloned().collect();
        for kind in ["TurnStart", "Spawn", "PollStart", "PollEnd", "Wait", "Wake", "StaleWake", "Abort", "Finish"] {
            assert!(kinds.iter().any(|seen| seen == kind), "{kind} is not among {kinds:?}");
        }
        for kind in ["TimerSet", "TimerFired", "TimerCancelled", "ParkStart", "ParkEnd", "TurnEnd"] {
            assert!(kinds.iter().any(|seen| seen == kind), "{kind} is not among {kinds:?}");
        }
        drop(runtime);
        assert_eq!(mischief.done.get(), meddled.borrow().values().sum::<usize>());
        assert_eq!(mischief.gone.get(), mischief.born.get());
    });
}

#[test]
fn what_is_spawned_while_the_runtime_ends_is_dropped_inside_it() {
    watch(|| {
        let runtime = Runtime::new().unwrap();
        let inside = Count::default();
        let (found, output) = (inside.clone(), inside.clone());
        let spawns = |found: Count| {
            on_drop(move || {
                let ends = on_drop(move || {
                    let _there_is_one = Handle::current();
                    found.add();
                });
                drop(spawn(async move { drop(ends) }));
            })
        };
        let (in_future, in_output) = (spawns(found), spawns(output));
        runtime.block_on(async {
            drop(spawn(async move {
                let _spawns = in_future;
                pending::<()>().await;
            }));
            let over = spawn(async move { in_output });
            rounds(1).await;
            std::mem::forget(over);
        });
        drop(runtime);
        assert_eq!(inside.get(), 2);
    });
}

#[test]
fn a_task_that_spawns_its_like_in_its_drop_does_not_live_for_ever() {
    watch(|| {
        fn hydra(heads: &Count) -> impl Future<Output = ()> + use<> {
            let heads = heads.clone();
            let grows = on_drop(move || {
                heads.add();
                if panic_of(Handle::current) == "no panic" {
                    drop(spawn(hydra(&heads)));
                }
            });
            async move {
                let _grows = grows;
                pending::<()>().await;
            }
        }
        let heads = Count::default();
        let runtime = unobserved();
        runtime.block_on(async { drop(spawn(hydra(&heads))) });
        drop(runtime);
        assert!(heads.get() > 100, "{}", heads.get());
    });
}
