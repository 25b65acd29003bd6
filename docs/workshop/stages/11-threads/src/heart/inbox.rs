//! The inbox: how another thread reaches a loop.
//!
//! A runtime owns one [`Inbox`], and the process-wide `Registry` finds it by the runtime's number.
//! The sender's steps and the loop's steps are few, and their order is everything:
//!
//! ```text
//!     any thread                              the loop, before it parks
//!     ----------                              -------------------------
//!     1  push the message                     a  parked = true
//!        fence                                   fence
//!     2  parked? -> set it false, ring        b  messages? -> parked = false, do not park
//!                                             c  park (until the bell, an event or a deadline)
//!                                             d  parked = false, then drain
//! ```
//!
//! Each side writes its own word first and then reads the other's, with a fence between. So at least one of them sees
//! the other. Either the loop finds the message in b, or the sender finds the loop parked in 2 and rings. The sender
//! that turns `parked` to false rings. So any number of messages costs one system call while the loop sleeps, and
//! none while it is awake.
//!
//! Two things must never happen here. No lock is held while foreign code runs, and a message may own anything. And
//! the order of steps is never another than the one above. A test of stage 11 tries every order of these steps.

use crate::ground::sync::{Arc, AtomicBool, Bell, Consumer, Ordering, Producer, fence, queue};

/// One runtime's inbox, shared between its loop and every thread that may want to reach it.
pub(crate) struct Inbox<M> {
    messages: Producer<M>,
    parked: AtomicBool,
    bell: Bell,
}

impl<M> Inbox<M> {
    /// An inbox whose loop sleeps where `bell` is heard. The loop keeps the second value, from which
    /// it takes the messages.
    pub(crate) fn new(bell: Bell) -> (Arc<Self>, Consumer<M>) {
        let (messages, incoming) = queue();
        (Arc::new(Self { messages, parked: AtomicBool::new(false), bell }), incoming)
    }

    /// Pushes a message and makes sure that the loop will look. Gives the message back when the loop
    /// is gone.
    pub(crate) fn send(&self, message: M) -> Result<(), M> {
        // stage: hole "Inbox::send"
        self.messages.send(message)?;
        fence(Ordering::SeqCst);
        // mio resets a full eventfd by itself, so a bell hardly ever fails. Should it, the loop still
        // counts as parked, for the next sender; and for one that saw it taken meanwhile, ring again.
        for _attempt in 0..2 {
            let mine = self.parked.load(Ordering::Relaxed) && self.parked.swap(false, Ordering::AcqRel);
            if !mine || self.bell.wake().is_ok() {
                break;
            }
            self.parked.store(true, Ordering::Release);
        }
        Ok(())
        // stage: end
    }

    /// The loop is about to park. False if there are messages after all: then it must not.
    pub(crate) fn announce_park(&self, incoming: &Consumer<M>) -> bool {
        // stage: hole "Inbox::announce_park"
        self.parked.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let nothing_came = incoming.is_empty();
        if !nothing_came {
            self.parked.store(false, Ordering::Relaxed);
        }
        nothing_came
        // stage: end
    }

    /// The loop has come back from its park: from here on nobody needs to ring.
    pub(crate) fn unparked(&self) {
        self.parked.store(false, Ordering::Relaxed);
    }
}
