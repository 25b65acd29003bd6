//! 12. "Dropping is harmless."
//!
//! A future that is dropped half done takes with it all that it has got so far.

use async_channel::{Receiver, bounded};
use oneloop::time::{Duration, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

async fn pair(parts: &Receiver<u32>) -> Option<u32> {
    Some(parts.recv().await.ok()? + parts.recv().await.ok()?)
}

pub async fn program() -> Option<u32> {
    let (sender, parts) = bounded(2);
    let _sends = oneloop::spawn(async move {
        sender.send(1).await.unwrap();
        sleep(4 * SECOND).await;
        sender.send(2).await.unwrap();
    });
    let mut whole = Box::pin(pair(&parts));
    let early = timeout(3 * SECOND, &mut whole).await;
    assert!(early.is_err(), "one part is not a pair");
    broken! { drop(whole); let again = pair(&parts); }
    mended! { let again = whole; }
    timeout(3 * SECOND, again).await.ok()?
}
#[rustfmt::skip]
pub fn test(sum: Option<u32>) { assert_eq!(sum, Some(3), "the second attempt has both parts"); }
