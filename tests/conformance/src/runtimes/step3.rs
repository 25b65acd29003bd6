//! The third growth step of the demos: the loop keeps the time itself, in a heap.

#![allow(dead_code, unreachable_pub, reason = "the step's own main is not called here")]

use crate::adapter::{Part, Runtime};

include!(concat!(env!("OUT_DIR"), "/step3_heap_timers.rs"));

thread_local! {
    static READY: RefCell<Option<Sender<Arc<Task>>>> = const { RefCell::new(None) };
}

/// `demos/src/bin/step3_heap_timers.rs`.
pub struct Step3;

/// A panic must not leave this behind.
struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        READY.take();
    }
}

impl Runtime for Step3 {
    const NAME: &'static str = "step3";
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
        let ready = READY.with_borrow(Option::clone).expect("spawn is called from inside of run");
        let body: Body = Box::pin(task);
        Arc::new(Task { body: Mutex::new(Some(body)), ready }).wake();
    }

    /// The step's own takes whole seconds.
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        LAST_ID.set(LAST_ID.get() + 1);
        let (deadline, id) = (Instant::now() + duration, LAST_ID.get());
        HEAP.with_borrow_mut(|heap| heap.push(Reverse((deadline, id))));
        Sleep(deadline, id)
    }
}
