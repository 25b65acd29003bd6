//! The models: senders, loops and the end of a runtime, over the inbox that the runtime has.

use std::sync::Arc as Shared;
use std::sync::atomic::AtomicUsize as Tally;

use loom::thread;

use crate::explore;
use crate::ground::queue::Consumer;
use crate::ground::registry::Registry;
use crate::ground::sync::{Arc, Ordering, Poll, bell};
use crate::heart::inbox::Inbox;

/// A loop, as far as its inbox is concerned.
struct Loop<M> {
    inbox: Arc<Inbox<M>>,
    incoming: Consumer<M>,
    poll: Poll,
}

impl<M> Loop<M> {
    fn new() -> Self {
        Self::with_failing_bell(0)
    }

    fn with_failing_bell(failures: usize) -> Self {
        let (bell, poll) = bell(failures);
        let (inbox, incoming) = Inbox::new(bell);
        Self { inbox, incoming, poll }
    }

    /// Turns until `count` messages have come: drain, then park, as `Runtime::turn` does.
    fn receive(&self, count: usize) -> Vec<M> {
        let mut received = self.drain();
        while received.len() < count {
            if self.announce_park() {
                self.poll.wait();
                self.inbox.unparked();
            }
            received.extend(self.drain());
        }
        received
    }

    fn drain(&self) -> Vec<M> {
        self.incoming.try_iter().take(self.incoming.len()).collect()
    }

    fn announce_park(&self) -> bool {
        self.poll.expect_a_ring();
        self.inbox.announce_park(&self.incoming)
    }

    /// Parks until a deadline that has come already.
    fn park_in_vain(&self) {
        if self.announce_park() {
            self.poll.time_out();
            self.inbox.unparked();
        }
    }
}

/// Starts a thread that may ring for a loop until it has done `work`.
fn start<M, R: 'static>(rings_for: &Loop<M>, work: impl FnOnce() -> R + 'static) -> thread::JoinHandle<R> {
    let ringer = rings_for.poll.ringer();
    thread::spawn(move || {
        let result = work();
        drop(ringer);
        result
    })
}

fn start_sending<M: 'static>(to: &Loop<M>, messages: Vec<M>) -> thread::JoinHandle<()> {
    let inbox = Arc::clone(&to.inbox);
    start(to, move || {
        for message in messages {
            assert!(inbox.send(message).is_ok(), "the loop lives");
        }
    })
}

#[test]
fn a_message_that_races_with_the_park_arrives() {
    explore(|| {
        let home = Loop::new();
        start_sending(&home, vec![1]);
        assert_eq!(home.receive(1), [1]);
    });
}

#[test]
fn messages_of_two_threads_that_race_with_the_park_arrive() {
    explore(|| {
        let home = Loop::new();
        start_sending(&home, vec![1]);
        start_sending(&home, vec![2]);
        let mut received = home.receive(2);
        received.sort_unstable();
        assert_eq!(received, [1, 2]);
    });
}

#[test]
fn a_message_arrives_though_a_deadline_ends_the_park_first() {
    explore(|| {
        let home = Loop::new();
        start_sending(&home, vec![1, 2]);
        home.park_in_vain();
        assert_eq!(home.receive(2), [1, 2]);
    });
}

#[test]
fn a_flood_arrives_in_order() {
    explore(|| {
        let home = Loop::new();
        start_sending(&home, vec![1, 2, 3]);
        assert_eq!(home.receive(3), [1, 2, 3]);
    });
}

#[test]
fn nobody_rings_while_the_loop_is_awake() {
    explore(|| {
        let home = Loop::new();
        home.park_in_vain();
        start_sending(&home, vec![1]).join().unwrap();
        assert!(!home.announce_park(), "a message has come");
        start_sending(&home, vec![2]).join().unwrap();
        assert_eq!(home.poll.rings(), 0);
        assert_eq!(home.receive(2), [1, 2]);
    });
}

#[test]
fn two_loops_wake_each_other() {
    explore(|| {
        let (here, there) = (Loop::new(), Loop::new());
        let (to_here, to_there) = (Arc::clone(&here.inbox), Arc::clone(&there.inbox));
        let my_ringer = there.poll.ringer();
        let other = start(&here, move || {
            to_here.send("ping").unwrap();
            assert_eq!(there.receive(1), ["pong"]);
        });
        to_there.send("pong").unwrap();
        drop((to_there, my_ringer));
        assert_eq!(here.receive(1), ["ping"]);
        other.join().unwrap();
    });
}

#[test]
fn a_bell_that_fails_once_is_rung_again_by_the_next_sender() {
    explore(|| {
        let home = Loop::with_failing_bell(1);
        let sender = start_sending(&home, vec![1, 2]);
        // The first message may find the loop awake; then the second has the failing bell.
        assert_eq!(home.receive(1)[0], 1);
        sender.join().unwrap();
    });
}

#[test]
fn a_loop_that_parks_again_is_woken_again() {
    explore(|| {
        let home = Loop::new();
        start_sending(&home, vec![1]);
        assert_eq!(home.receive(1), [1]);
        home.park_in_vain();
        start_sending(&home, vec![2]);
        assert_eq!(home.receive(1), [2]);
    });
}

#[test]
fn after_a_park_that_was_not_begun_nobody_rings() {
    explore(|| {
        let home = Loop::new();
        start_sending(&home, vec![1]).join().unwrap();
        assert!(!home.announce_park(), "a message has come");
        let senders = [2, 3].map(|message| start_sending(&home, vec![message]));
        for sender in senders {
            sender.join().unwrap();
        }
        assert_eq!((home.poll.rings(), home.receive(3).len()), (0, 3), "the loop is awake");
    });
}

/// A message that counts how many of its kind are left.
struct Token(Shared<Tally>);

impl Token {
    fn new(alive: &Shared<Tally>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self(Shared::clone(alive))
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The fate of a token that was sent to a runtime.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fate {
    Accepted,
    GivenBack,
    NobodyThere,
}

fn send_to(inbox: Option<Arc<Inbox<Token>>>, token: Token) -> Fate {
    match inbox.map(|inbox| inbox.send(token)) {
        Some(Ok(())) => Fate::Accepted,
        Some(Err(_)) => Fate::GivenBack,
        None => Fate::NobodyThere,
    }
}

/// The end of a runtime, as `Runtime::drop` has it.
fn end(number: u32, registry: &Registry<Inbox<Token>>, home: Loop<Token>) -> Vec<Token> {
    registry.hide(number);
    let last = home.drain();
    drop(home);
    last
}

#[test]
fn a_wake_reaches_the_loop_while_it_lives_and_harms_nobody_afterwards() {
    explore(|| {
        let alive = Shared::default();
        let (registry, home) = (Arc::new(Registry::new()), Loop::new());
        let number = registry.enter(&home.inbox).unwrap();
        let sender = {
            let (registry, alive) = (Arc::clone(&registry), Shared::clone(&alive));
            start(&home, move || [(); 2].map(|()| send_to(registry.hint(number as u16), Token::new(&alive))))
        };
        let mut received = home.receive(1);
        received.extend(end(number, &registry, home));
        let fates = sender.join().unwrap();

        assert_eq!(fates[0], Fate::Accepted);
        let accepted = fates.iter().filter(|&&fate| fate == Fate::Accepted).count();
        assert!(received.len() <= accepted);
        assert_eq!(alive.load(Ordering::Relaxed), received.len(), "what was not received is dropped");
        assert!(registry.hint(number as u16).is_none());
    });
}

#[test]
fn a_spawn_that_races_with_the_end_is_run_or_dropped_or_given_back() {
    explore(|| {
        let alive = Shared::default();
        let (registry, home) = (Arc::new(Registry::new()), Loop::new());
        let number = registry.enter(&home.inbox).unwrap();
        let kept = Arc::clone(&home.inbox);
        let sender = {
            let (registry, alive) = (Arc::clone(&registry), Shared::clone(&alive));
            start(&home, move || send_to(registry.exact(number), Token::new(&alive)))
        };
        let received = end(number, &registry, home);
        let fate = sender.join().unwrap();

        assert!(received.is_empty() || fate == Fate::Accepted, "received, though {fate:?}");
        assert_eq!(alive.load(Ordering::Relaxed), received.len(), "what was not received is dropped");
        assert!(registry.exact(number).is_none());
        assert_eq!(send_to(Some(kept), Token::new(&alive)), Fate::GivenBack);
    });
}

/// A message that sends another when it is dropped.
struct Speaker(Option<Arc<Inbox<Self>>>);

impl Drop for Speaker {
    fn drop(&mut self) {
        if let Some(inbox) = &self.0 {
            assert!(inbox.send(Self(None)).is_err(), "the loop is gone");
        }
    }
}

#[test]
fn a_message_that_sends_when_the_end_drops_it_finds_the_lock_free() {
    explore(|| {
        let home = Loop::new();
        assert!(home.inbox.send(Speaker(Some(Arc::clone(&home.inbox)))).is_ok(), "the loop lives");
    });
}

#[test]
fn a_jobs_result_reaches_an_ending_loop_and_a_flood_does_not() {
    explore(|| {
        let (registry, home) = (Arc::new(Registry::new()), Loop::new());
        let number = registry.enter(&home.inbox).unwrap();
        let flood = {
            let registry = Arc::clone(&registry);
            start(&home, move || [(); 2].map(|()| registry.exact(number).is_some_and(|inbox| inbox.send(1).is_ok())))
        };
        let job = {
            let inbox = Arc::clone(&home.inbox);
            start(&home, move || inbox.send(2).unwrap())
        };
        registry.hide(number);
        assert!(registry.exact(number).is_none(), "nobody else finds it");
        job.join().unwrap();
        let accepted = flood.join().unwrap();
        assert_ne!(accepted, [false, true], "who was turned away once is turned away for good");
        let received = home.drain();
        assert!(received.contains(&2));
        assert_eq!(received.len(), 1 + accepted.iter().filter(|&&one| one).count());
    });
}

#[test]
fn a_message_reaches_its_runtime_while_others_come_and_go() {
    explore(|| {
        let (registry, home) = (Arc::new(Registry::new()), Loop::new());
        let number = registry.enter(&home.inbox).unwrap();
        let neighbour = {
            let registry = Arc::clone(&registry);
            thread::spawn(move || {
                let other = Loop::new();
                let others_number = registry.enter(&other.inbox).unwrap();
                registry.leave(others_number);
                assert_ne!(others_number, number);
                assert!(other.drain().is_empty());
            })
        };
        let sender = {
            let registry = Arc::clone(&registry);
            start(&home, move || {
                assert!(registry.exact(number + (1 << 16)).is_none(), "only the low bits are the same");
                registry.hint(number as u16).unwrap().send(1).unwrap();
                registry.exact(number).unwrap().send(2).unwrap();
            })
        };
        assert_eq!(home.receive(2), [1, 2]);
        neighbour.join().unwrap();
        sender.join().unwrap();
    });
}
