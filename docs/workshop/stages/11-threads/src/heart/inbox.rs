//! The inbox: how another thread reaches a loop.
//!
//! A runtime owns one [`Inbox`], and the process-wide [`Registry`] finds it by the runtime's number.
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

use std::sync::PoisonError;

use crate::ground::sync::{Arc, AtomicBool, Bell, Consumer, Ordering, Producer, RwLock, fence, queue};

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

/// Finds the inbox of a runtime by its number.
///
/// Numbers count up and are never given twice. A waker holds only the low 16 bits, which belong to one living runtime
/// at a time.
pub(crate) struct Registry<M> {
    table: RwLock<Table<M>>,
}

struct Table<M> {
    last_number: u32,
    /// The runtimes' numbers and inboxes, in the order of the low 16 bits.
    inboxes: Vec<(u32, Arc<Inbox<M>>)>,
}

impl<M> Table<M> {
    /// The place of the runtime that has these low 16 bits; or the place where one would stand.
    fn place(&self, low_bits: u16) -> Result<usize, usize> {
        self.inboxes.binary_search_by_key(&low_bits, |(number, _)| *number as u16)
    }
}

impl<M> Registry<M> {
    /// A registry without runtimes.
    pub(crate) fn new() -> Self {
        Self { table: RwLock::new(Table { last_number: 0, inboxes: Vec::new() }) }
    }

    /// Enters an inbox and returns the number of its runtime: `None` when 65,535 runtimes live, or
    /// when the numbers have run out. Those whose low bits are 0 are nobody's.
    pub(crate) fn enter(&self, inbox: &Arc<Inbox<M>>) -> Option<u32> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if table.inboxes.len() >= usize::from(u16::MAX) {
            return None;
        }
        for _ in 0..=u16::MAX {
            let number = table.last_number.checked_add(1)?;
            table.last_number = number;
            match table.place(number as u16) {
                Err(place) if number as u16 != 0 => {
                    table.inboxes.insert(place, (number, Arc::clone(inbox)));
                    return Some(number);
                }
                _ => {}
            }
        }
        None
    }

    /// Removes a runtime: from here on nobody finds its inbox. A sender that found it before can still send, until the
    /// loop drops its end of the queue.
    pub(crate) fn leave(&self, number: u32) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let inbox = table.place(number as u16).ok().map(|place| table.inboxes.remove(place));
        drop(table);
        drop(inbox);
    }

    /// The inbox of the runtime with this number, if it lives.
    pub(crate) fn exact(&self, number: u32) -> Option<Arc<Inbox<M>>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let (found, inbox) = &table.inboxes[table.place(number as u16).ok()?];
        (*found == number).then(|| Arc::clone(inbox))
    }

    /// The inbox of the runtime that has these low 16 bits today: good enough for a wake, which may
    /// go wrong, and for nothing else.
    pub(crate) fn hint(&self, low_bits: u16) -> Option<Arc<Inbox<M>>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let (_, inbox) = &table.inboxes[table.place(low_bits).ok()?];
        Some(Arc::clone(inbox))
    }
}
