//! The accounts: what this process and its runtime hold, to be compared with what they held before.

use std::fmt;
use std::time::Duration;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike;
use oneloop::Handle;
use oneloop::task::yield_now;
use oneloop::time::sleep;

/// The things that are held at a moment.
#[derive(Clone, Copy)]
pub(crate) struct Accounts {
    descriptors: usize,
    threads: usize,
    resident_kb: usize,
    tasks: u64,
    timers: u64,
    sources: u64,
}

impl Accounts {
    /// When all that is ending has ended: the accounts, once they stay the same for a while.
    pub(crate) async fn at_rest() -> Self {
        let (mut last, mut same) = (Self::now(), 0);
        for _ in 0..500 {
            sleep(Duration::from_millis(10)).await;
            // A handle tells of the last turn: two turns later this sleep is over, too.
            for _ in 0..200 {
                yield_now().await;
            }
            let now = Self::now();
            same = if now.differ(&last, usize::MAX / 2).is_ok() { same + 1 } else { 0 };
            last = now;
            if same == 5 {
                break;
            }
        }
        last
    }

    /// As of now, of the runtime that runs here.
    fn now() -> Self {
        let metrics = Handle::current().metrics();
        Self {
            descriptors: entries("/proc/self/fd"),
            threads: entries("/proc/self/task"),
            resident_kb: resident_kb(),
            tasks: metrics.tasks,
            timers: metrics.timers,
            sources: metrics.sources,
        }
    }

    /// All must be as `before`. Threads of the pool may have ended, and memory may have grown by so many
    /// kilobytes.
    pub(crate) fn differ(&self, before: &Self, kilobytes: usize) -> Result<(), String> {
        let same = self.descriptors == before.descriptors
            && self.threads <= before.threads
            && (self.tasks, self.timers, self.sources) == (before.tasks, before.timers, before.sources);
        if same && self.resident_kb <= before.resident_kb + kilobytes {
            return Ok(());
        }
        Err(format!("the accounts do not end where they began: {before}; now {self}"))
    }
}

impl fmt::Display for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { descriptors, threads, resident_kb, tasks, timers, sources } = self;
        write!(
            f,
            "{descriptors} descriptors, {threads} threads, {tasks} tasks, {timers} timers, {sources} sources, \
             {resident_kb} kB resident"
        )
    }
}

fn entries(folder: &str) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

fn resident_kb() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// The processor time that this process has used.
pub(crate) fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a process may ask for its own usage");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(micros.try_into().unwrap_or(0))
}

/// Raises the limit of descriptors to what is wanted, as far as it goes, and says what there is.
pub(crate) fn allow_descriptors(wanted: u64) -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 256 };
    let raised = soft.max(wanted.min(hard));
    if setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() { raised } else { soft }
}

/// Lowers it.
pub(crate) fn forbid_descriptors(above: u64) {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        setrlimit(Resource::RLIMIT_NOFILE, above, hard).expect("a limit may be lowered");
    }
}
