//! Stage 12: a scope whose children borrow.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::leaf::{Event, yield_now};
use crate::scope::scope;
use crate::time::{sleep, timeout, uptime};
use crate::{Runtime, trace};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// hint: scope
#[test]
fn children_borrow_from_before_the_scope() {
    Runtime::virtual_clock().block_on(async {
        let words = ["one".to_owned(), "loop".to_owned()];
        let total = Cell::new(0);
        let done: Result<&str, ()> = scope(async |s| {
            for word in &words {
                s.spawn(async {
                    sleep(ms(5)).await;
                    total.set(total.get() + word.len());
                    Ok(())
                });
            }
            "the body's own"
        })
        .await;
        assert_eq!((done, total.get()), (Ok("the body's own"), 7));
    });
}

/// hint: scope
#[test]
fn a_scope_waits_for_its_children() {
    Runtime::virtual_clock().block_on(async {
        let ended = RefCell::new(Vec::new());
        let done: Result<(), ()> = scope(async |s| {
            for time in [30, 10, 20] {
                let ended = &ended;
                s.spawn(async move {
                    sleep(ms(time)).await;
                    ended.borrow_mut().push(time);
                    Ok(())
                });
            }
        })
        .await;
        assert_eq!(done, Ok(()));
        assert_eq!((uptime(), &*ended.borrow()), (ms(30), &vec![10, 20, 30]));
    });
}

/// hint: scope
#[test]
fn the_first_error_cancels_the_siblings() {
    Runtime::virtual_clock().block_on(async {
        let dropped = Rc::new(());
        let done: Result<(), &str> = scope(async |s| {
            let owned = Rc::clone(&dropped);
            s.spawn(async move {
                sleep(ms(1000)).await;
                drop(owned);
                Ok(())
            });
            s.spawn(async {
                sleep(ms(10)).await;
                Err("it failed")
            });
            sleep(ms(5000)).await;
        })
        .await;
        assert_eq!((done, uptime()), (Err("it failed"), ms(10)));
        assert_eq!(Rc::strong_count(&dropped), 1, "the sibling is gone, with all that it owned");
    });
}

/// hint: scope
#[test]
fn of_two_errors_the_first_in_the_list_is_returned() {
    Runtime::virtual_clock().block_on(async {
        let done: Result<(), &str> = scope(async |s| {
            for error in ["first", "second"] {
                s.spawn(async move {
                    sleep(ms(10)).await;
                    Err(error)
                });
            }
        })
        .await;
        trace::seen(&format!("the scope returns {done:?}"));
        assert_eq!(done, Err("first"));
    });
}

/// hint: scope
#[test]
fn a_child_that_ends_leaves_its_siblings_in_their_order() {
    Runtime::virtual_clock().block_on(async {
        let done: Result<(), &str> = scope(async |s| {
            for outcome in [Ok(()), Err("first"), Err("second")] {
                s.spawn(async move {
                    sleep(ms(10)).await;
                    outcome
                });
            }
        })
        .await;
        trace::seen(&format!("the scope returns {done:?}"));
        assert_eq!(done, Err("first"), "the three end in one poll of the scope");
    });
}

/// hint: scope
#[test]
fn a_child_gets_its_turn_though_a_greedy_sibling_has_none_left() {
    Runtime::virtual_clock().block_on(async {
        let (set, turns) = (Event::new(), Cell::new(0));
        set.set();
        let done: Result<(), &str> = scope(async |s| {
            s.spawn(async {
                while turns.get() == 0 {
                    set.wait().await;
                }
                Ok(())
            });
            s.spawn(async {
                set.wait().await;
                turns.set(turns.get() + 1);
                Ok(())
            });
        })
        .await;
        assert_eq!((done, turns.get()), (Ok(()), 1));
    });
}

/// hint: Child::poll
#[test]
fn only_a_child_that_was_woken_is_polled() {
    Runtime::virtual_clock().block_on(async {
        let polls = Cell::new(0);
        let done: Result<(), ()> = scope(async |s| {
            s.spawn(async {
                for _ in 0..10 {
                    sleep(ms(1)).await;
                }
                Ok(())
            });
            s.spawn(async {
                let mut long = Box::pin(sleep(ms(100)));
                poll_fn(|cx| {
                    polls.set(polls.get() + 1);
                    trace::seen("the child with the long sleep is polled");
                    long.as_mut().poll(cx)
                })
                .await;
                Ok(())
            });
        })
        .await;
        assert_eq!((done, polls.get()), (Ok(()), 2), "once to begin, and once when its time was over");
    });
}

/// hint: scope
#[test]
fn dropping_a_scope_drops_its_children() {
    let runtime = Runtime::virtual_clock();
    runtime.block_on(async {
        let owned = Rc::new(());
        let endless = scope(async |s| {
            for _ in 0..3 {
                let owned = Rc::clone(&owned);
                s.spawn(async move {
                    poll_fn(|_| Poll::<()>::Pending).await;
                    drop(owned);
                    Ok::<(), ()>(())
                });
            }
            sleep(ms(50)).await;
        });
        assert!(timeout(ms(10), endless).await.is_err());
        assert_eq!(Rc::strong_count(&owned), 1);
    });
    assert_eq!(runtime.timers_and_sockets(), (0, 0));
}

/// hint: Child::poll
#[test]
fn a_wake_during_the_poll_of_a_child_is_kept() {
    Runtime::virtual_clock().block_on(async {
        let rounds = Cell::new(0);
        let done: Result<(), ()> = scope(async |s| {
            s.spawn(async {
                for _ in 0..3 {
                    yield_now().await;
                    rounds.set(rounds.get() + 1);
                }
                Ok(())
            });
        })
        .await;
        assert_eq!((done, rounds.get()), (Ok(()), 3));
    });
}
