//! A task that is ready again and again still lets the others run: every operation counts, also one that has
//! nothing left to do.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use nix::sys::signal::{Signal as Number, raise};
use oneloop::net::{TcpListener, UdpSocket, lookup_host};
use oneloop::process::{Command, Stdio};
use oneloop::signal::{SignalKind, signal, stop_requested};
use oneloop::task::{consume_budget, scope, yield_now};
use oneloop::time::{Instant, interval_at, sleep, timeout};
use oneloop::{JoinHandle, spawn};

use crate::kit::support::{Count, alone};
use crate::kit::watch::{in_order, runtime, watch};

/// More than twice what a task may complete in one poll.
const TIMES: usize = 300;

/// Does something again and again, and sees to it that a sibling ran meanwhile.
async fn lets_others_run(what: &str, mut again: impl AsyncFnMut()) {
    let turns = Count::default();
    let counted = turns.clone();
    let sibling = spawn(async move {
        loop {
            counted.add();
            yield_now().await;
        }
    });
    for _ in 0..TIMES {
        again().await;
    }
    sibling.abort();
    assert!(turns.get() >= 2, "{what}, {TIMES} times: the sibling ran {} times", turns.get());
}

#[test]
fn a_sleep_that_is_over_lets_others_run() {
    watch(|| {
        in_order().block_on(async {
            let mut over = sleep(Duration::ZERO);
            (&mut over).await;
            lets_others_run("a sleep", async || (&mut over).await).await;
            lets_others_run("a timeout", async || timeout(Duration::MAX, &mut over).await.unwrap()).await;
            let mut late = interval_at(Instant::now(), Duration::from_nanos(1));
            sleep(Duration::from_millis(1)).await;
            lets_others_run("an interval", async || assert!(late.tick().await <= Instant::now())).await;
        });
    });
}

#[test]
fn a_limit_is_kept_although_its_task_has_had_its_share() {
    watch(|| {
        in_order().block_on(async {
            let mut over = sleep(Duration::ZERO);
            (&mut over).await;
            let endless = async {
                loop {
                    (&mut over).await;
                }
            };
            let spinner = spawn(async {
                for _ in 0..100 {
                    yield_now().await;
                }
                sleep(Duration::from_secs(1)).await;
            });
            // The clock stands while anybody is ready, so the limit must be one that is due at once.
            assert!(timeout(Duration::ZERO, endless).await.is_err());
            spinner.abort();
        });
    });
}

#[test]
fn tasks_that_are_over_let_others_run_while_they_are_joined() {
    watch(|| {
        in_order().block_on(async {
            let mut handles: Vec<_> = (0..TIMES).map(|_| spawn(async {})).collect();
            sleep(Duration::from_secs(1)).await;
            lets_others_run("joining", async || handles.pop().unwrap().await.unwrap()).await;
            let joined = scope(async |s| {
                let mut handles: Vec<_> = (0..TIMES).map(|_| s.spawn(async {})).collect();
                sleep(Duration::from_secs(1)).await;
                lets_others_run("joining a scope's", async || handles.pop().unwrap().await).await;
            });
            joined.await.unwrap();
        });
    });
}

#[test]
fn a_task_that_awaits_itself_again_and_again_lets_others_run() {
    watch(|| {
        in_order().block_on(async {
            let own = Rc::new(RefCell::new(None::<JoinHandle<()>>));
            let given = Rc::clone(&own);
            let done = Count::default();
            let told = done.clone();
            let task = spawn(async move {
                let mut own = given.take().expect("it was put there before the first poll");
                lets_others_run("joining itself", async || assert!((&mut own).await.is_err())).await;
                told.add();
            });
            let watched = task.abort_handle();
            own.replace(Some(task));
            while !watched.is_finished() {
                yield_now().await;
            }
            assert_eq!(done.get(), 1);
        });
    });
}

#[test]
fn addresses_that_need_no_lookup_let_others_run() {
    watch(|| {
        runtime().block_on(async {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            lets_others_run("a lookup", async || drop(lookup_host("127.0.0.1:1").await.unwrap())).await;
            lets_others_run("binding", async || drop(TcpListener::bind("127.0.0.1:0").await.unwrap())).await;
            lets_others_run("connecting", async || socket.connect("127.0.0.1:1").await.unwrap()).await;
        });
    });
}

#[test]
fn a_child_that_has_ended_lets_others_run_while_it_is_waited_for() {
    watch(|| {
        runtime().block_on(async {
            let mut child = Command::new("true").stdin(Stdio::null()).spawn().unwrap();
            child.wait().await.unwrap();
            lets_others_run("waiting", async || assert!(child.wait().await.unwrap().success())).await;
            lets_others_run("killing", async || child.kill().await.unwrap()).await;
        });
    });
}

#[test]
fn signals_that_come_again_and_again_let_others_run() {
    alone(|| {
        runtime().block_on(async {
            let mut heard = signal(SignalKind::user_defined1()).unwrap();
            let again = async || {
                raise(Number::SIGUSR1).unwrap();
                heard.recv().await.unwrap();
            };
            lets_others_run("a signal", again).await;
            let first = stop_requested();
            raise(Number::SIGTERM).unwrap();
            assert_eq!(first.await.unwrap(), SignalKind::terminate());
            lets_others_run("a request to stop", async || assert!(stop_requested().await.is_ok())).await;
        });
    });
}

#[test]
fn a_loop_over_uncounted_work_lets_others_run_by_consume_budget() {
    watch(|| {
        in_order().block_on(async {
            lets_others_run("consume_budget", consume_budget).await;
            // It gives way when the share is used up, and not before.
            let ran = Count::default();
            let counted = ran.clone();
            yield_now().await;
            drop(spawn(async move { counted.add() }));
            for _ in 0..100 {
                consume_budget().await;
            }
            assert_eq!(ran.get(), 0);
        });
    });
}
