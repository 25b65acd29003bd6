//! Other sites, which a browser visits too: they can neither read a loop nor stop it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use serde_json::json;

use crate::chrome::in_a_browser;
use crate::program::Program;

/// A site of somebody else: any request is answered by an empty page.
fn another_site() -> SocketAddr {
    site(|_| String::from("<!doctype html><title>another site</title>"))
}

/// A site that answers a request's target with a page. It ends with the test's process.
pub(crate) fn site(answer: impl Fn(&str) -> String + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it has an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..read]);
            let page = answer(request.split(' ').nth(1).unwrap_or_default());
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{page}",
                page.len()
            );
        }
    });
    address
}

#[test]
fn another_site_can_neither_read_nor_stop_a_program() {
    in_a_browser(|browser| {
        let program = Program::start("steady");
        let mut page = browser.page();
        page.opens(&format!("http://{}/", another_site()));
        // Nothing of it can be read, however one asks.
        for path in ["", "events", "pause"] {
            let method = if path == "pause" { "POST" } else { "GET" };
            let ask = format!(
                "fetch('{}{path}', {{ method: '{method}' }}).then(() => 'read', () => 'refused')",
                program.address
            );
            assert_eq!(page.value(&ask), json!("refused"), "of {path:?}");
        }
        let stream = format!(
            "new Promise((done) => {{ const stream = new EventSource('{}events'); \
             stream.onmessage = () => done('read'); stream.onerror = () => {{ stream.close(); done('refused'); }} }})",
            program.address
        );
        assert_eq!(page.value(&stream), json!("refused"));
        // A request whose answer nobody wants to read is sent all the same. It changes nothing.
        for path in ["pause", "step/poll", "slow?ms=60000"] {
            let ask = format!(
                "fetch('{}{path}', {{ method: 'POST', mode: 'no-cors' }}).then((answer) => answer.type)",
                program.address
            );
            assert_eq!(page.value(&ask), json!("opaque"), "of {path:?}");
        }
        page.opens(&program.address);
        page.waits_until("document.querySelector('#pill').textContent === 'Live' && app.rec.events.length > 200");
        assert_eq!(page.value("app.held"), json!(null));
        assert_eq!(page.value("document.querySelector('#speed').value"), json!("0"));
    });
}

#[test]
fn a_page_asks_nobody_but_its_own_program() {
    in_a_browser(|browser| {
        let program = Program::start("steady");
        let mut page = browser.page();
        page.opens(&program.address);
        page.waits_until("app.rec.events.length > 50");
        let asked = page.asked();
        assert!(asked.len() >= 2, "the page and its events: {asked:?}");
        for address in asked {
            assert!(
                address.starts_with(&program.address) || address.starts_with("data:"),
                "the page asked for {address}"
            );
        }
    });
}
