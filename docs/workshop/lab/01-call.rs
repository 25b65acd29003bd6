//! 1. "Calling an async fn starts it."
//!
//! The call only makes a future. Nobody polls it before it is awaited or spawned.

use std::cell::Cell;
use std::rc::Rc;

use oneloop::spawn;
use oneloop::time::{Duration, sleep};

async fn save(saved: Rc<Cell<bool>>) {
    sleep(Duration::from_millis(100)).await;
    saved.set(true);
}

pub async fn program() -> bool {
    let saved = Rc::new(Cell::new(false));
    broken! { let _saving = save(Rc::clone(&saved)); }
    mended! { let _saving = spawn(save(Rc::clone(&saved))); }
    sleep(Duration::from_secs(1)).await;
    saved.get()
}

pub fn test(saved: bool) {
    assert!(saved, "a second later everything is saved");
}
