//! The inbox's protocol in miniature, in the right order and in every wrong one. Each wrong order
//! loses a message, and loom says so: a model that could not fail would prove nothing.
//!
//! It is told a second time here because the inbox itself has but one order. There is one message,
//! one sender, and a loop that waits for it; [`Inbox::send`] and [`Inbox::announce_park`] are the originals.
//!
//! [`Inbox::send`]: crate::heart::inbox::Inbox::send
//! [`Inbox::announce_park`]: crate::heart::inbox::Inbox::announce_park

use std::panic::{AssertUnwindSafe, catch_unwind};

use loom::thread;

use crate::explore;
use crate::ground::sync::{Arc, AtomicBool, Bell, LOST, Ordering, Poll, bell, fence};

#[derive(Clone, Copy, PartialEq)]
enum Order {
    Right,
    /// The sender looks for a parked loop, and rings, before its message is there.
    RingThenPush,
    /// The sender's look at the flag may come before its push is seen.
    NoFenceInSend,
    /// The loop's look at the messages may come before its flag is seen.
    NoFenceInMayPark,
    /// The loop looks at the messages first, and then says that it is parked.
    LookThenDeclare,
    /// The loop says that it is parked, and parks.
    NoSecondLook,
}

struct Miniature {
    pushed: AtomicBool,
    parked: AtomicBool,
    bell: Bell,
}

impl Miniature {
    fn send(&self, order: Order) {
        if order == Order::RingThenPush {
            self.ring_if_parked();
        }
        self.pushed.store(true, Ordering::Release);
        if order != Order::NoFenceInSend {
            fence(Ordering::SeqCst);
        }
        if order != Order::RingThenPush {
            self.ring_if_parked();
        }
    }

    fn ring_if_parked(&self) {
        if self.parked.load(Ordering::Relaxed) && self.parked.swap(false, Ordering::AcqRel) {
            self.bell.wake().unwrap();
        }
    }

    fn announce_park(&self, order: Order) -> bool {
        let looked_early = self.pushed.load(Ordering::Acquire);
        self.parked.store(true, Ordering::Relaxed);
        if order != Order::NoFenceInMayPark {
            fence(Ordering::SeqCst);
        }
        match order {
            Order::NoSecondLook => true,
            Order::LookThenDeclare => !looked_early,
            _ => !self.pushed.load(Ordering::Acquire),
        }
    }

    fn receive(&self, poll: &Poll, order: Order) {
        while !self.pushed.load(Ordering::Acquire) {
            poll.expect_a_ring();
            if self.announce_park(order) {
                poll.wait();
            }
            self.parked.store(false, Ordering::Relaxed);
        }
    }
}

/// The same with an inverted flag, which says that the loop has been notified and no second ring is
/// needed. It knows no second look: the loop must clear the flag before it drains, or a message that
/// comes between the two is neither drained nor rung for.
struct Inverted {
    pushed: AtomicBool,
    notified: AtomicBool,
    bell: Bell,
}

#[derive(Clone, Copy, PartialEq)]
enum Clearing {
    BeforeTheDrain,
    AfterTheDrain,
}

impl Inverted {
    fn send(&self) {
        self.pushed.store(true, Ordering::Release);
        if !self.notified.swap(true, Ordering::AcqRel) {
            self.bell.wake().unwrap();
        }
    }

    fn receive(&self, poll: &Poll, clearing: Clearing) {
        loop {
            poll.wait();
            poll.expect_a_ring();
            if clearing == Clearing::BeforeTheDrain {
                self.notified.swap(false, Ordering::AcqRel);
            }
            if self.pushed.load(Ordering::Acquire) {
                return;
            }
            if clearing == Clearing::AfterTheDrain {
                self.notified.swap(false, Ordering::AcqRel);
            }
        }
    }
}

fn explore_order(order: Order) {
    explore(move || {
        let (bell, poll) = bell(0);
        let (pushed, parked) = (AtomicBool::new(false), AtomicBool::new(false));
        let inbox = Arc::new(Miniature { pushed, parked, bell });
        let (same, ringer) = (Arc::clone(&inbox), poll.ringer());
        let sender = thread::spawn(move || {
            same.send(order);
            drop(same);
            drop(ringer);
        });
        inbox.receive(&poll, order);
        sender.join().unwrap();
    });
}

/// A ring without a message brings the loop to its drain just when the message comes.
fn explore_clearing(clearing: Clearing) {
    explore(move || {
        let (bell, poll) = bell(0);
        let (pushed, notified) = (AtomicBool::new(false), AtomicBool::new(true));
        poll.expect_a_ring();
        bell.wake().unwrap();
        let inbox = Arc::new(Inverted { pushed, notified, bell });
        let (same, ringer) = (Arc::clone(&inbox), poll.ringer());
        let sender = thread::spawn(move || {
            same.send();
            drop(same);
            drop(ringer);
        });
        inbox.receive(&poll, clearing);
        sender.join().unwrap();
    });
}

/// Fails unless the model ends with a loop that waits for ever.
fn assert_loses_a_message(model: impl FnOnce()) {
    let failed = catch_unwind(AssertUnwindSafe(model)).expect_err("loom finds nothing wrong with the wrong order");
    let says = failed.downcast_ref::<&str>().copied().or_else(|| Some(failed.downcast_ref::<String>()?));
    assert_eq!(says, Some(LOST), "the model failed for another reason");
}

#[test]
fn the_right_order_loses_nothing() {
    explore_order(Order::Right);
}

#[test]
fn ringing_before_the_push_loses_a_message() {
    assert_loses_a_message(|| explore_order(Order::RingThenPush));
}

#[test]
fn a_sender_without_a_fence_loses_a_message() {
    assert_loses_a_message(|| explore_order(Order::NoFenceInSend));
}

#[test]
fn a_loop_without_a_fence_loses_a_message() {
    assert_loses_a_message(|| explore_order(Order::NoFenceInMayPark));
}

#[test]
fn looking_before_declaring_parked_loses_a_message() {
    assert_loses_a_message(|| explore_order(Order::LookThenDeclare));
}

#[test]
fn parking_without_a_second_look_loses_a_message() {
    assert_loses_a_message(|| explore_order(Order::NoSecondLook));
}

#[test]
fn an_inverted_flag_cleared_before_the_drain_loses_nothing() {
    explore_clearing(Clearing::BeforeTheDrain);
}

#[test]
fn an_inverted_flag_cleared_after_the_drain_loses_a_message() {
    assert_loses_a_message(|| explore_clearing(Clearing::AfterTheDrain));
}
