//! Corners that went wrong once: runtimes in thread-locals, and ends at which something panics.

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use oneloop::task::spawn_blocking;
use oneloop::time::sleep;
use oneloop::{Handle, Runtime, spawn};

use crate::kit::support::{
    Count, Foreign, alone, my_waker, on_drop, one_wake, open_files, panic_of, poll_with, rounds,
};
use crate::kit::watch::{runtime, spawn_thread, unobserved, watch};

#[test]
fn a_runtime_in_a_thread_local_is_dropped_with_its_thread() {
    alone(|| {
        thread_local! {
            static RUNTIME: Runtime = Runtime::new().unwrap();
        }
        let dropped = Count::default();
        for used_before in [true, false] {
            let guard = dropped.at_drop();
            let thread = std::thread::spawn(move || {
                if used_before {
                    oneloop::run(async {});
                }
                RUNTIME.with(|runtime| {
                    runtime.block_on(async {
                        drop(spawn(async move {
                            let _guard = guard;
                            sleep(Duration::from_secs(1)).await;
                        }));
                        rounds(1).await;
                    });
                });
            });
            thread.join().unwrap();
        }
        assert_eq!(dropped.get(), 2);
    });
}

#[test]
fn a_stored_waker_that_panics_at_the_end_stops_no_other_drop() {
    alone(|| {
        let (dropped, files) = (Count::default(), {
            drop(Runtime::new().unwrap());
            open_files()
        });
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            let mut joined = spawn(pending::<()>());
            assert!(poll_with(&mut joined, &Foreign::waker(|| panic!("in wake"), || ())).is_pending());
            std::mem::forget(joined);
            let count = dropped.clone();
            let inside = on_drop(move || {
                let _there_is_one = Handle::current();
                count.add();
            });
            drop(spawn(async move {
                let _inside = inside;
                pending::<()>().await;
            }));
            rounds(1).await;
        });
        assert_eq!(panic_of(|| drop(runtime)), "no panic");
        assert_eq!((dropped.get(), open_files()), (1, files));
    });
}

#[test]
fn a_blocking_job_is_waited_for_although_a_stored_waker_panics_at_the_end() {
    watch(|| {
        let (runtime, over) = (unobserved(), Count::default());
        runtime.block_on(async {
            let (started, has_started) = std::sync::mpsc::channel();
            let job = over.clone();
            drop(spawn_blocking(move || {
                started.send(()).unwrap();
                std::thread::sleep(Duration::from_millis(100));
                job.add();
            }));
            has_started.recv().unwrap();
            let mut joined = spawn(pending::<()>());
            assert!(poll_with(&mut joined, &Foreign::waker(|| panic!("in wake"), || ())).is_pending());
            std::mem::forget(joined);
        });
        let _ = panic_of(|| drop(runtime));
        assert_eq!(over.get(), 1);
    });
}

#[test]
fn what_a_job_captured_may_panic_when_the_end_drops_the_job() {
    watch(|| {
        let runtime = Runtime::builder().max_blocking_threads(1).build().unwrap();
        let (started, has_started) = std::sync::mpsc::channel();
        runtime.block_on(async {
            drop(spawn_blocking(move || {
                started.send(()).unwrap();
                std::thread::sleep(Duration::from_millis(50));
            }));
            has_started.recv().unwrap();
            for _ in 0..3 {
                let captured = on_drop(|| panic!("in drop"));
                drop(spawn_blocking(move || drop(captured)));
            }
        });
        assert_eq!(panic_of(|| assert!(runtime.shutdown_timeout(Duration::from_secs(10)).is_empty())), "no panic");
    });
}

#[test]
fn a_handle_polled_after_the_end_dropped_its_task_gives_an_error() {
    watch(|| {
        let (runtime, said) = (unobserved(), Rc::new(RefCell::new(Vec::new())));
        runtime.block_on(async {
            let mut other = spawn(pending::<()>());
            let note = Rc::clone(&said);
            let spawns = on_drop(move || {
                let asks = on_drop(move || {
                    let says = panic_of(|| assert!(poll_with(&mut other, Waker::noop()).is_ready()));
                    note.borrow_mut().push(says);
                });
                drop(spawn(async move { drop(asks) }));
            });
            drop(spawn(async move {
                let _spawns = spawns;
                pending::<()>().await;
            }));
            rounds(1).await;
        });
        drop(runtime);
        assert_eq!(said.take(), ["no panic"]);
    });
}

#[test]
fn a_handle_sees_what_a_loop_that_sleeps_holds() {
    watch(|| {
        let runtime = runtime();
        let handle = runtime.handle();
        runtime.block_on(async {
            let waiting: Vec<_> = (0..7).map(|_| spawn(pending::<()>())).collect();
            let waker = my_waker().await;
            let seen = spawn_thread(move || {
                while handle.metrics().parks == 0 {
                    std::thread::yield_now();
                }
                let seen = handle.metrics();
                waker.wake();
                seen
            });
            one_wake().await;
            let seen = seen.join().unwrap();
            assert_eq!((seen.tasks, seen.ready), (7, 0));
            drop(waiting);
        });
    });
}

#[test]
fn threads_of_the_pool_are_gone_when_the_runtime_is() {
    alone(|| {
        let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let before = threads();
        for _ in 0..200 {
            oneloop::run(async { spawn_blocking(|| ()).await.unwrap() });
            assert_eq!(threads(), before);
        }
    });
}

#[test]
fn what_the_last_wakers_spawn_is_dropped_inside_the_runtime() {
    watch(|| {
        let (runtime, inside) = (unobserved(), Count::default());
        let found = inside.clone();
        runtime.block_on(async {
            let spawns = Foreign::waker(
                || (),
                move || {
                    let found = found.clone();
                    let asks = on_drop(move || {
                        let _there_is_one = Handle::current();
                        found.add();
                    });
                    drop(spawn(async move { drop(asks) }));
                },
            );
            let mut far = sleep(Duration::from_secs(9));
            assert!(poll_with(&mut far, &spawns).is_pending());
            std::mem::forget(far);
        });
        assert_eq!(panic_of(|| drop(runtime)), "no panic");
        assert_eq!(inside.get(), 1);
    });
}
