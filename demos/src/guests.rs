//! The guests of a server, with an upper bound: when all places are taken, the guest that has been silent the
//! longest has to go. So nobody keeps a newcomer out by saying nothing.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use oneloop::net::TcpStream;

use crate::{files_allowed, log};

/// Files that are no guest's: the standard three, the event queue, listeners, a log, and some room.
const SPARE: u64 = 24;

/// All who are connected.
pub struct Guests {
    most: usize,
    words: Cell<u64>,
    came: Cell<u64>,
    inside: Cell<usize>,
    /// Waits for somebody to leave, or to fall silent.
    waits: Cell<Option<Waker>>,
    /// By the number of the last word of each, so the most silent is the first. Busy ones are not among them.
    silent: RefCell<BTreeMap<u64, Rc<Fate>>>,
}

/// Somebody who is connected, for as long as this lives.
pub struct Guest {
    guests: Rc<Guests>,
    number: u64,
    last_word: Cell<u64>,
    fate: Rc<Fate>,
}

#[derive(Default)]
struct Fate {
    has_to_go: Cell<bool>,
    /// The tasks that serve the guest: few, and each once.
    serve: RefCell<Vec<Waker>>,
    /// The guest's connection, if it is to be hung up on.
    stream: OnceCell<Arc<TcpStream>>,
}

impl Guests {
    /// Room for so many, but for no more than there are files: at that limit, nobody new could even be accepted.
    pub fn at_most(wanted: u32) -> Rc<Self> {
        let allowed = files_allowed().saturating_sub(SPARE).max(1);
        let most = usize::try_from(allowed.min(wanted.into())).unwrap_or(usize::MAX);
        let (words, came, inside, waits, silent) = Default::default();
        Rc::new(Self { most, words, came, inside, waits, silent })
    }

    /// Lets somebody in. Another one is told to go if all places are taken.
    pub fn enter(self: &Rc<Self>) -> Guest {
        if self.silent.borrow().len() >= self.most {
            self.tell_one_to_go();
        }
        let (fate, last_word) = (Rc::new(Fate::default()), Cell::new(self.next_word()));
        self.silent.borrow_mut().insert(last_word.get(), Rc::clone(&fate));
        self.inside.set(self.inside.get() + 1);
        self.came.set(self.came.get() + 1);
        Guest { guests: Rc::clone(self), number: self.came.get(), last_word, fate }
    }

    /// Resolves when there is a place. One guest is told to go if all are taken, once there is a silent one.
    pub async fn room(&self) {
        let mut has_told = false;
        self.wait_until(|| {
            let has_room = self.inside.get() < self.most;
            has_told = has_room || has_told || self.tell_one_to_go();
            has_room
        })
        .await;
    }

    /// Resolves when everybody has gone.
    pub async fn all_gone(&self) {
        self.wait_until(|| self.inside.get() == 0).await;
    }

    /// How many are connected.
    pub fn inside(&self) -> usize {
        self.inside.get()
    }

    /// How many came in all.
    pub fn came(&self) -> u64 {
        self.came.get()
    }

    /// One task at a time may wait.
    async fn wait_until(&self, mut is_so: impl FnMut() -> bool) {
        let wait = |cx: &mut Context<'_>| {
            if is_so() {
                return Poll::Ready(());
            }
            self.waits.set(Some(cx.waker().clone()));
            Poll::Pending
        };
        poll_fn(wait).await;
    }

    /// Returns whether there was a silent one.
    fn tell_one_to_go(&self) -> bool {
        let first = self.silent.borrow_mut().pop_first();
        let Some((_, fate)) = first else { return false };
        log(&format!("{} are connected, so the one that was silent the longest has to go", self.inside.get()));
        fate.has_to_go.set(true);
        // A task that only reads its connection finds the end of it.
        let _ = fate.stream.get().map(|stream| stream.shutdown(Shutdown::Both));
        fate.serve.take().into_iter().for_each(Waker::wake);
        true
    }

    fn has_changed(&self) {
        if let Some(waker) = self.waits.take() {
            waker.wake();
        }
    }

    fn next_word(&self) -> u64 {
        self.words.set(self.words.get() + 1);
        self.words.get()
    }
}

impl Guest {
    /// Counts from 1, over all who came.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// To be called whenever the guest has said something, or has been answered.
    pub fn has_spoken(&self) {
        // A guest that was told to go stays told.
        if !self.fate.has_to_go.get() {
            self.is_busy();
            self.last_word.set(self.guests.next_word());
            self.guests.silent.borrow_mut().insert(self.last_word.get(), Rc::clone(&self.fate));
            self.guests.has_changed();
        }
    }

    /// To be called when the guest is being answered: it is not silent, and stays until it has been.
    pub fn is_busy(&self) {
        self.guests.silent.borrow_mut().remove(&self.last_word.get());
    }

    /// Whether the place was needed for another.
    pub fn was_told_to_go(&self) -> bool {
        self.fate.has_to_go.get()
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

    /// Has this connection shut down when the place is needed for another.
    pub(crate) fn hang_up_on(&self, stream: &Arc<TcpStream>) {
        let _ = self.fate.stream.set(Arc::clone(stream));
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.guests.silent.borrow_mut().remove(&self.last_word.get());
        self.guests.inside.set(self.guests.inside.get() - 1);
        self.guests.has_changed();
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::FutureExt;
    use futures_lite::future::poll_once;

    use super::Guests;

    /// Whether a future is over, polled once.
    fn is_over(future: impl Future<Output = ()>) -> bool {
        oneloop::run(poll_once(future)).is_some()
    }

    #[test]
    fn the_most_silent_has_to_go_and_one_that_is_answered_stays() {
        let guests = Guests::at_most(3);
        let (one, two, three) = (guests.enter(), guests.enter(), guests.enter());
        one.has_spoken();
        two.is_busy();
        assert!(!is_over(guests.room()));
        assert!(is_over(three.has_to_go()) && !is_over(one.has_to_go().or(two.has_to_go())));
        drop(three);
        assert!(is_over(guests.room()) && guests.inside() == 2);
    }

    #[test]
    fn a_newcomer_waits_while_all_are_answered_and_then_gets_a_place() {
        let guests = Guests::at_most(1);
        let one = guests.enter();
        one.is_busy();
        oneloop::run(async {
            let newcomer = guests.room();
            let mut newcomer = Box::pin(newcomer);
            assert!(poll_once(&mut newcomer).await.is_none() && !one.fate.has_to_go.get());
            one.has_spoken();
            assert!(poll_once(&mut newcomer).await.is_none() && one.fate.has_to_go.get());
            one.has_spoken();
            assert!(one.fate.has_to_go.get(), "a guest that was told to go stays told");
            drop(one);
            newcomer.await;
        });
    }
}
