//! 4. "wake() polls now."
//!
//! A wake puts the task at the end of the ready queue. It runs when the waking task gives way.

use std::cell::Cell;
use std::rc::Rc;

use async_channel::bounded;
use oneloop::task::{Builder, yield_now};

pub async fn program() -> u32 {
    let (sender, orders) = bounded(1);
    let total = Rc::new(Cell::new(0));
    let sum = Rc::clone(&total);
    let _clerk = Builder::new().name("clerk").spawn(async move {
        while let Ok(order) = orders.recv().await {
            sum.set(sum.get() + order);
        }
    });
    yield_now().await; // the clerk waits for orders now
    sender.try_send(7).unwrap(); // wakes the clerk
    broken! { let seen = total.get(); }
    mended! { yield_now().await; let seen = total.get(); }
    seen
}

pub fn test(total: u32) {
    assert_eq!(total, 7, "the order is in the total");
}
