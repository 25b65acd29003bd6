//! Case 5: The heart stops when the work fails.

use std::cell::Cell;
use std::rc::Rc;

use futures_lite::future::zip;
use oneloop::spawn;
use oneloop::time::{Duration, sleep};

async fn beat(beats: Rc<Cell<u32>>) {
    for n in 1..6 {
        sleep(Duration::from_secs(1)).await;
        beats.set(n);
    }
}
async fn work() {
    sleep(Duration::from_millis(2500)).await;
    panic!("the work fails");
}
pub async fn program() -> u32 {
    let beats = Rc::new(Cell::new(0));
    let _both = spawn(zip(work(), beat(Rc::clone(&beats))));
    sleep(Duration::from_secs(6)).await;
    beats.get()
}
#[rustfmt::skip] pub fn test(beats: u32) { assert_eq!(beats, 5, "the heart beats on when the work fails"); }
