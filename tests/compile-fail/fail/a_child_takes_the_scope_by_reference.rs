//! The body's `s` is a borrow from inside the scope. A child that is to spawn siblings takes a clone.

fn main() {
    oneloop::run(async {
        let _ = oneloop::task::scope(async |s| {
            s.spawn(async {
                s.spawn(async {});
            });
        })
        .await;
    });
}
