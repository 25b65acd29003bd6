//! Everything around the turns: a runtime that is entered before it turns, moved before it is entered, or turned in a
//! forked child; and the hooks around its parks.

use std::cell::Cell;
use std::future::poll_fn;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures_lite::AsyncReadExt;
use oneloop::io::AsyncFd;
use oneloop::task::yield_now;
use oneloop::time::{Instant, Sleep, sleep};
use oneloop::{Runtime, spawn};

use crate::kit::support::{alone, panic_of};
use crate::kit::watch::watch;
use crate::process::system_faults::fork_and_wait;

#[test]
fn what_is_made_in_an_entered_runtime_runs_when_it_turns() {
    watch(|| {
        let runtime = Runtime::new().unwrap();
        let (here, there) = UnixStream::pair().unwrap();
        here.set_nonblocking(true).unwrap();
        let ran = std::rc::Rc::new(Cell::new(false));
        let (task, nap, mut here) = {
            let _entered = runtime.enter();
            let ran = ran.clone();
            (spawn(async move { ran.set(true) }), sleep(Duration::from_millis(1)), AsyncFd::new(here).unwrap())
        };
        assert!(!ran.get(), "nothing runs before block_on");
        drop(there);
        runtime.block_on(async {
            task.await.unwrap();
            nap.await;
            assert_eq!(here.read(&mut [0]).await.unwrap(), 0);
        });
        assert!(ran.get());
        let _entered = runtime.enter();
        drop(here);
    });
}

#[test]
fn a_runtime_turns_while_it_is_entered_and_is_left_with_the_guard() {
    watch(|| {
        let (one, other) = (Runtime::new().unwrap(), Runtime::new().unwrap());
        let outer = one.enter();
        let inner = other.enter();
        assert_eq!(one.block_on(async { spawn(async { 1 }).await.unwrap() }), 1);
        drop(inner);
        assert_eq!(one.metrics().polls, 3, "the other has turned for nothing");
        assert_eq!(other.metrics().polls, 0);
        drop(outer);
        let error = panic_of(|| drop(spawn(async {})));
        assert!(error.contains("needs a running oneloop runtime"), "{error}");
    });
}

#[test]
fn a_guard_dropped_out_of_order_says_so_and_keeps_no_runtime() {
    let (one, other, third) = (Runtime::new().unwrap(), Runtime::new().unwrap(), Runtime::new().unwrap());
    for inner_is_dropped_first in [true, false] {
        let (outer, middle, inner) = (one.enter(), other.enter(), third.enter());
        let error = panic_of(|| drop(outer));
        assert!(error.contains("in the order of their making"), "{error}");
        let (first, last) = if inner_is_dropped_first { (inner, middle) } else { (middle, inner) };
        let _ = catch_unwind(AssertUnwindSafe(|| drop(first)));
        drop(spawn(async {}));
        assert_eq!(one.metrics().tasks, 0, "the runtime that was left first is entered still");
        drop(last);
        let error = panic_of(|| drop(spawn(async {})));
        assert!(error.contains("needs a running oneloop runtime"), "{error}");
    }
    assert_eq!((other.metrics().tasks, third.metrics().tasks), (1, 1), "each spawn went to the guard that was left");
}

#[test]
fn a_loop_inside_a_loop_is_refused_where_the_inner_one_is_entered_too() {
    let error = panic_of(|| {
        oneloop::run(async {
            let inner = Runtime::new().unwrap();
            let _entered = inner.enter();
            inner.block_on(async {});
        });
    });
    assert!(error.contains("one thread runs one loop"), "{error}");
}

#[test]
fn a_child_forked_off_a_running_loop_runs_a_loop_of_its_own() {
    alone(|| {
        oneloop::run(async {
            fork_and_wait(|| {
                let slept = oneloop::run(async { spawn(sleep(Duration::from_millis(1))).await });
                assert!(slept.is_ok());
            });
            sleep(Duration::from_millis(1)).await;
        });
    });
}

#[test]
fn a_runtime_moves_to_its_thread_with_what_its_handle_was_given() {
    watch(|| {
        let unentered = Runtime::builder().build_unentered().unwrap();
        let (tell, told) = mpsc::channel();
        unentered.handle().spawn(move || async move { tell.send(thread::current().id()).unwrap() }).unwrap();
        let ran_on = thread::spawn(move || {
            let runtime = unentered.into_runtime();
            runtime.block_on(async { sleep(Duration::from_millis(1)).await });
            thread::current().id()
        });
        assert_eq!(told.recv().unwrap(), ran_on.join().unwrap());
        let never = Runtime::builder().build_unentered().unwrap();
        let handle = never.handle();
        drop(never);
        assert!(handle.spawn(|| async {}).is_err(), "it is gone, and says so");
    });
}

#[test]
fn hooks_stand_around_each_sleep_in_their_order_and_around_nothing_else() {
    watch(|| {
        let story = Arc::new(Mutex::new(String::new()));
        let note = |text: &'static str| {
            let story = Arc::clone(&story);
            move || story.lock().unwrap().push_str(text)
        };
        let runtime = Runtime::builder()
            .on_thread_park(note("first "))
            .on_thread_park(note("second "))
            .on_thread_unpark(note("after "))
            .build()
            .unwrap();
        runtime.block_on(yield_now());
        assert_eq!(*story.lock().unwrap(), "", "a loop with something to do does not sleep");
        let parks = runtime.metrics().parks;
        runtime.block_on(async { sleep(Duration::from_millis(2)).await });
        let parks = (runtime.metrics().parks - parks) as usize;
        assert!(parks > 0);
        assert_eq!(*story.lock().unwrap(), "first second after ".repeat(parks));
    });
}

#[test]
fn a_hook_may_spawn_and_the_loop_does_not_sleep_over_it() {
    watch(|| {
        let runtime = Runtime::builder().on_thread_park(|| drop(spawn(async { TOLD.with(Flag::set_ready) }))).build();
        runtime.unwrap().block_on(TOLD.with(|told| told.clone().until_ready()));
    });
}

#[test]
fn a_hook_may_set_the_earliest_timer_and_the_virtual_clock_stops_there() {
    watch(|| {
        let runtime = Runtime::builder().virtual_clock().on_thread_park(set_the_timer).build().unwrap();
        runtime.block_on(async {
            // While a socket is awaited the wait is real, and the hook is called.
            let (here, _there) = UnixStream::pair().unwrap();
            here.set_nonblocking(true).unwrap();
            let mut here = AsyncFd::new(here).unwrap();
            drop(spawn(async move { here.read(&mut [0]).await }));
            // The kernel says that the socket can be written, and nothing after that.
            sleep(Duration::from_millis(1)).await;
            let begun = Instant::now();
            poll_fn(|cx| {
                let mut timer = TIMER.take();
                let polled = timer.as_mut().map_or(Poll::Pending, |timer| Pin::new(timer).poll(cx));
                TIMER.set(timer);
                WAITS.set(Some(cx.waker().clone()));
                polled
            })
            .await;
            assert_eq!(begun.elapsed(), Duration::from_millis(5));
        });
    });
}

/// Sets a timer for one who waits, once.
fn set_the_timer() {
    if let Some(waker) = WAITS.take() {
        let mut timer = TIMER.take().unwrap_or_else(|| sleep(Duration::from_millis(5)));
        assert!(Pin::new(&mut timer).poll(&mut Context::from_waker(&waker)).is_pending());
        TIMER.set(Some(timer));
    }
}

thread_local! {
    static TIMER: Cell<Option<Sleep>> = const { Cell::new(None) };
    static WAITS: Cell<Option<Waker>> = const { Cell::new(None) };
}

thread_local! {
    static TOLD: Flag = Flag::default();
}

#[test]
fn a_hook_that_forgets_to_sleep_does_not_make_the_loop_deaf() {
    watch(|| {
        let runtime = Runtime::builder().around_park(|_forgotten| {}).build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async move {
            let told = Flag::default();
            let tell = told.clone();
            thread::spawn(move || handle.spawn(move || async move { tell.set_ready() }).unwrap());
            told.until_ready().await;
        });
    });
}

#[test]
fn a_hook_that_sleeps_twice_sleeps_once() {
    watch(|| {
        let runtime = Runtime::builder()
            .around_park(|sleep| {
                sleep();
                sleep();
            })
            .build()
            .unwrap();
        let handle = runtime.handle();
        runtime.block_on(async move {
            let told = Flag::default();
            let tell = told.clone();
            thread::spawn(move || handle.spawn(move || async move { tell.set_ready() }).unwrap());
            told.until_ready().await;
        });
    });
}

/// A flag that another task sets, on any thread, and who waits for it.
#[derive(Clone, Default)]
struct Flag(Arc<Mutex<(bool, Option<Waker>)>>);

impl Flag {
    fn set_ready(&self) {
        let mut state = self.0.lock().unwrap();
        state.0 = true;
        state.1.take().into_iter().for_each(Waker::wake);
    }

    async fn until_ready(self) {
        poll_fn(|cx| {
            let mut state = self.0.lock().unwrap();
            state.1 = Some(cx.waker().clone());
            if state.0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[test]
fn a_hook_that_panics_leaves_a_runtime_that_goes_on() {
    watch(|| {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let runtime = Runtime::builder()
            .on_thread_unpark(move || assert!(counted.fetch_add(1, Ordering::Relaxed) > 0, "the hook's own words"))
            .build()
            .unwrap();
        let error = panic_of(|| runtime.block_on(async { sleep(Duration::from_millis(1)).await }));
        assert!(error.contains("the hook's own words"), "{error}");
        runtime.block_on(async { sleep(Duration::from_millis(1)).await });
        assert!(calls.load(Ordering::Relaxed) > 1);
    });
}
