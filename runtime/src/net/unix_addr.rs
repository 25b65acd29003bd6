//! Addresses of Unix sockets, and errors that name them.

use std::io;
use std::mem::offset_of;
#[cfg(target_os = "android")]
use std::os::android::net::SocketAddrExt;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use crate::net::addr::cannot;

/// How many bytes the path of a Unix socket may have. One more is for the zero at its end.
const LONGEST_PATH: usize = size_of::<libc::sockaddr_un>() - offset_of!(libc::sockaddr_un, sun_path) - 1;

/// The address that a path stands for.
pub(crate) fn address(path: &Path) -> io::Result<SocketAddr> {
    let length = path.as_os_str().as_bytes().len();
    if length > LONGEST_PATH {
        let says = format!(
            "{} is too long for a Unix socket: it has {length} bytes, and {LONGEST_PATH} fit; \
             use a shorter path, for example one relative to the current directory",
            path.display()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, says));
    }
    SocketAddr::from_pathname(path).map_err(|error| cannot("use", path.display(), &error))
}

/// An error that says what could not be done at which address, and what to do about it.
pub(crate) fn cannot_at(verb: &str, addr: &SocketAddr, error: &io::Error) -> io::Error {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse if addr.as_pathname().is_some() => {
            "; the file is there: if nobody listens on it any more, remove it first"
        }
        io::ErrorKind::ConnectionRefused => "; nobody listens there",
        _ => "",
    };
    cannot(verb, name_of(addr), &io::Error::new(error.kind(), format!("{error}{hint}")))
}

/// The path; or the abstract name, as ss(8) writes it.
fn name_of(addr: &SocketAddr) -> String {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = addr.as_abstract_name() {
        return format!("@{}", name.escape_ascii());
    }
    addr.as_pathname().map_or_else(|| "an unnamed address".into(), |path| path.display().to_string())
}
