//! A child's handle may leave its scope, but not the life of what its output borrows.

fn main() {
    oneloop::run(async {
        let mut escaped = None;
        {
            let local = String::from("ends with this block");
            let _ = oneloop::task::scope(async |s| {
                escaped = Some(s.spawn(async { local.as_str() }));
            })
            .await;
        }
        println!("{}", escaped.unwrap().await);
    });
}
