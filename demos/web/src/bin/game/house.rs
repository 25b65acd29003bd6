//! The server's life: a port, a bound on who may be in, the bots, and an end in order.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use async_channel::{Receiver, bounded};
use clap::Parser;
use futures_lite::future::or;
use oneloop::net::TcpListener;
use oneloop::task::Builder;
use oneloop::time::timeout;
use oneloop_demos::server::{listen, some_seconds, stop_asked_for};
use oneloop_demos::{Guests, address, log, print, seconds, whole};

use crate::door::{self, Bucket};
use crate::{Game, bots, jitter, play};

/// A game for many in the browser, on one thread. Ctrl-C ends it in order.
#[derive(Parser, Clone)]
pub(crate) struct Args {
    /// The address of the page; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:8010", value_parser = address)]
    pub(crate) addr: SocketAddr,
    /// How many bots play with you, each by a socket of its own
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = whole(0..=400_u32))]
    bots: u32,
    /// A host name, beside those of loopback, under which browsers may ask for the game
    #[arg(long, value_name = "NAME", value_parser = oneloop_demos::host_name)]
    pub(crate) host: Vec<String>,
    /// The most connections at a time; one more takes the place of the one that has done nothing the longest
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = whole(1..=10_000_u32))]
    connections: u32,
    /// The seconds between two pings; a client that answers neither is disconnected
    #[arg(long, value_name = "F", default_value = "20", value_parser = some_seconds)]
    pub(crate) ping: Duration,
    /// The seconds a client may take to send its request, and to take what it is sent
    #[arg(long, value_name = "F", default_value = "10", value_parser = some_seconds)]
    pub(crate) patience: Duration,
    /// The seconds that a connection may last
    #[arg(long, value_name = "F", default_value = "86400", value_parser = some_seconds)]
    pub(crate) lifetime: Duration,
    /// Stop by itself after this time, in seconds
    #[arg(long, value_name = "F", value_parser = seconds)]
    seconds: Option<Duration>,
}

/// The state that every connection shares.
pub(crate) struct House {
    pub(crate) args: Args,
    pub(crate) game: Rc<Game>,
    /// How fast people may come.
    pub(crate) gate: RefCell<Bucket>,
    guests: Rc<Guests>,
    /// Nothing is ever sent on it: it is closed when the server stops.
    stop: Receiver<Infallible>,
}

impl House {
    pub(crate) async fn stopped(&self) {
        let _ = self.stop.recv().await;
    }
}

pub(crate) async fn serve(args: Args) -> Result<(), String> {
    let (listener, addr) = listen(args.addr, "--addr").await?;
    let asked_to_stop = stop_asked_for(args.seconds); // from here on it is heard
    print(format_args!("open http://{addr}/ and play; {} bots are waiting", args.bots));
    let (stopping, stop) = bounded(1);
    let guests = Guests::at_most(args.connections);
    let gate = RefCell::new(Bucket::new(300.0, 100.0));
    let house = Rc::new(House { args, game: Rc::default(), gate, guests, stop });
    for number in 1..=house.args.bots {
        drop(Builder::new().name(format!("bot {number}")).spawn(bots::play_along(number, addr)));
    }
    let game = &*house.game;
    let whole = or(let_in(&listener, &house), async {
        or(play(game), jitter::tell(game)).await;
        Ok(())
    });
    or(whole, asked_to_stop).await.map_err(|error| format!("cannot go on: {error}"))?;

    drop(listener); // from here on the kernel refuses newcomers
    game.close(); // every player is told
    drop(stopping); // and every connection hears it
    let all_had_gone = timeout(Duration::from_secs(2), house.guests.all_gone()).await.is_ok();
    let cut = if all_had_gone { "" } else { "; not everybody had gone" };
    let counts = &game.counts;
    let [joined, rejoined, slow, loud] =
        [&counts.joined, &counts.rejoined, &counts.slow, &counts.loud].map(std::cell::Cell::get);
    log(&game.late.account());
    log(&format!(
        "stopped: {joined} joined, {rejoined} came back, {slow} read too slowly, {loud} talked too fast{cut}"
    ));
    Ok(())
}

/// Lets people in, for ever; returns only if accepting has become impossible.
async fn let_in(listener: &TcpListener, house: &Rc<House>) -> io::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await?;
        // Frames are small and frequent, and not worth waiting for more.
        let _ = stream.set_nodelay(true);
        // In a box, it is not moved into what is put around it: each of those would have room for it a second time.
        let client = Box::pin(door::serve(house.guests.welcome(stream), Rc::clone(house)));
        // Players are bounded by themselves; this is for all others.
        let whole = timeout(house.args.lifetime, client);
        drop(Builder::new().name(format!("door {peer}")).spawn(async move { whole.await.unwrap_or(()) }));
    }
}
