//! Addresses: what may stand where a socket's address is asked for.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// What may be given as an address: a [`SocketAddr`], an IP address with a port, several addresses to
/// be tried in turn, or text such as `"127.0.0.1:7000"`.
///
/// It cannot be implemented outside this crate.
pub trait ToSocketAddrs: sealed::Addrs {}

impl<T: sealed::Addrs + ?Sized> ToSocketAddrs for T {}

pub(crate) mod sealed {
    use super::{SocketAddr, io};

    pub trait Addrs {
        fn addrs(&self) -> io::Result<Vec<SocketAddr>>;
    }
}

use sealed::Addrs;

/// Calls `attempt` with each address until one succeeds. The error is the last one's, with the address
/// that was tried.
pub(crate) fn first_that_works<T>(
    addrs: &[SocketAddr],
    mut attempt: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = None;
    for addr in addrs {
        match attempt(*addr) {
            Ok(value) => return Ok(value),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(no_address))
}

pub(crate) fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "there is no address to try")
}

impl Addrs for SocketAddr {
    fn addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![*self])
    }
}

impl Addrs for str {
    fn addrs(&self) -> io::Result<Vec<SocketAddr>> {
        match self.parse() {
            Ok(addr) => Ok(vec![addr]),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "{self:?} is no socket address: an address and a port are needed, as in \"127.0.0.1:7000\" or \"[::1]:7000\""
                ),
            )),
        }
    }
}

impl Addrs for [SocketAddr] {
    fn addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(self.to_vec())
    }
}

macro_rules! addrs_by {
    ($($type:ty => |$self:ident| $how:expr;)*) => {
        $(impl Addrs for $type {
            fn addrs(&self) -> io::Result<Vec<SocketAddr>> {
                let $self = self;
                $how
            }
        })*
    };
}

addrs_by! {
    SocketAddrV4 => |addr| SocketAddr::V4(*addr).addrs();
    SocketAddrV6 => |addr| SocketAddr::V6(*addr).addrs();
    (IpAddr, u16) => |pair| SocketAddr::from(*pair).addrs();
    (Ipv4Addr, u16) => |pair| SocketAddr::from(*pair).addrs();
    (Ipv6Addr, u16) => |pair| SocketAddr::from(*pair).addrs();
    Vec<SocketAddr> => |addrs| Ok(addrs.clone());
    String => |text| text.as_str().addrs();
}

impl<const N: usize> Addrs for [SocketAddr; N] {
    fn addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(self.to_vec())
    }
}

impl<T: Addrs + ?Sized> Addrs for &T {
    fn addrs(&self) -> io::Result<Vec<SocketAddr>> {
        (**self).addrs()
    }
}
