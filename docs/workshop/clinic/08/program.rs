//! Case 8: The server wakes for nothing.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use futures_lite::future::or;
use oneloop::time::{Duration, sleep};

const SECOND: Duration = Duration::from_secs(1);

pub async fn program() -> u32 {
    let polls = Rc::new(Cell::new(0));
    let count = Rc::clone(&polls);
    let _server = oneloop::spawn(async move {
        let mut limit = Box::pin(sleep(5 * SECOND));
        or(sleep(SECOND), &mut limit).await; // the answer was faster than the limit
        let _limit = limit;
        let next = poll_fn(|_| if count.replace(count.get() + 1) < 9 { Poll::Pending } else { Poll::Ready(()) });
        next.await; // the connection stays open
    });
    sleep(6 * SECOND).await;
    polls.get()
}
#[rustfmt::skip] pub fn test(polls: u32) { assert_eq!(polls, 1, "an answered request is not woken by its limit"); }
