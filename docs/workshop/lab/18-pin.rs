//! 18. "Pin is noise."
//!
//! This future leaves its address, as one in a linked list does. A move makes the address wrong.

use std::task::{Context, Poll, Waker};
use std::{cell::Cell, mem::replace, pin::Pin, rc::Rc};

type Bell = Rc<(Cell<usize>, Cell<usize>, Cell<Option<Waker>>)>; // the address listed, the one rung, who to wake
struct Waiter(Bell, bool);
impl Future for Waiter {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (here, is_listed) = (std::ptr::from_ref(&*self).addr(), replace(&mut self.1, true));
        self.0.0.set(if is_listed { self.0.0.get() } else { here });
        self.0.2.set(Some(cx.waker().clone()));
        if self.0.1.get() == here { Poll::Ready(()) } else { Poll::Pending }
    }
}
pub async fn program() -> bool {
    let bell = Bell::default();
    broken! { let mut waiter = Waiter(Rc::clone(&bell), false); }
    mended! { let mut waiter = Box::pin(Waiter(Rc::clone(&bell), false)); }
    assert!(futures_lite::future::poll_once(&mut waiter).await.is_none());
    let task = oneloop::spawn(waiter); // moves it, or only its box
    oneloop::task::yield_now().await;
    bell.1.set(bell.0.get());
    bell.2.take().into_iter().for_each(Waker::wake);
    oneloop::time::timeout(std::time::Duration::from_secs(5), task).await.is_ok()
}
#[rustfmt::skip] pub fn test(heard: bool) { assert!(heard, "the waiter hears the bell"); }
