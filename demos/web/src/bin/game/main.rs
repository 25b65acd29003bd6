//! A game for many in the browser: everybody paints the same floor, and the owner of the most of it wins.
//!
//! ```text
//! cargo run --release -p oneloop-web-demos --bin game -- --bots 20     then open http://127.0.0.1:8010/
//! cargo run --release -p oneloop-web-demos --bin game -- --bots 200    a full floor
//! ```
//!
//! Watch: arrows, WASD or a swipe turn you, space is a broad brush for a moment. Open a second tab, or ask
//! a friend. A line every five seconds says how late the ticks were: 20 a second, on the timer wheel, beside all
//! sockets. The bots are clients like you, with sockets of their own, on the same thread. Beside the ticks stands how
//! late a bare thread was that only sleeps: so much is the machine's part, and the rest is the loop's.
//!
//! The server decides: a client says where it turns, and nothing else ([`World`]). Every tick is one frame, which
//! is made once and sent to all ([`play`]). Latecomers get the whole floor, and who comes back gets the old place.
//!
//! It prints a table of how late ticks were. This answers Tornado and Twisted: a game for many.

mod bots;
mod door;
mod house;
mod jitter;
mod world;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use async_channel::{Receiver, Sender, bounded};
use async_tungstenite::tungstenite::Message;
use oneloop::time::{MissedTickBehavior, interval};
use oneloop_demos::{end_of, flags};

use jitter::Late;
use world::{Id, World};

/// How often the world moves on.
const TICK: Duration = Duration::from_millis(50);
/// How many frames may wait for one client: three seconds of them.
const QUEUE: usize = 64;

/// Moves the world on, for ever.
async fn play(game: &Game) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let due = ticks.tick().await;
        game.late.note(due.elapsed());
        let frames = game.world.borrow_mut().tick();
        frames.into_iter().for_each(|frame| game.tell_all(&frame));
    }
}

/// The world, and who looks at it.
#[derive(Default)]
struct Game {
    world: RefCell<World>,
    seats: RefCell<BTreeMap<Id, Sender<Message>>>,
    late: Late,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    joined: Cell<u64>,
    rejoined: Cell<u64>,
    slow: Cell<u64>,
    loud: Cell<u64>,
}

impl Game {
    /// Sends a frame to everybody. Nobody is waited for: whose queue is full loses the place, and may come back.
    fn tell_all(&self, frame: &Message) {
        self.seats.borrow_mut().retain(|_, queue| {
            let has_room = queue.try_send(frame.clone()).is_ok();
            if !has_room {
                self.counts.slow.set(self.counts.slow.get() + 1);
                queue.close();
            }
            has_room
        });
    }

    /// A place at the floor, for a newcomer or for the player who has this token.
    fn enter(self: &Rc<Self>, name: &str, token: &str) -> Result<Seat, &'static str> {
        let (id, came_back) = self.world.borrow_mut().enter(name, token)?;
        let (sender, queue) = bounded(QUEUE);
        let count = if came_back { &self.counts.rejoined } else { &self.counts.joined };
        count.set(count.get() + 1);
        for frame in self.world.borrow().everything(id) {
            // The queue is new, and has room for these.
            let _ = sender.try_send(frame);
        }
        if let Some(elsewhere) = self.seats.borrow_mut().insert(id, sender.clone()) {
            elsewhere.close();
        }
        Ok(Seat { id, queue, sender, game: Rc::clone(self) })
    }

    /// The end: every queue ends with what it holds.
    fn close(&self) {
        for queue in self.seats.take().into_values() {
            queue.close();
        }
    }
}

/// A client's place: what it is sent, until it leaves.
struct Seat {
    id: Id,
    queue: Receiver<Message>,
    sender: Sender<Message>,
    game: Rc<Game>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.game.seats.borrow_mut();
        // The player may be here by another connection by now.
        if seats.get(&self.id).is_none_or(|seat| seat.same_channel(&self.sender)) {
            seats.remove(&self.id);
            self.game.world.borrow_mut().leave(self.id);
        }
    }
}

fn main() -> ExitCode {
    end_of(house::serve(flags()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_read_loses_the_place_and_nobody_else_does() {
        let game = Rc::new(Game::default());
        let (reads, sleeps) = (game.enter("reads", "").unwrap(), game.enter("sleeps", "").unwrap());
        for _ in 0..QUEUE {
            game.tell_all(&Message::text("frame"));
            while reads.queue.try_recv().is_ok() {}
        }
        assert_eq!(game.counts.slow.get(), 1);
        assert!(sleeps.queue.is_closed() && !reads.queue.is_closed());
    }

    #[test]
    fn who_comes_by_another_way_takes_the_place_and_keeps_it() {
        let game = Rc::new(Game::default());
        let first = game.enter("me", "").unwrap();
        let Message::Text(welcome) = first.queue.try_recv().unwrap() else { panic!("no welcome") };
        let welcome: serde_json::Value = serde_json::from_str(&welcome).unwrap();
        for _ in 0..20 {
            game.world.borrow_mut().tick();
        }
        let second = game.enter("me", welcome["token"].as_str().unwrap()).unwrap();
        assert!(second.id == first.id && first.queue.is_closed());
        drop(first);
        game.tell_all(&Message::text("frame"));
        assert!(game.seats.borrow().contains_key(&second.id), "the end of the first is not the end of the second");
    }
}
