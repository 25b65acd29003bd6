//! Other threads: what they send arrives, every time, and soon, whatever the loop is doing just then.

use std::cell::{Cell, OnceCell};
use std::future::poll_fn;
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use oneloop::event::{Event, Observer};
use oneloop::task::yield_now;
use oneloop::time::sleep;
use oneloop::{Handle, Runtime, spawn};

use crate::kit::sockets::{half, on_a_loop, on_a_thread, poll_once, turns};
use crate::kit::support::{my_waker, on_drop};
use crate::kit::watch::{Watch, builder, runtime, spawn_thread, unobserved, watch};

/// Waits, by being woken and in no other way, until `done` says so.
async fn until(mut done: impl FnMut() -> bool) {
    poll_fn(|_| if done() { Poll::Ready(()) } else { Poll::Pending }).await;
}

#[test]
fn the_last_of_a_million_wakes_from_threads_is_never_lost() {
    let _watch = Watch::new(Duration::from_secs(60));
    unobserved().block_on(async {
        let waker = my_waker().await;
        let count = Arc::new(AtomicU64::new(0));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (waker, count) = (waker.clone(), Arc::clone(&count));
                thread::spawn(move || {
                    for _ in 0..500_000 {
                        count.fetch_add(1, Ordering::SeqCst);
                        waker.wake_by_ref();
                    }
                })
            })
            .collect();
        until(|| count.load(Ordering::SeqCst) == 1_000_000).await;
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_wake_on_the_edge_of_a_park_is_never_lost() {
    const ROUNDS: usize = 10_000;
    watch(|| {
        let runtime = unobserved();
        // Twice: with the kernel's queue empty, and with a source registered.
        for with_a_socket in [false, true] {
            runtime.block_on(async {
                let _socket = with_a_socket.then(half);
                let (asked, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
                let waker = my_waker().await;
                let thread = thread::spawn({
                    let (asked, answered) = (Arc::clone(&asked), Arc::clone(&answered));
                    move || {
                        for round in 1..=ROUNDS {
                            while asked.load(Ordering::Acquire) < round {
                                thread::yield_now();
                            }
                            // A little later each time, so that the wake meets every step of the park.
                            for _ in 0..round % 250 {
                                std::hint::black_box(asked.load(Ordering::Relaxed));
                            }
                            answered.store(round, Ordering::Release);
                            waker.wake_by_ref();
                        }
                    }
                });
                for round in 1..=ROUNDS {
                    asked.store(round, Ordering::Release);
                    until(|| answered.load(Ordering::Acquire) >= round).await;
                }
                thread.join().unwrap();
            });
        }
    });
}

#[test]
fn spawning_on_the_edge_of_a_park_is_never_lost() {
    watch(|| {
        let runtime = unobserved();
        let handle = runtime.handle();
        runtime.block_on(async {
            let waker = my_waker().await;
            let (asked, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let thread = thread::spawn({
                let (asked, answered) = (Arc::clone(&asked), Arc::clone(&answered));
                move || {
                    for round in 1..=2000 {
                        while asked.load(Ordering::Acquire) < round {
                            thread::yield_now();
                        }
                        (0..round % 200).for_each(|_| std::hint::spin_loop());
                        let (answered, waker) = (Arc::clone(&answered), waker.clone());
                        let answer = move || async move {
                            answered.store(round, Ordering::Release);
                            waker.wake();
                        };
                        handle.spawn(answer).unwrap();
                    }
                }
            });
            for round in 1..=2000 {
                asked.store(round, Ordering::Release);
                until(|| answered.load(Ordering::Acquire) >= round).await;
            }
            thread.join().unwrap();
        });
    });
}

/// Tells another thread whenever the loop goes to sleep for good.
struct TellsOfSleep(Sender<()>);

impl Observer for TellsOfSleep {
    fn on_event(&self, _: Duration, event: &Event<'_>) {
        if let Event::ParkStart { timeout: None } = event {
            let _ = self.0.send(());
        }
    }
}

#[test]
fn a_wake_reaches_a_loop_that_sleeps() {
    watch(|| {
        let (tell, asleep) = channel();
        let runtime = builder().observer(TellsOfSleep(tell)).build().unwrap();
        runtime.block_on(async {
            let waker = my_waker().await;
            let count = Arc::new(AtomicUsize::new(0));
            let thread = thread::spawn({
                let count = Arc::clone(&count);
                move || {
                    for _ in 0..100 {
                        asleep.recv().unwrap();
                        count.fetch_add(1, Ordering::SeqCst);
                        waker.wake_by_ref();
                    }
                }
            });
            until(|| count.load(Ordering::SeqCst) == 100).await;
            thread.join().unwrap();
        });
    });
}

#[test]
fn a_wake_during_a_poll_and_one_while_the_thread_is_blocked_are_kept() {
    on_a_loop(async {
        for _ in 0..20 {
            let waker = my_waker().await;
            let woken = Arc::new(AtomicBool::new(false));
            let mut polls = 0;
            poll_fn(|_| {
                polls += 1;
                if woken.load(Ordering::SeqCst) && polls > 1 {
                    return Poll::Ready(());
                }
                let (waker, woken) = (waker.clone(), Arc::clone(&woken));
                // The loop's thread stands still until the other one has woken the task it is polling.
                thread::spawn(move || {
                    woken.store(true, Ordering::SeqCst);
                    waker.wake();
                })
                .join()
                .unwrap();
                Poll::Pending
            })
            .await;
            assert_eq!(polls, 2);
        }
    });
}

#[test]
fn two_loops_on_two_threads_wake_each_other() {
    watch(|| {
        let ball = Arc::new(AtomicUsize::new(0));
        let wakers = Arc::new(Mutex::new([None::<Waker>, None::<Waker>]));
        let ready = Arc::new(Barrier::new(2));
        let play = |side: usize| {
            let (ball, wakers, ready) = (Arc::clone(&ball), Arc::clone(&wakers), Arc::clone(&ready));
            move || {
                unobserved().block_on(async {
                    wakers.lock().unwrap()[side] = Some(my_waker().await);
                    ready.wait();
                    let other = wakers.lock().unwrap()[1 - side].clone().unwrap();
                    while ball.load(Ordering::SeqCst) < 10_000 {
                        until(|| ball.load(Ordering::SeqCst) % 2 == side).await;
                        ball.fetch_add(1, Ordering::SeqCst);
                        other.wake_by_ref();
                    }
                });
                // Neither runtime ends while the other may still wake it.
                ready.wait();
            }
        };
        let there = spawn_thread(play(1));
        play(0)();
        there.join().unwrap();
    });
}

#[test]
fn what_many_threads_spawn_all_runs_on_the_loops_thread() {
    watch(|| {
        let runtime = unobserved();
        let home = thread::current().id();
        let (count, strays) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (handle, count, strays) = (runtime.handle(), Arc::clone(&count), Arc::clone(&strays));
                thread::spawn(move || {
                    for _ in 0..2500 {
                        let (count, strays) = (Arc::clone(&count), Arc::clone(&strays));
                        let make = move || {
                            // Nothing in here could cross threads.
                            let own = Rc::new(Cell::new(thread::current().id()));
                            async move {
                                yield_now().await;
                                if own.get() != home || thread::current().id() != home {
                                    strays.fetch_add(1, Ordering::SeqCst);
                                }
                                count.fetch_add(1, Ordering::SeqCst);
                            }
                        };
                        handle.spawn(make).unwrap();
                    }
                })
            })
            .collect();
        runtime.block_on(async {
            while count.load(Ordering::SeqCst) < 10_000 {
                yield_now().await;
            }
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(strays.load(Ordering::SeqCst), 0);
        assert_eq!(runtime.metrics().tasks, 0);
    });
}

#[test]
fn spawning_on_a_runtime_that_is_gone_is_an_error_and_drops_what_was_sent() {
    watch(|| {
        let runtime = runtime();
        let (handle, owned) = (runtime.handle(), Arc::new(()));
        let send = |handle: &Handle| {
            let owned = Arc::clone(&owned);
            handle.spawn(move || async move { drop(owned) })
        };
        send(&handle).unwrap();
        assert_eq!(Arc::strong_count(&owned), 2);
        drop(runtime);
        assert_eq!(Arc::strong_count(&owned), 1, "what was accepted and never run is dropped with the runtime");
        let error = send(&handle).unwrap_err();
        assert!(error.to_string().contains("has been dropped"), "{error}");
        assert_eq!(Arc::strong_count(&owned), 1);
        let there = thread::spawn(move || handle.spawn(|| async {}).is_err());
        assert!(there.join().unwrap());
    });
}

#[test]
fn a_runtime_may_be_dropped_while_other_threads_wake_and_spawn() {
    watch(|| {
        let owned = Arc::new(());
        for round in 0..200 {
            let runtime = unobserved();
            let waker = runtime.block_on(async {
                drop(spawn(std::future::pending::<()>()));
                my_waker().await
            });
            let stop = Arc::new(AtomicBool::new(false));
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let (handle, waker, stop, owned) =
                        (runtime.handle(), waker.clone(), Arc::clone(&stop), Arc::clone(&owned));
                    thread::spawn(move || {
                        let (mut refused, mut after) = (false, 0);
                        while !refused || after < 100 || !stop.load(Ordering::SeqCst) {
                            waker.wake_by_ref();
                            let owned = Arc::clone(&owned);
                            refused |= handle.spawn(move || async move { drop(owned) }).is_err();
                            after += usize::from(refused);
                            // One at a time keeps the inbox short.
                            thread::yield_now();
                        }
                    })
                })
                .collect();
            if round % 2 == 0 {
                runtime.block_on(turns(3));
            }
            drop(runtime);
            stop.store(true, Ordering::SeqCst);
            for thread in threads {
                thread.join().unwrap();
            }
        }
        assert_eq!(Arc::strong_count(&owned), 1, "everything that was sent was run or dropped");
    });
}

#[test]
fn a_message_to_an_ending_runtime_is_given_back_to_its_sender() {
    watch(|| {
        let (runtime, owned) = (unobserved(), Arc::new(()));
        let (handle, seen) = (runtime.handle(), Rc::new(Cell::new(None)));
        let note = Rc::clone(&seen);
        let floods = on_drop(move || {
            let (mine, mut refused) = (Arc::clone(&owned), 0);
            let flood = thread::spawn(move || {
                for _ in 0..10_000 {
                    let mine = Arc::clone(&mine);
                    refused += usize::from(handle.spawn(move || async move { drop(mine) }).is_err());
                }
                refused
            });
            note.set(Some((flood.join().unwrap(), Arc::strong_count(&owned))));
        });
        runtime.block_on(async {
            drop(spawn(async move {
                let _floods = floods;
                std::future::pending::<()>().await;
            }));
            turns(1).await;
        });
        drop(runtime);
        assert_eq!(seen.get(), Some((10_000, 1)));
    });
}

#[test]
fn wakers_of_what_is_gone_are_harmless_on_every_thread() {
    watch(|| {
        let dead_runtime = Runtime::new().unwrap();
        let mut wakers = vec![dead_runtime.block_on(my_waker())];
        wakers.push(dead_runtime.block_on(async { spawn(my_waker()).await.unwrap() }));
        drop(dead_runtime);
        let runtime = unobserved();
        runtime.block_on(async {
            // A task that is over, and the next tenant of its slot.
            for _ in 0..10 {
                wakers.push(spawn(my_waker()).await.unwrap());
            }
            let polls = Rc::new(Cell::new(0));
            let tenant = spawn({
                let polls = Rc::clone(&polls);
                async move { until(move || polls.replace(polls.get() + 1) > usize::MAX / 2).await }
            });
            turns(1).await;
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    let wakers = wakers.clone();
                    on_a_thread(move || (0..1000).for_each(|_| wakers.iter().for_each(Waker::wake_by_ref)))
                })
                .collect();
            for waker in &wakers {
                waker.wake_by_ref();
            }
            for thread in threads {
                thread.await;
            }
            turns(2).await;
            assert_eq!(polls.get(), 1, "nobody has woken the tenant itself");
            tenant.abort();
        });
        assert!(runtime.metrics().wakes_stale > 0);
    });
}

#[test]
fn an_abort_from_another_thread_reaches_a_loop_that_sleeps() {
    on_a_loop(async {
        for _ in 0..100 {
            let task = spawn(std::future::pending::<()>());
            let abort = task.abort_handle();
            let thread = thread::spawn(move || abort.abort());
            assert!(task.await.unwrap_err().is_cancelled());
            thread.join().unwrap();
        }
    });
}

/// Sends another task whenever one has arrived, as long as it is told to.
#[derive(Clone, Default)]
struct Echo {
    handle: Rc<OnceCell<Handle>>,
    goes_on: Rc<Cell<bool>>,
}

impl Observer for Echo {
    fn on_event(&self, _: Duration, event: &Event<'_>) {
        if let (Event::Spawn { .. }, true, Some(handle)) = (event, self.goes_on.get(), self.handle.get()) {
            handle.spawn(|| async {}).unwrap();
        }
    }
}

#[test]
fn what_is_sent_while_the_inbox_is_emptied_waits_for_the_next_turn() {
    watch(|| {
        let echo = Echo::default();
        let runtime = builder().observer(echo.clone()).build().unwrap();
        echo.handle.set(runtime.handle()).unwrap();
        echo.goes_on.set(true);
        runtime.block_on(async {
            drop(spawn(async {}));
            let before = runtime.metrics().turns;
            turns(10).await;
            assert!(runtime.metrics().turns - before >= 10);
            echo.goes_on.set(false);
        });
    });
}

#[test]
fn a_flood_of_wakes_from_a_thread_starves_no_timer_and_no_socket() {
    let _watch = Watch::new(Duration::from_secs(30));
    unobserved().block_on(async {
        let stop = Arc::new(AtomicBool::new(false));
        let waker = my_waker().await;
        let flood = thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                while !stop.load(Ordering::Relaxed) {
                    waker.wake_by_ref();
                }
            }
        });
        let (here, mut there) = half();
        let (echoes, served) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let client = thread::spawn({
            let (stop, echoes) = (Arc::clone(&stop), Arc::clone(&echoes));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    there.write_all(b"x").unwrap();
                    there.read_exact(&mut [0]).unwrap();
                    echoes.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let echo = spawn(async move {
            while here.read(&mut [0]).await.unwrap() > 0 {
                here.write_all(b"y").await.unwrap();
                served.fetch_add(1, Ordering::Relaxed);
            }
        });
        let (start, mut late, mut naps) = (Instant::now(), 0, 0);
        while start.elapsed() < Duration::from_secs(2) || naps < 10 || echoes.load(Ordering::Relaxed) < 20 {
            let before = Instant::now();
            sleep(Duration::from_millis(10)).await;
            late += u32::from(before.elapsed() > Duration::from_secs(1));
            naps += 1;
        }
        stop.store(true, Ordering::Relaxed);
        flood.join().unwrap();
        let mut echo = std::pin::pin!(echo);
        assert!(poll_once(echo.as_mut()).await.is_pending());
        echo.await.unwrap();
        client.join().unwrap();
        // A busy machine may make some late.
        assert!(late * 2 < naps, "{late} of {naps} timers were late by a second");
    });
}
