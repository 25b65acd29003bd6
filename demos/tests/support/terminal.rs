//! A program on a terminal of which nobody reads, as on one whose window was stopped by Ctrl-S.

use std::os::fd::OwnedFd;
use std::process::{Command, ExitStatus, Stdio};

use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::{Process, until, until_handled};

pub(crate) struct Stopped {
    child: Process,
    _screen: OwnedFd,
}

impl Stopped {
    pub(crate) fn start(mut command: Command) -> Self {
        let (screen, terminal) = full_terminal();
        command.env("TERM", "xterm").stdin(Stdio::null()).stdout(terminal.try_clone().unwrap()).stderr(terminal);
        Self { child: Process::start(&mut command), _screen: screen }
    }

    /// Sends a signal that the program has a handler for.
    pub(crate) fn signal(&self, signal: Signal) {
        until_handled(&self.child, signal);
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn end(mut self) -> ExitStatus {
        until("it is over", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap()
    }
}

/// A terminal that takes no byte more: its two ends.
fn full_terminal() -> (OwnedFd, OwnedFd) {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let name = ptsname(&screen, Vec::new()).unwrap();
    let terminal = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    fcntl_setfl(&terminal, OFlags::NONBLOCK).unwrap();
    while rustix::io::write(&terminal, &[b'.'; 256]).is_ok() {}
    fcntl_setfl(&terminal, OFlags::empty()).unwrap();
    (screen, terminal)
}
