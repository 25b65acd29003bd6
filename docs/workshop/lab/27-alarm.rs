//! 27. "A sleep beside a receive is an alarm."
//!
//! Each round makes a new sleep and drops the old one. It goes off only where nothing comes for so long.

use async_channel::bounded;
use futures_lite::future::or;
use oneloop::time::{Duration, sleep};

const LIMIT: Duration = Duration::from_millis(3500);

pub async fn program() -> u32 {
    let (sender, news) = bounded(1);
    let _feed = oneloop::spawn(async move {
        for n in 1..9 {
            sleep(Duration::from_secs(1)).await;
            sender.send(n).await.unwrap();
        }
    });
    let (mut alarm, mut seen) = (Box::pin(sleep(LIMIT)), 0);
    loop {
        broken! { let ring = sleep(LIMIT); }
        mended! { let ring = &mut alarm; }
        let ring = async { (ring.await, None).1 };
        let next = or(async { news.recv().await.ok() }, ring).await;
        let Some(n) = next else { return seen };
        seen = n;
    }
}
#[rustfmt::skip] pub fn test(seen: u32) { assert_eq!(seen, 3, "after three and a half seconds it is enough"); }
