//! The phases that a request's time went into: a line in the log when it is over, however it ends.

use std::fmt::Write;
use std::net::SocketAddr;

use hyper::{Request, StatusCode};
use oneloop::time::Instant;
use oneloop_demos::log;

/// How much of a path the log shows.
const PATH_SHOWN: usize = 100;

/// One request, and what is known of it so far. It is written down when it is dropped.
pub(crate) struct Trace {
    peer: SocketAddr,
    asked: String,
    pub(crate) status: StatusCode,
    start: Instant,
    last: Instant,
    /// Each phase that is over, in milliseconds.
    phases: Vec<(&'static str, f64)>,
    reused: Option<u32>,
    pub(crate) bytes: u64,
    /// The fault; taken back when all went well.
    pub(crate) problem: Option<String>,
    json: bool,
}

impl Trace {
    pub(crate) fn begin<B>(peer: SocketAddr, request: &Request<B>, json: bool) -> Self {
        let path: String = request.uri().path().chars().take(PATH_SHOWN).collect();
        let asked = format!("{} {path}", request.method());
        let now = Instant::now();
        let problem = Some("the client left".to_owned());
        let status = StatusCode::from_u16(499).unwrap_or_default();
        Self { peer, asked, status, start: now, last: now, phases: Vec::new(), reused: None, bytes: 0, problem, json }
    }

    pub(crate) fn queued(&mut self) {
        self.phase("queue");
    }

    pub(crate) fn looked_up(&mut self) {
        self.phase("dns");
    }

    pub(crate) fn connected(&mut self) {
        self.phase("connect");
    }

    /// A connection that has served so many requests before is used again.
    pub(crate) fn reused(&mut self, served: u32) {
        self.reused = Some(served);
        self.last = Instant::now();
    }

    pub(crate) fn first_byte(&mut self) {
        self.phase("first byte");
    }

    fn phase(&mut self, name: &'static str) {
        let now = Instant::now();
        self.phases.push((name, now.duration_since(self.last).as_secs_f64() * 1000.0));
        self.last = now;
    }

    fn as_text(&self) -> String {
        let mut line = format!("{} {} {}", self.peer, self.asked, self.status.as_u16());
        for (name, ms) in &self.phases {
            if let (Some(served), "first byte") = (self.reused, *name) {
                let _ = write!(line, " | reuse {served}");
            }
            let _ = write!(line, " | {name} {ms:.1}");
        }
        let total = self.start.elapsed().as_secs_f64() * 1000.0;
        let _ = write!(line, " | total {total:.1} ms | {} bytes", self.bytes);
        if let Some(problem) = &self.problem {
            let _ = write!(line, " | {problem}");
        }
        line
    }

    fn as_json(&self) -> String {
        let phases: serde_json::Map<_, _> =
            self.phases.iter().map(|(name, ms)| (name.replace(' ', "_") + "_ms", (*ms).into())).collect();
        let mut line = serde_json::json!({
            "peer": self.peer.to_string(), "asked": self.asked, "status": self.status.as_u16(), "bytes": self.bytes,
            "reuse": self.reused, "total_ms": self.start.elapsed().as_secs_f64() * 1000.0, "problem": self.problem,
        });
        if let Some(line) = line.as_object_mut() {
            line.extend(phases);
        }
        line.to_string()
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        log(&if self.json { self.as_json() } else { self.as_text() });
    }
}

/// Why a request is not answered by an upstream. The client is told in general, the log in full.
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) why: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, why: why.into() }
    }

    /// 502: the upstream cannot be reached, or did not answer well.
    pub(crate) fn bad(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, why)
    }

    /// 504: the upstream is too slow.
    pub(crate) fn late(why: impl Into<String>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, why)
    }

    /// The client's part of it. The upstreams' addresses are not its business.
    pub(crate) fn told(&self) -> String {
        match self.status {
            StatusCode::BAD_GATEWAY => "no upstream could be reached, or none answered well\n".to_owned(),
            StatusCode::GATEWAY_TIMEOUT => "the upstream took too long\n".to_owned(),
            _ => format!("{}\n", self.why),
        }
    }
}
