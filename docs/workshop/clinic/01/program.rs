//! Case 1: The ticks come late, and all at once.

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
        advance(Duration::from_secs(1));
    });
    ticker.await.unwrap()
}

pub fn test(latest: Duration) {
    assert_eq!(latest, Duration::ZERO, "every tick is on time");
}
