//! Which program is at the other end of a connection, where Linux tells: `nc`, or perhaps a browser.
//!
//! A browser may open a connection ahead of its request, and takes the first bytes that come for the answer. So
//! nobody is greeted for silence alone, but a program that shows people what it receives is.

use std::fs;
use std::net::SocketAddr;

/// Programs that show a person what they receive.
const TALKERS: [&str; 9] =
    ["nc", "ncat", "netcat", "nc.openbsd", "nc.traditional", "busybox", "socat", "telnet", "telnet.netkit"];

/// Whether such a program holds the other end of the connection from `guest` to our port.
pub(super) fn is_a_talker(guest: SocketAddr, port: u16) -> bool {
    let on_this_machine = guest.ip().to_canonical().is_loopback();
    let Some(inode) = on_this_machine.then(|| inode_of(guest.port(), port)).flatten() else { return false };
    let socket = format!("socket:[{inode}]");
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    processes.flatten().map(|process| process.path()).any(|process| {
        let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
        let held = || fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        TALKERS.contains(&name.trim_end())
            && held().any(|fd| fs::read_link(fd.path()).is_ok_and(|link| link.as_os_str() == &*socket))
    })
}

/// The inode of the socket that is connected from one port of this machine to another.
fn inode_of(from: u16, to: u16) -> Option<u64> {
    ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .find_map(|table| table.lines().find_map(|line| inode_in(line, from, to)))
}

/// The inode in one line, if that line is the connection's. A line has words such as
/// `1: 0100007F:C5E2 0100007F:17AD 01 00000000:00000000 00:00000000 00000000 1000 0 4711 ...`.
fn inode_in(line: &str, from: u16, to: u16) -> Option<u64> {
    let mut words = line.split_whitespace().skip(1);
    let mut port = || u16::from_str_radix(words.next()?.rsplit_once(':')?.1, 16).ok();
    let is_it = port() == Some(from) && port() == Some(to);
    if is_it { words.nth(6)?.parse().ok() } else { None }
}

#[test]
fn the_inode_of_a_connection_is_found_by_both_ports() {
    let line = " 1: 0100007F:C5E2 0100007F:17AD 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 20 4 30 10 -1";
    assert_eq!(inode_in(line, 0xC5E2, 0x17AD), Some(4711));
    assert_eq!(inode_in(line, 0x17AD, 0xC5E2), None);
    assert_eq!(inode_in("  sl  local_address rem_address   st", 1, 2), None);
}
