//! A child takes a clone of the scope along, and spawns siblings on it that borrow as it does.

use oneloop::task::scope;

fn main() {
    oneloop::run(async {
        let word = String::from("loop");
        let word = word.as_str();
        let length = scope(async |s| {
            let sibling = s.clone();
            s.spawn(async move { sibling.spawn(async move { word.len() }).await }).await
        });
        assert_eq!(length.await.unwrap(), 4);
    });
}
