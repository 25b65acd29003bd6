//! One thread, one loop: an async runtime to read, to watch and to use.
//!
//! ```
//! use std::time::Duration;
//! use oneloop::time::sleep;
//!
//! oneloop::run(async {
//!     let tasks: Vec<_> = (0..30)
//!         .map(|n| oneloop::spawn(async move { sleep(Duration::from_millis(10)).await; n }))
//!         .collect();
//!     for (n, task) in tasks.into_iter().enumerate() {
//!         assert_eq!(task.await.unwrap(), n); // thirty sleeps, but only ten milliseconds
//!     }
//! });
//! ```
//!
//! # One turn
//!
//! The runtime owns all state, in slabs. A user holds keys into them: a waker is one, a `JoinHandle`, a `Sleep`, a
//! `TcpStream`. When a key is used, one thread-local leads to the runtime. This is all that happens, again and again:
//!
//! ```text
//!        +----------------------------- one turn ------------------------------+
//!        |                                                                     |
//!        v                                                                     |
//!     inbox ----> due timers ----> ready queue ----> poll ----> park ----------+
//!     (wakes from     |              ^    ^   a leaf future      (the kernel:
//!      other threads) |              |    |   leaves its waker    epoll, kqueue)
//!        |            |              |    |   in Timers or in         |
//!        |            |              |    |   the Reactor             |
//!        +------------+-- Waker::wake +    +------- Waker::wake ------+
//! ```
//!
//! # If you look for
//!
//! | a habit | here |
//! |---|---|
//! | `#[tokio::main]`, `asyncio.run` | [`run`], [`Runtime::block_on`] |
//! | `spawn_local`, `LocalSet`, `create_task` | [`spawn`]: no task needs to be `Send` |
//! | `JoinSet`, `TaskGroup`, a nursery | [`task::scope`] |
//! | `read_exact`, `write_all`, `copy`, `BufReader` | `futures_lite::{AsyncReadExt, AsyncWriteExt, io}` |
//! | `select!`, `join!` | `futures_lite::future::{or, race, zip}` |
//! | `sync`: channels, `Mutex`, `Semaphore`, `Notify` | the crates `async-channel`, `async-lock`, `event-listener` |
//! | `to_thread`, `block_in_place`, files | [`task::spawn_blocking`] |
//! | `call_soon_threadsafe` | [`Handle::spawn`] |
//! | `time::pause`, `MockClock` | [`Builder::virtual_clock`] |
//! | `CancellationToken` | [`task::JoinHandle::abort`], [`task::Canceller`] |
//! | tracing, `set_debug`, instruments | `Builder::diagnose`, [`event::Observer`], the feature `see` |
//!
//! # Reading order
//!
//! Read `heart/` first, in the order of its `mod.rs`: it is a turn, and nothing but a turn. `ground/` is what it
//! stands on. The rest is called by users.

// Some questions to the stores are asked by readers of events only, and have no caller without `see`.
#![cfg_attr(not(feature = "see"), allow(dead_code, unused_imports))]

mod ground;
mod heart;
mod handle;

pub mod time;
#[doc(alias("select", "join", "sync", "Mutex", "Semaphore", "Notify", "mpsc", "oneshot"))]
pub mod task;
pub mod net;
pub mod signal;
pub mod process;
#[doc(alias("copy", "BufReader"))]
pub mod io;
#[cfg(feature = "hyper")]
pub mod interop;

#[cfg(feature = "see")]
pub mod see;
mod unentered;
mod builder;
#[cfg(feature = "see")]
mod explore;

pub use builder::{Builder, run};
#[cfg(feature = "see")]
pub use explore::explore;
pub use ground::event;
pub use ground::metrics::Metrics;
pub use ground::pool::Abandoned;
pub use handle::{Handle, RuntimeGone};
pub use heart::runtime::Runtime;
pub use task::{JoinHandle, spawn};
pub use unentered::{EnterGuard, Unentered};
