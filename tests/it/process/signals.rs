//! Signals: every listener is told, none is told too little, and a second SIGINT ends the process.
//!
//! A signal is for the whole process, so each test has one of its own. A small shell sends them.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::process::Command;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_lite::StreamExt;
use oneloop::signal::{Signal, SignalKind, ctrl_c, signal, stop_requested};
use oneloop::task::yield_now;
use oneloop::time::sleep;
use oneloop::{Handle, Runtime, spawn};

use crate::kit::support::{alone, child};
use crate::kit::watch::{in_order, runtime, spawn_thread, unobserved};

const USR1: SignalKind = SignalKind::user_defined1();
const USR2: SignalKind = SignalKind::user_defined2();

/// Runs a script in which `$PPID` is this process.
fn shell(script: &str) {
    let status = Command::new("sh").args(["-c", script]).status().expect("there is a shell");
    assert!(status.success(), "{script}: {status}");
}

/// Sends this process a signal, such as "USR1".
fn send(name: &str) {
    shell(&format!("kill -{name} $PPID"));
}

/// Whether the listener has heard something.
fn has_heard(listener: &mut Signal) -> bool {
    listener.poll_recv(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// How many descriptors this process has.
fn descriptors() -> usize {
    std::fs::read_dir("/dev/fd").expect("the system lists descriptors").count()
}

#[test]
fn a_thousand_signals_become_at_least_one_and_none_is_left_over() {
    alone(|| {
        runtime().block_on(async {
            let (mut burst, mut over) = (signal(USR1).unwrap(), signal(USR2).unwrap());
            shell("i=0; while [ $i -lt 1000 ]; do kill -USR1 $PPID; i=$((i+1)); done; kill -USR2 $PPID");
            over.recv().await.unwrap();
            assert!(has_heard(&mut burst), "the last of them was missed");
            assert!(!has_heard(&mut burst), "they did not become one");
            send("USR1");
            burst.recv().await.unwrap();
        });
    });
}

#[test]
fn signals_that_come_while_a_task_waits_are_each_followed_by_a_poll() {
    alone(|| {
        runtime().block_on(async {
            let mut listener = signal(USR1).unwrap();
            for _ in 0..50 {
                let sender = spawn_thread(|| send("USR1"));
                listener.recv().await.unwrap();
                sender.join().unwrap();
            }
            assert!(!has_heard(&mut listener));
        });
    });
}

#[test]
fn every_listener_of_every_runtime_is_told() {
    alone(|| {
        let (tell, told) = mpsc::channel();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let tell = tell.clone();
                spawn_thread(move || {
                    runtime().block_on(async {
                        let (mut one, mut two) = (signal(USR1).unwrap(), signal(USR1).unwrap());
                        let other = spawn(async move { two.recv().await });
                        yield_now().await;
                        tell.send(()).unwrap();
                        assert_eq!((one.recv().await, other.await.unwrap()), (Some(()), Some(())));
                    });
                })
            })
            .collect();
        for _ in &threads {
            told.recv().unwrap();
        }
        send("USR1");
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_listener_hears_its_own_kind_only_and_nothing_from_before_it_was_made() {
    alone(|| {
        runtime().block_on(async {
            let (mut one, mut two) = (signal(USR1).unwrap(), signal(USR2).unwrap());
            send("USR1");
            one.recv().await.unwrap();
            let mut late = signal(USR1).unwrap();
            assert!(!has_heard(&mut two) && !has_heard(&mut late));
            send("USR2");
            two.recv().await.unwrap();
            assert!(!has_heard(&mut one) && !has_heard(&mut late));
        });
    });
}

#[test]
fn a_signal_is_not_lost_between_two_polls_or_with_a_dropped_future() {
    alone(|| {
        runtime().block_on(async {
            let mut listener = signal(USR1).unwrap();
            {
                let mut waits = pin!(listener.recv());
                assert!(poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx).is_pending())).await);
            }
            send("USR1");
            listener.recv().await.unwrap();

            // By the time of the next poll, another listener has emptied the runtime's pipe.
            let mut other = signal(USR1).unwrap();
            send("USR1");
            other.recv().await.unwrap();
            assert!(!has_heard(&mut other));
            listener.recv().await.unwrap();
        });
    });
}

#[test]
fn a_listener_that_moved_wakes_its_latest_task() {
    alone(|| {
        runtime().block_on(async {
            let mut listener = signal(USR1).unwrap();
            let polled_by_another = spawn(async move {
                assert!(poll_fn(|cx| Poll::Ready(listener.poll_recv(cx).is_pending())).await);
                listener
            });
            let mut listener = polled_by_another.await.unwrap();
            let sender = spawn_thread(|| send("USR1"));
            listener.recv().await.unwrap();
            sender.join().unwrap();
        });
    });
}

#[test]
fn a_listener_is_a_stream_and_may_be_sent() {
    fn sendable<T: Send + Sync>(value: T) -> T {
        value
    }
    alone(|| {
        runtime().block_on(async {
            let mut hangups = sendable(signal(SignalKind::hangup()).unwrap());
            send("HUP");
            assert_eq!(hangups.next().await, Some(()));
            assert_eq!(format!("{hangups:?}"), "Signal(SIGHUP)");
        });
    });
}

#[test]
fn signals_that_nobody_can_handle_are_refused_by_name() {
    alone(|| {
        runtime().block_on(async {
            for (number, name) in [
                (9, "SIGKILL"),
                (11, "SIGSEGV"),
                (8, "SIGFPE"),
                (4, "SIGILL"),
                (0, "signal 0"),
                (-1, "signal -1"),
                (128, "signal 128"),
                (i32::MAX, "signal 2147483647"),
            ] {
                let error = signal(SignalKind::from_raw(number)).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
                assert!(error.to_string().starts_with(&format!("{name} cannot be listened to: ")), "{error}");
            }
            #[cfg(target_os = "linux")]
            assert!(signal(SignalKind::from_raw(65)).is_err(), "Linux has 64 signals");
            assert_eq!(Handle::current().metrics().sources, 0);
        });
    });
}

#[test]
fn nothing_is_left_of_listeners_that_are_gone() {
    alone(|| {
        let before = descriptors();
        for round in 0..500 {
            let runtime = Runtime::new().unwrap();
            let kept = runtime.block_on(async {
                let (mut one, two) = (signal(USR1).unwrap(), signal(USR2).unwrap());
                assert!(!has_heard(&mut one));
                if round % 2 == 0 {
                    return Some(two);
                }
                drop(two);
                assert!(!has_heard(&mut one));
                drop(one);
                None
            });
            runtime.block_on(async {});
            assert_eq!(runtime.metrics().sources, u64::from(kept.is_some()));
            drop(runtime);
            drop(kept);
        }
        assert_eq!(descriptors(), before);
        runtime().block_on(async {
            let mut listener = signal(USR1).unwrap();
            send("USR1");
            listener.recv().await.unwrap();
        });
    });
}

#[test]
fn a_listener_without_its_runtime_says_so() {
    let output = child(|| {
        let mut kept = runtime().block_on(async { signal(USR1).unwrap() });
        runtime().block_on(kept.recv());
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("a Signal was polled inside another runtime"), "{said}");
}

#[test]
fn with_the_virtual_clock_a_listener_waits_for_real() {
    alone(|| {
        in_order().block_on(async {
            let mut listener = signal(USR1).unwrap();
            let timer = spawn(sleep(Duration::from_secs(3600)));
            let sender = spawn_thread(|| send("USR1"));
            listener.recv().await.unwrap();
            assert!(!timer.is_finished(), "the clock jumped while a signal was awaited");
            sender.join().unwrap();
            drop(listener);
            timer.await.unwrap();
        });
    });
}

#[test]
fn ctrl_c_is_heard_from_the_call_on_and_spares_the_process() {
    alone(|| {
        runtime().block_on(async {
            let first = ctrl_c();
            send("INT");
            first.await.unwrap();
            send("INT");
            let again = ctrl_c();
            send("INT");
            again.await.unwrap();
        });
    });
}

#[test]
fn a_second_sigint_ends_the_process_at_once_even_if_the_loop_is_stuck() {
    let output = child(|| stop_and_get_stuck("INT"));
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_sigint_after_a_sigterm_ends_the_process_at_once() {
    let output = child(|| stop_and_get_stuck("TERM"));
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Hears the first request to stop, and then blocks the loop for ever; a thread sends SIGINT.
fn stop_and_get_stuck(first: &str) {
    runtime().block_on(async {
        let stop = stop_requested();
        send(first);
        stop.await.unwrap();
        let _sender = spawn_thread(|| send("INT"));
        loop {
            std::thread::park();
        }
    });
}

#[test]
fn a_request_to_stop_reaches_all_and_also_those_who_ask_later() {
    alone(|| {
        let elsewhere = spawn_thread(|| runtime().block_on(async { stop_requested().await.unwrap() }));
        runtime().block_on(async {
            let told = Rc::new(Cell::new(0));
            let waits = || {
                let told = Rc::clone(&told);
                spawn(async move {
                    let kind = stop_requested().await.unwrap();
                    told.set(told.get() + 1);
                    kind
                })
            };
            let early = waits();
            yield_now().await;
            let unpolled = waits();
            send("TERM");
            assert_eq!(early.await.unwrap(), SignalKind::terminate());
            assert_eq!(unpolled.await.unwrap(), SignalKind::terminate());
            assert_eq!(waits().await.unwrap(), SignalKind::terminate());
            assert_eq!(told.get(), 3);
            // A second SIGTERM is no impatience.
            send("TERM");
            send("TERM");
        });
        // Listening from before or after, the other thread is told too.
        assert_eq!(elsewhere.join().unwrap(), SignalKind::terminate());
    });
}

#[test]
fn a_stop_is_not_asked_for_by_a_sigint_that_others_listen_to() {
    alone(|| {
        runtime().block_on(async {
            let mut interrupts = signal(SignalKind::interrupt()).unwrap();
            for _ in 0..3 {
                send("INT");
                interrupts.recv().await.unwrap();
            }
            let mut stop = pin!(stop_requested());
            assert!(poll_fn(|cx| Poll::Ready(stop.as_mut().poll(cx).is_pending())).await);
            send("INT");
            assert_eq!(stop.await.unwrap(), SignalKind::interrupt());
        });
    });
}

#[test]
fn an_idle_listener_costs_no_turn() {
    alone(|| {
        unobserved().block_on(async {
            let mut listener = signal(USR1).unwrap();
            let listens = spawn(async move { listener.recv().await });
            yield_now().await;
            let before = Handle::current().metrics().turns;
            sleep(Duration::from_millis(100)).await;
            let turns = Handle::current().metrics().turns - before;
            assert!(turns <= 3, "{turns} turns for one sleep");
            send("USR1");
            assert_eq!(listens.await.unwrap(), Some(()));
        });
    });
}

#[test]
fn children_inherit_no_handler_of_ours() {
    alone(|| {
        runtime().block_on(async {
            let _listener = signal(USR1).unwrap();
            let status = Command::new("sh").args(["-c", "kill -USR1 $$; exit 7"]).status().unwrap();
            let by = std::os::unix::process::ExitStatusExt::signal(&status);
            assert_eq!(by, Some(USR1.as_raw_value()), "{status}");
        });
    });
}
