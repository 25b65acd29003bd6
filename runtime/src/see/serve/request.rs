//! Requests: what a viewer may ask over HTTP, and who may ask it.
//!
//! A page that stops a program is worth attacking, and a browser will carry any website's requests to an
//! address on the same machine. So nothing is guessed: a request is understood as a whole or refused. Its
//! `Host` must be one of our own names, whatever the port (`names.rs` says why). Its `Origin`, where it has
//! one, must be the same, port and all. A request that changes something must be a POST, which a link or an
//! image cannot be. Sources: RFC 9112; the Fetch standard's `Origin` and `Sec-Fetch-Site`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::gate::Command;
use super::names::Authority;

/// The slowest of slow motions. A viewer who wants it slower can step.
const SLOWEST: Duration = Duration::from_secs(60);

/// The rules by which a guest may ask.
pub(super) struct Rules {
    /// The address at which we listen. A request must ask for us by a name of ours.
    listens_at: IpAddr,
    /// The word that every request must carry, in place of such a name.
    token: Option<String>,
}

/// A request's wish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    Page,
    /// The stream; from where on, for a viewer that comes again: a run, and the number of an event of it.
    Events(Option<(u64, u64)>),
    Turn(Command),
}

/// Why a request is refused: the status of HTTP, and a sentence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Refusal(pub(super) u16, pub(super) &'static str);

pub(super) const BY_GET: Refusal = Refusal(405, "this is to be had by GET");
const PACKED: Refusal =
    Refusal(406, "the page is packed by gzip: ask with Accept-Encoding: gzip, as browsers and curl --compressed do");
pub(super) const BY_POST: Refusal = Refusal(405, "a command must be a POST");

/// Whether the first line of a connection is an HTTP request, and not the monitor's.
pub(super) fn is_http(line: &str) -> bool {
    line.rsplit_once(' ').is_some_and(|(_, version)| version.starts_with("HTTP/"))
}

impl Rules {
    pub(super) fn new(address: SocketAddr, token: Option<String>) -> Self {
        Self { listens_at: address.ip(), token }
    }

    /// Whether one has to know a token.
    pub(super) fn ask_for_a_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether this is the token, where there is one.
    pub(super) fn knows(&self, given: &str) -> bool {
        // It looks at every byte, so that its time does not tell how many were right.
        let differs = |token: &str| token.bytes().zip(given.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) != 0;
        self.token.as_ref().is_none_or(|token| token.len() == given.len() && !differs(token))
    }

    fn check(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let host = request.host.ok_or(Refusal(400, "a request must say in Host whom it is for"))?;
        let asked_for = Authority::parse(host, 80).ok_or(Refusal(400, "Host is a name and perhaps a port"))?;
        if self.token.is_some() {
            if !request.parameter("token").is_some_and(|token| self.knows(token)) {
                return Err(Refusal(403, "this loop is shown to those who know its token: add ?token=..."));
            }
        } else if !asked_for.is_ours(self.listens_at) {
            return Err(Refusal(403, "the Host of this request is not one of this server's own names"));
        }
        let ours = |origin: &str| {
            // Without a written port, the scheme of the page says which is meant, in `Host` too.
            let (origin, usual) = Authority::of_origin(origin)?;
            Authority::parse(host, usual).filter(|host| host.equals(origin))
        };
        if request.origin.is_some_and(|origin| ours(origin).is_none()) {
            return Err(Refusal(403, "the Origin of this request is another site"));
        }
        // A link that leads to the page is fine; a picture that is our event stream is not.
        if request.path != "/" && request.site.is_some_and(|site| site != "same-origin" && site != "none") {
            return Err(Refusal(403, "another site asks for this"));
        }
        Ok(())
    }
}

/// A request, as far as anybody cares.
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    host: Option<&'a str>,
    origin: Option<&'a str>,
    site: Option<&'a str>,
    last_event: Option<&'a str>,
    takes_gzip: bool,
}

/// Reads the head of a request, which ends with an empty line, and says what is wanted.
pub(super) fn wanted(head: &str, rules: &Rules) -> Result<Wanted, Refusal> {
    let request = Request::parse(head)?;
    rules.check(&request)?;
    request.route()
}

impl<'a> Request<'a> {
    fn parse(head: &'a str) -> Result<Self, Refusal> {
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Refusal(400, "a request line has a method, a target and a version"));
        };
        if !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
            return Err(Refusal(505, "this server speaks HTTP/1.1"));
        }
        if !target.starts_with('/') {
            return Err(Refusal(400, "the target of a request is a path"));
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request =
            Self { method, path, query, host: None, origin: None, site: None, last_event: None, takes_gzip: false };
        lines.take_while(|line| !line.is_empty()).try_for_each(|line| request.header(line))?;
        Ok(request)
    }

    fn header(&mut self, line: &'a str) -> Result<(), Refusal> {
        let (name, value) = line.split_once(':').ok_or(Refusal(400, "a header is a name, a colon and a value"))?;
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(Refusal(400, "a header's name has no spaces"));
        }
        let value = value.trim();
        let place = match name.to_ascii_lowercase().as_str() {
            "host" => &mut self.host,
            "origin" => &mut self.origin,
            "sec-fetch-site" => &mut self.site,
            "last-event-id" => &mut self.last_event,
            "accept-encoding" => {
                self.takes_gzip |= value.split(',').any(is_gzip);
                return Ok(());
            }
            "content-length" if value != "0" => return Err(Refusal(413, "a request has no body here")),
            "transfer-encoding" => return Err(Refusal(413, "a request has no body here")),
            _ => return Ok(()),
        };
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(Refusal(400, "a header that must be there once is there twice")),
        }
    }

    /// The value of a parameter of the query. There is nothing here that would need escapes.
    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.query
            .split('&')
            .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
            .map(|(_, value)| value)
    }

    fn route(&self) -> Result<Wanted, Refusal> {
        let by_get = match self.path {
            "/" | "/events" => true,
            "/pause" | "/resume" | "/step/poll" | "/step/turn" | "/until/wake" | "/slow" => false,
            _ => return Err(Refusal(404, "there is no such thing here")),
        };
        if self.method != if by_get { "GET" } else { "POST" } {
            return Err(if by_get { BY_GET } else { BY_POST });
        }
        Ok(match self.path {
            "/" if !self.takes_gzip => return Err(PACKED),
            "/" => Wanted::Page,
            "/events" => Wanted::Events(self.last_event.and_then(place)),
            "/pause" => Wanted::Turn(Command::Pause),
            "/resume" => Wanted::Turn(Command::Resume),
            "/step/poll" => Wanted::Turn(Command::StepPoll),
            "/step/turn" => Wanted::Turn(Command::StepTurn),
            "/until/wake" => {
                let task = self.parameter("task").and_then(|task| task.parse().ok());
                Wanted::Turn(Command::UntilWake(task.ok_or(Refusal(400, "say which task: /until/wake?task=7"))?))
            }
            _ => {
                let delay = self.parameter("ms").and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
                let delay = delay.filter(|delay| *delay <= SLOWEST);
                Wanted::Turn(Command::Slow(delay.ok_or(Refusal(400, "say how slow, up to a minute: /slow?ms=100"))?))
            }
        })
    }
}

/// Whether a part of `Accept-Encoding` admits gzip: one such as `gzip;q=0` does not.
fn is_gzip(part: &str) -> bool {
    let (name, quality) = part.split_once(';').unwrap_or((part, "q=1"));
    matches!(name.trim(), "gzip" | "*") && quality.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
}

/// An event's place, as [`Wanted::Events`] has it: the run in hexadecimal, a dash, the event's number.
fn place(text: &str) -> Option<(u64, u64)> {
    let (run, event) = text.split_once('-')?;
    Some((u64::from_str_radix(run, 16).ok()?, event.parse().ok()?))
}
