//! 26. "Awaiting the tasks in order shows a failure at once."
//!
//! The failure of the second task is known when the first one ends. A scope hears the first to fail.

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
    broken! { let (copying, checking) = (spawn(copy()), spawn(check())); let _ends = (copying.await, checking.await); }
    mended! { let _failed = scope(async |s| { s.try_spawn(copy()); s.try_spawn(check()); }).await; }
    start.elapsed()
}

pub fn test(took: Duration) {
    assert_eq!(took, Duration::from_secs(1), "a failure after one second ends the whole");
}
