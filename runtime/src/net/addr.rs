//! Addresses: what may stand where a socket's address is asked for.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::IntErrorKind;
use std::panic::Location;

use crate::heart::budget::ready_within_budget;
use crate::heart::current::expect_current;
use crate::task::spawn_blocking;

/// An address to bind or to connect to. It is a [`SocketAddr`], an IP address with a port, several addresses to be
/// tried in turn, or a host name with a port. A host name, as in `("localhost", 7000)` or `"localhost:7000"`, is looked
/// up on a thread of the blocking pool.
///
/// It cannot be implemented outside this crate.
pub trait ToSocketAddrs: sealed::Addrs {}

impl<T: sealed::Addrs + ?Sized> ToSocketAddrs for T {}

pub(crate) mod sealed {
    use super::{Addresses, io};

    pub trait Addrs {
        fn addrs(&self) -> io::Result<Addresses>;
    }
}

use sealed::Addrs;

/// Addresses, or the name that stands for them.
pub enum Addresses {
    Known(Vec<SocketAddr>),
    Named(String, u16),
}

/// Looks up a host name, or anything else that stands for addresses, without blocking the loop.
///
/// # Errors
///
/// If there is no such name; the error names it.
///
/// # Panics
///
/// If no runtime runs on this thread.
///
/// # Cancel safety
///
/// Dropping the future loses nothing but the answer.
///
/// ```
/// # oneloop::run(async {
/// let addrs: Vec<_> = oneloop::net::lookup_host("localhost:80").await?.collect();
/// assert!(addrs.iter().all(|addr| addr.ip().is_loopback()));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[doc(alias("getaddrinfo", "resolve", "dns"))]
#[track_caller]
pub fn lookup_host(host: impl ToSocketAddrs) -> impl Future<Output = io::Result<impl Iterator<Item = SocketAddr>>> {
    let at = Location::caller();
    async move { Ok(resolve(&host, at).await?.into_iter()) }
}

pub(crate) async fn resolve(
    addr: &(impl ToSocketAddrs + ?Sized),
    at: &'static Location<'static>,
) -> io::Result<Vec<SocketAddr>> {
    let (name, port) = match addr.addrs()? {
        Addresses::Known(addrs) => {
            poll_fn(|cx| ready_within_budget(cx)).await;
            return Ok(addrs);
        }
        Addresses::Named(name, port) => (name, port),
    };
    let shown = format!("{name:?}");
    drop(expect_current(format_args!("the look-up of {shown}, asked for at {at},")));
    let found = spawn_blocking(move || std::net::ToSocketAddrs::to_socket_addrs(&(name, port)).map(Vec::from_iter));
    let found = found.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    found.map_err(|error| cannot("look up", shown, &error))
}

/// Makes an attempt with one address after the other, up to the first that succeeds. The error names
/// the last.
pub(crate) async fn try_each<T>(
    verb: &str,
    addr: &(impl ToSocketAddrs + ?Sized),
    at: &'static Location<'static>,
    mut attempt: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut failed = no_address();
    for addr in resolve(addr, at).await? {
        match attempt(addr) {
            Ok(made) => return Ok(made),
            Err(error) => failed = cannot(verb, addr, &error),
        }
    }
    Err(failed)
}

/// An error that names what could not be done to what.
pub(crate) fn cannot(verb: &str, what: impl fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {verb} {what}: {error}"))
}

pub(crate) fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "there is no address to try")
}

impl Addrs for str {
    fn addrs(&self) -> io::Result<Addresses> {
        if let Ok(addr) = self.parse::<SocketAddr>() {
            return addr.addrs();
        }
        match self.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
            Some((host, Ok(port))) if !host.is_empty() && !host.contains(':') => {
                Ok(Addresses::Named(host.into(), port))
            }
            Some((_, Err(error))) if *error.kind() == IntErrorKind::PosOverflow => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{self:?} names a port that is too large: ports go up to 65535"),
            )),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "{self:?} is no address: a host and a port are needed, as in \"127.0.0.1:7000\" or \"[::1]:7000\""
                ),
            )),
        }
    }
}

impl Addrs for (&str, u16) {
    fn addrs(&self) -> io::Result<Addresses> {
        let (host, port) = *self;
        match host.parse::<IpAddr>() {
            Ok(ip) => SocketAddr::new(ip, port).addrs(),
            Err(_) => Ok(Addresses::Named(host.into(), port)),
        }
    }
}

impl Addrs for [SocketAddr] {
    fn addrs(&self) -> io::Result<Addresses> {
        Ok(Addresses::Known(self.to_vec()))
    }
}

macro_rules! addrs_by {
    ($($type:ty => |$self:ident| $how:expr;)*) => {
        $(impl Addrs for $type {
            fn addrs(&self) -> io::Result<Addresses> {
                let $self = self;
                $how
            }
        })*
    };
}

addrs_by! {
    SocketAddr => |addr| Ok(Addresses::Known(vec![*addr]));
    SocketAddrV4 => |addr| SocketAddr::V4(*addr).addrs();
    SocketAddrV6 => |addr| SocketAddr::V6(*addr).addrs();
    (IpAddr, u16) => |pair| SocketAddr::from(*pair).addrs();
    (Ipv4Addr, u16) => |pair| SocketAddr::from(*pair).addrs();
    (Ipv6Addr, u16) => |pair| SocketAddr::from(*pair).addrs();
    (String, u16) => |pair| (pair.0.as_str(), pair.1).addrs();
    Vec<SocketAddr> => |addrs| addrs.as_slice().addrs();
    String => |text| text.as_str().addrs();
}

impl<const N: usize> Addrs for [SocketAddr; N] {
    fn addrs(&self) -> io::Result<Addresses> {
        self.as_slice().addrs()
    }
}

impl<T: Addrs + ?Sized> Addrs for &T {
    fn addrs(&self) -> io::Result<Addresses> {
        (**self).addrs()
    }
}
