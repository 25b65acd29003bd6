//! How listeners pass from a process to the one that takes its place: over a socket that the heir finds as its
//! standard input, as descriptors of the kernel's (SCM_RIGHTS, see unix(7)). The sockets stay open all the while.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::net::sockopt::{set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, bind, listen as start, recvmsg, sendmsg, socket_with,
};

/// Says to a process that it is an heir.
const HEIR: &str = "ONELOOP_FAST_HEIR";
/// How many listeners there may be.
const MOST: usize = 64;
/// How long an heir may take to come up.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many connections wait in a listener.
const BACKLOG: i32 = 1024;

/// So many listeners on one port, among which the kernel deals out connections.
pub(crate) fn listen(addr: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let named = |addr: SocketAddr| {
        move |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {addr}: {error}"))
    };
    let mut addr = addr;
    // Without this look, a stranger's listeners on the port would share its connections with ours.
    if addr.port() != 0 {
        drop(TcpListener::bind(addr).map_err(named(addr))?);
    }
    let mut listeners = Vec::new();
    for _ in 0..count {
        let listener = one(addr).map_err(named(addr))?;
        addr = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(listeners)
}

fn one(addr: SocketAddr) -> io::Result<TcpListener> {
    let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    set_socket_reuseaddr(&socket, true)?;
    set_socket_reuseport(&socket, true)?;
    bind(&socket, &addr)?;
    start(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// Starts the program anew with these listeners, and waits until it is ready. Returns its number.
pub(crate) fn hand_over(program: &Path, listeners: &[TcpListener]) -> io::Result<u32> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1)).env(HEIR, "yes").stdin(Stdio::from(OwnedFd::from(theirs)));
    let mut heir = command.spawn()?;
    // The command holds the other end, too: without it, an heir that ends is noticed.
    drop(command);
    let answer = send(&ours, listeners).and_then(|()| {
        ours.set_read_timeout(Some(PATIENCE))?;
        ours.read_exact(&mut [0])
    });
    match answer {
        Ok(()) => Ok(heir.id()),
        Err(error) => {
            let _ = heir.kill();
            let status = heir.wait()?;
            Err(io::Error::new(error.kind(), format!("it ended before it was ready ({status})")))
        }
    }
}

fn send(to: &UnixStream, listeners: &[TcpListener]) -> io::Result<()> {
    let descriptors: Vec<BorrowedFd<'_>> = listeners.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("there are too many listeners"));
    }
    // One byte goes along, for descriptors need company.
    sendmsg(to, &[IoSlice::new(b"l")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The process that this one takes the place of.
pub(crate) struct Testator(UnixStream);

impl Testator {
    /// It may stop accepting.
    pub(crate) fn tell_ready(mut self) {
        // If it has gone meanwhile, it will not stop either.
        let _ = self.0.write_all(b"r");
    }
}

/// The listeners that were left to this process, if it is an heir.
pub(crate) fn inherit() -> io::Result<Option<(Vec<TcpListener>, Testator)>> {
    if std::env::var_os(HEIR).is_none() {
        return Ok(None);
    }
    let testator = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    testator.set_read_timeout(Some(PATIENCE))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(&testator, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut listeners = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            listeners.extend(descriptors.map(TcpListener::from));
        }
    }
    if listeners.is_empty() {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("no listener came; unset {HEIR}")));
    }
    Ok(Some((listeners, Testator(testator))))
}
