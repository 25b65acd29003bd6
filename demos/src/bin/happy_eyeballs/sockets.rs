//! The race on real sockets: an address that does not answer, and one that does.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use oneloop::net::TcpStream;
use oneloop::time::{Instant, timeout};
use oneloop_demos::{print, while_shown};

use crate::race;

/// More than a listener's queue holds.
const CROWD: usize = 10_000;
/// A client that has not connected on loopback by then stands before a queue that is full.
const FULL: Duration = Duration::from_millis(100);

/// Lets the two race, and says who won and what is left of the other.
pub(crate) fn show() -> Result<(), String> {
    oneloop::run(async {
        let answers = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
        let answers = answers.local_addr().map_err(|error| error.to_string())?;
        let (silent, _crowd) = full_queue().await?;

        let start = Instant::now();
        print(format_args!("1. on sockets: {silent} is silent, {answers} answers"));
        let won = race(vec![attempt(1, silent, start), attempt(2, answers, start)]).await;
        let won = won.map_err(|errors| format!("nobody won: {errors:?}"))?;
        let peer = won.peer_addr().map_err(|error| error.to_string())?;
        say(start, &format!("{peer} has won"));
        match still_connecting(silent) {
            Some(0) => print(format_args!("   the loser has left nothing: no socket is connecting to {silent}")),
            Some(left) => return Err(format!("the loser has left {left} sockets that are connecting to {silent}")),
            None => print(format_args!("   (this system does not tell by a file which sockets are connecting)")),
        }
        while_shown("the race on sockets is over, and the proofs are left out").await.map_err(|error| error.to_string())
    })
}

async fn attempt(number: u32, addr: SocketAddr, start: Instant) -> io::Result<TcpStream> {
    say(start, &format!("attempt {number} begins: {addr}"));
    TcpStream::connect(addr).await
}

fn say(start: Instant, what: &str) {
    print(format_args!("   [{:5.3}] {what}", start.elapsed().as_secs_f64()));
}

/// An address that does not answer: nobody accepts there, and the queue is full. It stays so for as long as
/// those live who stand in the queue, and the listener with them.
async fn full_queue() -> Result<(SocketAddr, (TcpListener, Vec<TcpStream>)), String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    let addr = listener.local_addr().map_err(|error| error.to_string())?;
    let mut crowd = Vec::new();
    while crowd.len() < CROWD {
        match timeout(FULL, TcpStream::connect(addr)).await {
            Ok(Ok(stream)) => crowd.push(stream),
            Ok(Err(error)) => return Err(format!("{error}, with {} waiting there", crowd.len())),
            Err(_) => return Ok((addr, (listener, crowd))),
        }
    }
    Err(format!("{addr} still lets people in after {CROWD}; this system has no queue that fills up"))
}

/// How many sockets of this machine are connecting to an address, where Linux tells.
fn still_connecting(to: SocketAddr) -> Option<usize> {
    const SYN_SENT: &str = "02";
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let port = format!(":{:04X}", to.port());
    let connecting = table.lines().skip(1).filter(|line| {
        let mut words = line.split_whitespace().skip(2);
        words.next().is_some_and(|peer| peer.ends_with(&port)) && words.next() == Some(SYN_SENT)
    });
    Some(connecting.count())
}
