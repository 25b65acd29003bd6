//! A blocking job runs on another thread: what it takes along has to be `Send`.

use std::rc::Rc;

fn main() {
    oneloop::run(async {
        let shared = Rc::new(7);
        println!("{}", oneloop::task::spawn_blocking(move || *shared).await.unwrap());
    });
}
