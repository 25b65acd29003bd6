//! 15. "A RefCell may be borrowed across an await."
//!
//! At the await the other tasks run, and the borrow is still there when they want theirs.

use std::cell::RefCell;
use std::rc::Rc;

use oneloop::task::Builder;
use oneloop::time::{Duration, sleep};

const SECOND: Duration = Duration::from_secs(1);

pub async fn program() -> usize {
    let log = Rc::new(RefCell::new(Vec::new()));
    let (first, second) = (Rc::clone(&log), Rc::clone(&log));
    let _slow = Builder::new().name("slow").spawn(async move {
        broken! { let mut log = first.borrow_mut(); sleep(2 * SECOND).await; log.push("slow"); }
        mended! { sleep(2 * SECOND).await; first.borrow_mut().push("slow"); }
    });
    let _quick = Builder::new().name("quick").spawn(async move {
        sleep(SECOND).await;
        second.borrow_mut().push("quick");
    });
    sleep(3 * SECOND).await;
    log.take().len()
}

pub fn test(lines: usize) {
    assert_eq!(lines, 2, "both tasks write their line");
}
