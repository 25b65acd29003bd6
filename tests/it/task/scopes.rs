//! Scopes: children end with the block that spawned them, however it ends.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use oneloop::task::{Scope, ScopedJoinHandle, scope, yield_now};
use oneloop::time::{Instant, sleep, timeout};
use oneloop::{Runtime, spawn};

use crate::kit::support::{on_drop, rounds};
use crate::kit::watch::{in_order, sim, watch};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn children_borrow_from_before_the_scope_and_all_are_waited_for() {
    watch(|| {
        sim(1).block_on(async {
            let words = [String::from("a"), String::from("bc"), String::from("def")];
            let total = Cell::new(0);
            let start = Instant::now();
            let body_took = scope(async |s| {
                for (n, word) in words.iter().enumerate() {
                    let total = &total;
                    s.spawn(async move {
                        sleep(SECOND * n as u32).await;
                        total.set(total.get() + word.len());
                    });
                }
                start.elapsed()
            });
            assert_eq!(body_took.await.unwrap(), Duration::ZERO, "the body does not wait for its children");
            assert_eq!((total.get(), start.elapsed()), (6, SECOND * 2));
        });
    });
}

#[test]
fn a_handle_gives_the_childs_output() {
    watch(|| {
        sim(2).block_on(async {
            let base = 40;
            let sum = scope(async |s| {
                let late = s.spawn(async {
                    sleep(SECOND).await;
                    base
                });
                let early = s.try_spawn(async { io::Result::Ok(2) });
                late.await + early.await
            });
            assert_eq!(sum.await.unwrap(), 42);
        });
    });
}

#[test]
fn a_panic_cancels_the_others_and_is_reported() {
    watch(|| {
        sim(3).block_on(async {
            let dropped = Cell::new(0);
            let error = scope(async |s| {
                s.spawn(async {
                    let _guard = on_drop(|| dropped.set(dropped.get() + 1));
                    pending::<()>().await;
                });
                s.spawn(async {
                    sleep(SECOND).await;
                    panic!("out of beans");
                });
                let _guard = on_drop(|| dropped.set(dropped.get() + 10));
                pending::<()>().await;
            })
            .await
            .unwrap_err();
            assert_eq!(dropped.get(), 11, "the sibling and the body are dropped before the scope ends");
            assert_eq!(error.failures().len(), 1);
            assert!(error.failures()[0].is_panic());
            let text = error.to_string();
            assert!(text.contains("panicked: out of beans") && text.contains("scopes.rs"), "{text}");
        });
    });
}

#[test]
fn failures_of_one_moment_are_kept_together() {
    watch(|| {
        in_order().block_on(async {
            let error = scope(async |s| {
                for n in 0..3 {
                    s.try_spawn(async move {
                        sleep(SECOND).await;
                        if n == 1 { Ok(()) } else { Err(format!("child {n} failed")) }
                    });
                }
                s.spawn(async {
                    let _guard = on_drop(|| panic!("and its drop panicked"));
                    pending::<()>().await;
                });
            })
            .await
            .unwrap_err();
            let texts: Vec<_> = error.failures().iter().map(ToString::to_string).collect();
            assert_eq!(texts.len(), 3, "{texts:?}");
            assert!(texts[0].ends_with("failed: child 0 failed"), "{texts:?}");
            assert!(texts[1].ends_with("failed: child 2 failed"), "{texts:?}");
            assert!(texts[2].ends_with("panicked: and its drop panicked"), "{texts:?}");
        });
    });
}

#[test]
fn a_scope_says_by_whom_it_was_cancelled() {
    watch(|| {
        sim(4).block_on(async {
            let inside = scope(async |s| {
                let own = s.clone();
                s.spawn(async move { own.cancel("no more tea") });
                pending::<()>().await;
            });
            let inside = inside.await.unwrap_err();
            assert_eq!(inside.cancelled().unwrap().why(), "no more tea");
            let text = inside.to_string();
            assert!(text.starts_with("a scope was cancelled by task ") && text.contains("scopes.rs"), "{text}");

            let outside = scope(async |s| {
                let canceller = s.canceller();
                oneloop::task::Builder::new().name("boss").spawn(async move {
                    sleep(SECOND).await;
                    canceller.cancel("lunch");
                });
                s.spawn(pending::<()>());
            });
            let outside = outside.await.unwrap_err().to_string();
            assert!(outside.contains("\"boss\"") && outside.ends_with(": lunch"), "{outside}");

            let start = Instant::now();
            let limited = scope(async |s| {
                s.cancel_after(SECOND * 3);
                pending::<()>().await;
            });
            let limited = limited.await.unwrap_err();
            assert_eq!(start.elapsed(), SECOND * 3);
            assert_eq!(limited.cancelled().unwrap().why(), "it took longer than 3 s");
        });
    });
}

#[test]
fn a_limit_that_does_not_strike_changes_nothing() {
    watch(|| {
        sim(5).block_on(async {
            let done = scope(async |s| {
                s.cancel_after(SECOND * 3);
                s.spawn(sleep(SECOND));
                7
            });
            assert_eq!(done.await.unwrap(), 7);
        });
    });
}

#[test]
fn dropping_a_scope_at_any_await_drops_its_children_first() {
    watch(|| {
        sim(6).block_on(async {
            for polls in 0..6 {
                let order = RefCell::new(Vec::new());
                {
                    let _borrowed = on_drop(|| order.borrow_mut().push("borrowed"));
                    let mut scoped = pin!(scope(async |s| {
                        for _ in 0..2 {
                            s.spawn(async {
                                let _guard = on_drop(|| order.borrow_mut().push("child"));
                                for _ in 0..10 {
                                    yield_now().await;
                                }
                            });
                        }
                        for _ in 0..10 {
                            yield_now().await;
                        }
                    }));
                    for _ in 0..polls {
                        poll_fn(|cx| Poll::Ready(scoped.as_mut().poll(cx).is_ready())).await;
                        yield_now().await;
                    }
                }
                assert_eq!(order.borrow().last(), Some(&"borrowed"), "after {polls} polls");
            }
            assert!(timeout(SECOND, scope(async |s| drop(s.spawn(pending::<()>())))).await.is_err());
        });
    });
}

#[test]
fn scopes_nest_and_an_inner_failure_is_the_inner_scopes() {
    watch(|| {
        sim(7).block_on(async {
            let data = [1, 2, 3];
            let result = scope(async |outer| {
                let inner = outer.spawn(async {
                    scope(async |s| {
                        s.try_spawn(async { if data.len() == 3 { Err("three") } else { Ok(()) } });
                    })
                    .await
                });
                let calm = outer.spawn(async {
                    sleep(SECOND).await;
                    data.len()
                });
                (inner.await.is_err(), calm.await)
            });
            assert_eq!(result.await.unwrap(), (true, 3));
        });
    });
}

#[test]
fn a_child_may_spawn_siblings_and_none_is_forgotten() {
    fn grow<'env>(s: &Scope<'env>, count: &'env Cell<u32>, depth: u32) {
        let more = s.clone();
        s.spawn(async move {
            yield_now().await;
            count.set(count.get() + 1);
            if depth > 0 {
                grow(&more, count, depth - 1);
                grow(&more, count, depth - 1);
            }
        });
    }
    watch(|| {
        sim(8).block_on(async {
            let count = Cell::new(0);
            scope(async |s| grow(s, &count, 9)).await.unwrap();
            assert_eq!(count.get(), 1023);
        });
    });
}

#[test]
fn a_wake_polls_the_woken_child_alone() {
    watch(|| {
        in_order().block_on(async {
            let polls = RefCell::new([0; 50]);
            let mut wakers: Vec<Option<std::task::Waker>> = vec![None; 50];
            let wakers = RefCell::new(&mut wakers);
            let done = Cell::new(false);
            scope(async |s| {
                for n in 0..50 {
                    let (polls, wakers, done) = (&polls, &wakers, &done);
                    s.spawn(poll_fn(move |cx| {
                        polls.borrow_mut()[n] += 1;
                        wakers.borrow_mut()[n] = Some(cx.waker().clone());
                        if done.get() { Poll::Ready(()) } else { Poll::Pending }
                    }));
                }
                for _ in 0..3 {
                    yield_now().await;
                }
                assert_eq!(*polls.borrow(), [1; 50]);
                let seventh = wakers.borrow()[7].clone().unwrap();
                seventh.wake();
                for _ in 0..3 {
                    yield_now().await;
                }
                assert_eq!((polls.borrow()[7], polls.borrow().iter().sum::<i32>()), (2, 51));
                done.set(true);
                wakers.borrow().iter().flatten().for_each(std::task::Waker::wake_by_ref);
            })
            .await
            .unwrap();
        });
    });
}

#[test]
fn a_child_is_the_current_task_under_an_id_of_its_own_and_shows_in_a_dump() {
    watch(|| {
        in_order().block_on(async {
            let parent = oneloop::task::id();
            scope(async |s| {
                let child = s.spawn(async {
                    let id = oneloop::task::id();
                    sleep(SECOND).await;
                    id
                });
                for _ in 0..3 {
                    yield_now().await;
                }
                let dump = oneloop::see::dump();
                let child_row = dump.tasks.iter().find(|task| !task.waits.is_empty() && task.id != parent);
                let row = child_row.expect("the child waits for its timer under its own id");
                let id = child.await;
                assert_eq!(row.id, id);
                assert_ne!(parent, id);
                assert_eq!(parent, oneloop::task::id());
            })
            .await
            .unwrap();
        });
    });
}

#[test]
fn a_child_dropped_at_the_end_is_itself_in_a_slot_used_before() {
    watch(|| {
        let (runtime, seen) = (in_order(), Rc::new(RefCell::new(Vec::new())));
        let note = |seen: &Rc<RefCell<Vec<_>>>| seen.borrow_mut().push(oneloop::task::id());
        let child = Rc::clone(&seen);
        runtime.block_on(async {
            // Its slot is the child's afterwards, and comes before that of the task with the scope.
            let first = spawn(async {});
            let owner = spawn(async move {
                yield_now().await;
                yield_now().await;
                let _dropped_before_its_end = scope(async |s| {
                    s.spawn(async {
                        note(&child);
                        let _at_the_end = on_drop(|| note(&child));
                        pending::<()>().await;
                    });
                    pending::<()>().await;
                })
                .await;
            });
            first.await.unwrap();
            rounds(5).await;
            drop(owner);
        });
        drop(runtime);
        let seen = seen.take();
        assert!(seen.len() == 2 && seen[0] == seen[1], "{seen:?}");
    });
}

#[test]
fn nothing_is_left_of_a_scope() {
    watch(|| {
        let runtime = in_order();
        runtime.block_on(async {
            for round in 0..100 {
                let result = scope(async |s| {
                    for n in 0..10 {
                        s.try_spawn(async move { if n == round % 20 { Err("stop") } else { Ok(()) } });
                        s.spawn(sleep(SECOND));
                    }
                });
                assert_eq!(result.await.is_err(), round % 20 < 10);
            }
            for _ in 0..3 {
                yield_now().await;
            }
        });
        assert_eq!((runtime.metrics().tasks, runtime.metrics().timers), (0, 0));
    });
}

#[test]
fn a_clone_that_outlives_its_scope_spawns_nothing() {
    watch(|| {
        in_order().block_on(async {
            let dropped = Rc::new(Cell::new(false));
            let mut kept = None;
            scope(async |s| kept = Some(s.clone())).await.unwrap();
            let flag = Rc::clone(&dropped);
            let guard = on_drop(move || flag.set(true));
            kept.unwrap().spawn(async move {
                let _guard = guard;
                unreachable!("nobody would poll it");
            });
            assert!(dropped.get());
        });
    });
}

/// A scope with two children that wait, polled as far as that.
fn half_way<'a>(runtime: &Runtime, dropped: &'a Cell<u32>) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
    let mut scoped: Pin<Box<dyn Future<Output = ()> + 'a>> = Box::pin(async move {
        let result = scope(async |s| {
            for _ in 0..2 {
                s.spawn(async {
                    let _guard = on_drop(|| dropped.set(dropped.get() + 1));
                    pending::<()>().await;
                });
            }
        });
        result.await.unwrap();
    });
    runtime.block_on(async {
        for _ in 0..3 {
            assert!(poll_fn(|cx| Poll::Ready(scoped.as_mut().poll(cx))).await.is_pending());
            yield_now().await;
        }
    });
    scoped
}

#[test]
fn a_scope_may_be_dropped_where_its_runtime_does_not_run_or_is_gone() {
    watch(|| {
        let (runtime, dropped) = (in_order(), Cell::new(0));
        drop(half_way(&runtime, &dropped));
        assert_eq!(dropped.replace(0), 2);
        runtime.block_on(async { sleep(SECOND).await });
        assert_eq!(runtime.metrics().tasks, 0, "what stood in for the children is gone");
        let scoped = half_way(&runtime, &dropped);
        drop(runtime);
        in_order().block_on(async move { drop(scoped) });
        assert_eq!(dropped.get(), 2);
    });
}

#[test]
#[should_panic(expected = "a scope was polled inside another runtime")]
fn a_scope_that_is_polled_in_another_runtime_says_so() {
    watch(|| {
        let (runtime, dropped) = (in_order(), Cell::new(0));
        let scoped = half_way(&runtime, &dropped);
        in_order().block_on(scoped);
    });
}

#[test]
#[should_panic(expected = "after its scope had ended without its task's output")]
fn a_handle_that_left_its_scope_does_not_wait_for_what_will_not_come() {
    watch(|| {
        in_order().block_on(async {
            let give = Rc::new(Cell::new(None));
            let take = Rc::clone(&give);
            let outside = oneloop::spawn(async move {
                yield_now().await;
                let handle: ScopedJoinHandle<u32> = take.take().expect("the scope has begun");
                handle.await
            });
            let result = scope(async |s| {
                give.set(Some(s.spawn(async {
                    sleep(SECOND).await;
                    panic!("no output")
                })));
                pending::<()>().await;
            });
            assert_eq!(result.await.unwrap_err().failures().len(), 1);
            std::panic::resume_unwind(outside.await.unwrap_err().into_panic());
        });
    });
}
