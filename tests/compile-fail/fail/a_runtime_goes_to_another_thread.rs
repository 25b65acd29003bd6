//! A runtime stays on the thread that made it. Its handle may go.

fn main() {
    let runtime = oneloop::Runtime::new().unwrap();
    std::thread::spawn(move || runtime.block_on(async {}));
}
