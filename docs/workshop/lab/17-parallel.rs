//! 17. "async makes computing parallel."
//!
//! One loop is one thread. Two computations run at once only on two threads.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use oneloop::spawn;
use oneloop::task::spawn_blocking;

/// Says that it has begun, and hears whether the other one begins before it ends.
fn compute(begun: &Sender<()>, other: &Receiver<()>) -> bool {
    let _heard = begun.send(());
    other.recv_timeout(Duration::from_secs(2)).is_ok()
}

pub async fn program() -> bool {
    let ((begun_a, has_a), (begun_b, has_b)) = (channel(), channel());
    let (a, b) = (move || compute(&begun_a, &has_b), move || compute(&begun_b, &has_a));
    broken! { let (a, b) = (spawn(async move { a() }), spawn(async move { b() })); }
    mended! { let (a, b) = (spawn_blocking(a), spawn_blocking(b)); }
    a.await.unwrap() & b.await.unwrap()
}

pub fn test(at_once: bool) {
    assert!(at_once, "both computations are under way at the same time");
}
