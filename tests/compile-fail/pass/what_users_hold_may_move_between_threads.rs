//! A user holds a number, and numbers are `Send`, whatever the task's output is.

use std::rc::Rc;

fn is_send<T: Send>(_: &T) {}

fn main() {
    oneloop::run(async {
        let handle = oneloop::spawn(async { Rc::new(7) });
        is_send(&handle);
        is_send(&handle.abort_handle());
        is_send(&oneloop::Handle::current());
        is_send(&oneloop::time::sleep(std::time::Duration::ZERO));
        is_send(&oneloop::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
        assert_eq!(*handle.await.unwrap(), 7);
    });
}
