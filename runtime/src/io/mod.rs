//! The standard input, and any descriptor that can be waited for.

mod async_fd;
mod lines;
mod source_fd;
mod stdin;

pub use async_fd::{AsyncFd, AsyncFdReadyGuard, Interest, TryIoError};
pub use lines::Lines;
pub use source_fd::SourceFd;
pub use stdin::{Stdin, stdin};
