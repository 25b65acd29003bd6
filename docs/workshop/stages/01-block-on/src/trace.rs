//! Given: the trace. It tells what your runtime does, one event a line, in the form of the project's docs/events.md.
//!
//! `cargo stage test` names a file by `STAGE_TRACE`, and nothing is told without it. You call a few of these
//! functions, where a page says so; you never need to change them.

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

/// The number of the future that `block_on` runs.
pub const MAIN: u64 = 1;

/// No recording has more events.
const MOST_EVENTS: u64 = 200_000;

struct Trace {
    file: Option<File>,
    began: Instant,
    events: u64,
}

static TRACE: Mutex<Option<Trace>> = Mutex::new(None);
static THREADS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The task or thing that runs on this thread: the cause of all that happens meanwhile.
    static CAUSE: Cell<Cause> = const { Cell::new(Cause::Nobody) };
    /// The virtual time, where a runtime has one.
    static VIRTUAL: Cell<Option<Duration>> = const { Cell::new(None) };
    /// The number of this thread, if it runs no loop.
    static THREAD: Cell<u64> = const { Cell::new(0) };
}

#[derive(Clone, Copy)]
enum Cause {
    Nobody,
    Loop,
    Task(u64),
    Timer(u64),
    Source(u64),
    Thread(u64),
}

fn cause() -> String {
    match CAUSE.get() {
        Cause::Nobody => format!("thread {}", thread_number()),
        Cause::Thread(thread) => format!("thread {thread}"),
        Cause::Loop => "outside".to_owned(),
        Cause::Task(task) => format!("task {task}"),
        Cause::Timer(timer) => format!("timer {timer}"),
        Cause::Source(source) => format!("source {source}"),
    }
}

/// The number of this thread. Threads are numbered when they first ask.
pub fn thread_number() -> u64 {
    if THREAD.get() == 0 {
        THREAD.set(THREADS.fetch_add(1, Ordering::Relaxed) + 1);
    }
    THREAD.get()
}

/// This thread asked for all that happens next.
pub fn by_thread(thread: u64) {
    CAUSE.set(Cause::Thread(thread));
}

/// Writes an event: its kind, and the rest of its keys as JSON.
fn tell(kind: &str, keys: &str) {
    let mut trace = TRACE.lock().unwrap_or_else(PoisonError::into_inner);
    let trace = trace.get_or_insert_with(Trace::begin);
    trace.events += 1;
    if trace.events == 1 {
        let clock = if VIRTUAL.get().is_some() { "virtual" } else { "real" };
        trace.line(&format!(r#"{{"oneloop":"events","version":1,"clock":"{clock}","first":1,"dropped":0}}"#));
    }
    if trace.events <= MOST_EVENTS {
        let (n, time) = (trace.events, VIRTUAL.get().unwrap_or_else(|| trace.began.elapsed()).as_nanos());
        trace.line(&format!(r#"{{"n":{n},"t":{time},"e":"{kind}"{keys}}}"#));
    }
}

impl Trace {
    fn begin() -> Self {
        let file = std::env::var_os("STAGE_TRACE").and_then(|path| File::create(path).ok());
        Self { file, began: Instant::now(), events: 0 }
    }

    fn line(&mut self, line: &str) {
        // A line at a time, so that a test that hangs leaves all that it did.
        if let Some(file) = &mut self.file {
            let _ = writeln!(file, "{line}");
        }
    }
}

/// Begins the recording anew, and forgets what is in it: for a test that looks at one thing after the other.
pub fn anew() {
    *TRACE.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// The instant from which the times of a recording count.
pub fn began() -> Instant {
    TRACE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Trace::begin).began
}

fn place(at: &Location<'_>) -> String {
    format!("{}:{}:{}", at.file().replace('\\', "/"), at.line(), at.column())
}

/// This thread runs a loop, which shows this time where it has a virtual clock.
pub fn enter(time: Option<Duration>) {
    CAUSE.set(Cause::Loop);
    VIRTUAL.set(time);
}

/// The loop of this thread is over.
pub fn leave() {
    CAUSE.set(Cause::Nobody);
    VIRTUAL.set(None);
}

/// A turn begins.
pub fn turn_start(turn: u64, inbox: usize) {
    tell("turn_start", &format!(r#","turn":{turn},"inbox":{inbox}"#));
}

/// A turn is over.
pub fn turn_end(turn: u64, polls: usize) {
    tell("turn_end", &format!(r#","turn":{turn},"polls":{polls}"#));
}

/// A task was born in a slot, and is last in the queue.
pub fn spawn(task: u64, slot: usize, name: Option<&str>, at: &Location<'_>) {
    let name = name.map_or(String::new(), |name| format!(r#","name":{name:?}"#));
    let keys = format!(r#","task":{task},"slot":{slot},"by":"{}"{name},"at":"{}""#, cause(), place(at));
    tell("spawn", &keys);
}

/// Polls a task, and tells when that begins and how it ends.
pub fn polled<T>(task: u64, poll: impl FnOnce() -> Poll<T>) -> Poll<T> {
    let before = CAUSE.replace(Cause::Task(task));
    tell("poll_start", &format!(r#","task":{task}"#));
    let panics = Panics(task);
    let polled = poll();
    std::mem::forget(panics);
    let outcome = if polled.is_ready() { "ready" } else { "pending" };
    tell("poll_end", &format!(r#","task":{task},"outcome":"{outcome}""#));
    CAUSE.set(before);
    polled
}

struct Panics(u64);

impl Drop for Panics {
    fn drop(&mut self) {
        tell("poll_end", &format!(r#","task":{},"outcome":"panicked""#, self.0));
    }
}

/// The task that is being polled.
pub fn running() -> Option<u64> {
    match CAUSE.get() {
        Cause::Task(task) => Some(task),
        _ => None,
    }
}

/// The task that is being polled has left its waker with `on`, as in `timer 3`.
pub fn wait(on: &str, at: &Location<'_>) {
    if let Some(task) = running() {
        tell("wait", &format!(r#","task":{task},"on":"{on}","at":"{}""#, place(at)));
    }
}

/// A task was woken. `queued` says whether that put it into the queue.
pub fn wake(task: u64, queued: bool) {
    tell("wake", &format!(r#","task":{task},"by":"{}","queued":{queued}"#, cause()));
}

/// A wake has named a task that is no more.
pub fn stale_wake() {
    tell("stale_wake", &format!(r#","by":"{}""#, cause()));
}

/// A task is over: `returned`, `panicked` or `aborted`.
pub fn finish(task: u64, outcome: &str) {
    tell("finish", &format!(r#","task":{task},"outcome":"{outcome}""#));
}

/// A task is to be dropped.
#[track_caller]
pub fn abort(task: u64) {
    tell("abort", &format!(r#","task":{task},"by":"{}","at":"{}""#, cause(), place(Location::caller())));
}

/// An event of the workshop's own kind was set.
pub fn event_set(event: u64) {
    tell("event_set", &format!(r#","event":{event},"by":"{}""#, cause()));
}

/// A test has seen this. So a run can be compared with the solution's in what is no event of a loop.
pub fn seen(what: &str) {
    tell("seen", &format!(r#","text":{what:?}"#));
}

/// Parks, for so long or until a wake, and tells when that begins and ends.
pub fn parked<T>(timeout: Option<Duration>, park: impl FnOnce() -> T) -> T {
    let timeout = timeout.map_or("null".to_owned(), |timeout| timeout.as_nanos().to_string());
    tell("park_start", &format!(r#","timeout":{timeout}"#));
    let result = park();
    tell("park_end", r#","events":0"#);
    result
}

/// A timer was set, for so long after the start of the runtime.
pub fn timer_set(timer: u64, slot: usize, deadline: Duration, at: &Location<'_>) {
    let (by, at) = (cause(), place(at));
    let deadline = deadline.as_nanos();
    tell("timer_set", &format!(r#","timer":{timer},"slot":{slot},"by":"{by}","deadline":{deadline},"at":"{at}""#));
}

/// A timer has fired. Until the next cause it is the cause of what happens.
pub fn timer_fired(timer: u64, late: Duration) {
    tell("timer_fired", &format!(r#","timer":{timer},"late":{}"#, late.as_nanos()));
    CAUSE.set(Cause::Timer(timer));
}

/// A timer was cancelled.
pub fn timer_cancelled(timer: u64) {
    tell("timer_cancelled", &format!(r#","timer":{timer}"#));
}

/// A socket is registered with the kernel.
pub fn source_opened(source: u64, slot: usize, kind: &str, ready: bool, at: &Location<'_>) {
    let (by, at) = (cause(), place(at));
    let keys = format!(
        r#","source":{source},"slot":{slot},"kind":"{kind}","read":{ready},"write":{ready},"by":"{by}","at":"{at}""#
    );
    tell("source_opened", &keys);
}

/// The kernel has said this of a socket. Until the next cause it is the cause of what happens.
pub fn source_ready(source: u64, [read, write, read_closed, write_closed]: [bool; 4]) {
    let keys = format!(
        r#","source":{source},"read":{read},"write":{write},"read_closed":{read_closed},"write_closed":{write_closed}"#
    );
    tell("source_ready", &keys);
    CAUSE.set(Cause::Source(source));
}

/// An attempt has shown that this is true no longer.
pub fn source_drained(source: u64, read: bool, write: bool) {
    tell("source_drained", &format!(r#","source":{source},"read":{read},"write":{write}"#));
}

/// A socket is registered no longer.
pub fn source_closed(source: u64) {
    tell("source_closed", &format!(r#","source":{source}"#));
}

/// The loop goes on with its own work: no task, timer or socket is the cause of what happens next.
pub fn nobody() {
    CAUSE.set(Cause::Loop);
}
