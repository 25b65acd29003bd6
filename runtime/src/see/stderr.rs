//! Stderr: what the runtime has to say, written by a thread of its own.
//!
//! ```text
//!     say(text) --> queue of 64 KiB --> thread "oneloop-stderr" --> write(2)
//!        |                                         |
//!        '---- waits a moment for its line <-------'     unless the reader is behind already
//! ```
//!
//! A pipe that nobody reads, and a terminal that Ctrl-S has stopped, keep a writer waiting for ever. Here only that
//! thread waits. A line for which there is no room is left out and counted. The count is written as soon as there is
//! room again. While the reader keeps up, a line is written by the time that `say` returns. So it stands in its place
//! among the lines that the program itself writes.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use super::helper;
use crate::ground::signals;

/// How many bytes may wait before what comes next is left out. One text may exceed it.
const ROOM: usize = 64 * 1024;
/// How many columns of a terminal a text takes. So it reads well in a narrow window too, whose size is not asked for.
const COLUMNS: usize = 60;
/// How long a sentence waits to be written, so that it stands in its place.
const FOR_A_SENTENCE: Duration = Duration::from_millis(50);
/// How long the loop waits for one line of its log.
const FOR_A_LINE: Duration = Duration::from_millis(2);
/// How long a process that ends waits for a reader.
const AT_THE_END: Duration = Duration::from_millis(300);

/// Writes a text to stderr. It returns soon, however slowly anybody reads there.
pub(super) fn say(text: String) {
    say_within(FOR_A_SENTENCE, text);
}

/// Writes a line of the log, which comes at every turn, so it waits for a shorter time.
pub(super) fn log(text: String) {
    say_within(FOR_A_LINE, text);
}

/// Waits a little until all is written.
pub(super) fn flush() {
    if let Some(speaker) = Speaker::of_this_process() {
        speaker.wait_for_all(AT_THE_END);
    }
}

fn say_within(limit: Duration, text: String) {
    if let Some(speaker) = Speaker::of_this_process() {
        speaker.say(if io::stderr().is_terminal() { broken(&text) } else { text }, limit);
    }
}

/// A text with its lines broken between words. The rest of a line stands below its second word.
fn broken(text: &str) -> String {
    let mut broken = String::with_capacity(text.len() * 5 / 4);
    for line in text.lines() {
        let rest = line.find(' ').map_or("", |end| &line[end..]);
        let indent = line.len() - rest.trim_start().len();
        let mut column = 0;
        for word in line.split_inclusive(' ') {
            let wide = word.chars().count();
            if column > indent && column + word.trim_end().chars().count() > COLUMNS {
                broken.truncate(broken.trim_end_matches(' ').len());
                broken.push('\n');
                broken.extend(std::iter::repeat_n(' ', indent));
                column = indent;
            }
            broken.push_str(word);
            column += wide;
        }
        broken.push('\n');
    }
    broken
}

/// The part that the writing thread shares with those who have something to say.
#[derive(Default)]
struct Speaker {
    queue: Mutex<Queue>,
    put: Condvar,
    written: Condvar,
}

#[derive(Default)]
struct Queue {
    texts: VecDeque<String>,
    /// How many bytes are in `texts` and in the text that is being written.
    bytes: usize,
    /// How many texts were put here, and how many of them are done with.
    taken_in: u64,
    done: u64,
    /// How many were left out since that was last said.
    left_out: u64,
    /// The reader has kept somebody waiting, and not everything is written yet.
    is_behind: bool,
    has_a_thread: bool,
}

impl Speaker {
    /// `None` in a child that was forked while another thread was here: that thread's lock is held for ever.
    fn of_this_process() -> Option<Arc<Self>> {
        static SPEAKER: Mutex<Option<(u32, Arc<Speaker>)>> = Mutex::new(None);
        let forks = signals::forks();
        let mut speaker = match SPEAKER.try_lock() {
            Ok(speaker) => speaker,
            Err(_) if forks > 0 => return None,
            Err(_) => SPEAKER.lock().unwrap_or_else(PoisonError::into_inner),
        };
        if speaker.as_ref().is_none_or(|(of, _)| *of != forks) {
            // A parent's queue is not the child's to write, nor is its lock the child's to take.
            std::mem::forget(speaker.replace((forks, Arc::default())));
        }
        speaker.as_ref().map(|(_, speaker)| Arc::clone(speaker))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(self: &Arc<Self>, text: String, limit: Duration) {
        let mut queue = self.lock();
        if queue.bytes >= ROOM || !self.has_a_thread(&mut queue) {
            queue.left_out += 1;
            return;
        }
        queue.left_out().into_iter().for_each(|note| queue.put(note));
        queue.put(text);
        self.put.notify_one();
        if !queue.is_behind {
            let mine = queue.taken_in;
            queue = self.wait_while(queue, limit, |queue| queue.done < mine);
            queue.is_behind = queue.done < mine;
        }
    }

    fn has_a_thread(self: &Arc<Self>, queue: &mut Queue) -> bool {
        static AT_EXIT: Once = Once::new();
        extern "C" fn exits() {
            flush();
        }
        if !queue.has_a_thread {
            let writer = Arc::clone(self);
            queue.has_a_thread = helper::start_for_good("stderr", move || writer.write()).is_ok();
            AT_EXIT.call_once(|| signals::at_exit(exits));
        }
        queue.has_a_thread
    }

    /// Also for the count of what was left out, which comes last.
    fn wait_for_all(&self, limit: Duration) {
        drop(self.wait_while(self.lock(), limit, |queue| queue.done < queue.taken_in));
    }

    fn wait_while<'a>(
        &self,
        queue: MutexGuard<'a, Queue>,
        limit: Duration,
        is_unwritten: impl Fn(&Queue) -> bool,
    ) -> MutexGuard<'a, Queue> {
        let waited = self.written.wait_timeout_while(queue, limit, |queue| is_unwritten(queue));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// The thread that writes. No lock is held while it does.
    fn write(&self) {
        let mut queue = self.lock();
        loop {
            let Some(text) = queue.texts.pop_front() else {
                queue = self.put.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(queue);
            // If stderr is closed or full, there is nobody to tell.
            let _ = io::stderr().write_all(text.as_bytes());
            queue = self.lock();
            queue.bytes -= text.len();
            queue.done += 1;
            if queue.texts.is_empty() {
                queue.is_behind = false;
                queue.left_out().into_iter().for_each(|note| queue.put(note));
            }
            self.written.notify_all();
        }
    }
}

impl Queue {
    fn put(&mut self, text: String) {
        self.bytes += text.len();
        self.taken_in += 1;
        self.texts.push_back(text);
    }

    /// Says once what was left out since it was last said.
    fn left_out(&mut self) -> Option<String> {
        let count = std::mem::take(&mut self.left_out);
        (count > 0).then(|| format!("oneloop: {count} messages were left out here, as nobody read stderr in time\n"))
    }
}

#[cfg(test)]
#[test]
fn a_line_for_a_terminal_is_broken_between_words() {
    let finding = "oneloop: task 3 \"hog\" (spawned at src/hog.rs:48:42, last waited at src/hog.rs:49:9) ran for 2 s in one poll\n";
    let broken_up = "oneloop: task 3 \"hog\" (spawned at src/hog.rs:48:42, last\n         waited at src/hog.rs:49:9) ran for 2 s in one poll\n";
    assert_eq!(broken(finding), broken_up);
    let long = "x".repeat(80);
    assert_eq!(broken(&format!("oneloop:     {long} y\n")), format!("oneloop:     {long}\n             y\n"));
    assert_eq!(broken("short\nlines\n"), "short\nlines\n");
}
