//! The fixtures of the tests: a watchdog, processes of their own, sockets, and the event stream as text.

pub(crate) mod sockets;
pub(crate) mod support;
pub(crate) mod trace;
pub(crate) mod watch;
