//! 7. "Check, then register."
//!
//! At an await between the two, the thing happens, and nobody is registered yet to hear of it.

use std::cell::Cell;
use std::rc::Rc;

use event_listener::Event;
use oneloop::task::yield_now;
use oneloop::time::{Duration, timeout};

pub async fn program() -> bool {
    let shared = Rc::new((Cell::new(false), Event::new()));
    let theirs = Rc::clone(&shared);
    let waiting = oneloop::spawn(async move {
        let (done, event) = &*theirs;
        broken! { if !done.get() { yield_now().await; event.listen().await; } }
        mended! { let heard = event.listen(); if !done.get() { yield_now().await; heard.await; } }
    });
    yield_now().await;
    shared.0.set(true);
    shared.1.notify(usize::MAX);
    timeout(Duration::from_secs(5), waiting).await.is_ok()
}

pub fn test(heard: bool) {
    assert!(heard, "the task hears that it is done");
}
