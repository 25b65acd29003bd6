//! Case 6: A program that waits keeps a processor busy.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Poll, Waker};

use oneloop::task::Builder;
use oneloop::time::{Duration, advance, sleep};

pub async fn program() -> u32 {
    let flag = Rc::new((Cell::new(false), Cell::new(None::<Waker>)));
    let (theirs, mut polls) = (Rc::clone(&flag), 0);
    let asking = Builder::new().name("asker").spawn(std::future::poll_fn(move |cx| {
        polls += 1;
        advance(Duration::from_millis(1)); // the time that a look takes
        cx.waker().wake_by_ref();
        if theirs.0.get() { Poll::Ready(polls) } else { Poll::Pending }
    }));
    sleep(Duration::from_millis(40)).await;
    flag.0.set(true);
    flag.1.take().into_iter().for_each(Waker::wake);
    asking.await.unwrap()
}

pub fn test(polls: u32) {
    assert_eq!(polls, 2, "it is polled at the start, and when the flag is set");
}
