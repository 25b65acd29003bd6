//! Tasks: joining, aborting, panics, scopes, and operations that are dropped.

mod abort;
mod cancel_others;
mod cancel_sockets;
mod explore;
mod join;
mod panics;
mod scopes;
mod shares;
