//! Case 9: Something is written after the end.

use std::cell::RefCell;
use std::rc::Rc;

use oneloop::task::scope;
use oneloop::time::{Duration, sleep, timeout};

type Log = Rc<RefCell<Vec<&'static str>>>;

async fn write(log: Log) {
    sleep(Duration::from_secs(3)).await;
    log.borrow_mut().push("written");
}

pub async fn program() -> Vec<&'static str> {
    let log = Log::default();
    let report = async { oneloop::spawn(write(Rc::clone(&log))).await.unwrap() };
    let _late = timeout(Duration::from_secs(2), report).await;
    log.borrow_mut().push("closed");
    sleep(Duration::from_secs(2)).await;
    log.take()
}

pub fn test(log: Vec<&str>) {
    assert_eq!(log, ["closed"], "nothing is written after the end");
}
