//! The surroundings of the two talks: the flags, the words that both count, who may come in, and how each one ends.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use futures_lite::future::{or, race};
use oneloop::net::{TcpListener, TcpStream};
use oneloop::task::{AbortHandle, Builder, JoinError, JoinHandle};
use oneloop::time::{sleep, timeout};
use oneloop_demos::server::{Client, listen, resident, some_seconds, stop_asked_for};
use oneloop_demos::{Guests, address, counted, log, print, seconds, whole};

use crate::thread::Thread;
use crate::{async_talk, green_talk, stand_around};

/// How long a line may be, in bytes.
pub(crate) const LINE_MAX: u64 = 1024;
/// How long one of the crowd sleeps at a time.
pub(crate) const NAP: Duration = Duration::from_secs(1);

/// Green threads and async tasks on one loop, each on a port of its own. Ctrl-C stops them.
#[derive(Parser, Clone, Copy)]
pub(crate) struct Args {
    /// The address of green threads; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7010", value_parser = address)]
    green: SocketAddr,
    /// The address of async tasks
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7011", value_parser = address)]
    tasks: SocketAddr,
    /// How many more green threads there are, which do nothing
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole(0..=30_000_u32))]
    crowd: u32,
    /// The stack of a green thread, in KiB. It does not grow: a thread that needs more ends the program
    #[arg(long, value_name = "KIB", default_value_t = 256, value_parser = whole(64..=65_536_u32))]
    stack: u32,
    /// The most connections at a time; one more takes the place of the one that has been silent the longest
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = whole(1..=10_000_u32))]
    connections: u32,
    /// The seconds without a byte in either direction after which a client is disconnected
    #[arg(long, value_name = "F", default_value = "300", value_parser = some_seconds)]
    pub(crate) patience: Duration,
    /// The seconds that a connection may last
    #[arg(long, value_name = "F", default_value = "86400", value_parser = some_seconds)]
    lifetime: Duration,
    /// Stop by itself after this time, in seconds
    #[arg(long, value_name = "F", value_parser = seconds)]
    seconds: Option<Duration>,
}

/// The state that all clients share.
pub(crate) struct Room {
    pub(crate) args: Args,
    words: Cell<u64>,
    pub(crate) naps: Cell<u64>,
    guests: Rc<Guests>,
    /// The clients that can be killed, by number.
    clients: RefCell<BTreeMap<u64, AbortHandle>>,
}

/// The answer to a line.
pub(crate) enum Reply {
    Now(String),
    Slow(Duration),
    /// Why the client has to go.
    Last(String),
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Now(text) | Self::Last(text) => text,
            Self::Slow(_) => "that took a second, and nobody else waited",
        }
    }
}

impl Room {
    /// The reply to a line; none at the end of what the client sends.
    pub(crate) fn reply(&self, visit: &Visit, line: &[u8]) -> Option<Reply> {
        if line.is_empty() {
            return None;
        }
        if line.len() as u64 == LINE_MAX && !line.ends_with(b"\n") {
            return Some(Reply::Last(format!("a line has {LINE_MAX} bytes at most")));
        }
        visit.guest.was_heard();
        let line = String::from_utf8_lossy(line);
        let text = match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["slow"] => return Some(Reply::Slow(Duration::from_secs(1))),
            ["panic"] => panic!("a client asked for it"),
            ["kill", number] => self.kill(number),
            ref words => {
                self.words.set(self.words.get() + words.len() as u64);
                format!("{}: {} so far, on both ports", visit.name, counted(self.words.get(), "word"))
            }
        };
        Some(Reply::Now(text))
    }

    fn kill(&self, number: &str) -> String {
        let victim = number.parse().ok().and_then(|number: u64| self.clients.borrow().get(&number).cloned());
        match victim {
            Some(victim) => {
                victim.abort();
                format!("killed client {number}")
            }
            None => {
                let there: Vec<String> = self.clients.borrow().keys().take(20).map(u64::to_string).collect();
                format!("no such client; there are: {}", there.join(" "))
            }
        }
    }
}

/// A client's visit, which ends with the talk, however that ends.
pub(crate) struct Visit {
    name: String,
    pub(crate) guest: Client,
}

impl Drop for Visit {
    fn drop(&mut self) {
        log(&format!("{}: its destructor has run", self.name));
    }
}

pub(crate) async fn serve(args: Args) -> Result<(), String> {
    let (green, green_addr) = listen(args.green, "--green").await?;
    let (tasks, tasks_addr) = listen(args.tasks, "--tasks").await?;
    let stop = stop_asked_for(args.seconds); // from here on it is heard
    print(format_args!("green threads on {green_addr}, async tasks on {tasks_addr}; try: {}", nc(green_addr)));
    let (words, naps, clients) = Default::default();
    let room = Rc::new(Room { args, words, naps, guests: Guests::at_most(args.connections), clients });
    gather(&room).await?;
    let doors = race(let_in(&green, "green", &room), let_in(&tasks, "task", &room));
    or(doors, stop).await.map_err(|error| format!("cannot go on: {error}"))?;
    drop((green, tasks)); // from here on the kernel refuses newcomers
    // Each one is killed, and its destructors run, before the account.
    let clients = room.clients.take();
    clients.values().for_each(AbortHandle::abort);
    let _ = timeout(Duration::from_secs(2), room.guests.all_gone()).await;
    let clients = counted(room.guests.came(), "client");
    let (words, naps) = (counted(room.words.get(), "word"), counted(room.naps.get(), "nap"));
    log(&format!("stopped: {clients}, {words}, {naps}"));
    Ok(())
}

fn nc(addr: SocketAddr) -> String {
    format!("nc {} {}", addr.ip(), addr.port())
}

/// Lets clients in at one door, for ever; returns only if accepting has become impossible.
async fn let_in(listener: &TcpListener, kind: &str, room: &Rc<Room>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        if let Err(error) = begin(stream, kind, room) {
            // The client is hung up on. The next may find room.
            log(&format!("a client had to be sent away: {error}"));
        }
    }
}

fn begin(stream: TcpStream, kind: &str, room: &Rc<Room>) -> io::Result<()> {
    let guest = room.guests.welcome(stream);
    let number = guest.number();
    let name = format!("{kind} {number}");
    let (visit, inside) = (Visit { name: name.clone(), guest }, Rc::clone(room));
    let client = Builder::new().name(name.clone());
    let lifetime = room.args.lifetime;
    let client = if kind == "green" {
        let talk = new_thread(room.args, move |green| green_talk(green, &visit, &inside))?;
        client.spawn(async move { timeout(lifetime, talk).await? })
    } else {
        client.spawn(async move { timeout(lifetime, async_talk(&visit, &inside)).await? })
    };
    room.clients.borrow_mut().insert(number, client.abort_handle());
    let goodbye = goodbye(client, number, name.clone(), Rc::clone(room));
    drop(Builder::new().name(format!("the end of {name}")).spawn(goodbye));
    Ok(())
}

fn new_thread<T: 'static>(
    args: Args,
    function: impl FnOnce(&crate::thread::Green<'_>) -> T + 'static,
) -> io::Result<Thread<T>> {
    let stack = usize::try_from(args.stack).unwrap_or(usize::MAX) * 1024;
    Thread::new(stack, function).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("no room for a stack of {} KiB ({error}); try fewer, or smaller ones with --stack", args.stack),
        )
    })
}

/// The line in the log, when a client's talk is over.
async fn goodbye(client: JoinHandle<io::Result<()>>, number: u64, name: String, room: Rc<Room>) {
    let end = client.await;
    room.clients.borrow_mut().remove(&number);
    let end = match end {
        Ok(Ok(())) => "closed by the client".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(error) => JoinError::to_string(&error),
    };
    log(&format!("{name}: {end}"));
}

/// Starts the crowd, and says what one of it costs once each has slept and woken.
async fn gather(room: &Rc<Room>) -> Result<(), String> {
    let crowd = room.args.crowd;
    if crowd == 0 {
        return Ok(());
    }
    let before = resident();
    for number in 1..=crowd {
        let inside = Rc::clone(room);
        let thread = new_thread(room.args, move |green| stand_around(green, &inside));
        let thread = thread.map_err(|error| {
            format!("green thread {number} cannot begin: {error}. Linux allows two mappings a stack out of the sysctl vm.max_map_count")
        })?;
        drop(Builder::new().name(format!("crowd {number}")).spawn(thread));
    }
    let inside = Rc::clone(room);
    let tell = async move {
        while inside.naps.get() < crowd.into() {
            sleep(NAP / 4).await;
        }
        let each = before.zip(resident()).map(|(before, now)| now.saturating_sub(before) / crowd as usize);
        let each = each.map(|each| format!(", {:.1} KiB each", each as f64 / 1024.0)).unwrap_or_default();
        log(&format!("{crowd} green threads stand around{each}, {}", threads()));
    };
    drop(Builder::new().name("the crowd's account").spawn(tell));
    Ok(())
}

/// How many threads there are beside the one that writes to stdout, where Linux tells.
fn threads() -> String {
    let names = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = names.map(|thread| std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default());
    format!("threads {}, beside the one that prints", names.filter(|name| !name.starts_with("stdout")).count())
}
