//! The server's life: five doors (DNS has two), a bound on who may be in, and an end in order.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use async_channel::{Receiver, bounded};
use clap::Parser;
use futures_lite::future::{or, race};
use oneloop::net::{TcpListener, UdpSocket};
use oneloop::task::Builder;
use oneloop::time::{interval, timeout};
use oneloop_demos::server::{Client, cannot_listen, listen, some_seconds, stop_asked_for};
use oneloop_demos::{Guests, address, counted, log, print, seconds, whole};

use crate::{Board, dns, http, lines, smtp};

/// One state behind DNS, a line protocol, SMTP and HTTP, on one thread. Ctrl-C stops it in order.
#[derive(Parser, Clone)]
pub(crate) struct Args {
    /// The address of DNS, by UDP and by TCP; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7020", value_parser = address)]
    dns: SocketAddr,
    /// The address of the line protocol
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7021", value_parser = address)]
    lines: SocketAddr,
    /// The address that mail is taken at
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7022", value_parser = address)]
    smtp: SocketAddr,
    /// The address of the page
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7023", value_parser = address)]
    pub(crate) http: SocketAddr,
    /// A host name, beside those of loopback, under which the page may be asked for
    #[arg(long, value_name = "NAME", value_parser = oneloop_demos::host_name)]
    pub(crate) host: Vec<String>,
    /// The most connections at a time; one more takes the place of the one that has been silent the longest
    #[arg(long, value_name = "N", default_value_t = 4_000, value_parser = whole(1..=60_000_u32))]
    connections: u32,
    /// The seconds a client may take to send one request, or to take an answer
    #[arg(long, value_name = "F", default_value = "10", value_parser = some_seconds)]
    pub(crate) patience: Duration,
    /// The seconds of silence after which a client is disconnected
    #[arg(long, value_name = "F", default_value = "300", value_parser = some_seconds)]
    pub(crate) idle: Duration,
    /// The seconds that a connection may last
    #[arg(long, value_name = "F", default_value = "3600", value_parser = some_seconds)]
    lifetime: Duration,
    /// How long a stop waits for goodbyes, in seconds
    #[arg(long, value_name = "F", default_value = "2", value_parser = seconds)]
    grace: Duration,
    /// Stop by itself after this time, in seconds
    #[arg(long, value_name = "F", value_parser = seconds)]
    seconds: Option<Duration>,
}

/// The state that every connection shares.
pub(crate) struct House {
    pub(crate) args: Args,
    pub(crate) board: Board,
    pub(crate) guests: Rc<Guests>,
    pub(crate) doors: Doors,
    /// Nothing is ever sent on it: it is closed when the server stops.
    stop: Receiver<Infallible>,
}

/// The addresses of the doors, with the ports that were taken.
pub(crate) struct Doors {
    pub(crate) dns: SocketAddr,
    pub(crate) lines: SocketAddr,
    pub(crate) smtp: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl House {
    pub(crate) async fn stopped(&self) {
        let _ = self.stop.recv().await;
    }

    /// Awaits something that a client does, for as long as there is patience.
    pub(crate) async fn patiently<T>(&self, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        timeout(self.args.patience, work).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }
}

pub(crate) async fn serve(args: Args) -> Result<(), String> {
    let (dns_tcp, dns_udp, dns_addr) = listen_twice(args.dns).await?;
    let (lines, lines_addr) = listen(args.lines, "--lines").await?;
    let (smtp, smtp_addr) = listen(args.smtp, "--smtp").await?;
    let (http, http_addr) = listen(args.http, "--http").await?;
    let asked_to_stop = stop_asked_for(args.seconds); // from here on it is heard
    print(format_args!("dns {dns_addr}, lines {lines_addr}, smtp {smtp_addr}; open http://{http_addr}/"));

    let (stopping, stop) = bounded(1);
    let guests = Guests::at_most(args.connections);
    let doors = Doors { dns: dns_addr, lines: lines_addr, smtp: smtp_addr, http: http_addr };
    let house = Rc::new(House { args, board: Board::default(), guests, doors, stop });
    let doors = race(
        race(let_in("dns", &dns_tcp, &house, dns::serve), let_in("lines", &lines, &house, lines::serve)),
        race(let_in("smtp", &smtp, &house, smtp::serve), let_in("http", &http, &house, http::serve)),
    );
    let doors = or(doors, or(dns::answer_datagrams(&dns_udp, &house), tell(&house)));
    or(doors, asked_to_stop).await.map_err(|error| format!("cannot go on: {error}"))?;

    drop((dns_udp, dns_tcp, lines, smtp, http)); // from here on the kernel refuses newcomers
    drop(stopping); // and every connection hears it
    let all_had_gone = timeout(house.args.grace, house.guests.all_gone()).await.is_ok();
    let cut = if all_had_gone { "" } else { "; not everybody had gone" };
    let came = counted(house.guests.came(), "connection");
    let (left, found) = (counted(house.board.left.get(), "word"), house.board.found.get());
    log(&format!("stopped: {came} to 4 doors, {left} left, {found} found{cut}"));
    Ok(())
}

/// Takes the same port for DNS twice, by TCP and by UDP. The one that the kernel chooses for TCP may be taken for UDP:
/// then it chooses again.
async fn listen_twice(addr: SocketAddr) -> Result<(TcpListener, UdpSocket, SocketAddr), String> {
    let mut choices = if addr.port() == 0 { 8 } else { 1 };
    loop {
        let (tcp, taken) = listen(addr, "--dns").await?;
        choices -= 1;
        match UdpSocket::bind(taken).await {
            Ok(udp) => return Ok((tcp, udp, taken)),
            Err(error) if error.kind() == ErrorKind::AddrInUse && choices > 0 => {}
            Err(error) => return Err(cannot_listen(&error, "--dns")),
        }
    }
}

/// Lets clients in at one door, for ever; returns only if accepting has become impossible.
async fn let_in<F: Future<Output = io::Result<()>> + 'static>(
    door: &str,
    listener: &TcpListener,
    house: &Rc<House>,
    serve: fn(Client, Rc<House>) -> F,
) -> io::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await?;
        let guest = house.guests.welcome(stream);
        let (client, lifetime) = (serve(guest, Rc::clone(house)), house.args.lifetime);
        // An error is the client's: it has gone, or has broken the protocol.
        let whole = async move { drop(timeout(lifetime, client).await) };
        drop(Builder::new().name(format!("{door} {peer}")).spawn(whole));
    }
}

/// Says how many are connected, when that has changed.
async fn tell(house: &House) -> io::Result<()> {
    let (mut said, mut ticks) = (0, interval(Duration::from_secs(5)));
    loop {
        ticks.tick().await;
        let connected = house.guests.inside();
        if connected != said {
            log(&format!("{connected} connected, {} words kept", house.board.words.borrow().len()));
            said = connected;
        }
    }
}
