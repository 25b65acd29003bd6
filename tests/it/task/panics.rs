//! Panics: each belongs to its task, and the loop goes on.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use oneloop::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use oneloop::process::Command;
use oneloop::signal::SignalKind;
use oneloop::task::{Builder, JoinError, spawn_blocking, yield_now};
use oneloop::time::{interval, sleep};
use oneloop::{Handle, spawn};

use crate::kit::support::{Count, Foreign, child, join_all, my_waker, on_drop, panic_of, poll_with, rounds, text_of};
use crate::kit::watch::{builder, in_order, runtime, spawn_thread, unobserved, watch};

fn text(error: JoinError) -> String {
    text_of(&*error.into_panic())
}

#[test]
fn of_a_thousand_tasks_one_panics_each_turn_and_the_others_go_on() {
    watch(|| {
        in_order().block_on(async {
            let ticks = Rc::new(RefCell::new(vec![0; 1000]));
            let tasks: Vec<_> = (0..1000)
                .map(|n| {
                    let ticks = Rc::clone(&ticks);
                    spawn(async move {
                        let mut every = interval(Duration::from_millis(1));
                        loop {
                            every.tick().await;
                            ticks.borrow_mut()[n] += 1;
                            // Ten times a thousand ticks would be many: the panics come a hundred apart.
                            if ticks.borrow()[n] == 1 + n / 100 {
                                panic_any(n);
                            }
                        }
                    })
                })
                .collect();
            for (n, ended) in join_all(tasks).await.into_iter().enumerate() {
                let ended: Result<(), _> = ended;
                assert_eq!(*ended.unwrap_err().into_panic().downcast::<usize>().unwrap(), n);
                assert_eq!(ticks.borrow()[n], 1 + n / 100);
            }
        });
    });
}

#[test]
fn a_panic_in_a_task_reaches_whoever_joins_it_and_nobody_else() {
    watch(|| {
        let runtime = unobserved();
        runtime.block_on(async {
            let sibling = spawn(rounds(10));
            let waits = spawn(sleep(Duration::from_millis(1)));
            let detached = Count::default();
            let guard = detached.at_drop();
            drop(spawn(async move {
                let _guard = guard;
                panic!("nobody joins this");
            }));
            let panics = spawn(async {
                yield_now().await;
                panic!("in its second poll");
            });
            let error: Result<(), _> = panics.await;
            assert_eq!(text(error.unwrap_err()), "in its second poll");
            assert_eq!(detached.get(), 1);
            sibling.await.unwrap();
            waits.await.unwrap();
        });
        assert_eq!(runtime.metrics().tasks, 0);
    });
}

#[test]
fn a_panic_in_the_drop_of_a_future_is_its_tasks_and_the_runtime_goes_on() {
    watch(|| {
        let runtime = unobserved();
        runtime.block_on(async {
            let panics_in_drop = || on_drop(|| panic!("in drop"));
            let guard = panics_in_drop();
            // A future that owns a guard until it is dropped, and one poll away from its end.
            let mut guard = Some(guard);
            let ends = spawn(std::future::poll_fn(move |_| {
                let _owned = &mut guard;
                std::task::Poll::Ready(5)
            }));
            assert_eq!(text(ends.await.unwrap_err()), "in drop");

            let guard = panics_in_drop();
            let aborted = spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            rounds(1).await;
            aborted.abort();
            assert_eq!(text(aborted.await.unwrap_err()), "in drop");

            let mut guard = Some(panics_in_drop());
            let both = spawn(std::future::poll_fn(move |_| -> std::task::Poll<()> {
                let _owned = &mut guard;
                panic!("in poll")
            }));
            assert_eq!(text(both.await.unwrap_err()), "in poll", "the first panic is the one that tells why");
            spawn(rounds(3)).await.unwrap();
        });
        assert_eq!((runtime.metrics().tasks, runtime.metrics().ready), (0, 0));
    });
}

#[test]
fn a_panic_in_the_drop_of_an_untaken_output_does_no_harm() {
    watch(|| {
        let runtime = unobserved();
        let reached = Count::default();
        runtime.block_on(async {
            for _ in 0..3 {
                let (output, payload) = (reached.clone(), reached.clone());
                drop(spawn(async move {
                    on_drop(move || {
                        output.add();
                        panic!("in the output's drop");
                    })
                }));
                drop(spawn(async move {
                    panic_any(on_drop(move || {
                        payload.add();
                        panic!("in the payload's drop");
                    }))
                }));
                rounds(2).await;
            }
            spawn(rounds(3)).await.unwrap();
        });
        assert_eq!((reached.get(), runtime.metrics().tasks), (6, 0));
    });
}

#[test]
fn a_panic_in_the_drop_of_an_output_detached_elsewhere_does_no_harm() {
    watch(|| {
        let (runtime, reached) = (runtime(), Count::default());
        runtime.block_on(async {
            let count = reached.clone();
            let over = spawn(async move {
                on_drop(move || {
                    count.add();
                    panic!("in the output's drop");
                })
            });
            rounds(1).await;
            spawn_thread(move || drop(over)).join().unwrap();
            sleep(Duration::from_millis(1)).await;
            assert_eq!(reached.get(), 1);
            spawn(rounds(3)).await.unwrap();
        });
    });
}

#[test]
fn a_panic_in_a_drop_at_the_end_of_the_runtime_stops_no_other_drop() {
    watch(|| {
        let runtime = unobserved();
        let dropped = Count::default();
        runtime.block_on(async {
            for n in 0..30 {
                let dropped = dropped.clone();
                let guard = on_drop(move || {
                    dropped.add();
                    assert!(n % 3 != 0, "in drop");
                });
                let waits = spawn(async move {
                    let guard = guard;
                    if n % 2 == 0 {
                        pending::<()>().await;
                    }
                    guard
                });
                // Some are over and were joined by nobody.
                std::mem::forget(waits);
            }
            rounds(1).await;
        });
        drop(runtime);
        assert_eq!(dropped.get(), 30);
        in_order().block_on(rounds(2));
    });
}

#[test]
fn a_panic_of_the_root_future_is_the_callers_and_the_runtime_can_go_on() {
    watch(|| {
        let runtime = in_order();
        let (ticks, dropped) = (Count::default(), Count::default());
        let (ticked, guard, roots) = (ticks.clone(), dropped.at_drop(), dropped.at_drop());
        let said = panic_of(|| {
            runtime.block_on(async move {
                let _roots = roots;
                drop(spawn(async move {
                    let _guard = guard;
                    loop {
                        ticked.add();
                        sleep(Duration::from_secs(1)).await;
                    }
                }));
                sleep(Duration::from_millis(2500)).await;
                // It leaves no place in the queue either.
                my_waker().await.wake();
                panic!("the root gives up");
            })
        });
        assert_eq!((said.as_str(), ticks.get(), dropped.get()), ("the root gives up", 3, 1));
        // The thread is inside no runtime any more.
        assert!(panic_of(|| drop(spawn(async {}))).contains("needs a running oneloop runtime"));
        assert_eq!(runtime.metrics().ready, 0);
        runtime.block_on(async { sleep(Duration::from_secs(2)).await });
        assert_eq!((ticks.get(), dropped.get()), (5, 1));
        let other = unobserved();
        assert_eq!(other.block_on(async { spawn(async { 7 }).await.unwrap() }), 7);
        drop(runtime);
        assert_eq!(dropped.get(), 2);
    });
}

#[test]
fn a_panic_of_a_task_can_be_passed_on_by_the_root() {
    watch(|| {
        let runtime = unobserved();
        let said = panic_of(|| {
            runtime.block_on(async {
                let error: Result<(), _> = spawn(async { panic!("from below") }).await;
                resume_unwind(error.unwrap_err().into_panic())
            })
        });
        assert_eq!(said, "from below");
        runtime.block_on(rounds(1));
    });
}

#[test]
fn a_stored_waker_that_panics_when_woken_leaves_the_runtime_sound() {
    watch(|| {
        let runtime = in_order();
        let panics = || Foreign::waker(|| panic!("in wake"), || ());
        let ended = Rc::new(Cell::new(0));
        let said = panic_of(|| {
            runtime.block_on(async {
                let mut sleeps = sleep(Duration::from_secs(1));
                assert!(poll_with(&mut sleeps, &panics()).is_pending());
                for _ in 0..3 {
                    let ended = Rc::clone(&ended);
                    drop(spawn(async move {
                        sleep(Duration::from_secs(1)).await;
                        ended.set(ended.get() + 1);
                    }));
                }
                sleep(Duration::from_secs(5)).await;
            });
        });
        assert_eq!(said, "in wake");
        runtime.block_on(async { sleep(Duration::from_secs(1)).await });
        assert_eq!(ended.get(), 3, "timers that were due beside it fire");
        let said = panic_of(|| {
            runtime.block_on(async {
                let mut task = spawn(rounds(1));
                assert!(poll_with(&mut task, &panics()).is_pending());
                sleep(Duration::from_secs(1)).await;
                task.await.unwrap();
            });
        });
        assert_eq!(said, "in wake");
        runtime.block_on(async { spawn(rounds(3)).await.unwrap() });
        assert_eq!(runtime.metrics().tasks, 0);
    });
}

#[test]
fn a_waiter_beside_a_panicking_waker_is_woken_in_the_next_block_on() {
    watch(|| {
        let (runtime, other) = (in_order(), Count::default());
        let (one, two) = runtime.block_on(async { UnixStream::pair().unwrap() });
        let (one, woken) = (Rc::new(one), other.clone());
        let said = panic_of(|| {
            runtime.block_on(async {
                let mut buffer = [0; 8];
                let mut reads = pin!(one.read(&mut buffer));
                assert!(poll_with(&mut reads, &Foreign::waker(|| panic!("in wake"), || ())).is_pending());
                let beside = Rc::clone(&one);
                drop(spawn(async move {
                    beside.readable().await.unwrap();
                    woken.add();
                }));
                yield_now().await;
                two.write_all(b"!").await.unwrap();
                pending::<()>().await;
            });
        });
        assert_eq!((said.as_str(), other.get()), ("in wake", 0));
        runtime.block_on(rounds(1));
        assert_eq!(other.get(), 1);
    });
}

/// No panic is swallowed, and none stops the wakes behind it for good: each ends one call, in the order of the wakes.
#[test]
fn of_two_wakers_that_panic_each_ends_a_block_on_and_the_rest_are_woken() {
    watch(|| {
        let (runtime, other) = (in_order(), Count::default());
        let (one, two) = runtime.block_on(async { UnixStream::pair().unwrap() });
        let (one, woken, polled) = (Rc::new(one), other.clone(), Cell::new(false));
        let said = panic_of(|| {
            runtime.block_on(async {
                let mut buffers = [[0; 8]; 2];
                let [buffer, another] = &mut buffers;
                let (mut first, mut second) = (pin!(one.read(buffer)), pin!(one.read(another)));
                assert!(poll_with(&mut first, &Foreign::waker(|| panic!("in the first"), || ())).is_pending());
                assert!(poll_with(&mut second, &Foreign::waker(|| panic!("in the second"), || ())).is_pending());
                let beside = Rc::clone(&one);
                drop(spawn(async move {
                    beside.readable().await.unwrap();
                    woken.add();
                }));
                yield_now().await;
                two.write_all(b"!").await.unwrap();
                pending::<()>().await;
            });
        });
        assert_eq!((said.as_str(), other.get()), ("in the first", 0));
        let said = panic_of(|| runtime.block_on(async { polled.set(true) }));
        assert_eq!((said.as_str(), polled.get()), ("in the second", false), "before the loop turns");
        runtime.block_on(rounds(1));
        assert_eq!((other.get(), runtime.metrics().tasks), (1, 0));
    });
}

#[test]
fn a_panic_in_what_another_thread_sent_is_its_tasks() {
    watch(|| {
        let runtime = runtime();
        let handle = runtime.handle();
        let dropped = Count::default();
        let guard = dropped.at_drop();
        let panics_at_once = async || panic!("in the closure's future");
        handle.spawn(panics_at_once).unwrap();
        handle
            .spawn(move || {
                let _guard = guard;
                assert!(std::env::args().count() == 0, "in the closure itself");
                pending::<()>()
            })
            .unwrap();
        runtime.block_on(async { sleep(Duration::from_millis(1)).await });
        assert_eq!((dropped.get(), runtime.metrics().tasks), (1, 0));
    });
}

#[test]
fn blocking_jobs_that_panic_are_errors_and_the_pool_keeps_its_strength() {
    watch(|| {
        let runtime = builder().max_blocking_threads(3).build().unwrap();
        runtime.block_on(async {
            for n in 0..30 {
                let error = spawn_blocking(move || panic_any(n)).await.map(|(): ()| ()).unwrap_err();
                assert_eq!(*error.into_panic().downcast::<i32>().unwrap(), n);
            }
            // These end only if all three run at the same time.
            let together = Arc::new(Barrier::new(3));
            let jobs: Vec<_> = (0..3)
                .map(|_| {
                    let together = Arc::clone(&together);
                    spawn_blocking(move || together.wait())
                })
                .collect();
            assert!(join_all(jobs).await.into_iter().all(|job| job.is_ok()));
        });
    });
}

/// The calls that can be made where no runtime runs, and how.
fn misuses() -> Vec<Box<dyn FnOnce()>> {
    fn asked<F: Future>(future: F) {
        drop(futures_lite::future::block_on(future));
    }
    vec![
        Box::new(|| drop(oneloop::spawn(async {}))),
        Box::new(|| drop(Builder::new().spawn(async {}))),
        Box::new(|| drop(spawn_blocking(|| {}))),
        Box::new(|| _ = oneloop::task::id()),
        Box::new(|| drop(Handle::current())),
        Box::new(|| drop(sleep(Duration::ZERO))),
        Box::new(|| drop(oneloop::time::sleep_until(oneloop::time::Instant::now()))),
        Box::new(|| drop(oneloop::time::timeout(Duration::ZERO, async {}))),
        Box::new(|| drop(oneloop::time::interval(Duration::from_secs(1)))),
        Box::new(|| drop(oneloop::time::interval(Duration::ZERO))),
        Box::new(|| oneloop::time::advance(Duration::ZERO)),
        Box::new(|| drop(oneloop::see::dump())),
        Box::new(|| drop(oneloop::see::serve("127.0.0.1:0"))),
        Box::new(|| oneloop::see::attach(oneloop::see::Ring::new(1))),
        Box::new(|| drop(oneloop::signal::signal(SignalKind::hangup()))),
        Box::new(|| drop(oneloop::signal::ctrl_c())),
        Box::new(|| drop(oneloop::signal::stop_requested())),
        Box::new(|| drop(oneloop::net::duplex(0))),
        Box::new(|| drop(oneloop::Runtime::builder().polls_per_turn(0))),
        Box::new(|| drop(oneloop::Runtime::builder().max_blocking_threads(0))),
        Box::new(|| drop(TcpListener::from_std(std::net::TcpListener::bind("127.0.0.1:0").unwrap()))),
        Box::new(|| drop(UnixStream::pair())),
        Box::new(|| drop(Command::new("true").spawn())),
        Box::new(|| asked(Command::new("true").status())),
        Box::new(|| asked(TcpListener::bind("127.0.0.1:0"))),
        Box::new(|| asked(TcpListener::bind("localhost:0"))),
        Box::new(|| asked(TcpStream::connect("localhost:1"))),
        Box::new(|| asked(oneloop::net::lookup_host("localhost:1"))),
        Box::new(|| asked(oneloop::net::happy_eyeballs("localhost:1"))),
        Box::new(|| asked(UdpSocket::bind("127.0.0.1:0"))),
        Box::new(|| asked(oneloop::task::scope(async |_| {}))),
    ]
}

#[test]
fn what_is_called_wrongly_names_the_line_that_called_it() {
    let output = child(|| misuses().into_iter().for_each(|misuse| drop(catch_unwind(AssertUnwindSafe(misuse)))));
    let cried = String::from_utf8_lossy(&output.stderr);
    let panics: Vec<&str> = cried.split("panicked at ").skip(1).collect();
    assert_eq!(panics.len(), misuses().len(), "{cried}");
    for panic in panics {
        let here = panic.starts_with("tests/it/task/panics.rs:") || panic.contains(" at tests/it/task/panics.rs:");
        assert!(here, "its line is not named: {panic}");
    }
}
