//! Case 17: All are done, and the sum never comes.

use async_channel::unbounded;
use oneloop::spawn;
use oneloop::time::{Duration, sleep, timeout};

pub async fn program() -> Option<u64> {
    let (sender, results) = unbounded();
    for n in 1..4 {
        let sender = sender.clone();
        let _worker = spawn(async move {
            sleep(Duration::from_secs(n)).await;
            sender.send(n).await.unwrap();
        });
    }
    let _first = &sender;
    let sum = spawn(async move {
        let mut sum = 0;
        while let Ok(n) = results.recv().await {
            sum += n;
        }
        sum
    });
    timeout(Duration::from_secs(10), sum).await.ok()?.ok()
}
#[rustfmt::skip]
pub fn test(sum: Option<u64>) { assert_eq!(sum, Some(6), "the sum is there when the workers are done"); }
