//! A clone of a scope may not outlive what its children may borrow.

fn main() {
    oneloop::run(async {
        let mut escaped = None;
        {
            let local = String::from("ends with this block");
            let _ = oneloop::task::scope(async |s| {
                s.spawn(async { println!("{local}") });
                escaped = Some(s.clone());
            })
            .await;
        }
        drop(escaped);
    });
}
