//! A browser of a test's own, driven by the Chrome DevTools Protocol over a WebSocket.
//!
//! Source: the protocol's description at chromedevtools.github.io/devtools-protocol.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use crate::page::Page;
use crate::watch::{Process, STEP, Watch};

/// The names that the browser goes by.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The flags it is started with: it shows no window, asks nobody anything, and needs no graphics card. Its
/// sandbox wants rights that a test machine's user may not have; it sees our own pages alone.
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--remote-debugging-port=0",
    "--window-size=1280,800",
];

/// A browser, and the one test that may use one just now.
pub(crate) struct Browser {
    socket: WebSocket<TcpStream>,
    last_id: u64,
    /// Its messages that nobody asked for.
    events: VecDeque<Value>,
    process: Option<Process>,
    _watch: Watch,
    _alone: MutexGuard<'static, ()>,
}

/// Runs a test with a browser where that is asked for. If not, one line of the whole program says how to ask.
pub(crate) fn in_a_browser(test: impl FnOnce(&mut Browser)) {
    static SAID: Once = Once::new();
    if std::env::var("ONELOOP_BROWSER").is_ok_and(|wish| wish == "required") {
        let runs = |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success());
        let Some(name) = NAMES.iter().find(runs) else {
            panic!("ONELOOP_BROWSER=required is set, but none of {} is here", NAMES.join(", "));
        };
        return test(&mut Browser::start(name));
    }
    let says = "skipped: the tests in a browser, which take a minute and a half; to run them: bash .ci/run browser";
    // Not by `eprintln`: what a test prints is kept back.
    SAID.call_once(|| drop(writeln!(std::io::stderr().lock(), "{says}")));
}

impl Browser {
    fn start(name: &str) -> Self {
        // Two browsers at a time would be two that are slow.
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = Watch::new();
        let folder = tempfile::tempdir().expect("a folder for the browser's profile can be made");
        let profile = format!("--user-data-dir={}", folder.path().display());
        // It writes to a folder for temporary files, too, and leaves that behind.
        let mut command = Command::new(name);
        command.args(FLAGS).arg(profile).arg("about:blank").env("TMPDIR", folder.path());
        let process = Process::start_with(&mut command, Some(folder));
        let address = process.hears("DevTools listening on ");
        let host = address.split('/').nth(2).expect("the address of a WebSocket has a host");
        let stream = TcpStream::connect(host).expect("the browser listens where it says");
        stream.set_read_timeout(Some(STEP)).expect("a timeout can be set");
        let (socket, _) = tungstenite::client(&address, stream).expect("the browser talks by WebSocket");
        let events = VecDeque::new();
        Self { socket, last_id: 0, events, process: Some(process), _watch: watch, _alone: alone }
    }

    /// A new page, still empty.
    pub(crate) fn page(&mut self) -> Page<'_> {
        let target = self.ask(None, "Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.ask(None, "Target.attachToTarget", attach)["sessionId"].as_str().map(String::from);
        Page::new(self, session.expect("a session has a name"))
    }

    /// Sends a command and returns its result.
    pub(crate) fn ask(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let mut command = json!({ "id": self.last_id, "method": method });
        command["params"] = params;
        if let Some(session) = session {
            command["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(command.to_string())).expect("the browser listens");
        let until = Instant::now() + STEP;
        while Instant::now() < until {
            let mut message = self.hear(method);
            if message["id"] == self.last_id {
                assert!(message["error"].is_null(), "{method} failed: {}", message["error"]);
                return message["result"].take();
            }
            self.events.push_back(message);
        }
        panic!("the browser talks, but does not answer {method}");
    }

    /// The share of a processor that the browser uses within `time`, in percent.
    pub(crate) fn load(&self, time: Duration) -> Option<f64> {
        let process = self.process.as_ref()?;
        let (before, began) = (process.processor_time()?, Instant::now());
        std::thread::sleep(time);
        let used = process.processor_time()?.saturating_sub(before);
        Some(100.0 * used.as_secs_f64() / began.elapsed().as_secs_f64())
    }

    /// The events since one asked last.
    pub(crate) fn take_events(&mut self) -> impl Iterator<Item = Value> {
        std::mem::take(&mut self.events).into_iter()
    }

    fn hear(&mut self, what_for: &str) -> Value {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => return serde_json::from_str(&text).expect("the browser talks JSON"),
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("the browser did not answer {what_for}: {error}"),
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked to, it ends its helpers too, which would write to its folder while that is thrown away.
        let close = json!({ "id": self.last_id + 1, "method": "Browser.close" });
        if self.socket.send(Message::text(close.to_string())).is_ok() {
            while self.socket.read().is_ok() {}
        }
        drop(self.process.take());
    }
}
