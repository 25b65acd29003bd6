//! The standard input, for tasks.

mod lines;
mod stdin;

pub use lines::Lines;
pub use stdin::{Stdin, stdin};
