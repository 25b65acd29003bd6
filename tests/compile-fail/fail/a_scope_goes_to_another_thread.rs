//! A scope's children live on its thread, and so does the scope.

fn main() {
    oneloop::run(async {
        let _ = oneloop::task::scope(async |s| {
            let s = s.clone();
            std::thread::spawn(move || drop(s));
        })
        .await;
    });
}
