//! One chat room with four doors: WebSocket, Server-Sent Events, long poll and plain TCP, on one thread.
//!
//! ```text
//! cargo run --release -p oneloop-web-demos --bin chat     in one terminal; open http://127.0.0.1:8000/
//! nc 127.0.0.1 8001                                       in another: a name first, then lines
//! curl -N http://127.0.0.1:8000/events                    in a third: listens
//! curl -d 'hello' http://127.0.0.1:8000/say?name=curl     says something
//! ```
//!
//! Watch: a word said at one door is heard at the others. Every client has a queue with a bound. One
//! that does not read loses the place instead of holding up the rest ([`Room::say_here`]). A line a few seconds says
//! how many are in the room, and what a client costs. Ctrl-C says goodbye to all, and gives the account.
//! It prints that line, and the account. This answers Tornado. One room lives in one process. Several processes, on
//! one machine or more, share it through a Redis (`broker.rs`): start each with `--broker redis://127.0.0.1:6379` and
//! ports of its own, and then kill one, or the Redis. The others say so, go on, and come back together by themselves.

mod broker;
mod http;
mod lines;
mod link;
mod names;
mod server;
mod websocket;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::process::ExitCode;
use std::rc::Rc;

use async_channel::{Receiver, Sender, bounded};
use async_lock::Mutex;
use oneloop::task::yield_now;
use oneloop_demos::{fail, finish_log, flags};

use broker::Broker;
use link::Address;
use names::printable;

/// How many lines may wait for one client, and how many the room remembers.
const QUEUE: usize = 64;
const HISTORY: usize = 200;

/// The room: who is in it, and what was said last.
struct Room {
    /// A name for this run of the server. Lines are numbered from one on in each, so the number needs it.
    run: String,
    clients: RefCell<BTreeMap<u64, Sender<Rc<Line>>>>,
    history: RefCell<VecDeque<Rc<Line>>>,
    floor: Mutex<()>,
    is_closed: Cell<bool>,
    counts: Counts,
    /// The way to other processes, if the room is shared with any.
    broker: Option<Rc<Broker>>,
}

impl Room {
    /// A room, shared through this Redis under that name if there is one.
    fn new(shared: Option<(Address, String)>) -> Self {
        let run = format!("{:016x}", fastrand::u64(..));
        let broker = shared.map(|(address, name)| Rc::new(Broker::new(address, name, run.clone())));
        Self {
            run,
            clients: RefCell::default(),
            history: RefCell::default(),
            floor: Mutex::new(()),
            is_closed: Cell::new(false),
            counts: Counts::default(),
            broker,
        }
    }

    /// Says a line to everybody, here and in the processes that share the room.
    async fn say(&self, from: &str, text: &str) {
        self.say_here(|| {
            let number = self.counts.said.next();
            let line = Line { id: format!("{}-{number}", self.run), from: from.to_owned(), text: printable(text) };
            if let Some(broker) = &self.broker {
                broker.pass_on(number, &line);
            }
            line
        })
        .await;
    }

    /// Says a line of the room's own. It is not remembered.
    async fn announce(&self, text: &str) {
        self.say_here(|| Line { text: text.to_owned(), ..Line::default() }).await;
    }

    /// Says a line in this process. Nobody is waited for: whose queue is full loses the place. One speaks at a
    /// time, and its listeners are polled before the next: so a full queue means a client that does not read.
    async fn say_here(&self, line: impl FnOnce() -> Line) {
        let _floor = self.floor.lock().await;
        let line = Rc::new(line());
        if !line.id.is_empty() {
            self.counts.lines.next();
            self.remember(&line);
        }
        self.clients.borrow_mut().retain(|_, queue| {
            let has_room = queue.try_send(Rc::clone(&line)).is_ok();
            if !has_room {
                self.counts.slow.next();
                queue.close();
            }
            has_room
        });
        yield_now().await;
    }

    /// A place in the room, to be dropped when leaving.
    fn enter(self: &Rc<Self>) -> Seat {
        let (sender, queue) = bounded(QUEUE);
        let number = self.counts.entered.next();
        if self.is_closed.get() {
            sender.close();
        }
        self.clients.borrow_mut().insert(number, sender);
        Seat { number, queue, room: Rc::clone(self) }
    }

    /// The end: every queue ends with what it holds.
    fn close(&self) {
        self.is_closed.set(true);
        for queue in self.clients.take().into_values() {
            queue.close();
        }
    }

    fn remember(&self, line: &Rc<Line>) {
        let mut history = self.history.borrow_mut();
        if history.len() == HISTORY {
            history.pop_front();
        }
        history.push_back(Rc::clone(line));
    }

    /// The lines said after this one; all that is remembered, if that line is not, or was said in another run.
    fn since(&self, id: &str) -> Vec<Rc<Line>> {
        let history = self.history.borrow();
        let start = history.iter().rposition(|line| line.id == id).map_or(0, |place| place + 1);
        history.iter().skip(start).cloned().collect()
    }
}

/// A client's place in the room.
struct Seat {
    number: u64,
    queue: Receiver<Rc<Line>>,
    room: Rc<Room>,
}

impl Seat {
    /// The next line; `None` when the place is lost, or the room is closed.
    async fn next(&self) -> Option<Rc<Line>> {
        self.queue.recv().await.ok()
    }

    /// Tells this client alone.
    fn whisper(&self, text: &str) {
        let line = Line { text: text.to_owned(), ..Line::default() };
        if let Some(queue) = self.room.clients.borrow().get(&self.number) {
            // A queue that is full has no room for good advice.
            let _ = queue.try_send(Rc::new(line));
        }
    }

    /// A name for a client that has none of its own.
    fn guest(&self) -> String {
        format!("guest {}", self.number)
    }

    /// Why there is no next line.
    fn farewell(&self) -> &'static str {
        if self.room.is_closed.get() { "the room is closed" } else { "you read too slowly, and lost your place" }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.clients.borrow_mut().remove(&self.number);
    }
}

/// The words of somebody. Those of the room itself have no name on them, and no place among the lines.
#[derive(Default, serde::Serialize)]
struct Line {
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    from: String,
    text: String,
}

#[derive(Default)]
struct Counts {
    /// Said here, and said at all.
    said: Count,
    lines: Count,
    entered: Count,
    slow: Count,
}

/// A count from one on.
#[derive(Default)]
struct Count(Cell<u64>);

impl Count {
    fn next(&self) -> u64 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

/// How much one client may say: so many lines at once, and so many a second after that.
struct Talk {
    left: f64,
    since: oneloop::time::Instant,
}

impl Talk {
    const AT_ONCE: f64 = 30.0;
    const A_SECOND: f64 = 10.0;

    fn new() -> Self {
        Self { left: Self::AT_ONCE, since: oneloop::time::Instant::now() }
    }

    fn may_say(&mut self) -> bool {
        let now = oneloop::time::Instant::now();
        let earned = now.duration_since(self.since).as_secs_f64() * Self::A_SECOND;
        (self.left, self.since) = ((self.left + earned).min(Self::AT_ONCE), now);
        let may = self.left >= 1.0;
        self.left -= f64::from(u8::from(may));
        may
    }
}

fn main() -> ExitCode {
    let args = flags::<server::Args>().checked();
    match oneloop::Runtime::new().map(|runtime| runtime.block_on(server::serve(args))) {
        Ok(Ok(())) => {
            finish_log();
            ExitCode::SUCCESS
        }
        Ok(Err(problem)) => fail(problem),
        Err(error) => fail(format_args!("cannot start a runtime: {error}")),
    }
}
