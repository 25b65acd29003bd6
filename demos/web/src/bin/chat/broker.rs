//! The room shared with other processes, through a Redis.
//!
//! ```text
//!   say ──> the room here                                                      the rooms there
//!      └──> outbox ──XADD──> a stream of the Redis, the last words ──XREAD──> ──┘
//!               └──PUBLISH──> a channel of the same name: "look" ──> bell ──┘
//! ```
//!
//! The room never waits for the broker. A word is heard here at once, so each process has an order of its own.
//! While the broker is away the room goes on, and words wait in the outbox up to a bound; those beyond it are
//! counted. A batch that may or may not have arrived is sent again, and its numbers tell the others which words they
//! have heard. The stream keeps the last words: a process that comes late, or comes back, reads them first. How many
//! listen to the channel is how many processes share the room, and one that was killed listens no more.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use async_channel::{Receiver, Sender, bounded};
use futures_lite::future::or;
use oneloop::task::{Builder, JoinHandle};
use oneloop::time::{Instant, interval, sleep, timeout};
use oneloop_demos::log;
use redis_protocol::resp2::types::OwnedFrame as Answer;

use crate::link::{Address, Link, PATIENCE, command};
use crate::names::{name_or, printable};
use crate::{Count, Line, Room};

/// How many words may wait here for the broker, how many are sent or read at once, and how many the stream keeps.
const OUTBOX: usize = 200;
const BATCH: usize = 64;
const KEPT: usize = 1000;
/// How long a word from elsewhere may be, in bytes.
const WORD_MAX: usize = 16 * 1024;
/// How often the broker is asked how many are there, and whether a word was missed.
const BEAT: Duration = Duration::from_secs(1);
/// How long to wait before the next try: doubled from the first to the last.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LAST_WAIT: Duration = Duration::from_secs(5);

/// A word that was said here, for the others.
struct Word {
    number: u64,
    from: String,
    text: String,
}

/// The way to the other processes. Every word said in the room is offered to it.
pub(crate) struct Broker {
    address: Address,
    /// The name of the stream and of the channel.
    name: String,
    /// The name of this process among the others, which is that of the room's run.
    process: String,
    /// A word leaves it when the broker has said that it has it.
    outbox: RefCell<VecDeque<Word>>,
    /// Rung when there is something to send or to read. However often it was rung, it is answered once.
    bell: (Sender<()>, Receiver<()>),
    /// The other processes with the number of the last word of each; who spoke last is at the end.
    heard: RefCell<VecDeque<(String, u64)>>,
    is_up: Cell<bool>,
    is_closing: Cell<bool>,
    lost: Count,
    missed: Cell<u64>,
}

impl Broker {
    pub(crate) fn new(address: Address, name: String, process: String) -> Self {
        Self {
            address,
            name,
            process,
            outbox: RefCell::default(),
            bell: bounded(1),
            heard: RefCell::default(),
            is_up: Cell::default(),
            is_closing: Cell::default(),
            lost: Count::default(),
            missed: Cell::default(),
        }
    }

    /// Offers a word to the others. It waits for nobody: a word that finds the outbox full is lost to them.
    pub(crate) fn pass_on(&self, number: u64, line: &Line) {
        let mut outbox = self.outbox.borrow_mut();
        if outbox.len() == OUTBOX {
            self.lost.next();
            return;
        }
        outbox.push_back(Word { number, from: line.from.clone(), text: line.text.clone() });
        let _ = self.bell.0.try_send(());
    }

    /// Keeps the room shared, until it is closed and the outbox is empty.
    async fn share(&self, room: &Room) {
        let mut wait = FIRST_WAIT;
        let mut is_first = true;
        loop {
            let began = Instant::now();
            let Err(why) = self.connection(room).await else { return };
            let was_up = self.is_up.replace(false);
            if was_up || is_first {
                let is = if was_up { "lost" } else { "not reached" };
                log(&format!("broker {is}: {}: {why}; the room goes on alone, and keeps trying", self.place()));
                room.announce("the broker is away: only this process hears you").await;
            }
            is_first = false;
            // A connection that has lasted shows that the broker is well again.
            if was_up && began.elapsed() > LAST_WAIT {
                wait = FIRST_WAIT;
            }
            // Not all processes come back in the same instant.
            sleep(wait.mul_f64(0.75 + fastrand::f64() / 2.0)).await;
            wait = (wait * 2).min(LAST_WAIT);
        }
    }

    /// From the first byte to the end: an error, or that all has been passed on. One who listens to a channel can ask
    /// nothing meanwhile, so there are two connections.
    async fn connection(&self, room: &Room) -> Result<(), String> {
        let mut ear = Link::open(&self.address).await?;
        let mut hand = Link::open(&self.address).await?;
        ear.ask(&[command([b"SUBSCRIBE", self.name.as_bytes()])]).await?;
        let listen = async {
            loop {
                ear.wait().await?;
                let _ = self.bell.0.try_send(());
            }
        };
        or(self.exchange(&mut hand, room), listen).await
    }

    /// Sends what waits and reads what is new, when the bell rings and at every beat. Each connection begins at the
    /// stream's first word: a Redis that has lost its memory may have begun a new one.
    async fn exchange(&self, hand: &mut Link, room: &Room) -> Result<(), String> {
        let (mut last, mut processes, mut has_more) = ("0".to_owned(), 0, false);
        let mut beats = interval(BEAT);
        loop {
            let beat = async {
                beats.tick().await;
                true
            };
            let rung = async {
                if !has_more {
                    let _ = self.bell.1.recv().await;
                }
                false
            };
            let is_beat = or(beat, rung).await;
            let sent = self.outbox.borrow().len().min(BATCH);
            let mut answers = hand.ask(&self.questions(sent, &last, is_beat)).await?;
            self.outbox.borrow_mut().drain(..sent);
            if is_beat {
                self.count(&mut processes, &answers.pop(), room).await;
            }
            let words = entries(answers.pop());
            for (id, word) in &words {
                last.clone_from(id);
                self.hear(word, room).await;
            }
            has_more = words.len() == BATCH || !self.outbox.borrow().is_empty();
            if self.is_closing.get() && self.outbox.borrow().is_empty() {
                return Ok(());
            }
        }
    }

    fn questions(&self, sent: usize, last: &str, is_beat: bool) -> Vec<Answer> {
        let (name, kept, batch) = (self.name.as_bytes(), KEPT.to_string(), BATCH.to_string());
        let mut questions = Vec::new();
        for Word { number, from, text } in self.outbox.borrow().iter().take(sent) {
            let [process, number] = [self.process.as_bytes(), &number.to_string().into_bytes()];
            let add: [&[u8]; 6] = [b"XADD", name, b"MAXLEN", b"~", kept.as_bytes(), b"*"];
            let word: [&[u8]; 8] =
                [b"process", process, b"number", number, b"from", from.as_bytes(), b"text", text.as_bytes()];
            questions.push(command(add.into_iter().chain(word)));
        }
        if sent > 0 {
            questions.push(command([b"PUBLISH", name, b"look"]));
        }
        questions.push(command([b"XREAD", b"COUNT".as_slice(), batch.as_bytes(), b"STREAMS", name, last.as_bytes()]));
        if is_beat {
            questions.push(command([b"PUBSUB", b"NUMSUB".as_slice(), name]));
        }
        questions
    }

    /// Tells the room how many processes share it, whenever that has changed.
    async fn count(&self, before: &mut i64, answer: &Option<Answer>, room: &Room) {
        let Some(Answer::Array(answer)) = answer else { return };
        let Some(Answer::Integer(now)) = answer.get(1) else { return };
        let before = std::mem::replace(before, *now);
        if *now == before {
            return;
        }
        let share =
            if *now == 1 { "1 process shares the room".into() } else { format!("{now} processes share the room") };
        let news = if !self.is_up.replace(true) {
            format!("the broker is there, {share}{}", self.losses())
        } else if *now < before {
            format!("a process has gone, {share}")
        } else {
            format!("a process has come, {share}")
        };
        log(&format!("broker {}: {news}", self.place()));
        room.announce(&news).await;
    }

    /// Says in the room what was said elsewhere. Anybody may add to a stream: what is no word of ours is passed over.
    async fn hear(&self, word: &[(String, String)], room: &Room) {
        let field = |name: &str| word.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
        let (Some(process), Some(number), Some(from), Some(text)) =
            (field("process"), field("number").and_then(|n| n.parse().ok()), field("from"), field("text"))
        else {
            return;
        };
        let is_ours = process.len() == 16 && process.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_ours && process != self.process && text.len() <= WORD_MAX && self.is_new(process, number) {
            let from = name_or(from, || "somebody".to_owned());
            let line = Line { id: format!("{process}-{number}"), from, text: printable(text) };
            room.say_here(|| line).await;
        }
    }

    /// Whether a word has not been heard. The stream has words of as many processes as it has words, at most: who is
    /// forgotten here has none in it.
    fn is_new(&self, process: &str, number: u64) -> bool {
        let mut heard = self.heard.borrow_mut();
        let place = heard.iter().position(|(name, _)| name == process);
        let last = place.and_then(|place| heard.remove(place)).map_or(0, |(_, last)| last);
        heard.push_back((process.to_owned(), number.max(last)));
        if heard.len() > KEPT * 2 {
            heard.pop_front();
        }
        if last > 0 && number > last {
            self.missed.set(self.missed.get() + (number - last - 1));
        }
        number > last
    }

    /// The broker without its password, for one who reads the log.
    fn place(&self) -> String {
        format!("{}, room {}", self.address, self.name)
    }

    fn losses(&self) -> String {
        let [lost, missed] = [self.lost.0.get(), self.missed.get()];
        if lost + missed == 0 {
            return String::new();
        }
        format!("; so far {lost} words of here did not reach the others, and {missed} of theirs did not come in")
    }
}

/// The entries of a stream, each with its id and its fields.
fn entries(answer: Option<Answer>) -> Vec<(String, Vec<(String, String)>)> {
    let items = |answer: Option<Answer>| match answer {
        Some(Answer::Array(items)) => items,
        _ => Vec::new(),
    };
    let text = |answer: Answer| match answer {
        Answer::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => String::new(),
    };
    // One stream was asked for: its name, and its entries.
    let entries = items(items(items(answer).pop()).pop());
    let entry = |entry: Answer| {
        let mut parts = items(Some(entry)).into_iter();
        let id = parts.next().map(text).unwrap_or_default();
        let mut fields = items(parts.next()).into_iter().map(text);
        (id, std::iter::from_fn(|| Some((fields.next()?, fields.next()?))).collect())
    };
    entries.into_iter().map(entry).collect()
}

/// A room that is shared, for as long as the server runs.
pub(crate) struct Sharing {
    broker: Rc<Broker>,
    task: JoinHandle<()>,
}

impl Sharing {
    /// Starts to share a room that has a broker.
    pub(crate) fn of(room: &Rc<Room>) -> Option<Self> {
        let (broker, room) = (Rc::clone(room.broker.as_ref()?), Rc::clone(room));
        let sharing = Rc::clone(&broker);
        let task = Builder::new().name("broker").spawn(async move { sharing.share(&room).await });
        Some(Self { broker, task })
    }

    /// The end: passes on what waits if the broker is there, and tells what was lost.
    pub(crate) async fn end(self, grace: Duration) -> String {
        let Self { broker, task } = self;
        broker.is_closing.set(true);
        let _ = broker.bell.0.try_send(());
        let stop = task.abort_handle();
        if broker.is_up.get() {
            let _ = timeout(grace.min(PATIENCE), task).await;
        }
        stop.abort();
        for _ in 0..broker.outbox.borrow().len() {
            broker.lost.next();
        }
        broker.losses()
    }
}
