//! Who is connected to a server, with an upper bound: when all places are taken, the guest that has been silent the
//! longest has to go. So nobody keeps a newcomer out by saying nothing.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::{files_allowed, log};

/// Files that are no guest's: the standard three, the event queue, listeners, a log, and some room.
const SPARE: u64 = 16;

/// All who are connected.
pub struct Guests {
    most: usize,
    words: Cell<u64>,
    inside: Cell<usize>,
    /// Waits until nobody is inside.
    waits: Cell<Option<Waker>>,
    /// By the number of the last word of each, so the most silent is the first.
    present: RefCell<BTreeMap<u64, Rc<Fate>>>,
}

/// Somebody who is connected, for as long as this lives.
pub struct Guest {
    guests: Rc<Guests>,
    last_word: Cell<u64>,
    fate: Rc<Fate>,
}

#[derive(Default)]
struct Fate {
    has_to_go: Cell<bool>,
    /// The tasks that serve the guest: few, and each once.
    serve: RefCell<Vec<Waker>>,
}

impl Guests {
    /// Room for so many, but for no more than there are files: at that limit, nobody new could even be accepted.
    pub fn at_most(wanted: usize) -> Rc<Self> {
        let files = usize::try_from(files_allowed().saturating_sub(SPARE)).unwrap_or(usize::MAX);
        let (words, inside, waits, present) = Default::default();
        Rc::new(Self { most: wanted.min(files).max(1), words, inside, waits, present })
    }

    /// Lets somebody in. Where all places are taken, another one is told to go.
    pub fn enter(self: &Rc<Self>) -> Guest {
        let mut present = self.present.borrow_mut();
        let silent = if present.len() >= self.most { present.pop_first() } else { None };
        let fate = Rc::new(Fate::default());
        let last_word = Cell::new(self.next_word());
        present.insert(last_word.get(), Rc::clone(&fate));
        self.inside.set(self.inside.get() + 1);
        drop(present);
        if let Some((_, silent)) = silent {
            log(&format!("{} are connected, so the one that was silent the longest has to go", self.most));
            silent.has_to_go.set(true);
            silent.serve.take().into_iter().for_each(Waker::wake);
        }
        Guest { guests: Rc::clone(self), last_word, fate }
    }

    /// Resolves when everybody has gone. One task at a time may await it.
    pub async fn all_gone(&self) {
        poll_fn(|cx| {
            if self.inside.get() == 0 {
                return Poll::Ready(());
            }
            self.waits.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    fn next_word(&self) -> u64 {
        self.words.set(self.words.get() + 1);
        self.words.get()
    }
}

impl Guest {
    /// To be called whenever the guest has said something.
    pub fn has_spoken(&self) {
        let mut present = self.guests.present.borrow_mut();
        // A guest that was told to go stays told.
        if let Some(fate) = present.remove(&self.last_word.get()) {
            self.last_word.set(self.guests.next_word());
            present.insert(self.last_word.get(), fate);
        }
    }

    /// Resolves when the place is needed for another.
    pub async fn has_to_go(&self) {
        poll_fn(|cx| {
            if self.fate.has_to_go.get() {
                return Poll::Ready(());
            }
            let mut serve = self.fate.serve.borrow_mut();
            if !serve.iter().any(|waker| waker.will_wake(cx.waker())) {
                serve.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.guests.present.borrow_mut().remove(&self.last_word.get());
        self.guests.inside.set(self.guests.inside.get() - 1);
        if let (0, Some(waker)) = (self.guests.inside.get(), self.guests.waits.take()) {
            waker.wake();
        }
    }
}
