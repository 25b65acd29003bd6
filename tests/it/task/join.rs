//! Joining: what a `JoinHandle` gives, to whom, and what its errors say.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::future::{pending, poll_fn};
use std::panic::panic_any;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use oneloop::spawn;
use oneloop::task::{self, Builder, JoinError, JoinHandle, yield_now};
use oneloop::time::{sleep, timeout};

use crate::kit::support::{Count, Foreign, join_all, on_drop, panic_of, poll_with, rounds, text_of};
use crate::kit::watch::{in_order, runtime, spawn_thread, unobserved, watch};

#[test]
fn a_join_gives_the_tasks_output_whatever_its_type() {
    watch(|| {
        unobserved().block_on(async {
            spawn(async {}).await.unwrap();
            assert_eq!(*spawn(async { Rc::new(5) }).await.unwrap(), 5);
            assert_eq!(spawn(async { [7_u64; 1000] }).await.unwrap()[999], 7);
            assert_eq!(spawn(async { Err::<(), _>("no") }).await.unwrap(), Err("no"));
            let inner = spawn(async { spawn(async { "inner" }) }).await.unwrap();
            assert_eq!(inner.await.unwrap(), "inner");
        });
    });
}

#[test]
fn a_join_waits_for_a_task_that_is_not_over_and_finds_one_that_is() {
    watch(|| {
        in_order().block_on(async {
            let (slow, quick) = (spawn(sleep(Duration::from_secs(9))), spawn(async { 1 }));
            rounds(1).await;
            assert_eq!((slow.is_finished(), quick.is_finished()), (false, true));
            slow.await.unwrap();
            assert_eq!(quick.await.unwrap(), 1);
        });
    });
}

#[test]
fn whoever_joins_runs_after_all_that_the_task_owned_is_gone() {
    watch(|| {
        unobserved().block_on(async {
            for is_aborted in [false, true] {
                let (dropped, seen) = (Count::default(), Count::default());
                let owned = dropped.at_drop();
                let mut polled = false;
                // Unlike an async block, it does not drop what it owns when it is ready.
                let mut task = spawn(poll_fn(move |cx| {
                    let _owned = &owned;
                    cx.waker().wake_by_ref();
                    if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
                }));
                let (gone, told) = (dropped.clone(), seen.clone());
                let joiner = Foreign::waker(move || (0..gone.get()).for_each(|_| told.add()), || ());
                assert!(poll_with(&mut task, &joiner).is_pending());
                if is_aborted {
                    task.abort();
                }
                rounds(3).await;
                assert_eq!((dropped.get(), seen.get()), (1, 1), "gone, and before the wake");
                assert_eq!(task.await.is_err(), is_aborted);
            }
        });
    });
}

#[test]
fn a_handle_can_be_asked_for_a_while_and_then_again() {
    watch(|| {
        in_order().block_on(async {
            let mut task = spawn(async {
                sleep(Duration::from_secs(10)).await;
                "done"
            });
            assert!(timeout(Duration::from_secs(4), &mut task).await.is_err());
            assert!(timeout(Duration::from_secs(4), &mut task).await.is_err());
            assert_eq!(task.await.unwrap(), "done");
        });
    });
}

#[test]
fn dropping_a_handle_detaches_its_task() {
    watch(|| {
        let ended = Count::default();
        in_order().block_on(async {
            let task = || {
                let ended = ended.clone();
                spawn(async move {
                    sleep(Duration::from_secs(1)).await;
                    ended.add();
                })
            };
            drop(task());
            let waits = task();
            rounds(1).await;
            drop(waits);
            let elsewhere = task();
            spawn_thread(move || drop(elsewhere)).join().unwrap();
            sleep(Duration::from_secs(2)).await;
        });
        assert_eq!(ended.get(), 3);
    });
}

#[test]
fn an_untaken_output_is_dropped_with_the_handle_or_with_the_task() {
    watch(|| {
        let runtime = unobserved();
        let dropped = Count::default();
        runtime.block_on(async {
            let guard = || dropped.at_drop();
            let (before, after, thread) = (guard(), guard(), guard());
            drop(spawn(async move { before }));
            rounds(1).await;
            assert_eq!(dropped.get(), 1, "detached before its end: dropped at its end");
            let task = spawn(async move { after });
            rounds(1).await;
            assert_eq!(dropped.get(), 1);
            drop(task);
            assert_eq!(dropped.get(), 2, "over before it was detached: dropped with the handle");
            let home = std::thread::current().id();
            let task = spawn(async move { (thread, on_drop(move || assert_home(home))) });
            rounds(1).await;
            spawn_thread(move || drop(task)).join().unwrap();
            sleep(Duration::from_millis(1)).await;
            assert_eq!(dropped.get(), 3, "dropped on the loop's thread wherever the handle was");
        });
    });
}

fn assert_home(home: std::thread::ThreadId) {
    assert_eq!(std::thread::current().id(), home);
}

#[test]
fn a_handle_that_gave_its_output_refuses_to_be_polled_again() {
    watch(|| {
        unobserved().block_on(async {
            let mut task = spawn(async {});
            (&mut task).await.unwrap();
            assert!(task.is_finished());
            let said = panic_of(|| poll_with(&mut task, Waker::noop()));
            assert_eq!(said, "a JoinHandle was polled after it had given its task's output");
            // And it does not touch the task that has the slot now.
            let tenant = spawn(async { 5 });
            assert_eq!(tenant.id().slot(), task.id().slot());
            drop(task);
            assert_eq!(tenant.await.unwrap(), 5);
        });
    });
}

#[test]
fn a_task_that_joins_itself_gets_an_error_and_not_a_deadlock() {
    watch(|| {
        unobserved().block_on(async {
            let own = Rc::new(Cell::new(None::<JoinHandle<()>>));
            let said = Rc::new(RefCell::new(String::new()));
            let (handle, note) = (Rc::clone(&own), Rc::clone(&said));
            let task = spawn(async move {
                let error = handle.take().unwrap().await.unwrap_err();
                assert!(!error.is_cancelled() && !error.is_panic());
                *note.borrow_mut() = error.to_string();
            });
            let id = task.id();
            own.set(Some(task));
            rounds(1).await;
            let said = said.take();
            assert!(said.starts_with(&format!("task {id} (spawned at {}:", file!())), "{said}");
            assert!(said.ends_with(") awaits its own JoinHandle, which can never be ready"), "{said}");
        });
    });
}

#[test]
fn two_tasks_that_join_each_other_end_when_one_is_aborted() {
    watch(|| {
        in_order().block_on(async {
            let (mine, yours) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(None)));
            let joins = |other: &Rc<Cell<Option<JoinHandle<bool>>>>| {
                let other = Rc::clone(other);
                spawn(async move { other.take().unwrap().await.is_err_and(|error| error.is_cancelled()) })
            };
            let (first, second) = (joins(&yours), joins(&mine));
            let (abort_first, second_over) = (first.abort_handle(), second.abort_handle());
            mine.set(Some(first));
            yours.set(Some(second));
            sleep(Duration::from_secs(1)).await;
            assert!(!second_over.is_finished());
            abort_first.abort();
            rounds(3).await;
            assert!(abort_first.is_finished() && second_over.is_finished());
        });
    });
}

#[test]
fn a_task_that_joins_another_hears_of_its_abort() {
    watch(|| {
        in_order().block_on(async {
            let waits = spawn(pending::<()>());
            let abort = waits.abort_handle();
            let joins = spawn(async move { waits.await.unwrap_err().is_cancelled() });
            sleep(Duration::from_secs(1)).await;
            abort.abort();
            assert!(joins.await.unwrap());
        });
    });
}

#[test]
fn errors_say_which_task_and_where_it_was_spawned_and_why() {
    watch(|| {
        unobserved().block_on(async {
            let at = |line: u32, column: u32| format!("{}:{line}:{column}", file!());
            let line = line!();
            let waits = Builder::new().name("reader").spawn(pending::<()>());
            waits.abort();
            let (id, said) = (waits.id(), waits.await.unwrap_err().to_string());
            let (spawned, aborted) = (at(line + 1, 55), at(line + 2, 19));
            let expected = format!("task {id} \"reader\" (spawned at {spawned}) was aborted by task 1 at {aborted}");
            assert_eq!(said, expected);

            let line = line!();
            let panics = spawn(async { panic!("no {}", "bread") });
            let (id, said) = (panics.id(), error_of(panics).await.to_string());
            assert_eq!(said, format!("task {id} (spawned at {}) panicked: no bread", at(line + 1, 26)));

            let panics = spawn(async { panic_any(7) });
            let said = error_of(panics).await.to_string();
            assert!(said.ends_with(") panicked"), "{said}");
        });
    });
}

/// Joins a task that is to fail.
async fn error_of<T: 'static>(task: JoinHandle<T>) -> JoinError {
    task.await.err().expect("the task failed")
}

#[test]
fn an_abort_names_who_asked_for_it() {
    watch(|| {
        let runtime = in_order();
        let kept = runtime.block_on(async {
            let victims: Vec<_> = (0..4).map(|_| spawn(pending::<()>())).collect();
            let abort: Vec<_> = victims.iter().map(JoinHandle::abort_handle).collect();
            let [by_task, by_drop, by_thread, by_nobody]: [_; 4] = abort.try_into().unwrap();
            Builder::new().name("reaper").spawn(async move { by_task.abort() }).await.unwrap();
            let drops = spawn(async move {
                let _then = on_drop(move || by_drop.abort());
                pending::<()>().await;
            });
            rounds(1).await;
            drops.abort();
            spawn_thread(move || by_thread.abort()).join().unwrap();
            let mut victims = victims.into_iter();
            let mut said = async || victims.next().unwrap().await.unwrap_err().to_string();
            assert!(said().await.contains(") was aborted by task 6 \"reaper\" at "), "by a task");
            assert!(said().await.contains(") was aborted by task 7 at "), "by a task's end");
            assert!(said().await.contains(") was aborted by another thread at "), "by a thread");
            (victims.next().unwrap(), by_nobody)
        });
        kept.1.abort();
        let said = runtime.block_on(kept.0).unwrap_err().to_string();
        assert!(said.contains(") was aborted by another thread at "), "from outside the loop: {said}");
    });
}

#[test]
fn an_error_can_be_sent_shown_and_taken_apart() {
    watch(|| {
        fn is_an_error<E: Error + Send + Sync + 'static>(_: &E) {}
        unobserved().block_on(async {
            let aborted = spawn(pending::<()>());
            aborted.abort();
            let id = aborted.id();
            let error = aborted.await.unwrap_err();
            is_an_error(&error);
            assert_eq!((error.id(), error.is_cancelled(), error.is_panic()), (id, true, false));
            assert_eq!(format!("{error:?}"), format!("JoinError({error})"));
            let error = error.try_into_panic().unwrap_err();
            let shown = error.to_string();
            let said = panic_of(|| error.into_panic());
            assert_eq!(said, format!("JoinError::into_panic was called on an error that is no panic: {shown}"));

            let panicked = spawn(async { panic_any(String::from("payload")) });
            let error = error_of(panicked).await;
            assert_eq!((error.is_cancelled(), error.is_panic()), (false, true));
            assert_eq!(text_of(&*error.into_panic()), "payload");
        });
    });
}

#[test]
fn a_handle_may_travel_between_threads_and_be_joined_at_home() {
    watch(|| {
        runtime().block_on(async {
            let task = spawn(async { Rc::new("not Send") });
            rounds(1).await;
            let task = spawn_thread(move || {
                assert!(!task.is_finished(), "nobody can tell from there");
                task
            });
            let task = task.join().unwrap();
            assert!(task.is_finished());
            assert_eq!(*task.await.unwrap(), "not Send");
        });
    });
}

#[test]
fn ids_count_up_and_the_task_that_runs_knows_its_own() {
    watch(|| {
        let runtime = in_order();
        let roots = [0, 1].map(|_| {
            runtime.block_on(async {
                let tasks: Vec<_> = (0..5)
                    .map(|_| {
                        let drops = on_drop(|| assert!(task::id().as_u64() > 0));
                        spawn(async move {
                            yield_now().await;
                            drop(drops);
                            task::id()
                        })
                    })
                    .collect();
                let ids: Vec<_> = tasks.iter().map(JoinHandle::id).collect();
                assert!(ids.windows(2).all(|two| two[0].as_u64() + 1 == two[1].as_u64()), "{ids:?}");
                let own: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
                assert_eq!(own, ids);
                task::id()
            })
        });
        assert_eq!(roots.map(|id| id.to_string()), ["1", "7"]);
    });
}
