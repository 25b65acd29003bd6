//! The house: every file of the runtime, the layer it stands on, and how long it may grow.
//!
//! A file may use files of lower layers only. So a reader who starts at the top of this table never
//! meets a name before its file, and a file can be understood, tested and replaced with nothing but
//! what stands above it. `lib.rs` declares the modules in the same order.
//!
//! A file that outgrows its budget wants a second room, not a longer corridor: find the idea in it
//! that can stand alone. Budgets count lines of code: docs, blank lines and `#[cfg(test)]` parts apart. To
//! raise one takes a reason.

/// A file of `runtime/src`, or a folder of them.
pub(crate) struct Room {
    pub(crate) layer: u8,
    /// The file's name, or the folder's with a slash behind it. Everything in a folder is one room.
    pub(crate) name: &'static str,
    /// The budget of each file, in lines of code.
    pub(crate) lines: usize,
    pub(crate) holds: &'static str,
}

/// The last layer of the heart: with it the runtime is complete, though nobody can call it yet.
const HEART_ENDS: u8 = 6;
/// How many lines of code the heart may have in all.
pub(crate) const HEART_LINES: usize = 2640;
/// How many lines of code the map, `lib.rs`, may have.
pub(crate) const LIB_LINES: usize = 100;
/// How many lines a function may have: about a screen.
pub(crate) const FUNCTION_LINES: usize = 60;

/// The files in which unsafe code may stand.
pub(crate) const UNSAFE_FILES: [&str; 2] = ["runtime/src/waker.rs", "runtime/src/handler.rs"];

/// What the runtime may depend on: the kernel's readiness, its calls, a slab, a queue between
/// threads, and two crates that hold nothing but traits.
pub(crate) const DEPENDENCIES: [&str; 6] = ["crossbeam-channel", "futures-core", "futures-io", "libc", "mio", "slab"];

/// What it may depend on besides, but only where somebody asks for it: each is optional, and behind a
/// feature of its name.
pub(crate) const OPTIONAL_DEPENDENCIES: [&str; 1] = ["hyper"];

impl Room {
    /// Whether the room belongs to the part that is to be read first, and as a whole. Folders do not, nor
    /// does what stands low only because two rooms need it that stand far apart.
    pub(crate) fn in_the_heart(&self) -> bool {
        self.layer <= HEART_ENDS
            && self.name.ends_with(".rs")
            && !["handler.rs", "platform.rs", "wishes.rs"].contains(&self.name)
    }
}

const fn room(layer: u8, name: &'static str, lines: usize, holds: &'static str) -> Room {
    Room { layer, name, lines, holds }
}

#[rustfmt::skip]
pub(crate) const HOUSE: [Room; 32] = [
    //   layer  file         lines  holds
    room(0, "key.rs",         60, "keys (slot and serial) and the packed word inside a waker"),
    room(0, "platform.rs",    25, "a sentence for each system that cannot run the loop"),
    room(0, "wheel.rs",      200, "the timing wheel: no clock, no waker, no operating system"),
    room(0, "ready.rs",       70, "the ready queue: in order, or as a seed has it"),
    room(0, "sync.rs",        20, "the concurrent primitives, which the loom models swap for their own"),
    room(0, "handler.rs",    220, "the handler of POSIX signals, whom it rings, and what else a process calls back at"),
    room(0, "foreign.rs",     20, "what other people's code may do, and a panic of it that is nobody's"),
    room(0, "wishes.rs",      30, "what the environment asks of a program's own loops"),
    room(1, "event.rs",      160, "the events that an observer sees"),
    room(1, "metrics.rs",    80, "what a runtime holds and has done, in numbers"),
    room(1, "tasks.rs",      396, "the bodies of the tasks, and which of them are ready"),
    room(1, "timers.rs",     135, "the clock, real or virtual, and a wheel of wakers"),
    room(1, "reactor.rs",    355, "the sockets' registrations; the only file that knows the kernel's poll"),
    room(1, "inbox.rs",      90, "what other threads leave for the loop"),
    room(1, "pool.rs",       180, "threads for work that blocks"),
    room(2, "observers.rs",   66, "who is told of events, whether anybody is, and where the loop can be held"),
    room(3, "context.rs",     296, "the stores together, and the thread-local by which they are found"),
    room(4, "budget.rs",      40, "how much a task may do in one poll"),
    room(4, "waker.rs",      110, "the waker: one packed word, a local and a remote route"),
    room(4, "handle.rs",     60, "a runtime, seen from any thread"),
    room(5, "see/",          250, "readers of the event stream, and the server that shows it"),
    room(5, "poll.rs",       134, "the polls of a turn: a task's next step, and its end"),
    room(5, "turn.rs",       110, "the other steps of a turn: inbox, timers, park"),
    room(6, "runtime.rs",    245, "the order of a turn, and a runtime's life from build to shutdown"),
    room(7, "time/",         250, "what users call: sleep, timeout, interval"),
    room(8, "task/",         250, "what users call: spawn, join, scope, blocking"),
    room(9, "net/",          250, "what users call: sockets"),
    room(10, "signal.rs",     250, "what users call: waiting for a POSIX signal"),
    room(11, "process/",      250, "child processes"),
    room(11, "io/",           250, "the standard input"),
    room(11, "interop/",      150, "traits of other libraries, each behind its feature"),
    room(12, "explore.rs",    180, "one program in many of the orders that it may take"),
];

/// The room of `module`, the first name of a path that starts at the crate's root.
pub(crate) fn room_of_module(module: &str) -> Option<&'static Room> {
    HOUSE.iter().find(|room| room.name.trim_end_matches(".rs").trim_end_matches('/') == module)
}

/// The module that a file of the runtime belongs to: `timers` for `runtime/src/timers.rs`, `time` for
/// `runtime/src/time/sleep.rs`. `None` for files outside, and for `lib.rs`, which is the map.
pub(crate) fn module_of_file(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("runtime/src/")?;
    let (module, _) = inside.split_once('/').or_else(|| inside.rsplit_once('.'))?;
    (module != "lib").then_some(module)
}

#[test]
fn the_table_is_in_reading_order_and_names_no_room_twice() {
    assert!(HOUSE.is_sorted_by_key(|room| room.layer));
    for (at, room) in HOUSE.iter().enumerate() {
        assert!(HOUSE[..at].iter().all(|above| above.name != room.name), "{} is there twice", room.name);
    }
}

#[test]
fn files_and_paths_lead_to_the_same_room() {
    for (path, module) in [
        ("runtime/src/timers.rs", Some("timers")),
        ("runtime/src/time.rs", Some("time")),
        ("runtime/src/time/sleep.rs", Some("time")),
        ("runtime/src/lib.rs", None),
        ("demos/src/bin/echo.rs", None),
    ] {
        assert_eq!(module_of_file(path), module, "of {path}");
    }
    assert!(room_of_module("timers").is_some_and(|room| room.name == "timers.rs"));
    assert!(room_of_module("time").is_some_and(|room| room.name == "time/"));
    assert!(room_of_module("tim").is_none());
}
