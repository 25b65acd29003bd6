//! The sources, beside what the kernel watches: what Linux says in `/proc/self/fdinfo` of an epoll set.

use std::fmt::Write as _;
use std::fs;
use std::os::fd::RawFd;

use super::report::{name, resource};
use crate::see::state::State;
use crate::see::things::Source;

/// epoll's bits, as the kernel shows them (`sys/epoll.h`), but those for errors and hang-ups, which it
/// always watches for.
const BITS: [(u64, &str); 5] = [(0x1, "in"), (0x2, "pri"), (0x4, "out"), (0x2000, "rdhup"), (1 << 31, "et")];

/// One descriptor in an epoll set.
#[derive(PartialEq, Eq, Debug)]
struct Watch {
    fd: u64,
    events: u64,
    data: u64,
}

/// Each source with its latches and who waits, and the kernel's line about it.
pub(super) fn sources(state: &State, queue: RawFd) -> String {
    let watches = fs::read_to_string(format!("/proc/self/fdinfo/{queue}")).ok().map(|text| watches(&text));
    let mut text = String::new();
    for (id, source) in &state.sources {
        let _ =
            writeln!(text, "source {id}: {}, {}, opened at {}", resource(source.resource), latches(source), source.at);
        for (what, waiters) in [("read", &source.readers), ("write", &source.writers)] {
            for waiter in waiters {
                let _ = writeln!(text, "    {} waits to {what}", name(state, *waiter));
            }
        }
        // Its token is its slot, below as much of its number as fits.
        let token = *id << 32 | u64::from(source.slot);
        let _ = match watches.as_ref().map(|watches| watches.iter().find(|watch| watch.data == token)) {
            Some(Some(Watch { fd, events, .. })) => {
                writeln!(text, "    the kernel watches fd {fd} for {}", bits(*events))
            }
            Some(None) => writeln!(text, "    the kernel does not watch it"),
            None => Ok(()),
        };
    }
    let _ = match &watches {
        Some(watches) => {
            let known = |watch: &&Watch| {
                state.sources.iter().any(|(id, source)| watch.data == *id << 32 | u64::from(source.slot))
            };
            let others = watches.len() - watches.iter().filter(known).count();
            writeln!(
                text,
                "{} sources; epoll fd {queue} watches {} and {others} more: the bell",
                state.sources.len(),
                watches.len() - others
            )
        }
        None => writeln!(text, "{} sources; this system does not say what it watches", state.sources.len()),
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

/// The lines of fdinfo that are about watched descriptors, such as
/// `tfd:        5 events: 8000201f data:        100000000  pos:0 ino:1 sdev:9`.
fn watches(fdinfo: &str) -> Vec<Watch> {
    let watch = |line: &str| {
        let mut words = line.strip_prefix("tfd:")?.split_whitespace();
        let fd = words.next()?.parse().ok()?;
        let mut number =
            |key: &str| u64::from_str_radix(words.by_ref().skip_while(|word| *word != key).nth(1)?, 16).ok();
        Some(Watch { fd, events: number("events:")?, data: number("data:")? })
    };
    fdinfo.lines().filter_map(watch).collect()
}

#[test]
fn the_kernel_s_lines_are_read() {
    let text = "pos:\t0\nflags:\t02000002\ntfd:        5 events: 8000201f data:        100000003  pos:0 ino:1 sdev:9\n";
    assert_eq!(watches(text), [Watch { fd: 5, events: 0x8000_201f, data: 0x1_0000_0003 }]);
    assert_eq!(bits(0x8000_2007), "in pri out rdhup et");
    assert_eq!(watches("tfd: nonsense\nino: 1"), []);
}
