//! Tasks stay on their thread, so they may hold anything; the future of `run` may borrow besides.

use std::cell::Cell;
use std::rc::Rc;

fn main() {
    let outside = String::from("borrowed");
    oneloop::run(async {
        let count = Rc::new(Cell::new(outside.len()));
        let shared = Rc::clone(&count);
        oneloop::spawn(async move { shared.set(shared.get() + 1) }).await.unwrap();
        assert_eq!(count.get(), 9);
    });
}
