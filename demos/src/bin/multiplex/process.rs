//! The system's account of this process: files it may open, threads, memory, processor time.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open beside the connections: the standard three, the event queue, the
/// listener, `/proc` for a moment, and some room.
const SPARE: u64 = 32;

/// Raises the limit on open files as far as `connections` need it and the system allows it.
/// Returns how many of them there is room for, with `files_each` files for a connection.
pub(crate) fn make_room(connections: u64, files_each: u64) -> u64 {
    let needed = connections * files_each + SPARE;
    let limit = getrlimit(Resource::Nofile);
    let mut allowed = limit.current.unwrap_or(u64::MAX);
    if allowed < needed {
        let wanted = needed.min(limit.maximum.unwrap_or(u64::MAX));
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            allowed = wanted;
        }
    }
    connections.min(allowed.saturating_sub(SPARE) / files_each)
}

/// Linux' account of a process. Elsewhere, and without `/proc`, nothing is known.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) threads: Option<u64>,
    pub(crate) memory_kib: Option<u64>,
    pub(crate) memory_peak_kib: Option<u64>,
    /// Processor time of the main thread: of the only one, as long as `threads` is 1.
    pub(crate) cpu: Option<Duration>,
}

pub(crate) fn usage() -> Usage {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let cpu = || {
        let nanos = fs::read_to_string("/proc/self/schedstat").ok()?;
        Some(Duration::from_nanos(nanos.split_whitespace().next()?.parse().ok()?))
    };
    Usage { threads: number("Threads:"), memory_kib: number("VmRSS:"), memory_peak_kib: number("VmHWM:"), cpu: cpu() }
}
