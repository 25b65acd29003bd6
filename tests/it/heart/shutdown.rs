//! The end of a runtime: everything is dropped, once, on its thread, and given back to the system.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::time::Duration;

use oneloop::net::{TcpListener, TcpStream};
use oneloop::task::{JoinHandle, spawn_blocking};
use oneloop::time::sleep;
use oneloop::{Runtime, spawn};

use crate::kit::support::{Count, alone, on_drop, open_files, resident_kb, rounds};
use crate::kit::watch::{in_order, unobserved, watch};

/// How many threads this process has.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("Linux lists the threads").count()
}

/// Fills a runtime with tasks of every kind, and sockets. Each future and each output owns a guard.
async fn fill(runtime: &Runtime, dropped: &Count) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let [accepts, connects, sleeps, waits, joins, is_over, runs, is_new] = [(); GUARDS].map(|()| dropped.at_drop());
    drop(spawn(async move {
        let _guard = accepts;
        let (stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0]).await;
    }));
    drop(spawn(async move {
        let _guard = connects;
        let stream = TcpStream::connect(here).await.unwrap();
        let _ = stream.read(&mut [0]).await;
    }));
    drop(spawn(async move {
        let _guard = sleeps;
        sleep(Duration::from_secs(3600)).await;
    }));
    let waiting = spawn(async move {
        let _guard = waits;
        pending::<()>().await;
    });
    drop(spawn(async move {
        let _guard = joins;
        let _ = waiting.await;
    }));
    std::mem::forget(spawn(async move { is_over }));
    drop(spawn_blocking(move || runs));
    // Until both sockets are connected and the job is over.
    while (runtime.metrics().sources, runtime.metrics().tasks) != (3, 5) {
        sleep(Duration::from_millis(1)).await;
    }
    std::mem::forget(spawn(async move { is_new }));
}

const GUARDS: usize = 8;

#[test]
fn a_runtime_that_is_dropped_gives_everything_back() {
    alone(|| {
        let (dropped, threads_before) = (Count::default(), threads());
        // A file that a process opens once and keeps is no runtime's.
        oneloop::run(async { spawn_blocking(|| ()).await.unwrap() });
        let files_before = open_files();
        for round in 1..=3 {
            let runtime = Runtime::new().unwrap();
            runtime.block_on(fill(&runtime, &dropped));
            assert!(open_files() >= files_before + 4 && threads() > threads_before);
            drop(runtime);
            assert_eq!((open_files(), dropped.get()), (files_before, round * GUARDS));
            // A thread that has done its last work still has to leave the system's list.
            while threads() > threads_before {
                std::thread::yield_now();
            }
        }
    });
}

#[test]
fn ten_thousand_runtimes_in_a_row_leave_nothing_behind() {
    alone(|| {
        let dropped = Count::default();
        let (mut files, mut memory) = (0, 0);
        for n in 0..10_000 {
            if n == 1000 {
                (files, memory) = (open_files(), resident_kb());
            }
            let runtime = Runtime::new().unwrap();
            runtime.block_on(async {
                let (ends, waits) = (dropped.at_drop(), dropped.at_drop());
                let task = spawn(async move { drop(ends) });
                drop(spawn(async move {
                    let _guard = waits;
                    sleep(Duration::from_secs(9)).await;
                }));
                task.await.unwrap();
            });
        }
        let grown = resident_kb().saturating_sub(memory);
        assert_eq!((dropped.get(), open_files()), (20_000, files));
        assert!(grown < 1024, "{grown} kB more after nine thousand runtimes");
    });
}

#[test]
fn tasks_that_were_never_polled_see_a_shutdown_that_comes_first() {
    watch(|| {
        in_order().block_on(async {
            // A signal that wakes those who wait, and is seen by those who only begin to.
            let signal = Rc::new(Cell::new(false));
            let tasks: Vec<_> = (0..100)
                .map(|_| {
                    let signal = Rc::clone(&signal);
                    spawn(async move {
                        while !signal.get() {
                            sleep(Duration::from_secs(1)).await;
                        }
                    })
                })
                .collect();
            signal.set(true);
            for task in tasks {
                task.await.unwrap();
            }
            // The same by aborts: a task that was never polled ends like any other.
            let tasks: Vec<_> = (0..100).map(|_| spawn(pending::<()>())).collect();
            tasks.iter().for_each(JoinHandle::abort);
            for task in tasks {
                assert!(task.await.unwrap_err().is_cancelled());
            }
        });
    });
}

#[test]
fn detached_tasks_are_dropped_with_the_runtime_and_each_once() {
    watch(|| {
        let (runtime, dropped) = (unobserved(), Count::default());
        runtime.block_on(async {
            for n in 0..100 {
                let guard = dropped.at_drop();
                let task = spawn(async move {
                    let _guard = guard;
                    rounds(n).await;
                    pending::<()>().await;
                });
                if n % 2 == 0 {
                    drop(task);
                } else {
                    std::mem::forget(task);
                }
            }
            rounds(50).await;
        });
        assert_eq!(dropped.get(), 0);
        drop(runtime);
        assert_eq!(dropped.get(), 100);
    });
}

#[test]
fn a_joiner_that_outlives_the_runtime_hears_that_its_task_is_gone() {
    watch(|| {
        let runtime = unobserved();
        let task = runtime.block_on(async { spawn(pending::<()>()) });
        assert!(!task.is_finished());
        drop(runtime);
        assert!(task.is_finished());
        let said = crate::kit::support::panic_of(|| oneloop::run(task));
        assert!(said.contains("(which has been dropped)"), "{said}");
    });
}

#[test]
fn a_task_that_joins_another_is_told_nothing_at_the_end() {
    watch(|| {
        let (runtime, seen) = (unobserved(), Rc::new(Cell::new(false)));
        let note = Rc::clone(&seen);
        runtime.block_on(async {
            let waits = spawn(pending::<()>());
            drop(spawn(async move {
                let _ = waits.await;
                note.set(true);
            }));
            rounds(1).await;
        });
        drop(runtime);
        assert!(!seen.get(), "no task is polled any more");
    });
}

#[test]
fn handles_may_be_polled_in_destructors_while_the_runtime_ends() {
    watch(|| {
        let (runtime, said) = (unobserved(), Rc::new(Cell::new(Vec::new())));
        runtime.block_on(async {
            for waits in [true, false] {
                let mut other = spawn(async move {
                    if waits {
                        pending::<()>().await;
                    }
                });
                let note = Rc::clone(&said);
                let asks = on_drop(move || {
                    let polled = crate::kit::support::poll_with(&mut other, std::task::Waker::noop());
                    let mut all = note.take();
                    all.push(match polled {
                        std::task::Poll::Ready(Ok(())) => String::from("it had ended"),
                        std::task::Poll::Ready(Err(error)) => error.to_string().split(") ").last().unwrap().to_owned(),
                        std::task::Poll::Pending => String::from("it waits"),
                    });
                    note.set(all);
                });
                drop(spawn(async move {
                    let _asks = asks;
                    pending::<()>().await;
                }));
            }
            rounds(1).await;
        });
        drop(runtime);
        assert_eq!(said.take(), ["was dropped with its runtime", "it had ended"]);
    });
}

#[test]
fn a_jobs_result_at_the_end_is_dropped_on_the_loops_thread() {
    watch(|| {
        let (runtime, (tell, told)) = (unobserved(), channel());
        let (let_it_end, may_end) = channel();
        runtime.block_on(async {
            let (started, has_started) = channel();
            drop(spawn_blocking(move || {
                started.send(()).unwrap();
                may_end.recv().unwrap();
                on_drop(move || tell.send(std::thread::current().id()).unwrap())
            }));
            has_started.recv().unwrap();
            let ends_the_job = on_drop(move || let_it_end.send(()).unwrap());
            drop(spawn(async move {
                let _ends_the_job = ends_the_job;
                pending::<()>().await;
            }));
            rounds(1).await;
        });
        drop(runtime);
        assert_eq!(told.recv().unwrap(), std::thread::current().id());
    });
}

#[test]
fn a_shutdown_with_a_limit_has_nothing_to_abandon_when_no_job_runs() {
    watch(|| {
        let (runtime, dropped) = (unobserved(), Count::default());
        let guard = dropped.at_drop();
        runtime.block_on(async {
            drop(spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            }));
            spawn_blocking(|| ()).await.unwrap();
        });
        let abandoned = runtime.shutdown_timeout(Duration::from_secs(5));
        assert!(abandoned.is_empty());
        assert_eq!(dropped.get(), 1);
    });
}
