//! 13. "Dropping the handle stops the task."
//!
//! A handle that is dropped detaches its task, which goes on. To stop it, abort it.

use std::cell::Cell;
use std::rc::Rc;

use oneloop::task::Builder;
use oneloop::time::{Duration, sleep};

pub async fn program() -> u32 {
    let ticks = Rc::new(Cell::new(0));
    let count = Rc::clone(&ticks);
    let ticker = Builder::new().name("ticker").spawn(async move {
        loop {
            sleep(Duration::from_secs(1)).await;
            count.set(count.get() + 1);
        }
    });
    sleep(Duration::from_millis(3500)).await;
    broken! { drop(ticker); }
    mended! { ticker.abort(); }
    sleep(Duration::from_secs(3)).await;
    ticks.get()
}

pub fn test(ticks: u32) {
    assert_eq!(ticks, 3, "after three and a half seconds the ticks end");
}
