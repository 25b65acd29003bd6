//! The world outside: children, signals, the standard input, and a system that is short of something.

mod child;
#[cfg(target_os = "linux")]
mod outside_trouble;
mod signals;
mod stdin;
#[cfg(target_os = "linux")]
pub(crate) mod system_faults;
#[cfg(target_os = "linux")]
mod unusual_places;
