//! Child processes.
//!
//! The standard library starts a child, and this runtime watches it. The child's pipes are sources of the reactor, and
//! SIGCHLD announces its end. The signal says only that some child has ended, so each [`Child`] asks for its
//! own, by its id. As the signal need not come, each asks now and then without it, too: see `look`. Nobody ever asks
//! for just any child: those that other code has started are left to that code.
//!
//! One thing must never happen here: a child has ended, and nobody asks for it any more. The system would keep it as
//! a zombie. So dropping a `Child` leaves it to `orphans`, which asks on.

mod child;
mod command;
mod look;
mod orphans;
mod pipes;

pub use child::Child;
pub use command::Command;
pub use pipes::{ChildStderr, ChildStdin, ChildStdout};
pub use std::process::{ExitStatus, Output, Stdio};
