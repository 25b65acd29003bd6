//! The client: `wrk` where it is installed, else one of our own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use oneloop::process::Command;
use oneloop::task::spawn_blocking;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many threads ask where there is no `wrk`, each on one connection at a time.
const THREADS: u16 = 4;

/// Asks for so many seconds, by so many connections.
pub(crate) struct Client {
    has_wrk: bool,
    seconds: u16,
    connections: u16,
}

impl Client {
    /// Looks for `wrk`.
    pub(crate) fn find(seconds: u16, connections: u16) -> Self {
        let has_wrk = std::process::Command::new("wrk").arg("-v").output().is_ok();
        Self { has_wrk, seconds, connections: if has_wrk { connections } else { connections.min(THREADS) } }
    }

    /// The name of the client, for the account.
    pub(crate) fn name(&self) -> &'static str {
        if self.has_wrk { "wrk" } else { "a client of our own: no wrk is here" }
    }

    /// How many connections it has at one time.
    pub(crate) fn connections(&self) -> u16 {
        self.connections
    }

    /// Asks each server once.
    pub(crate) fn answers_are_equal(&self, addrs: [SocketAddr; 2]) -> Result<(), String> {
        let ask = |addr| {
            let answer = Asker::connect(addr).and_then(|mut asker| asker.answer());
            answer.map_err(|error| format!("{addr} does not answer: {error}"))
        };
        let [one, other] = [ask(addrs[0])?, ask(addrs[1])?];
        if !one.starts_with("HTTP/1.1 200 ") || without_date(&one) != without_date(&other) {
            return Err(format!("the two do not answer alike: {one:?} and {other:?}"));
        }
        Ok(())
    }

    /// Answers a second. An answer that is none is an error.
    pub(crate) async fn ask(&self, addr: SocketAddr) -> Result<f64, String> {
        if self.has_wrk {
            return self.ask_by_wrk(addr).await;
        }
        let (connections, time) = (self.connections, Duration::from_secs(self.seconds.into()));
        let asked = spawn_blocking(move || {
            let threads: Vec<_> = (0..connections).map(|_| thread::spawn(move || ask_for(time, addr))).collect();
            let answers = threads.into_iter().map(|thread| thread.join().expect("a client does not panic"));
            answers.sum::<io::Result<u64>>()
        });
        let answers = asked.await.map_err(|error| error.to_string())?;
        let answers = answers.map_err(|error| format!("a request to {addr} failed: {error}"))?;
        Ok(answers as f64 / f64::from(self.seconds))
    }

    async fn ask_by_wrk(&self, addr: SocketAddr) -> Result<f64, String> {
        let (seconds, connections) = (format!("-d{}s", self.seconds), format!("-c{}", self.connections));
        let mut wrk = Command::new("wrk");
        wrk.args(["-t1", &connections, &seconds, &format!("http://{addr}/")]).kill_on_drop(true);
        let said = wrk.output().await.map_err(|error| format!("cannot run wrk: {error}"))?;
        let text = String::from_utf8_lossy(&said.stdout);
        if !said.status.success() || text.contains("Socket errors") || text.contains("Non-2xx") {
            return Err(format!("wrk is not content: {text}{}", String::from_utf8_lossy(&said.stderr)));
        }
        let rate = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
        let rate = rate.and_then(|rate| rate.trim().parse().ok());
        rate.ok_or_else(|| format!("wrk says no number of requests a second: {text}"))
    }
}

/// An answer without the time at which it was made.
fn without_date(answer: &str) -> Vec<&str> {
    answer.lines().filter(|line| !line.starts_with("date: ")).collect()
}

/// A connection that is kept.
struct Asker(TcpStream);

impl Asker {
    fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(stream))
    }

    fn answer(&mut self) -> io::Result<String> {
        self.0.write_all(REQUEST)?;
        let mut answer = Vec::new();
        let mut piece = [0; 1024];
        // The body ends with the only line feed that has no return before it.
        while !answer.ends_with(b"\n") || answer.ends_with(b"\r\n") {
            match self.0.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => answer.extend_from_slice(&piece[..length]),
            }
        }
        String::from_utf8(answer).map_err(io::Error::other)
    }
}

/// How many answers come in this time.
fn ask_for(time: Duration, addr: SocketAddr) -> io::Result<u64> {
    let (mut asker, until, mut answers) = (Asker::connect(addr)?, Instant::now() + time, 0);
    while Instant::now() < until {
        if !asker.answer()?.starts_with("HTTP/1.1 200 ") {
            return Err(io::Error::other("it is refused"));
        }
        answers += 1;
    }
    Ok(answers)
}
