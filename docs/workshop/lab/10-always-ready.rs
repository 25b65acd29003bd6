//! 10. "An always-ready task yields."
//!
//! An await of what is ready does not give way. A queue that is never empty keeps the loop.

use std::future::ready;

use oneloop::task::{Builder, yield_now};
use oneloop::time::{Duration, Instant, advance, sleep};

const MS: Duration = Duration::from_millis(1);

pub async fn program() -> Duration {
    let _worker = Builder::new().name("worker").spawn(async {
        for _ in 0..100 {
            broken! { ready(()).await; }
            mended! { yield_now().await; }
            advance(MS); // a millisecond of work
        }
    });
    let start = Instant::now();
    sleep(10 * MS).await;
    start.elapsed()
}

pub fn test(took: Duration) {
    assert!(took < 80 * MS, "a sleep of 10 ms took {took:?}, as if it had waited for all the work");
}
