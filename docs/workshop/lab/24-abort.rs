//! 24. "After abort() the task is gone."
//!
//! An abort is a wish. The task is dropped when its turn comes, and until then it keeps what it holds.

use std::cell::RefCell;
use std::{future::pending, rc::Rc};

use oneloop::task::{Builder, yield_now};

pub async fn program() -> bool {
    let line = Rc::new(RefCell::new(()));
    let theirs = Rc::clone(&line);
    let mut caller = Builder::new().name("caller").spawn(async move {
        let _speaks = theirs.borrow_mut();
        pending::<()>().await;
    });
    yield_now().await; // the caller has the line now
    broken! { caller.abort(); }
    mended! { caller.abort(); let _gone = (&mut caller).await; }
    let next = Builder::new().name("next").spawn(async { yield_now().await });
    let is_free = line.try_borrow_mut().is_ok();
    next.await.unwrap();
    is_free
}

pub fn test(is_free: bool) {
    assert!(is_free, "the line is free after the abort");
}
