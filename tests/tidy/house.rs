//! The house: every file of the runtime, the layer it stands on, and how long it may grow.
//!
//! A file may use files of lower layers only. So a reader who starts at the top of this table never
//! meets a name before its file, and a file can be understood, tested and replaced with nothing but
//! what stands above it. `lib.rs` and the `mod.rs` of each wing declare the modules in the same order.
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

/// How many lines of code the heart may have in all.
pub(crate) const HEART_LINES: usize = 1900;
/// How many lines of code a map may have: `lib.rs`, and the `mod.rs` of a wing.
pub(crate) const MAP_LINES: usize = 100;
/// How many letters the name of a function may have.
pub(crate) const NAME_LETTERS: usize = 70;
/// How many lines a function may have: about a screen.
pub(crate) const FUNCTION_LINES: usize = 60;

/// The files and folders at the top that are not hidden: a newcomer sees them first, so none joins them by accident.
#[rustfmt::skip]
pub(crate) const TOP: [&str; 12] = [
    "CHANGELOG.md", "CONTRIBUTING.md", "Cargo.lock", "Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "README.md",
    "demos", "docs", "runtime", "rustfmt.toml", "tests",
];

/// The files in which unsafe code may stand.
pub(crate) const UNSAFE_FILES: [&str; 2] = ["runtime/src/heart/waker.rs", "runtime/src/ground/signals.rs"];

/// The crates that the runtime may depend on: the kernel's readiness, its calls, a slab, two crates that
/// hold nothing but traits, and the macro by which a task's output takes its future's place.
pub(crate) const DEPENDENCIES: [&str; 6] = ["futures-core", "futures-io", "libc", "mio", "pin-project-lite", "slab"];

/// The crates it may depend on besides, but only where somebody asks for it: each is optional, and behind a
/// feature of its name; `tower-service` is the trait by which hyper-util asks for a connection.
pub(crate) const OPTIONAL_DEPENDENCIES: [&str; 3] = ["hyper", "hyper-util", "tower-service"];

const fn room(layer: u8, name: &'static str, lines: usize, holds: &'static str) -> Room {
    Room { layer, name, lines, holds }
}

#[rustfmt::skip]
pub(crate) const HOUSE: [Room; 45] = [
    //   layer  file                  lines  holds
    room(0, "heart/key.rs",        60, "keys (slot and serial) and the packed word inside a waker"),
    room(0, "ground/platform.rs",  25, "a sentence for each system that cannot run the loop"),
    room(0, "heart/wheel.rs",     200, "the timing wheel: no clock, no waker, no operating system"),
    room(0, "heart/ready.rs",      70, "the ready queue: first in, first out, or in an order drawn from a seed"),
    room(0, "ground/sync.rs",      20, "the concurrent primitives, which the loom models swap for their own"),
    room(0, "ground/signals.rs",  262, "the handler of POSIX signals, whom it rings, and what else a process calls back at"),
    room(0, "ground/place.rs",     40, "a line of a source, in whatever language"),
    room(0, "ground/shown.rs",     50, "a stranger's name, as a terminal may be sent it"),
    room(0, "ground/span.rs",      45, "a duration, as a person reads it"),
    room(0, "ground/foreign.rs",   20, "what other people's code may do, and a panic of it that is nobody's"),
    room(0, "ground/annex.rs",     20, "what layers above the heart keep with a loop"),
    room(0, "ground/wishes.rs",    30, "what the environment asks of a program's own loops"),
    room(1, "ground/event.rs",    164, "the events that an observer sees"),
    room(1, "ground/failure.rs",   40, "why a task has no output"),
    room(1, "ground/metrics.rs",   80, "what a runtime holds and has done, in numbers"),
    room(1, "ground/queue.rs",     60, "a queue between threads, from which one takes"),
    room(1, "ground/registry.rs",  60, "which runtimes live, by their numbers"),
    room(1, "ground/pool.rs",     180, "threads for work that blocks"),
    room(1, "heart/timers.rs",    127, "the clock, real or virtual, and a wheel of wakers"),
    room(2, "heart/inbox.rs",      50, "what other threads leave for the loop"),
    room(2, "heart/tasks/",       360, "the bodies of the tasks, and which of them are ready"),
    room(2, "heart/reactor/",     203, "the sockets' registrations; the only room that knows the kernel's poll"),
    room(2, "ground/packed.rs",   170, "a packed event: forty bytes of plain numbers"),
    room(2, "ground/reading.rs",   71, "the reading of the clock that an event has as its time"),
    room(3, "ground/observers.rs", 145, "who is told of events, whether anybody is, and where the loop can be held"),
    room(4, "heart/core.rs",       57, "the stores in one place, and the cells of the poll that is going on"),
    room(5, "heart/current.rs",   116, "how code on a thread finds its loop"),
    room(5, "heart/tell.rs",       90, "what is done to a store and told"),
    room(6, "heart/budget.rs",     42, "how much a task may do in one poll"),
    room(6, "heart/waker.rs",      52, "the waker: one packed word, a local and a remote route"),
    room(6, "handle.rs",           70, "a runtime, seen from any thread"),
    room(7, "heart/peek.rs",       50, "what those who look ask of a waker and of the timers"),
    room(7, "heart/turn.rs",      217, "the steps of a turn in their order: inbox, timers, polls, park"),
    room(8, "heart/runtime.rs",   150, "the loop, the order of a turn, and the end of a runtime"),
    room(9, "time/",              250, "what users call: sleep, timeout, interval"),
    room(10, "task/",              250, "what users call: spawn, join, scope, blocking"),
    room(11, "net/",              250, "what users call: sockets"),
    room(12, "signal/",           250, "what users call: waiting for a POSIX signal"),
    room(13, "process/",          250, "child processes"),
    room(13, "io/",               250, "the standard input, and any descriptor"),
    room(13, "interop/",          150, "traits of other libraries, each behind its feature"),
    room(14, "see/",              250, "readers of the event stream, and the server that shows it"),
    room(15, "unentered.rs",      137, "a runtime before its first turn: moved to its thread, and entered there"),
    room(16, "builder.rs",        120, "what can be set before the first turn"),
    room(17, "explore/",          180, "one program in many of the orders that it may take"),
];

/// The folders whose files are rooms of their own. Every other folder is one room.
pub(crate) const WINGS: [&str; 2] = ["ground", "heart"];

/// The room that a path of modules, counted from the crate's root, leads into.
pub(crate) fn room_of_path(path: &[&str]) -> Option<&'static Room> {
    let depth = if path.first().is_some_and(|first| WINGS.contains(first)) { 2 } else { 1 };
    let name = path.get(..depth)?.join("/");
    HOUSE.iter().find(|room| room.name.trim_end_matches(".rs").trim_end_matches('/') == name)
}

/// The path of modules that a file of the runtime stands for: `heart, timers` for
/// `runtime/src/heart/timers.rs`, `time, sleep` for `runtime/src/time/sleep.rs`. `None` for files outside, and
/// for the maps: `lib.rs`, and the `mod.rs` of a wing.
pub(crate) fn path_of_file(path: &str) -> Option<Vec<&str>> {
    let inside = path.strip_prefix("runtime/src/")?.strip_suffix(".rs")?;
    let modules: Vec<&str> = inside.trim_end_matches("/mod").split('/').collect();
    (modules != ["lib"] && !WINGS.contains(&inside.trim_end_matches("/mod"))).then_some(modules)
}

/// The room of a file.
pub(crate) fn room_of_file(path: &str) -> Option<&'static Room> {
    room_of_path(&path_of_file(path)?)
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
    for (path, modules, room) in [
        ("runtime/src/heart/timers.rs", &["heart", "timers"][..], Some("heart/timers.rs")),
        ("runtime/src/heart/tasks/mod.rs", &["heart", "tasks"], Some("heart/tasks/")),
        ("runtime/src/heart/tasks/peek.rs", &["heart", "tasks", "peek"], Some("heart/tasks/")),
        ("runtime/src/time/mod.rs", &["time"], Some("time/")),
        ("runtime/src/time/sleep.rs", &["time", "sleep"], Some("time/")),
        ("runtime/src/cellar.rs", &["cellar"], None),
    ] {
        assert_eq!(path_of_file(path).as_deref(), Some(modules), "of {path}");
        assert_eq!(room_of_file(path).map(|room| room.name), room, "of {path}");
    }
    for no_room in ["runtime/src/lib.rs", "runtime/src/heart/mod.rs", "demos/src/bin/echo.rs"] {
        assert_eq!(path_of_file(no_room), None, "of {no_room}");
    }
    assert!(room_of_path(&["tim"]).is_none());
    assert!(room_of_path(&["heart"]).is_none());
}
