//! A child may borrow what was declared before its scope. A value that the body declares ends before the
//! children do.

fn main() {
    oneloop::run(async {
        let _ = oneloop::task::scope(async |s| {
            let local = String::from("ends with the body");
            s.spawn(async { println!("{local}") });
        })
        .await;
    });
}
