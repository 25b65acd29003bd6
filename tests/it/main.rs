//! What the runtime promises, tested through its public API alone.
//!
//! One file per concern, and each test is named after the property it holds. Where time matters, the
//! virtual clock makes it exact.

#![allow(clippy::async_yields_async, reason = "a handle often leaves block_on, to be joined or dropped elsewhere")]

mod support;
mod trace;
mod watch;

mod abort;
// mio's poll(2) backend, for testing, tells of a bare descriptor once and never again.
#[cfg(not(mio_unsupported_force_poll_poll))]
mod async_fd;
mod budget;
#[cfg(target_os = "linux")]
mod adversity;
mod cancel;
mod cancel_rest;
mod chrome;
mod corners;
mod child;
mod clock_end;
mod diagnosis;
#[cfg(target_os = "linux")]
mod endings;
mod events;
mod events_example;
mod executor;
mod explore;
mod intervals;
mod join;
mod leftovers;
mod metrics;
mod nesting;
mod net_connect;
mod net_cut;
mod net_duplex;
mod net_eyeballs;
mod net_fair;
mod net_halves;
mod net_kit;
mod net_life;
mod net_streams;
mod net_udp;
mod net_unix;
mod net_waiters;
mod nothing;
mod observers;
mod panics;
#[cfg(target_os = "linux")]
mod process;
mod recordings;
mod reentrancy;
mod scale;
mod scopes;
mod see_server;
mod shared_paths;
mod shares;
mod shutdown;
mod signals;
mod sim;
mod stdin;
mod stalled;
mod strangers;
mod threads;
mod timers;
mod wakers;
