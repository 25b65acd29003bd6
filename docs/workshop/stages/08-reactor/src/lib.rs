//! Your runtime. Stage 8 asks the kernel: a reactor, and sockets that wait for it.

// While there are holes, some names have no use yet.
#![allow(unused, clippy::all)]
#![forbid(unsafe_code)]

pub mod first;
pub(crate) mod ground;
pub mod heart;
pub(crate) mod io;
pub mod leaf;
pub mod slab;
pub mod task;
pub mod time;
pub mod trace;

pub use heart::runtime::Runtime;
pub use task::{JoinError, JoinHandle, spawn};

#[cfg(test)]
#[path = "../tests/stage_01.rs"]
mod stage_01;
#[cfg(test)]
#[path = "../tests/stage_02.rs"]
mod stage_02;
#[cfg(test)]
#[path = "../tests/stage_03.rs"]
mod stage_03;
#[cfg(test)]
#[path = "../tests/stage_04.rs"]
mod stage_04;
#[cfg(test)]
#[path = "../tests/stage_05.rs"]
mod stage_05;
#[cfg(test)]
#[path = "../tests/stage_06.rs"]
mod stage_06;
#[cfg(test)]
#[path = "../tests/stage_07.rs"]
mod stage_07;
#[cfg(test)]
#[path = "../tests/stage_08.rs"]
mod stage_08;
