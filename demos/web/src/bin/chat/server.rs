//! The server's life: two ports, a bound on who may be connected, a line now and then, and an end in order.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use async_channel::{Receiver, bounded};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use futures_lite::future::{or, race, zip};
use oneloop::net::{TcpListener, TcpStream};
use oneloop::task::Builder;
use oneloop::time::{interval, timeout};
use oneloop_demos::server::{listen, resident, some_seconds, stop_asked_for};
use oneloop_demos::{Guests, Patient, address, log, print, seconds, whole};

use crate::broker::Sharing;
use crate::{Room, http, lines, link};

/// A chat room with four doors, on one thread. Ctrl-C closes it in order, a second one at once.
#[derive(Parser, Clone)]
pub(crate) struct Args {
    /// The address of the page, WebSocket, events and long poll; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:8000", value_parser = address)]
    pub(crate) addr: SocketAddr,
    /// The address of plain TCP
    #[arg(long, default_value = "127.0.0.1:8001", value_parser = address)]
    pub(crate) tcp: SocketAddr,
    /// A host name, beside those of loopback, under which browsers may ask for the room
    #[arg(long, value_name = "NAME", value_parser = oneloop_demos::host_name)]
    pub(crate) host: Vec<String>,
    /// Share the room with other processes through this Redis, such as redis://127.0.0.1:6379
    #[arg(long, value_name = "URL", value_parser = link::address)]
    broker: Option<link::Address>,
    /// The name of the room in the Redis, `oneloop-chat` if none is given: a stream and a channel have it
    #[arg(long, value_name = "NAME")]
    room: Option<String>,
    /// Stop by itself after this time, in seconds
    #[arg(long, value_name = "F", value_parser = seconds)]
    seconds: Option<Duration>,
    /// The most connections at a time; one more takes the place of the one that has been silent the longest
    #[arg(long, value_name = "N", default_value = "10000", value_parser = whole(1..=60_000_u16))]
    connections: u16,
    /// The seconds between two pings; a client that answers neither is disconnected
    #[arg(long, value_name = "F", default_value = "20", value_parser = some_seconds)]
    pub(crate) ping: Duration,
    /// The seconds a client may take to send its request, and to take what it is sent
    #[arg(long, value_name = "F", default_value = "10", value_parser = some_seconds)]
    pub(crate) patience: Duration,
    /// The seconds that a connection may last
    #[arg(long, value_name = "F", default_value = "86400", value_parser = seconds)]
    pub(crate) lifetime: Duration,
    /// How long a stop waits for goodbyes, in seconds
    #[arg(long, value_name = "F", default_value = "2", value_parser = seconds)]
    grace: Duration,
}

impl Args {
    /// The flags, if they go together; if not, the program ends with a sentence.
    pub(crate) fn checked(self) -> Self {
        if self.room.is_some() && self.broker.is_none() {
            let why = "--room NAME needs --broker URL: without one, the room is this process's own";
            Self::command().error(ErrorKind::MissingRequiredArgument, why).exit();
        }
        self
    }

    /// The Redis that the room is shared through, and its name there.
    fn shared(&self) -> Option<(link::Address, String)> {
        Some((self.broker.clone()?, self.room.clone().unwrap_or_else(|| "oneloop-chat".to_owned())))
    }
}

/// A connection as its door gets it.
pub(crate) struct Guest {
    pub(crate) stream: Patient<TcpStream>,
    pub(crate) room: Rc<Room>,
    pub(crate) args: Rc<Args>,
    pub(crate) stop: Stop,
    /// Held for as long as anything of the connection is left.
    pub(crate) place: Rc<Place>,
}

/// A client's place among all who are connected.
pub(crate) type Place = oneloop_demos::Guest;

/// A channel on which nothing is ever sent: it is closed when the server stops.
pub(crate) type Stop = Receiver<Infallible>;

/// The state of both doors.
struct House {
    room: Rc<Room>,
    args: Rc<Args>,
    guests: Rc<Guests>,
    stop: Stop,
}

pub(crate) async fn serve(args: Args) -> Result<(), String> {
    let (web, addr) = listen(args.addr, "--addr").await?;
    let (tcp, tcp_addr) = listen(args.tcp, "--tcp").await?;
    let asked_to_stop = stop_asked_for(args.seconds); // from here on it is heard
    print(format_args!(
        "listening on {addr} and {tcp_addr}; open http://{addr}/ or: nc {} {}",
        tcp_addr.ip(),
        tcp_addr.port()
    ));

    let (stopping, stop) = bounded(1);
    let guests = Guests::at_most(args.connections.into());
    let room = Rc::new(Room::new(args.shared()));
    let sharing = Sharing::of(&room);
    let house = House { room, args: Rc::new(args), guests, stop };
    let doors = async {
        let doors = race(house.let_in("web", &web, http::serve), house.let_in("tcp", &tcp, lines::serve));
        or(doors, house.tell()).await
    };
    or(doors, asked_to_stop).await.map_err(|error| format!("cannot go on: {error}"))?;

    drop((web, tcp)); // from here on the kernel refuses newcomers
    house.room.close(); // every client is told
    drop(stopping); // and every connection hears it
    let grace = house.args.grace;
    let shared = async { if let Some(sharing) = sharing { sharing.end(grace).await } else { String::new() } };
    let (gone, shared) = zip(timeout(grace, house.guests.all_gone()), shared).await;
    let cut = if gone.is_err() { "; not everybody had gone" } else { "" };
    let counts = &house.room.counts;
    let [entered, lines, slow] = [&counts.entered, &counts.lines, &counts.slow].map(|count| count.0.get());
    log(&format!("stopped: {entered} came, {lines} lines were said, {slow} lost their place{cut}{shared}"));
    Ok(())
}

impl House {
    /// Lets people in at one door, for ever; returns only if accepting has become impossible.
    async fn let_in<F: Future<Output = ()> + 'static>(
        &self,
        door: &str,
        listener: &TcpListener,
        serve: fn(Guest) -> F,
    ) -> io::Result<()> {
        loop {
            let (stream, peer) = listener.accept().await?;
            let place = Rc::new(self.guests.enter());
            let stream = Patient::new(stream, self.args.patience);
            let (room, args, stop) = (Rc::clone(&self.room), Rc::clone(&self.args), self.stop.clone());
            let lifetime = args.lifetime;
            // In a box, it is not moved into what is put around it: each of those would have room for it a second time.
            let guest = Box::pin(serve(Guest { stream, room, args, stop, place: Rc::clone(&place) }));
            let whole =
                async move { or(place.has_to_go(), async { timeout(lifetime, guest).await.unwrap_or(()) }).await };
            drop(Builder::new().name(format!("{door} {peer}")).spawn(whole));
        }
    }

    /// Says how many are in the room, whenever that has changed, and what they cost: as long as there have never
    /// been more, since memory that was used once is seldom given back.
    async fn tell(&self) -> io::Result<()> {
        let (before, mut said, mut most) = (resident(), None, 0);
        let mut ticks = interval(Duration::from_secs(5));
        loop {
            ticks.tick().await;
            let now = (self.room.clients.borrow().len(), self.room.counts.lines.0.get());
            if now.0 > 0 && said.replace(now) != Some(now) {
                let (clients, lines) = now;
                let grown = before.zip(resident()).filter(|_| clients >= most);
                let cost = grown.map(|(before, now)| now.saturating_sub(before) / clients);
                let cost = cost.map(|cost| format!(", {cost} bytes a client")).unwrap_or_default();
                most = most.max(clients);
                log(&format!("{clients} in the room, {lines} lines said{cost}"));
            }
        }
    }
}
