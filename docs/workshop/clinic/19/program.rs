//! Case 19: A failure is noticed seven seconds late.

use oneloop::task::scope;
use oneloop::{
    spawn,
    time::{Duration, Instant, sleep},
};

async fn copy() -> Result<(), &'static str> {
    sleep(Duration::from_secs(8)).await;
    Ok(())
}

async fn check() -> Result<(), &'static str> {
    sleep(Duration::from_secs(1)).await;
    Err("a wrong sum")
}

pub async fn program() -> Duration {
    let start = Instant::now();
    let (copying, checking) = (spawn(copy()), spawn(check())); let _ends = (copying.await, checking.await);
    start.elapsed()
}

pub fn test(took: Duration) {
    assert_eq!(took, Duration::from_secs(1), "a failure after one second ends the whole");
}
