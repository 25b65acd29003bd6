//! Case 10: The door is open, and the guest stays outside.

use std::cell::{Cell, RefCell};
use std::task::{Poll, Waker};
use std::{future::poll_fn, rc::Rc};

use futures_lite::future::poll_once;
use oneloop::time::{Duration, sleep, timeout};

pub async fn program() -> bool {
    let door = Rc::new((Cell::new(false), RefCell::new(None::<Waker>)));
    let theirs = Rc::clone(&door);
    let mut coming = poll_fn(move |cx| {
        theirs.1.borrow_mut().get_or_insert_with(|| cx.waker().clone());
        if theirs.0.get() { Poll::Ready(()) } else { Poll::Pending }
    });
    assert!(poll_once(&mut coming).await.is_none()); // polled by main, once
    let guest = oneloop::spawn(coming); // and from now on by another task
    sleep(Duration::from_secs(1)).await;
    door.0.set(true);
    door.1.take().into_iter().for_each(Waker::wake);
    timeout(Duration::from_secs(5), guest).await.is_ok()
}

pub fn test(came_in: bool) {
    assert!(came_in, "the guest comes in when the door is open");
}
