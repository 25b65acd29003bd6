//! Names of a server: whether a request was meant for this one, or for a foreign name that leads here.
//!
//! A website can have its own name resolve to 127.0.0.1. The browser then carries its requests to us, and only `Host`
//! tells that they were meant for another. An address cannot be misused like that. The port does not count: a tunnel
//! has another port, and the usual port is not written at all.
//! Sources: RFC 9110, sections 4.2.3 and 7.2; RFC 6454, section 6; RFC 6761 for `localhost`.

use std::net::{IpAddr, Ipv6Addr};

/// A host and its port, as `Host` and `Origin` spell them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Authority<'a> {
    name: &'a str,
    port: u16,
}

impl<'a> Authority<'a> {
    /// Takes it apart. Without a written port, `usual` is meant. `None` if this is no host and port.
    pub(super) fn parse(text: &'a str, usual: u16) -> Option<Self> {
        // The colons of an IPv6 address stand in brackets.
        let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
        let (name, port) = text.split_at(end);
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => usual,
            Some("") => usual,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
            _ => return None,
        };
        // A name with a dot behind it is the same name, written out.
        let name = name.strip_suffix('.').unwrap_or(name);
        (!name.is_empty()).then_some(Self { name, port })
    }

    /// The origin of a page, which is a scheme and an authority.
    pub(super) fn of_origin(origin: &'a str) -> Option<(Self, u16)> {
        let schemes = [("http://", 80), ("https://", 443)];
        schemes.into_iter().find_map(|(scheme, usual)| {
            let rest = origin.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme));
            let authority = Self::parse(&origin[rest?.len()..], usual)?;
            Some((authority, usual))
        })
    }

    /// Whether nobody else can have this name: it is an address of this machine alone, or `localhost`, or the
    /// address that we listen at.
    pub(super) fn is_ours(self, listens_at: IpAddr) -> bool {
        self.name.eq_ignore_ascii_case("localhost")
            || self.address().is_some_and(|address| address == listens_at.to_canonical() || address.is_loopback())
    }

    /// Whether both lead to the same server.
    pub(super) fn equals(self, other: Self) -> bool {
        let same_name = match (self.address(), other.address()) {
            (None, None) => self.name.eq_ignore_ascii_case(other.name),
            (one, another) => one == another,
        };
        same_name && self.port == other.port
    }

    fn address(self) -> Option<IpAddr> {
        let bare = self.name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        match bare {
            Some(bare) => bare.parse::<Ipv6Addr>().ok().map(|address| IpAddr::V6(address).to_canonical()),
            None => self.name.parse().ok().filter(IpAddr::is_ipv4),
        }
    }
}
