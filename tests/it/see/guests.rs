//! A loop that is shown, and its guests: a browser, a viewer, somebody at `nc`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use oneloop::see::serve;
use oneloop::task::yield_now;
use oneloop::time::sleep;
use oneloop::{Handle, Runtime, spawn};

use crate::kit::support::Count;
use crate::kit::watch::{runtime, spawn_thread};

pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);

/// A loop that is shown, on a thread of its own, until it is dropped.
pub(crate) struct Shown {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Shown {
    /// Runs a program, and after it turns slowly on until the test is over.
    pub(crate) fn new<F: Future<Output = ()>>(program: impl FnOnce() -> F + Send + 'static) -> Self {
        Self::with_polls_counted(&Count::default(), program)
    }

    /// The same; each poll of its main task counts.
    pub(crate) fn with_polls_counted<F: Future<Output = ()>>(
        count: &Count,
        program: impl FnOnce() -> F + Send + 'static,
    ) -> Self {
        Self::on(runtime, count, program)
    }

    pub(crate) fn on<F: Future<Output = ()>>(
        runtime: fn() -> Runtime,
        count: &Count,
        program: impl FnOnce() -> F + Send + 'static,
    ) -> Self {
        let (over, (tell, told), count) = (Arc::new(AtomicBool::new(false)), channel(), count.clone());
        let is_over = Arc::clone(&over);
        let thread = spawn_thread(move || {
            runtime().block_on(count.polls(async {
                let server = serve("127.0.0.1:0").unwrap();
                // An observer that comes before the first event is told twice how it began.
                yield_now().await;
                tell.send((server.address(), Handle::current())).unwrap();
                program().await;
                while !is_over.load(Ordering::SeqCst) {
                    sleep(MILLISECOND).await;
                }
            }));
        });
        let (address, handle) = told.recv().unwrap();
        Self { address, handle, over, thread: Some(thread) }
    }

    pub(crate) fn ask(&self, request: &str) -> String {
        ask(self.address, request)
    }

    /// A request as a browser makes it.
    pub(crate) fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAccept-Encoding: gzip\r\n\r\n", self.address))
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str) {
        let answer = self.ask(&format!("POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", self.address));
        assert!(answer.starts_with("HTTP/1.1 204 "), "{path}: {answer}");
    }

    pub(crate) fn viewer(&self) -> Viewer {
        Viewer::new(self.address, "")
    }

    /// The monitor's answers to some questions.
    pub(crate) fn monitor(&self, questions: &str) -> String {
        ask(self.address, &format!("{questions}\nquit\n"))
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // A test that fails says so itself, and must not wait for a loop that is held.
        if !thread::panicking() {
            self.thread.take().unwrap().join().unwrap();
        }
    }
}

/// Sends something, and reads until the other side has said all.
pub(crate) fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    read_all(&mut stream)
}

pub(crate) fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    // The page is packed, and no text.
    String::from_utf8_lossy(&answer).into_owned()
}

/// Somebody who reads the stream of events.
pub(crate) struct Viewer {
    lines: BufReader<TcpStream>,
}

impl Viewer {
    pub(crate) fn new(address: SocketAddr, query: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /events{query} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n").unwrap();
        let mut lines = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("Content-Type: text/event-stream\r\n"), "{head}");
        Self { lines }
    }

    /// The next line of data.
    pub(crate) fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the stream is over");
            if let Some(data) = line.strip_prefix("data: ") {
                return data.trim_end().to_owned();
            }
        }
    }

    /// The next line that has all these parts.
    pub(crate) fn until(&mut self, parts: &[&str]) -> String {
        loop {
            let line = self.line();
            if parts.iter().all(|part| line.contains(part)) {
                return line;
            }
        }
    }

    pub(crate) fn until_held(&mut self) -> String {
        self.until(&[r#""status":"held""#])
    }
}

/// Tasks that are always ready, whose polls count.
pub(crate) fn spinners(count: &Count, tasks: usize) {
    for _ in 0..tasks {
        drop(spawn(count.polls(async {
            loop {
                yield_now().await;
            }
        })));
    }
}

/// The number behind a key, in a line of the stream.
pub(crate) fn number(line: &str, key: &str) -> Option<u64> {
    let (_, rest) = line.split_once(&format!("\"{key}\":"))?;
    rest.split([',', '}']).next()?.parse().ok()
}
