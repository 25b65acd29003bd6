//! A future that forgets its waker: it says "not yet", and nobody can ever tell it "now".
//!
//! ```text
//! cargo run --release --bin forgotten_waker
//! ONELOOP_SEE=1 cargo run --release --bin forgotten_waker -- --real
//! ```
//!
//! Watch: two tasks wait for a letter in a mailbox of a hand-written kind. `poll` must do two
//! things before it returns `Pending`: look, and leave the waker with the one who will change what it saw.
//! The first mailbox only looks. Its letter comes, and its reader sleeps on. The diagnosis sees it when
//! the loop goes to sleep: a task that waits, and of which no waker is left. The second mailbox does
//! both, and its reader is polled again in the very turn in which the letter comes. It prints both ends.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use clap::Parser;
use oneloop::task::Builder;
use oneloop::time::{Instant, sleep};
use oneloop_demos::{Stage, flags, say};

/// A future that forgets its waker, beside one that does not.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    stage: Stage,
}

/// Holds one letter, for one reader.
#[derive(Default)]
struct Mailbox {
    letter: Cell<Option<&'static str>>,
    reader: RefCell<Option<Waker>>,
    forgets: bool,
}

impl Mailbox {
    fn poll_letter(&self, cx: &Context<'_>) -> Poll<&'static str> {
        if let Some(letter) = self.letter.take() {
            return Poll::Ready(letter);
        }
        if !self.forgets {
            self.reader.replace(Some(cx.waker().clone()));
        }
        Poll::Pending // "I have arranged to be woken": of the forgetful mailbox, this is not true
    }

    fn put(&self, letter: &'static str) {
        self.letter.set(Some(letter));
        // Taken out first: a waker is foreign code, and no borrow may be alive while it runs.
        let reader = self.reader.take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

fn main() -> ExitCode {
    flags::<Args>().stage.play(async |_| scene().await)
}

async fn scene() {
    let start = Instant::now();
    let mailboxes = [true, false].map(|forgets| Rc::new(Mailbox { forgets, ..Mailbox::default() }));
    let names = ["reader of the forgetful mailbox", "reader of the careful mailbox"];
    let readers = [0, 1].map(|n| {
        let (mailbox, name) = (Rc::clone(&mailboxes[n]), names[n]);
        Builder::new().name(name).spawn(async move {
            let letter = poll_fn(|cx| mailbox.poll_letter(cx)).await;
            say(start, format_args!("{name}: got {letter:?}"));
        })
    });
    sleep(Duration::from_secs(1)).await;
    say(start, "a letter is put into both mailboxes");
    mailboxes.iter().for_each(|mailbox| mailbox.put("hello"));
    sleep(Duration::from_secs(4)).await;
    for (reader, name) in readers.iter().zip(names) {
        let fate = if reader.is_finished() { "is done" } else { "still waits, for a letter that is there" };
        say(start, format_args!("{name}: {fate}"));
        reader.abort();
    }
}
