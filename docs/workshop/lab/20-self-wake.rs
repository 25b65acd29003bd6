//! 20. "wake_by_ref and Pending is a fine way to wait."
//!
//! It asks again and again. The loop never parks, and a processor is busy with waiting.

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
        broken! { cx.waker().wake_by_ref(); }
        mended! { theirs.1.set(Some(cx.waker().clone())); }
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
