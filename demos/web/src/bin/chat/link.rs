//! One connection to a Redis: questions go there together, and their answers come back in order.
//!
//! The bytes are those of `redis-protocol`. Every step has a deadline: a Redis that accepts and is silent is as good
//! as none.

use std::fmt::{self, Display};
use std::time::Duration;

use oneloop::net::TcpStream;
use oneloop::time::timeout;
use oneloop_demos::port_fits;
use percent_encoding::percent_decode_str;
use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::encode::encode;
use redis_protocol::resp2::types::{OwnedFrame as Frame, Resp2Frame};
use url::Url;

use crate::names::printable;

/// How long any answer may take, and how long it may be in bytes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
const ANSWER_MAX: usize = 4 * 1024 * 1024;

/// A Redis, as the flag names it. It is shown without its password.
#[derive(Clone)]
pub(crate) struct Address {
    host: String,
    port: u16,
    user: String,
    password: String,
    database: u32,
}

impl Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} port {}", self.host, self.port)
    }
}

/// Reads a flag that is the URL of a Redis.
pub(crate) fn address(text: &str) -> Result<Address, String> {
    port_fits(text)?;
    read(text).ok_or_else(|| {
        "expected a Redis without TLS, such as redis://127.0.0.1:6379 or redis://:password@host/0".to_owned()
    })
}

fn read(text: &str) -> Option<Address> {
    let url = Url::parse(text).ok()?;
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(String::from);
    // An address of IPv6 stands in brackets in a URL, and nowhere else.
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.port().unwrap_or(6379);
    let database = match url.path().trim_start_matches('/') {
        "" => 0,
        number => number.parse().ok()?,
    };
    let is_one = url.scheme() == "redis" && !host.is_empty() && port > 0;
    let has_no_more = url.query().is_none() && url.fragment().is_none();
    let (user, password) = (decoded(url.username())?, decoded(url.password().unwrap_or_default())?);
    (is_one && has_no_more).then_some(Address { host, port, user, password, database })
}

/// A question: a command and its words.
pub(crate) fn command<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Frame {
    Frame::Array(words.into_iter().map(|word| Frame::BulkString(word.to_vec())).collect())
}

pub(crate) struct Link {
    stream: TcpStream,
    /// Bytes that have come, and are not yet an answer.
    buffer: Vec<u8>,
}

impl Link {
    /// Connects, and says who asks.
    pub(crate) async fn open(to: &Address) -> Result<Self, String> {
        let stream = within(TcpStream::connect((to.host.as_str(), to.port))).await?;
        let _ = stream.set_nodelay(true);
        let mut link = Self { stream, buffer: Vec::new() };
        let mut questions = Vec::new();
        let (user, password) = (to.user.as_bytes(), to.password.as_bytes());
        match (user, password) {
            ([], []) => {}
            ([], _) => questions.push(command([b"AUTH", password])),
            _ => questions.push(command([b"AUTH", user, password])),
        }
        if to.database > 0 {
            questions.push(command([b"SELECT", to.database.to_string().as_bytes()]));
        }
        // A server that is no Redis shows it here.
        questions.push(command([b"PING".as_slice()]));
        link.ask(&questions).await?;
        Ok(link)
    }

    /// The answers to these questions, in their order. An answer that is an error is one of the whole.
    pub(crate) async fn ask(&mut self, questions: &[Frame]) -> Result<Vec<Frame>, String> {
        within(self.ask_patiently(questions)).await
    }

    async fn ask_patiently(&mut self, questions: &[Frame]) -> Result<Vec<Frame>, String> {
        let mut bytes = Vec::new();
        for question in questions {
            let start = bytes.len();
            bytes.resize(start + question.encode_len(false), 0);
            encode(&mut bytes[start..], question, false).map_err(|error| error.to_string())?;
        }
        self.stream.write_all(&bytes).await.map_err(|error| error.to_string())?;
        let mut answers = Vec::new();
        while answers.len() < questions.len() {
            match decode(&self.buffer).map_err(|_| "that is no Redis: its answer cannot be read".to_owned())? {
                Some((Frame::Error(why), _)) => return Err(why),
                Some((answer, length)) => {
                    self.buffer.drain(..length);
                    answers.push(answer);
                }
                None if self.buffer.len() > ANSWER_MAX => {
                    return Err(format!("an answer of more than {ANSWER_MAX} bytes"));
                }
                None => self.read().await?,
            }
        }
        Ok(answers)
    }

    /// Waits until something comes by itself, and forgets it.
    pub(crate) async fn wait(&mut self) -> Result<(), String> {
        self.buffer.clear();
        self.read().await
    }

    async fn read(&mut self) -> Result<(), String> {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece).await {
            Ok(0) => Err("it has ended the connection".to_owned()),
            Ok(length) => {
                self.buffer.extend_from_slice(&piece[..length]);
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// An answer in time, or why there is none.
async fn within<T, E: Display>(answer: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(|error| printable(&error.to_string())),
        Err(_) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
    }
}
