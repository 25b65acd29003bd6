//! An upstream: where it is, how it is reached, and the connections to it that are kept.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use hyper::Uri;
use hyper::client::conn::http1;
use hyper::header::HeaderValue;
use oneloop::interop::hyper::Io;
use oneloop::net::{happy_eyeballs, lookup_host};
use oneloop::task::Builder;
use oneloop::time::timeout;
use oneloop_demos::{Patient, port_fits};
use oneloop_web_demos::pool::{Line, Pool};

use crate::Args;
use crate::bodies::Upload;
use crate::rules::{is_own, why_denied};
use crate::trace::{Refusal, Trace};

/// How long the head of an answer may be, in bytes.
const HEAD_MAX: usize = 64 * 1024;

/// The address of an upstream.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
    host: String,
    port: u16,
}

/// Reads the flag `--to`.
pub(crate) fn parse(text: &str) -> Result<Place, String> {
    port_fits(text)?;
    let url: Uri = text.parse().map_err(|_| "expected a URL, such as http://10.0.0.7:9000".to_owned())?;
    match (url.scheme_str(), url.authority()) {
        (Some("http"), Some(authority)) if url.path() == "/" && url.query().is_none() => {
            let host = authority.host().trim_matches(['[', ']']).to_owned();
            if authority.as_str().contains('@') {
                return Err("a name and a password have no place in it".to_owned());
            }
            Ok(Place { name: authority.to_string(), host, port: authority.port_u16().unwrap_or(80) })
        }
        (Some("http"), Some(_)) => Err("expected no path behind the host: requests keep their own".to_owned()),
        _ => Err("expected http:// and a host, such as http://10.0.0.7:9000".to_owned()),
    }
}

impl Place {
    /// Says at the start what no request would get through: an address that is denied, or the gateway's own.
    pub(crate) fn check(&self, loopback_allowed: bool, own: SocketAddr) -> Result<(), String> {
        let Ok(ip) = self.host.parse::<IpAddr>() else { return Ok(()) };
        match self.why_not(SocketAddr::new(ip, self.port), loopback_allowed, own) {
            Some(why) => Err(format!("cannot lead to {}: {why}; name another place with --to", self.name)),
            None => Ok(()),
        }
    }

    fn why_not(&self, addr: SocketAddr, loopback_allowed: bool, own: SocketAddr) -> Option<&'static str> {
        let itself = is_own(addr, own).then_some("it is the gateway itself");
        itself.or_else(|| why_denied(addr.ip(), loopback_allowed))
    }
}

pub(crate) struct Upstream {
    pub(crate) name: String,
    /// The client that asks it.
    pub(crate) host: HeaderValue,
    pub(crate) pool: Rc<Pool<Upload>>,
    place: Place,
}

impl Upstream {
    pub(crate) fn at(place: &Place, args: &Args) -> Self {
        let host = HeaderValue::from_str(&place.name).unwrap_or_else(|_| HeaderValue::from_static("upstream"));
        let pool = Pool::new(args.upstream_connections.into(), args.keep);
        Self { name: place.name.clone(), host, pool, place: place.clone() }
    }

    /// A new connection. The name is looked up each time, and every address is judged: a name that leads to a good
    /// address today may lead to a denied one tomorrow.
    pub(crate) async fn connect(
        &self,
        args: &Args,
        own: SocketAddr,
        trace: &mut Trace,
    ) -> Result<Line<Upload>, Refusal> {
        let name = &self.name;
        let late = |what: &str| Refusal::late(format!("{name}: {what} took too long"));
        let bad = |why: &str| Refusal::bad(format!("{name}: {why}"));
        let found = timeout(args.connect, lookup_host((&self.place.host[..], self.place.port))).await;
        let found = found.map_err(|_| late("the lookup"))?.map_err(|error| bad(&error.to_string()))?;
        let (mut good, mut why) = (Vec::new(), "it has no address");
        for addr in found {
            match self.place.why_not(addr, args.allow_loopback, own) {
                None => good.push(addr),
                Some(denied) => why = denied,
            }
        }
        if good.is_empty() {
            return Err(bad(why));
        }
        trace.looked_up();
        let stream = timeout(args.connect, happy_eyeballs(&good[..])).await;
        let stream = stream.map_err(|_| late("the connection"))?.map_err(|error| bad(&error.to_string()))?;
        let _ = stream.set_nodelay(true);
        let mut http = http1::Builder::new();
        http.max_buf_size(HEAD_MAX);
        let stream = Io::new(Patient::new(stream, args.limits.patience));
        let (sender, connection) = http.handshake(stream).await.map_err(|error| bad(&error.to_string()))?;
        let task = Builder::new().name(format!("upstream {name}")).spawn(connection);
        trace.connected();
        Ok(Line::new(sender, task.abort_handle()))
    }
}
