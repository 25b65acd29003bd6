//! A program's account of itself: places in another language, and waits that are no leaf of the loop's.

use std::time::Duration;

use oneloop::event::{Place, WaitsFor};
use oneloop::see::{Recording, Ring, State, at, attach, dump, is_observed, wait};
use oneloop::task::{Builder, yield_now};
use oneloop::time::sleep;
use oneloop::{Runtime, spawn};

use crate::kit::watch::{unobserved, watch};

fn text_of(ring: &Ring) -> String {
    let mut text = Vec::new();
    ring.write_to(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn a_loop_says_whether_anybody_observes_it() {
    watch(|| {
        assert!(!is_observed());
        unobserved().block_on(async {
            assert!(!is_observed());
            attach(Ring::new(10));
            assert!(is_observed());
        });
    });
}

#[test]
fn spawns_timers_and_waits_have_the_place_that_the_program_gives() {
    watch(|| {
        let ring = Ring::new(1000);
        let runtime = Runtime::builder().virtual_clock().observer(ring.clone()).build().unwrap();
        runtime.block_on(async {
            let line = Place::new("app.py", 3);
            let task = at(line, || {
                Builder::new().name("slow").spawn(async {
                    let mut nap = std::pin::pin!(sleep(Duration::from_millis(5)));
                    std::future::poll_fn(|cx| at(Place::new("app.py", 7), || nap.as_mut().poll(cx))).await;
                })
            });
            yield_now().await;
            assert!(dump().to_string().contains("app.py:3"), "{}", dump());
            assert_eq!(State::now().tasks[&task.id().as_u64()].at, line);
            task.await.unwrap();
            // The place is given back: this line is one of Rust.
            spawn(async {}).await.unwrap();
        });
        let text = text_of(&ring);
        for expected in [
            r#""name":"slow","at":"app.py:3:1""#,
            r#""e":"timer_set","timer":1,"slot":1,"by":"task 2","deadline":5000000,"at":"app.py:7:1""#,
            r#""on":"timer 1","at":"app.py:7:1""#,
        ] {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
        assert_eq!(text.matches("app.py").count(), 3, "{text}");
    });
}

#[test]
fn a_told_wait_is_read_back_and_ends_with_its_guard() {
    watch(|| {
        let ring = Ring::new(1000);
        let runtime = Runtime::builder().virtual_clock().observer(ring.clone()).build().unwrap();
        let waits = |ring: &Ring| {
            let recording = Recording::read(text_of(ring).as_bytes()).unwrap();
            let state = recording.state_after(recording.len());
            state.tasks.values().flat_map(|task| &task.waits).map(|wait| wait.on.to_string()).collect::<Vec<_>>()
        };
        runtime.block_on(async {
            let told = wait(WaitsFor::Other(7), Place::new("app.py", 9));
            yield_now().await;
            assert_eq!(waits(&ring), ["other 7"]);
            drop(told);
            yield_now().await;
            assert_eq!(waits(&ring), [""; 0]);
            let other = spawn(sleep(Duration::from_millis(1)));
            let told = wait(WaitsFor::Join(other.id()), Place::new("app.py", 11));
            other.await.unwrap();
            drop(told);
        });
        let text = text_of(&ring);
        assert!(text.contains(r#""e":"wait","task":1,"on":"other 7","at":"app.py:9:1""#), "{text}");
        assert!(text.contains(r#""e":"wait_dropped","task":1,"on":"other 7""#), "{text}");
        assert!(text.contains(r#""on":"join 2","at":"app.py:11:1""#), "{text}");
    });
}
