//! A gateway's don'ts: it must not lead to addresses that are nobody's business, hand on what was said to it alone,
//! and send a request round in circles.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE, VIA,
};

/// Through how many gateways a request may have come.
const HOPS_MAX: usize = 10;

/// Why a gateway may not lead to this address.
pub(crate) fn why_denied(ip: IpAddr, loopback_allowed: bool) -> Option<&'static str> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => why_denied_v4(ip, loopback_allowed),
        IpAddr::V6(ip) => why_denied_v6(ip, loopback_allowed),
    }
}

/// The addresses at which clouds tell a machine its secrets, where they are not link-local.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

fn why_denied_v4(ip: Ipv4Addr, loopback_allowed: bool) -> Option<&'static str> {
    let first = ip.octets()[0];
    if ip.is_link_local() || METADATA_V4.contains(&ip) {
        Some("link-local and metadata addresses are denied")
    } else if ip.is_loopback() && !loopback_allowed {
        Some("loopback is denied unless it is allowed with --allow-loopback")
    } else if first == 0 || first >= 224 {
        Some("it is the address of no single machine")
    } else {
        None
    }
}

fn why_denied_v6(ip: Ipv6Addr, loopback_allowed: bool) -> Option<&'static str> {
    if ip.is_unicast_link_local() || ip == METADATA_V6 {
        Some("link-local and metadata addresses are denied")
    } else if ip.is_loopback() {
        (!loopback_allowed).then_some("loopback is denied unless it is allowed with --allow-loopback")
    } else if ip.is_unspecified() || ip.is_multicast() {
        Some("it is the address of no single machine")
    } else {
        inside(ip).and_then(|inner| why_denied_v4(inner, loopback_allowed))
    }
}

/// The address of IPv4 that one of IPv6 leads to: compatible, by NAT64, or by 6to4 (RFC 4291, 6052, 3056).
fn inside(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        _ => None,
    }
}

/// Whether this address is the gateway's own.
pub(crate) fn is_own(addr: SocketAddr, own: SocketAddr) -> bool {
    let (to, from) = (addr.ip().to_canonical(), own.ip().to_canonical());
    addr.port() == own.port() && (to == from || (from.is_unspecified() && to.is_loopback()))
}

/// Removes what was meant for this gateway alone. Source: RFC 9110, section 7.6.1.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or("").split(','))
        .filter_map(|name| name.trim().parse().ok())
        // A message would be another one without them.
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
        .collect();
    let always = [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE];
    for name in named.iter().chain(&always) {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
}

/// Whether a request has been at the gateway of this name before, or at very many.
pub(crate) fn goes_round(headers: &HeaderMap, name: &str) -> bool {
    let hops = || headers.get_all(VIA).iter().flat_map(|value| value.to_str().unwrap_or("").split(','));
    hops().count() > HOPS_MAX || hops().any(|hop| hop.split_whitespace().nth(1) == Some(name))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use hyper::header::{HeaderMap, HeaderName, HeaderValue};

    use super::{goes_round, is_own, remove_hop_by_hop, why_denied};

    #[test]
    fn no_spelling_of_a_denied_address_gets_through() {
        for denied in [
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "::ffff:127.0.0.1",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::7f00:1",
            "2002:a9fe:a9fe::1",
            "2002:7f00:1::",
        ] {
            assert!(why_denied(denied.parse().unwrap(), false).is_some(), "{denied}");
        }
        for allowed in
            ["10.0.0.7", "192.168.1.1", "172.16.0.1", "8.8.8.8", "2001:db8::1", "fd12::1", "64:ff9b::808:808"]
        {
            assert_eq!(why_denied(allowed.parse::<IpAddr>().unwrap(), false), None, "{allowed}");
        }
        for loopback in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(why_denied(loopback.parse().unwrap(), true), None, "{loopback}");
        }
        assert!(why_denied("::ffff:169.254.169.254".parse().unwrap(), true).is_some());
    }

    #[test]
    fn the_gateway_knows_itself_behind_any_own_address() {
        for (to, own, is) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "0.0.0.0:80", true),
            ("[::1]:80", "[::]:80", true),
            ("[::ffff:127.0.0.1]:80", "127.0.0.1:80", true),
            ("127.0.0.1:81", "127.0.0.1:80", false),
            ("10.0.0.1:80", "127.0.0.1:80", false),
        ] {
            assert_eq!(is_own(to.parse().unwrap(), own.parse().unwrap()), is, "{to} and {own}");
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn what_was_said_to_the_gateway_alone_goes_no_further() {
        let mut mixed = headers(&[
            ("connection", "close, X-Secret , host,content-length"),
            ("x-secret", "1"),
            ("host", "a"),
            ("content-length", "3"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic x"),
            ("accept", "*/*"),
        ]);
        remove_hop_by_hop(&mut mixed);
        let mut left: Vec<_> = mixed.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "content-length", "host"]);
    }

    #[test]
    fn a_request_that_was_here_before_is_known_by_its_via() {
        assert!(goes_round(&headers(&[("via", "1.1 one, 1.1 me (a comment)")]), "me"));
        assert!(goes_round(&headers(&[("via", "1.1 one"), ("via", "HTTP/1.1 me")]), "me"));
        assert!(!goes_round(&headers(&[("via", "1.1 one, 1.0 me-too, me 1.1")]), "me"));
        assert!(goes_round(&headers(&[("via", "a b,a b,a b,a b,a b,a b,a b,a b,a b,a b,a b")]), "me"));
    }
}
