//! 21. "A sleep in a loop is a clock."
//!
//! Each round takes the sleep and the work. An interval counts from the last deadline, not from now.

use oneloop::task::Builder;
use oneloop::time::{Duration, Instant, advance, interval, sleep};

const TICK: Duration = Duration::from_millis(100);

pub async fn program() -> Duration {
    let sampler = Builder::new().name("sampler").spawn(async {
        let start = Instant::now();
        let mut ticks = interval(TICK);
        ticks.tick().await; // the first one is now
        for _ in 0..10 {
            broken! { sleep(TICK).await; }
            mended! { ticks.tick().await; }
            advance(TICK / 10); // takes a sample
        }
        start.elapsed()
    });
    sampler.await.unwrap()
}

pub fn test(took: Duration) {
    assert_eq!(took, TICK * 10 + TICK / 10, "ten samples take ten ticks, and the last one's work");
}
