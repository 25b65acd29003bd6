//! The core: one request with all that may follow from it, under deadlines and caps.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue,
    LOCATION,
};
use hyper::{Method, StatusCode};
use oneloop::time::timeout;
use oneloop_demos::server::some_seconds;
use oneloop_demos::{port_fits, whole};
use url::Url;

use crate::wire::{App, Net, Reply, Transport};

/// How long each wait may last, and how much may come of it.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Settings {
    /// Give up when no connection comes free for so many seconds
    #[arg(long, value_name = "F", default_value = "5", value_parser = some_seconds)]
    pub(crate) pool: Duration,
    /// Give up when a connection is not made in so many seconds, its lookup and its TLS included
    #[arg(long, value_name = "F", default_value = "5", value_parser = some_seconds)]
    pub(crate) connect: Duration,
    /// Give up when the server takes nothing of the request for so many seconds
    #[arg(long, value_name = "F", default_value = "5", value_parser = some_seconds)]
    pub(crate) write: Duration,
    /// Give up when nothing of the answer comes for so many seconds
    #[arg(long, value_name = "F", default_value = "5", value_parser = some_seconds)]
    pub(crate) read: Duration,
    /// Give up after so many seconds in all
    #[arg(long, value_name = "F", default_value = "60", value_parser = some_seconds)]
    pub(crate) total: Duration,
    /// Follow so many redirects at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = whole(0..=255_u8))]
    pub(crate) redirects: u8,
    /// Take so many bytes at most, counted when they are decoded
    #[arg(long, value_name = "N", default_value_t = 64 << 20, value_parser = whole(0..=usize::MAX))]
    pub(crate) bytes: usize,
    /// How many connections there may be to one server
    #[arg(long, value_name = "N", default_value = "10", value_parser = whole(1..=1000_u16))]
    pub(crate) connections: u16,
}

/// A question.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Ask {
    pub(crate) fn get(url: &str) -> Result<Self, Failure> {
        Self::new(Method::GET, url, Bytes::new())
    }

    pub(crate) fn new(method: Method, url: &str, body: Bytes) -> Result<Self, Failure> {
        port_fits(url).map_err(Failure::Url)?;
        let url = Url::parse(url).map_err(|error| Failure::Url(format!("it is no URL: {error}")))?;
        Ok(Self { method, url: checked(url)?, headers: HeaderMap::new(), body })
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    /// The URL that it came from in the end, and how many redirects led there.
    pub(crate) url: Url,
    pub(crate) hops: u8,
}

/// The core of both fronts.
pub(crate) struct Client {
    settings: Settings,
    transport: Transport,
}

impl Client {
    /// A client by TCP and TLS. It trusts the certificates in `ca`, or those of the system.
    pub(crate) fn new(settings: Settings, ca: Option<PathBuf>) -> Self {
        let transport = Transport::Net(Net::new(settings.clone(), ca));
        Self { settings, transport }
    }

    /// A client of an app in this program: there is no socket between them.
    pub(crate) fn of_app(settings: Settings, app: Router) -> Self {
        let transport = Transport::App(App::new(app, settings.read));
        Self { settings, transport }
    }

    /// How many connections wait for a request.
    #[cfg(test)]
    pub(crate) fn idle(&self) -> usize {
        match &self.transport {
            Transport::Net(net) => net.idle(),
            Transport::App(_) => 0,
        }
    }

    /// One request, and whatever follows from it. It may be dropped wherever it waits.
    pub(crate) async fn send(&self, ask: Ask) -> Result<Answer, Failure> {
        match timeout(self.settings.total, self.follow(ask)).await {
            Ok(came) => came,
            Err(_) => Err(Failure::Late("in all", self.settings.total)),
        }
    }

    async fn follow(&self, mut ask: Ask) -> Result<Answer, Failure> {
        ask.headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("gzip"));
        let mut hops = 0;
        loop {
            let reply = self.transport.call(&ask).await?;
            let Some(next) = next_of(&ask, &reply)? else {
                let status = reply.status();
                let body = self.read(reply).await?;
                return Ok(Answer { status, body, url: ask.url, hops });
            };
            if hops == self.settings.redirects {
                return Err(Failure::Redirects(hops));
            }
            hops += 1;
            ask = next;
        }
    }

    /// The body, decoded. Memory is taken for what has come, and never for a promise.
    async fn read(&self, reply: Reply) -> Result<Vec<u8>, Failure> {
        let most = self.settings.bytes;
        let is_gzip = reply.headers().get(CONTENT_ENCODING).is_some_and(|coding| {
            coding.as_bytes().eq_ignore_ascii_case(b"gzip") || coding.as_bytes().eq_ignore_ascii_case(b"x-gzip")
        });
        let mut body = reply.into_body();
        let (mut plain, mut gzip) = (Capped::new(most), is_gzip.then(|| MultiGzDecoder::new(Capped::new(most))));
        let mut is_empty = true;
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame.map_err(|error| Failure::of(&*error))?.into_data() else { continue };
            is_empty &= piece.is_empty();
            let written = match &mut gzip {
                Some(gzip) => gzip.write_all(&piece).map_err(|error| (gzip.get_ref().is_full, error)),
                None => plain.write_all(&piece).map_err(|error| (plain.is_full, error)),
            };
            written.map_err(|(is_full, error)| match is_full {
                true => Failure::TooLong(most),
                false => Failure::Protocol(format!("it is not what its encoding says: {error}")),
            })?;
        }
        match gzip.filter(|_| !is_empty) {
            None => Ok(plain.bytes),
            Some(mut gzip) => match gzip.try_finish() {
                Ok(()) => Ok(std::mem::take(&mut gzip.get_mut().bytes)),
                Err(_) if gzip.get_ref().is_full => Err(Failure::TooLong(most)),
                Err(error) => Err(Failure::Protocol(format!("it is not what its encoding says: {error}"))),
            },
        }
    }
}

/// The target of a redirect, if the answer is one.
fn next_of(ask: &Ask, reply: &Reply) -> Result<Option<Ask>, Failure> {
    let keeps_method = match reply.status().as_u16() {
        301..=303 => false,
        307 | 308 => true,
        _ => return Ok(None),
    };
    let Some(location) = reply.headers().get(LOCATION) else { return Ok(None) };
    let location =
        std::str::from_utf8(location.as_bytes()).map_err(|_| Failure::Url("a redirect to no text".into()))?;
    let url = ask.url.join(location).map_err(|error| Failure::Url(format!("a redirect to no URL: {error}")))?;
    let mut next = Ask { url: checked(url)?, ..ask.clone() };
    if !keeps_method && next.method != Method::HEAD {
        next.method = Method::GET;
        next.body = Bytes::new();
        next.headers.remove(CONTENT_TYPE);
        next.headers.remove(CONTENT_LENGTH);
    }
    // A secret is for the server that it was meant for.
    if next.url.origin() != ask.url.origin() {
        next.headers.remove(AUTHORIZATION);
        next.headers.remove(COOKIE);
    }
    Ok(Some(next))
}

/// A URL that can be fetched.
fn checked(mut url: Url) -> Result<Url, Failure> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Failure::Url(format!("{} is fetched by nobody here: http and https are", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::Url("a name and a password have no place in a URL: send a header".to_owned()));
    }
    url.set_fragment(None);
    Ok(url)
}

/// Bytes, up to a bound.
struct Capped {
    bytes: Vec<u8>,
    most: usize,
    is_full: bool,
}

impl Capped {
    fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most, is_full: false }
    }
}

impl Write for Capped {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + piece.len() > self.most {
            self.is_full = true;
            return Err(std::io::Error::other("no more is taken"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Failure {
    /// This took longer than so much.
    Late(&'static str, Duration),
    Redirects(u8),
    TooLong(usize),
    Url(String),
    Connect(String),
    Protocol(String),
}

impl Failure {
    /// The failure at the bottom of a library's error.
    pub(crate) fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let causes = || std::iter::successors(Some(error), |error| error.source());
        let own = causes().find_map(|cause| cause.downcast_ref::<Self>());
        own.cloned().unwrap_or_else(|| {
            // hyper's own sentence is general; the last cause says what it was.
            let mut said: Vec<String> = causes().map(ToString::to_string).collect();
            said.dedup();
            Self::Protocol(said.join(": "))
        })
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late("in all", limit) => {
                write!(f, "it took longer than {} s; --total allows more", limit.as_secs_f64())
            }
            Self::Late(wait, limit) => {
                let what = match *wait {
                    "pool" => "a place in the pool",
                    "connect" => "a connection",
                    "write" => "the next write",
                    _ => "the next read",
                };
                write!(f, "{what} took longer than {} s; --{wait} allows more", limit.as_secs_f64())
            }
            Self::Redirects(most) => write!(f, "it redirects more than {most} times; --redirects allows more"),
            Self::TooLong(most) => write!(f, "it is longer than {most} bytes; --bytes allows more"),
            Self::Url(why) | Self::Connect(why) | Self::Protocol(why) => f.write_str(why),
        }
    }
}
