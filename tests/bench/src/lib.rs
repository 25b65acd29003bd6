//! The comparison benches: the same small programs on oneloop and on the runtimes people use.
//!
//! Reading order:
//! - [`shape`]: what a workload may ask of a runtime;
//! - [`work`]: the workloads, each written once over that shape;
//! - [`peers`]: the runtimes, one file each, in the idiom their users write;
//! - [`raw`]: the same results with no runtime at all, the floor to compare with;
//! - [`client`]: the other end of the socket workloads, a process of its own;
//! - [`probe`]: what a process can learn about its own memory and CPU time;
//! - [`drive`]: running one workload in a child process, plain or under valgrind or strace;
//! - [`table`]: the rows, and the Markdown they become;
//! - [`growth`]: what one more costs where many are already there;
//! - [`plot`]: the picture of that;
//! - [`guard`]: oneloop's instruction counts against the committed limits;
//! - [`events`]: what an event costs while a ring keeps the last ones.

pub mod shape;
pub mod work;
pub mod peers;
pub mod raw;
pub mod client;
pub mod probe;
pub mod drive;
pub mod table;
pub mod growth;
pub mod plot;
pub mod guard;
pub mod events;
