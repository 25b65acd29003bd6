//! 3. "Pending may be returned without keeping the waker."
//!
//! Pending promises: "I have left your waker with the one who will change what I saw."

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use oneloop::task::Builder;
use oneloop::time::{Duration, sleep, timeout};

pub async fn program() -> bool {
    let (letter, reader) = (Rc::new(Cell::new(false)), Rc::new(RefCell::new(None::<Waker>)));
    let (arrived, place) = (Rc::clone(&letter), Rc::clone(&reader));
    let reading = Builder::new().name("reader").spawn(poll_fn(move |cx| {
        broken! { let _waker = (cx.waker(), &place); }
        mended! { place.replace(Some(cx.waker().clone())); }
        if arrived.get() { Poll::Ready(()) } else { Poll::Pending }
    }));
    sleep(Duration::from_secs(1)).await;
    letter.set(true);
    reader.take().into_iter().for_each(Waker::wake);
    timeout(Duration::from_secs(5), reading).await.is_ok()
}

pub fn test(was_read: bool) {
    assert!(was_read, "the letter is read when it is there");
}
