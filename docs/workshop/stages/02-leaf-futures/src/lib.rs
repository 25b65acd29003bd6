//! Your runtime. Stage 2 has futures that wait: the leaves, where somebody keeps a waker.

// While there are holes, some names have no use yet.
#![allow(unused, clippy::all)]
#![forbid(unsafe_code)]

pub mod first;
pub mod leaf;
pub mod trace;

#[cfg(test)]
#[path = "../tests/stage_01.rs"]
mod stage_01;
#[cfg(test)]
#[path = "../tests/stage_02.rs"]
mod stage_02;
