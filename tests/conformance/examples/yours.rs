//! Your own runtime in the suite: copy this file, and put your runtime where the naive one stands.
//!
//! ```text
//! cargo run --manifest-path tests/conformance/Cargo.toml --no-default-features --example yours
//! cargo run --manifest-path tests/conformance/Cargo.toml --no-default-features --example yours -- wake
//! ```
//!
//! The naive runtime polls every task again and again and knows no wakes. It is right more often than
//! one might think; see which checks find it out.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use oneloop_conformance::{Part, Runtime};

type Body = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    static TASKS: RefCell<Vec<Body>> = const { RefCell::new(Vec::new()) };
}

struct Naive;

impl Runtime for Naive {
    const NAME: &'static str = "naive";
    // `Part::Sockets` asks for `listen` and `connect`, too: src/runtimes/oneloop.rs shows them.
    const HAS: &'static [Part] = &[Part::Sleep];

    fn run(root: impl Future<Output = ()> + Send + 'static) {
        let (mut root, mut cx) = (pin!(root), Context::from_waker(Waker::noop()));
        while root.as_mut().poll(&mut cx).is_pending() {
            // Out of the list while they are polled, since a task may spawn another.
            let mut tasks = TASKS.take();
            tasks.retain_mut(|task| task.as_mut().poll(&mut cx).is_pending());
            TASKS.with_borrow_mut(|spawned| {
                tasks.append(spawned);
                *spawned = tasks;
            });
        }
        drop(TASKS.take());
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        TASKS.with_borrow_mut(|tasks| tasks.push(Box::pin(task)));
    }

    async fn sleep(duration: Duration) {
        let deadline = Instant::now() + duration;
        while Instant::now() < deadline {
            futures_lite::future::yield_now().await;
        }
    }
}

fn main() -> ExitCode {
    oneloop_conformance::main::<Naive>()
}
