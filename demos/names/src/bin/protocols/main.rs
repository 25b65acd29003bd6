//! One state behind four protocols, on one loop: DNS, a line protocol, mail, and an HTTP page of what happened.
//! A word that is left at one door is found at the others. This answers Twisted.
//!
//! ```text
//! cargo run --release -p oneloop-names-demo                          in one terminal; then, in another:
//! printf 'set greeting hello\nquit\n' | nc -N 127.0.0.1 7021         a line leaves a word,
//! dig @127.0.0.1 -p 7020 greeting.words.test TXT +short              DNS finds it, by UDP or +tcp,
//! curl -s http://127.0.0.1:7023/words/greeting                       and so does HTTP,
//! printf 'HELO me\r\nVRFY greeting\r\nQUIT\r\n' | nc -N 127.0.0.1 7022   and SMTP.
//! ```
//!
//! Watch: open http://127.0.0.1:7023/ and leave words by the others. A mail to greeting@words.test leaves
//! its subject, `curl -T file .../words/greeting` what the file holds, and `nsupdate` a TXT record (RFC 2136).
//! Everything is one thread and one [`Board`], and none of its methods awaits: so nobody ever sees half a change.
//! It prints its four addresses, how many are connected, and the account at the end.

mod dns;
mod house;
mod http;
mod lines;
mod smtp;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::process::ExitCode;

use oneloop_demos::server::printable;
use oneloop_demos::{end_of, flags};

/// How many words are kept, and how long one is in bytes: as long as one string of a TXT record.
const WORDS_MAX: usize = 1_000;
const WORD_MAX: usize = 255;
/// How long a name is: a label of DNS.
const NAME_MAX: usize = 63;
/// How much of what happened is remembered.
const HISTORY: usize = 50;

/// The state: words by their names, and what happened last. All doors have it.
#[derive(Default)]
struct Board {
    words: RefCell<BTreeMap<String, String>>,
    history: RefCell<VecDeque<String>>,
    left: Cell<u64>,
    found: Cell<u64>,
}

impl Board {
    /// Leaves a word under a name, in place of the one that was there. Returns what is wrong with either.
    fn leave(&self, door: &str, name: &str, word: &str) -> Result<(), String> {
        let name = good_name(name)?;
        let word = printable(word);
        if word.is_empty() || word.len() > WORD_MAX {
            return Err(format!("a word has 1 to {WORD_MAX} bytes"));
        }
        let mut words = self.words.borrow_mut();
        if words.len() >= WORDS_MAX && !words.contains_key(&name) {
            return Err(format!("{WORDS_MAX} words are kept, and no more; remove one"));
        }
        self.tell(format!("{door} left {name}: {word}"));
        self.left.set(self.left.get() + 1);
        words.insert(name, word);
        Ok(())
    }

    /// The word under a name, in whatever case that is written.
    fn find(&self, door: &str, name: &str) -> Option<String> {
        let name = good_name(name).ok()?;
        let word = self.words.borrow().get(&name).cloned()?;
        self.tell(format!("{door} found {name}"));
        self.found.set(self.found.get() + 1);
        Some(word)
    }

    fn remove(&self, door: &str, name: &str) {
        let Ok(name) = good_name(name) else { return };
        if self.words.borrow_mut().remove(&name).is_some() {
            self.tell(format!("{door} removed {name}"));
        }
    }

    fn tell(&self, what: String) {
        let mut history = self.history.borrow_mut();
        if history.len() == HISTORY {
            history.pop_back();
        }
        history.push_front(what);
    }
}

/// A name in lower case, if it is one that all four protocols can carry.
fn good_name(name: &str) -> Result<String, String> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(is_good) {
        Ok(name.to_ascii_lowercase())
    } else {
        Err(format!("a name has 1 to {NAME_MAX} letters, digits, - and _"))
    }
}

fn main() -> ExitCode {
    end_of(house::serve(flags()))
}
