//! The watched programs, as processes.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use crate::watch::Process;

/// A program that runs and serves its page.
pub(crate) struct Program {
    process: Process,
    /// The page's address, with a slash at the end.
    pub(crate) address: String,
}

impl Program {
    pub(crate) fn start(name: &str) -> Self {
        Self::started_by(watched(name).env("ONELOOP_SEE", "127.0.0.1:0"))
    }

    /// One that does not leave it to the environment who may look.
    pub(crate) fn start_guarded() -> Self {
        Self::started_by(&mut watched("guarded"))
    }

    fn started_by(command: &mut Command) -> Self {
        let process = Process::start(command);
        let address = process.hears("oneloop: see it turn at ");
        Self { process, address }
    }

    /// Says a line to it, for which it waits.
    pub(crate) fn says_a_line(&mut self) {
        let stdin = self.process.stdin.as_mut().expect("its standard input is a pipe");
        stdin.write_all(b"go on\n").expect("it reads its standard input");
    }
}

/// Runs a program to its end, and has it recorded.
pub(crate) fn record(name: &str, path: &Path) {
    let process = Process::start(watched(name).env("ONELOOP_RECORD", path));
    process.ends();
}

fn watched(name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watched"));
    command.arg(name).env_remove("ONELOOP_LOG").env_remove("ONELOOP_SEE").env_remove("ONELOOP_RECORD");
    command
}
