//! 2. "Awaiting one by one is concurrent."
//!
//! The second future is made early, but its first poll comes when the first one is done.

use futures_lite::future::zip;
use oneloop::time::{Duration, Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

async fn fetch() {
    sleep(SECOND).await;
}

pub async fn program() -> Duration {
    let start = Instant::now();
    let (page, picture) = (fetch(), fetch());
    broken! { page.await; picture.await; }
    mended! { zip(page, picture).await; }
    start.elapsed()
}

pub fn test(took: Duration) {
    assert_eq!(took, SECOND, "two fetches of one second go on at the same time");
}
