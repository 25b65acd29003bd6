//! The command line of the programs beside the tests. A wrong one is told in one line, with the way out.

use clap::Parser;

#[path = "../demos/src/complaint.rs"]
mod complaint;

/// Reads the command line, or ends the program: with 2 where it is wrong, with 0 behind the help.
pub(crate) fn read<T: Parser>() -> T {
    T::try_parse().unwrap_or_else(|said| {
        if !said.use_stderr() {
            said.exit();
        }
        eprintln!("{}", complaint::one_line(&said));
        std::process::exit(2)
    })
}
