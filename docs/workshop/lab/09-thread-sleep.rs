//! 9. "thread::sleep holds up only its task."
//!
//! `advance` is its like on the virtual clock: time goes by, and the loop can do nothing meanwhile.

use oneloop::task::Builder;
use oneloop::time::{Duration, Instant, advance, interval, sleep};

const TICK: Duration = Duration::from_millis(100);

pub async fn program() -> Duration {
    let ticker = Builder::new().name("ticker").spawn(async {
        let (mut ticks, mut latest) = (interval(TICK), Duration::ZERO);
        for _ in 0..20 {
            latest = latest.max(Instant::now() - ticks.tick().await);
        }
        latest
    });
    let _sleeper = Builder::new().name("sleeper").spawn(async {
        sleep(TICK / 2).await;
        broken! { advance(Duration::from_secs(1)); }
        mended! { sleep(Duration::from_secs(1)).await; }
    });
    ticker.await.unwrap()
}

pub fn test(latest: Duration) {
    assert_eq!(latest, Duration::ZERO, "every tick is on time");
}
