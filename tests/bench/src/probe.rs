//! What a process can learn about its own memory and CPU time.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time that all threads of this process have used, user and system.
#[must_use]
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("CPU time is not negative");
    let nanos = u32::try_from(time.tv_nsec).expect("nanoseconds are below a second");
    Duration::new(seconds, nanos)
}

/// Memory resident now, in bytes.
#[must_use]
pub fn resident() -> u64 {
    status("VmRSS:")
}

/// The most memory that was ever resident, in bytes.
#[must_use]
pub fn peak_resident() -> u64 {
    status("VmHWM:")
}

/// A field of `/proc/self/status` that the kernel gives in kB; see proc_pid_status(5).
fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = text.lines().find(|line| line.starts_with(field)).expect("the kernel has the field");
    let kilobytes = line.split_whitespace().nth(1).expect("the field has a value");
    kilobytes.parse::<u64>().expect("the value is a number") * 1024
}
