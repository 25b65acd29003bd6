//! The sources, beside what the kernel watches: what Linux says in `/proc/self/fdinfo` of an epoll set.

use std::fmt::Write as _;
use std::fs;
use std::os::fd::RawFd;

use super::report::{name, resource};
use crate::see::model::numbered::Numbered;
use crate::see::model::state::State;
use crate::see::model::things::Source;
use crate::see::model::words::several;

/// epoll's bits, as the kernel shows them (`sys/epoll.h`), but those for errors and hang-ups, which it
/// always watches for.
const BITS: [(u64, &str); 5] = [(0x1, "in"), (0x2, "pri"), (0x4, "out"), (0x2000, "rdhup"), (1 << 31, "et")];

/// One descriptor in an epoll set.
#[derive(PartialEq, Eq, Debug)]
struct Watch {
    fd: u64,
    events: u64,
}

/// Each source with its latches and who waits, and the kernel's line about it.
pub(super) fn sources(state: &State, epoll: Option<RawFd>) -> String {
    let fdinfo = epoll.and_then(|epoll| fs::read_to_string(format!("/proc/self/fdinfo/{epoll}")).ok());
    let mut watches = fdinfo.map(|text| watches(&text));
    let (mut text, mut watched) = (String::new(), 0);
    for (id, source) in &state.sources {
        let (what, latches) = (resource(source.resource), latches(source));
        let _ = writeln!(text, "source {id}: {what}, {latches}, opened at {}", source.at);
        for (what, waiters) in [("read", &source.readers), ("write", &source.writers)] {
            for waiter in waiters {
                let _ = writeln!(text, "    {} waits to {what}", name(state, *waiter));
            }
        }
        let Some(watches) = &mut watches else { continue };
        // The kernel gives this back with an event: the slot, below as much of the number as fits.
        let _ = match watches.remove(&(*id << 32 | u64::from(source.slot))) {
            Some(Watch { fd, events }) => writeln!(text, "    the kernel watches fd {fd} for {}", bits(events)),
            None => writeln!(text, "    the kernel does not watch it"),
        };
        watched += 1;
    }
    let _ = match watches.map(|others| others.len()) {
        Some(others) => {
            writeln!(
                text,
                "{}; epoll watches {others} more: the bell, by which threads wake it",
                several(watched, "source")
            )
        }
        None => writeln!(text, "{}; this system does not say what it watches", several(state.sources.len(), "source")),
    };
    text
}

fn latches(source: &Source) -> String {
    let ready = source.ready;
    let latches = [
        (ready.read, "readable"),
        (ready.write, "writable"),
        (ready.read_closed, "read side closed"),
        (ready.write_closed, "write side closed"),
    ];
    let set: Vec<_> = latches.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect();
    if set.is_empty() { String::from("not ready") } else { set.join(", ") }
}

fn bits(events: u64) -> String {
    let words: Vec<_> = BITS.iter().filter(|(bit, _)| events & bit != 0).map(|(_, word)| *word).collect();
    words.join(" ")
}

/// The watched descriptors, by what the kernel gives back with their events. The lines of fdinfo that are
/// about them are such as
/// `tfd:        5 events: 8000201f data:        100000000  pos:0 ino:1 sdev:9`.
fn watches(fdinfo: &str) -> Numbered<Watch> {
    let watch = |line: &str| {
        let mut words = line.strip_prefix("tfd:")?.split_whitespace();
        let fd = words.next()?.parse().ok()?;
        let mut number =
            |key: &str| u64::from_str_radix(words.by_ref().skip_while(|word| *word != key).nth(1)?, 16).ok();
        let watch = Watch { fd, events: number("events:")? };
        Some((number("data:")?, watch))
    };
    fdinfo.lines().filter_map(watch).collect()
}

#[test]
fn the_kernel_s_lines_are_read() {
    let text = "pos:\t0\nflags:\t02000002\ntfd:        5 events: 8000201f data:        100000003  pos:0 ino:1 sdev:9\n";
    assert_eq!(watches(text).get(&0x1_0000_0003), Some(&Watch { fd: 5, events: 0x8000_201f }));
    assert_eq!(bits(0x8000_2007), "in pri out rdhup et");
    assert!(watches("tfd: nonsense\nino: 1").is_empty());
}
