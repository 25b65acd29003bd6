//! Case 15: A limit of three seconds lasts twenty.

use async_channel::bounded;
use oneloop::spawn;
use oneloop::time::{Duration, Instant, sleep, timeout, timeout_at};

const SECOND: Duration = Duration::from_secs(1);

pub async fn program() -> Duration {
    let (sender, parts) = bounded(1);
    let _client = spawn(async move {
        while sender.send("part").await.is_ok() {
            sleep(SECOND).await;
        }
    });
    let server = spawn(async move {
        let (start, mut read) = (Instant::now(), 0);
        while read < 20 {
            let part = timeout(3 * SECOND, parts.recv()).await;
            read = if part.is_ok() { read + 1 } else { 20 };
        }
        start.elapsed()
    });
    server.await.unwrap()
}
#[rustfmt::skip] pub fn test(took: Duration) { assert_eq!(took, 3 * SECOND, "a request may take three seconds"); }
