//! Case 22: There is something for one, and nobody takes it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Poll, Waker};

use oneloop::spawn;
use oneloop::time::{Duration, sleep, timeout};

type Counter = Rc<(Cell<bool>, RefCell<Vec<Waker>>)>;
fn served(counter: Counter) -> impl Future<Output = ()> {
    std::future::poll_fn(move |cx| {
        counter.1.borrow_mut().push(cx.waker().clone());
        if counter.0.take() { Poll::Ready(()) } else { Poll::Pending }
    })
}
pub async fn program() -> bool {
    let counter = Counter::default();
    let _hasty = spawn(timeout(Duration::from_secs(1), served(Rc::clone(&counter))));
    let patient = spawn(served(Rc::clone(&counter)));
    sleep(Duration::from_secs(2)).await;
    counter.0.set(true); // there is something for one of them
    counter.1.take().into_iter().take(1).for_each(Waker::wake);
    timeout(Duration::from_secs(5), patient).await.is_ok()
}
#[rustfmt::skip] pub fn test(is_served: bool) { assert!(is_served, "the one who still waits is served"); }
