//! 5. "One readiness is one read."
//!
//! The kernel tells a change once. Only WouldBlock says that there is nothing left to read.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use oneloop::io::AsyncFd;
use oneloop::time::{Duration, advance, sleep};

pub async fn program() -> bool {
    let (mut client, server) = UnixStream::pair().unwrap();
    server.set_nonblocking(true).unwrap();
    let (server, mut bytes) = (AsyncFd::new(server).unwrap(), 0);
    let reading = oneloop::spawn(async move {
        while bytes < 8 {
            let mut ready = server.readable().await.unwrap();
            bytes += server.get_ref().read(&mut [0; 4]).unwrap();
            broken! { ready.clear_ready(); }
            mended! { ready.retain_ready(); }
        }
    });
    client.write_all(b"eight by").unwrap();
    for _ in 0..4 {
        let _work = oneloop::spawn(async { advance(Duration::from_millis(1)) });
        sleep(Duration::from_millis(1)).await;
    }
    reading.is_finished()
}
#[rustfmt::skip] pub fn test(done: bool) { assert!(done, "all that the client wrote is read"); }
