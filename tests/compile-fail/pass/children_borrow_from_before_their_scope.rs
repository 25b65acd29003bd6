//! Children borrow what was declared before their scope, and change it too.

use oneloop::task::scope;

fn main() {
    oneloop::run(async {
        let words = [String::from("one"), String::from("loop")];
        let (mut first, mut second) = (0, 0);
        scope(async |s| {
            s.spawn(async { first = words[0].len() });
            s.spawn(async { second = words[1].len() });
        })
        .await
        .unwrap();
        assert_eq!((first, second), (3, 4));
    });
}
