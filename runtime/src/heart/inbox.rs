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
//! Each side first writes and then reads what the other side writes, with a fence between. So at least one of them sees
//! what the other wrote. Either the loop finds the message in b, or the sender finds the loop parked in 2 and rings.
//! Only the sender that turns `parked` to false rings. So any number of messages costs one system call while the loop
//! sleeps, and none while it is awake.
//!
//! Two rules hold here. No lock is held while a message is dropped, since a message may own foreign code. And the order
//! of the steps is the one above. `tests/loom` tries every interleaving of this file.

use crate::ground::queue::{Consumer, Producer, queue};
use crate::ground::sync::{Arc, AtomicBool, Bell, Ordering, fence};

/// One runtime's inbox, shared between its loop and every thread that may want to reach it.
pub(crate) struct Inbox<M> {
    messages: Producer<M>,
    parked: AtomicBool,
    /// Ends a park: mio's waker here, and a model of one in `tests/loom`.
    bell: Bell,
}

impl<M> Inbox<M> {
    /// An inbox whose `bell` ends a park of its loop. The loop keeps the second value, from which it takes the
    /// messages.
    pub(crate) fn new(bell: Bell) -> (Arc<Self>, Consumer<M>) {
        let (messages, incoming) = queue();
        (Arc::new(Self { messages, parked: AtomicBool::new(false), bell }), incoming)
    }

    /// Pushes a message, and rings if the loop is parked. Gives the message back when the loop is gone.
    pub(crate) fn send(&self, message: M) -> Result<(), M> {
        self.messages.send(message)?;
        fence(Ordering::SeqCst);
        // A bell hardly ever fails: mio empties a full eventfd itself. If it does, the next sender must ring, so `parked`
        // is set again. Another sender may have seen it false meanwhile, so this one rings once more.
        for _attempt in 0..2 {
            let mine = self.parked.load(Ordering::Relaxed) && self.parked.swap(false, Ordering::AcqRel);
            if !mine || self.bell.wake().is_ok() {
                break;
            }
            self.parked.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Marks the loop as about to park: from here on senders ring, until [`unparked`](Self::unparked). False, and
    /// unmarked again, if there are messages: then the loop must not park.
    pub(crate) fn announce_park(&self, incoming: &Consumer<M>) -> bool {
        self.parked.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let nothing_came = incoming.is_empty();
        if !nothing_came {
            self.parked.store(false, Ordering::Relaxed);
        }
        nothing_came
    }

    /// Notes that the loop is awake: from here on nobody needs to ring.
    pub(crate) fn unparked(&self) {
        self.parked.store(false, Ordering::Relaxed);
    }
}
