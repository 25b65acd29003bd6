//! The heart: who is polled when, what a wake does, other threads, and the end of a runtime.

mod budget;
mod executor;
pub(crate) mod leftovers;
mod metrics;
mod outside_a_runtime;
mod outside_turns;
mod reentrancy;
mod runtimes_side_by_side;
mod same_seed;
mod scale;
mod shutdown;
mod thread_locals;
mod threads;
mod wakers;
mod wrong_runtime;
