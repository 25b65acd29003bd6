//! Fifteen lines: two tasks sleep a second together, and are joined. Copy this one first.
//!
//! ```text
//! cargo run --release --bin hello
//! ```
//!
//! Watch the time: it prints `hello world`, after one second and not two. In Python this is asyncio's `gather`.

use std::time::Duration;

use oneloop::{spawn, time::sleep};

fn main() {
    // `--help` has an answer, as in every demo. Leave this out of your copy.
    oneloop_demos::without_flags(env!("CARGO_BIN_NAME"), "Two tasks sleep a second together, and are joined.");
    oneloop::run(async {
        let hello = spawn(after_a_second("hello"));
        let world = spawn(after_a_second("world"));
        println!("{} {}", hello.await.unwrap(), world.await.unwrap());
        // The same holds for this line: where ONELOOP_SEE shows the loop, it stays until Ctrl-C.
        oneloop_demos::while_shown("it is over").await.unwrap();
    });
}

async fn after_a_second(word: &str) -> &str {
    sleep(Duration::from_secs(1)).await;
    word
}
