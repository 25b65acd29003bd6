//! Stage 11: wakes from other threads, and a blocking pool.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::blocking::spawn_blocking;
use crate::ground::sync::{Bell, between_steps};
use crate::heart::inbox::Inbox;
use crate::leaf::{Event, yield_now};
use crate::time::sleep;
use crate::{Runtime, spawn, trace};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// hint: wake_by_inbox
#[test]
fn a_wake_from_a_thread_ends_the_park() {
    let began = Instant::now();
    Runtime::new().block_on(async {
        let event = Event::new();
        let set = event.clone();
        thread::spawn(move || {
            thread::sleep(ms(30));
            set.set();
        });
        event.wait().await;
    });
    assert!(began.elapsed() < Duration::from_secs(5));
}

/// hint: park, and lose no message
#[test]
fn a_wake_while_the_loop_is_busy_is_kept() {
    Runtime::new().block_on(async {
        let event = Event::new();
        let set = event.clone();
        let waiter = spawn(event.wait());
        yield_now().await;
        // The loop stands still in this poll until the wake has been sent.
        thread::spawn(move || set.set()).join().expect("it sets the event");
        waiter.await.expect("it returns");
    });
}

/// hint: drain_inbox
#[test]
fn a_thousand_wakes_from_eight_threads_all_arrive() {
    Runtime::new().block_on(async {
        let events: Vec<Event> = (0..1000).map(|_| Event::new()).collect();
        let waiters: Vec<_> = events.iter().map(|event| spawn(event.wait())).collect();
        yield_now().await;
        for share in events.chunks(125) {
            let share = share.to_vec();
            thread::spawn(move || share.iter().for_each(Event::set));
        }
        for waiter in waiters {
            waiter.await.expect("it returns");
        }
    });
}

/// hint: Inbox::send
#[test]
fn nobody_rings_while_the_loop_is_awake() {
    let rings = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&rings);
    let (inbox, incoming) = Inbox::new(Bell::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        trace::seen("the bell rings");
        Ok(())
    }));
    assert!(inbox.send(1).is_ok());
    trace::seen("a message is sent to a loop that is awake");
    assert_eq!(rings.load(Ordering::SeqCst), 0, "the loop is awake, and will look by itself");
    assert!(!inbox.announce_park(&incoming), "a message is there");
    assert_eq!(incoming.try_recv(), Ok(1));
    assert!(inbox.send(2).is_ok());
    trace::seen("a message is sent to a loop that did not park");
    assert_eq!(rings.load(Ordering::SeqCst), 0, "the loop did not park, so it is awake");
    assert_eq!(incoming.try_recv(), Ok(2));
    assert!(inbox.announce_park(&incoming));
    (2..5).for_each(|message| assert!(inbox.send(message).is_ok()));
    trace::seen("three messages are sent to a loop that sleeps");
    assert_eq!(rings.load(Ordering::SeqCst), 1, "three messages to a loop that sleeps are one ring");
    inbox.unparked();
    drop(incoming);
    assert_eq!(inbox.send(5), Err(5), "the loop is gone, and the message comes back");
}

/// Which of two threads may make its next step.
struct Baton {
    state: Mutex<(usize, [bool; 2], u32)>,
    passed: Condvar,
}

impl Baton {
    /// Passes the baton as the next bit of the order says, and waits until it is back.
    fn step(&self, me: usize) {
        let mut state = self.state.lock().expect("nobody panics");
        self.pass(&mut state);
        while state.0 != me {
            state = self.passed.wait(state).expect("nobody panics");
        }
    }

    fn pass(&self, state: &mut (usize, [bool; 2], u32)) {
        let wanted = (state.2 & 1) as usize;
        state.2 >>= 1;
        state.0 = if state.1[wanted] { 1 - wanted } else { wanted };
        self.passed.notify_all();
    }

    fn begin(&self, me: usize) {
        let mut state = self.state.lock().expect("nobody panics");
        while state.0 != me {
            state = self.passed.wait(state).expect("nobody panics");
        }
    }

    fn end(&self, me: usize) {
        let mut state = self.state.lock().expect("nobody panics");
        state.1[me] = true;
        self.pass(&mut state);
    }
}

/// hint: Inbox::send
#[test]
fn a_bell_that_fails_is_rung_by_the_next_sender() {
    let rings = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&rings);
    let (inbox, incoming) = Inbox::new(Bell::new(move || {
        trace::seen("somebody rings");
        // The first three attempts fail.
        if counted.fetch_add(1, Ordering::SeqCst) < 3 { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }));
    assert!(inbox.announce_park(&incoming));
    inbox.send(1).expect("the loop is there");
    let after_one = rings.load(Ordering::SeqCst);
    assert!((1..3).contains(&after_one), "{after_one} attempts: one who cannot ring does not try for ever");
    while rings.load(Ordering::SeqCst) < 4 {
        let before = rings.load(Ordering::SeqCst);
        inbox.send(2).expect("the loop is there");
        trace::seen("one more message is sent");
        assert!(rings.load(Ordering::SeqCst) > before, "nobody has rung, so the loop still sleeps: the next sender rings");
    }
    inbox.send(3).expect("the loop is there");
    assert_eq!(rings.load(Ordering::SeqCst), 4, "the loop has heard it");
}

/// A sender and a loop that is about to park, in each of a thousand orders of their steps. A processor may
/// reorder them by itself: `cargo stage loom` tries that, and this test does not.
/// hint: Inbox::announce_park
#[test]
fn the_model_loses_no_message_in_any_order_of_steps() {
    for order in 0..1024 {
        let baton = Arc::new(Baton { state: Mutex::new((order as usize & 1, [false; 2], order >> 1)), passed: Condvar::new() });
        let rings = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&rings);
        let (inbox, incoming) = Inbox::new(Bell::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }));
        let (theirs, sends) = (Arc::clone(&baton), Arc::clone(&inbox));
        let sender = thread::spawn(move || {
            theirs.begin(0);
            let steps = Arc::clone(&theirs);
            between_steps(move || steps.step(0));
            let sent = sends.send("news");
            theirs.end(0);
            assert!(sent.is_ok());
        });
        let (theirs, parks) = (Arc::clone(&baton), Arc::clone(&inbox));
        let looper = thread::spawn(move || {
            theirs.begin(1);
            let steps = Arc::clone(&theirs);
            between_steps(move || steps.step(1));
            let sleeps = parks.announce_park(&incoming);
            theirs.end(1);
            between_steps(|| {});
            (sleeps, incoming)
        });
        sender.join().expect("it sends");
        let (sleeps, incoming) = looper.join().expect("it looks");
        let is_lost = sleeps && rings.load(Ordering::SeqCst) == 0;
        let end = if is_lost { "sleeps, and nobody rang" } else { "is awake, or somebody rang" };
        trace::seen(&format!("order {order:010b}: a message is there, the loop {end}"));
        assert!(!is_lost, "in order {order:010b} the loop sleeps, {} message waits, and nobody rang", incoming.len());
    }
}

/// hint: the end of a job
#[test]
fn a_blocking_job_brings_its_result_and_blocks_nobody() {
    Runtime::new().block_on(async {
        let here = thread::current().id();
        let ticks = spawn(async {
            for _ in 0..3 {
                sleep(ms(5)).await;
            }
        });
        let job = spawn_blocking(move || {
            thread::sleep(ms(200));
            thread::current().id()
        });
        assert_ne!(job.await, here);
        assert!(ticks.is_finished(), "the job held up the loop");
        for job in (0..20).map(|number| spawn(spawn_blocking(move || number))).collect::<Vec<_>>().into_iter().enumerate() {
            assert_eq!(job.1.await.expect("it returns"), job.0);
        }
    });
}

/// hint: drain_inbox
#[test]
fn a_flood_from_a_thread_does_not_hold_up_a_turn() {
    const MOST: usize = 2000;
    let sent = Rc::new(Cell::new(0));
    Runtime::new().polls_per_turn(1).block_on(async {
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let ((ask, asked), (answer, answered)) = (channel(), channel());
        let floods = thread::spawn(move || {
            while asked.recv().is_ok() {
                waker.wake_by_ref();
                let _ = answer.send(());
            }
        });
        // Before each step that the loop makes in its inbox, one message more comes.
        let count = Rc::clone(&sent);
        between_steps(move || {
            if count.get() < MOST && ask.send(()).is_ok() {
                count.set(count.get() + 1);
                let _ = answered.recv();
            }
        });
        for _ in 0..3 {
            yield_now().await;
        }
        between_steps(|| {});
        floods.join().expect("it has sent what it was asked for");
    });
    assert!(sent.get() < MOST / 4, "in three turns the loop took {} messages, and polled nobody meanwhile", sent.get());
}

/// A waker that holds the thread of its wake, until somebody has looked.
struct Holds {
    woken: Mutex<Sender<()>>,
    looked: Barrier,
}

impl Wake for Holds {
    fn wake(self: Arc<Self>) {
        let _ = self.woken.lock().expect("nobody panics").send(());
        self.looked.wait();
    }
}

/// hint: the end of a job
#[test]
fn a_result_is_in_its_place_before_the_news_of_it() {
    let (woken, was_woken) = channel();
    let holds = Arc::new(Holds { woken: Mutex::new(woken), looked: Barrier::new(2) });
    let waker = Waker::from(Arc::clone(&holds));
    let may_end = Arc::new(Barrier::new(2));
    let ends = Arc::clone(&may_end);
    let mut job = pin!(spawn_blocking(move || {
        ends.wait();
        7
    }));
    assert!(job.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    may_end.wait();
    was_woken.recv_timeout(ms(5000)).expect("the end of the job is news");
    // The job's thread is in its wake, and has come no further.
    let polled = job.as_mut().poll(&mut Context::from_waker(&waker));
    holds.looked.wait();
    trace::seen(&format!("the news is out, and the poll returns {polled:?}"));
    assert_eq!(polled, Poll::Ready(7));
}

/// hint: wake_by_inbox
#[test]
fn a_waker_that_outlives_its_runtime_is_harmless() {
    let event = Event::new();
    let runtime = Runtime::new();
    runtime.block_on(async {
        let waits = event.wait();
        drop(spawn(async move {
            let mut waits = Box::pin(waits);
            poll_fn(|cx| {
                let polled = waits.as_mut().poll(cx);
                polled.is_pending().then_some(()).map_or(Poll::Ready(()), Poll::Ready)
            })
            .await;
            std::mem::forget(waits);
        }));
        sleep(ms(1)).await;
    });
    drop(runtime);
    thread::spawn(move || event.set()).join().expect("it wakes nobody");
}
