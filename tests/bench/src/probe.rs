//! A process asks about its own memory and CPU time.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// CPU time that all threads of this process have used, user and system.
#[must_use]
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("every process has a CPU clock");
    time.into()
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
