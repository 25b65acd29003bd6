//! The answers over HTTP: the page, the stream of events, and a word to each command.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use super::answer::head;
use super::gate::Command;
use super::guest::Guest;
use super::page::PACKED;
use super::request::{BY_GET, BY_POST, Refusal, Rules, Wanted, wanted};
use super::watched::Watched;
use super::why;
use crate::see::model::json::line;

/// The page's rights: to run its own script, and to talk to us. Nobody may put it into a frame.
const POLICY: &str = "Content-Security-Policy: default-src 'none'; script-src 'unsafe-inline'; \
                      style-src 'unsafe-inline'; img-src data: blob:; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'\r\n";

/// How often events are sent, unless there is something that cannot wait.
const BEAT: Duration = Duration::from_millis(33);
/// After how long a viewer comes again whose stream is over: before a held loop takes itself to be alone.
const COME_AGAIN: Duration = Duration::from_millis(500);
/// How often the time is told.
const CLOCK: Duration = Duration::from_millis(250);
/// How many events are sent at once.
const AT_ONCE: usize = 1024;
/// How many times as long as it took to say what there is, a viewer who has fallen behind waits until that is
/// said again. So one who watches a busy loop among thousands of tasks takes a tenth of a processor.
const REST: u32 = 10;
/// How often that is done in one beat. If more happens, the viewer falls behind, and in the end begins
/// anew from where the loop is then.
const A_BEAT: usize = 4;

/// Answers a request.
pub(super) fn respond(guest: &mut Guest, request: &str, rules: &Rules, watched: &Watched) -> io::Result<()> {
    match wanted(request, rules) {
        Ok(Wanted::Page) => guest.say_last(page()),
        Ok(Wanted::Events(known)) => {
            guest.stay.is_known();
            stream(guest, watched, known)
        }
        Ok(Wanted::Turn(Command::UntilWake(task))) if !watched.look(|state, _| state.tasks.contains_key(&task)) => {
            refuse(guest, Refusal(404, "there is no task of this number"))
        }
        Ok(Wanted::Turn(command)) => {
            watched.gate.command(command);
            let mut done = head(204, "text/plain");
            done.extend_from_slice(b"\r\n");
            guest.say_last(done)
        }
        Err(refusal) => refuse(guest, refusal),
    }
}

/// Says why not.
pub(super) fn refuse(guest: &mut Guest, refusal: Refusal) -> io::Result<()> {
    let Refusal(status, why) = refusal;
    let mut answer = head(status, "text/plain; charset=utf-8");
    if refusal == BY_GET || refusal == BY_POST {
        let method = if refusal == BY_GET { "GET" } else { "POST" };
        write!(answer, "Allow: {method}\r\n")?;
    }
    write!(answer, "Content-Length: {}\r\n\r\n{why}\n", why.len() + 1)?;
    guest.say_last(answer)
}

fn page() -> Vec<u8> {
    let mut answer = head(200, "text/html; charset=utf-8");
    let length = PACKED.len();
    let more = format!("{POLICY}Content-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n");
    answer.extend_from_slice(more.as_bytes());
    answer.extend_from_slice(PACKED);
    answer
}

/// Sends the header, the facts and then the events as they come, with the loop's status between them. It ends when the
/// viewer leaves, or has to give its seat to another. The loop never waits for a viewer. A viewer that is too slow
/// misses the events that the ring has dropped, and is sent a header and facts again. A viewer that comes back
/// knows by the first line whether it sees the same run, and goes on where it was.
fn stream(guest: &mut Guest, watched: &Watched, known: Option<(u64, u64)>) -> io::Result<()> {
    let known = known.filter(|(run, _)| *run == watched.run).map(|(_, event)| event);
    let (_viewer, seat) = (watched.gate.viewer(), watched.seats.take(known.is_none()));
    let (mut place, mut sent) = (Place { cursor: known, rested: None }, 0);
    let (mut status, mut clock_told) = (watched.gate.status(), None::<Instant>);
    let mut opening = head(200, "text/event-stream");
    write!(opening, "\r\nretry: {}\n\n", COME_AGAIN.as_millis())?;
    let run = line(|line| {
        line.text("status", "run").text("run", format_args!("{:x}", watched.run));
    });
    opening.extend(message(&format!("{run}{status}"), "").bytes());
    guest.say(opening)?;
    loop {
        let is_closing = guest.stay.must_end();
        let last_round = is_closing || !seat.is_kept();
        let at_once = sent > 0 || last_round;
        // News of that moment was told before the loop was held, if it is.
        let now = watched.gate.status_after(status, if at_once { Duration::ZERO } else { BEAT });
        let (mut text, more) = place.news(watched);
        if clock_told.is_none_or(|told| told.elapsed() >= CLOCK) {
            clock_told = Some(Instant::now());
            text.push_str(&watched.clock_line());
        }
        if now != status {
            status = now;
            let _ = writeln!(text, "{status}");
        }
        if !text.is_empty() {
            guest.say(message(&text, &place.id(watched)))?;
        }
        if last_round && (!more || (sent >= A_BEAT && !is_closing)) {
            // Facts were much to say, perhaps: the next time they are, that is not so soon.
            let rest = place.rested.map_or(Duration::ZERO, |rested| rested.saturating_duration_since(Instant::now()));
            return guest.say_last(format!("retry: {}\n\n", rest.max(COME_AGAIN).as_millis()));
        }
        sent = if more && sent < A_BEAT { sent + 1 } else { 0 };
    }
}

/// A viewer's place in the story.
#[derive(Default)]
struct Place {
    cursor: Option<u64>,
    /// When it may be told all facts again.
    rested: Option<Instant>,
}

impl Place {
    /// By what the viewer will say where it was, if it comes again.
    fn id(&self, watched: &Watched) -> String {
        self.cursor.map_or_else(String::new, |event| format!("id: {:x}-{event}\n", watched.run))
    }

    /// The news since the last time, and whether there is more.
    fn news(&mut self, watched: &Watched) -> (String, bool) {
        let (cursor, began) = (self.cursor.unwrap_or(0), Instant::now());
        if watched.ring.has_lost(cursor) && self.rested.is_some_and(|rested| began < rested) {
            return (String::new(), false);
        }
        // A loop that rests is shown with its past, however long that is: else its page would be empty.
        let has_time = self.cursor.is_none() && watched.is_at_rest();
        let ring = &watched.ring;
        let mut batch = if has_time { ring.whole_past(AT_ONCE) } else { ring.since(cursor, AT_ONCE) };
        if batch.anew {
            self.rested = Some(Instant::now() + began.elapsed() * REST);
        }
        if self.cursor.is_none() {
            // A program that hangs has been found to, mostly, before somebody comes to look.
            batch.text.push_str(&why::findings(&watched.ring, batch.cursor));
        }
        // Before the first event there is nothing new in beginning anew.
        let again = self.cursor == Some(0) && batch.cursor == 0;
        self.cursor = Some(batch.cursor);
        (if again { String::new() } else { batch.text }, batch.cursor < watched.ring.last())
    }
}

/// A message of the stream: each line of `text` as a line of data, behind the line `id`.
fn message(text: &str, id: &str) -> String {
    let mut message = String::with_capacity(text.len() + 64);
    message.push_str(id);
    for line in text.lines() {
        message.push_str("data: ");
        message.push_str(line);
        message.push('\n');
    }
    message.push('\n');
    message
}
