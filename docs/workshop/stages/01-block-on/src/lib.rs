//! Your runtime. Stage 1 has one future, one thread, and a way to sleep until somebody wakes it.

// While there are holes, some names have no use yet.
#![allow(unused, clippy::all)]
#![forbid(unsafe_code)]

pub mod first;
pub mod trace;

#[cfg(test)]
#[path = "../tests/stage_01.rs"]
mod stage_01;
