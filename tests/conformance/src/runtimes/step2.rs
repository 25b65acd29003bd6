//! The second growth step of the demos: tasks and wakers, and a thread for each sleep.

#![allow(dead_code, unreachable_pub, reason = "the step's own main is not called here")]

use std::cell::RefCell;

use crate::adapter::{Part, Runtime};

include!(concat!(env!("OUT_DIR"), "/step2_arc_waker.rs"));

thread_local! {
    static READY: RefCell<Option<Sender<Arc<Task>>>> = const { RefCell::new(None) };
}

/// `demos/src/bin/step2_arc_waker.rs`.
pub struct Step2;

/// A panic must not leave this behind.
struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        READY.take();
    }
}

impl Runtime for Step2 {
    const NAME: &'static str = "step2";
    const HAS: &'static [Part] = &[Part::Sleep];

    fn run(root: impl Future<Output = ()> + Send + 'static) {
        let (sender, ready) = mpsc::channel();
        READY.set(Some(sender));
        let _running = Running;
        Self::spawn(async move {
            root.await;
            // From here on only live tasks hold one.
            READY.take();
        });
        run(&ready);
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        let ready = READY.with_borrow(Option::clone);
        spawn(&ready.expect("spawn is called from inside of run"), task);
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        SleepUntil(Instant::now() + duration)
    }
}
