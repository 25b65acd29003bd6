//! Signals by name.

use std::fmt;

use libc::c_int;

use crate::ground::signals::SIGNALS;

/// A signal. It displays as its name, or as its number where it has none here.
///
/// ```
/// use oneloop::signal::SignalKind;
///
/// assert_eq!(SignalKind::interrupt().to_string(), "SIGINT");
/// assert_eq!(SignalKind::from_raw(SignalKind::child().as_raw_value()), SignalKind::child());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SignalKind(c_int);

impl SignalKind {
    /// SIGALRM, from alarm(2) and setitimer(2).
    pub const fn alarm() -> Self {
        Self(libc::SIGALRM)
    }

    /// SIGCHLD: a child process has ended or stopped.
    pub const fn child() -> Self {
        Self(libc::SIGCHLD)
    }

    /// SIGHUP: the terminal is gone. Servers often take it for "read your configuration again".
    pub const fn hangup() -> Self {
        Self(libc::SIGHUP)
    }

    /// SIGINT: Ctrl-C on the terminal.
    pub const fn interrupt() -> Self {
        Self(libc::SIGINT)
    }

    /// SIGIO: a descriptor that was asked to tell so is ready.
    pub const fn io() -> Self {
        Self(libc::SIGIO)
    }

    /// SIGPIPE: a write went where nobody reads. Rust programs ignore it unless they say otherwise.
    pub const fn pipe() -> Self {
        Self(libc::SIGPIPE)
    }

    /// SIGQUIT: Ctrl-\ on the terminal.
    pub const fn quit() -> Self {
        Self(libc::SIGQUIT)
    }

    /// SIGTERM: please end. The signal that kill(1) and service managers send.
    pub const fn terminate() -> Self {
        Self(libc::SIGTERM)
    }

    /// SIGUSR1, for programs to give a meaning to.
    pub const fn user_defined1() -> Self {
        Self(libc::SIGUSR1)
    }

    /// SIGUSR2, for programs to give a meaning to.
    pub const fn user_defined2() -> Self {
        Self(libc::SIGUSR2)
    }

    /// SIGWINCH: the terminal's window has another size.
    pub const fn window_change() -> Self {
        Self(libc::SIGWINCH)
    }

    /// Any signal, by its number on this system, such as a real-time signal.
    pub const fn from_raw(signal: c_int) -> Self {
        Self(signal)
    }

    /// The signal's number on this system.
    pub const fn as_raw_value(self) -> c_int {
        self.0
    }

    /// Why nobody can listen to this signal, if nobody can.
    pub(super) fn why_not(self) -> Option<&'static str> {
        match self.0 {
            libc::SIGKILL | libc::SIGSTOP => Some("the kernel never lets a process handle it"),
            libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL => {
                Some("it reports a fault of the instruction that runs, which would only run and fail again")
            }
            signal if signal < 1 || signal as usize >= SIGNALS => Some("there is no signal with this number"),
            _ => None,
        }
    }

    fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            libc::SIGALRM => "SIGALRM",
            libc::SIGBUS => "SIGBUS",
            libc::SIGCHLD => "SIGCHLD",
            libc::SIGFPE => "SIGFPE",
            libc::SIGHUP => "SIGHUP",
            libc::SIGILL => "SIGILL",
            libc::SIGINT => "SIGINT",
            libc::SIGIO => "SIGIO",
            libc::SIGKILL => "SIGKILL",
            libc::SIGPIPE => "SIGPIPE",
            libc::SIGQUIT => "SIGQUIT",
            libc::SIGSEGV => "SIGSEGV",
            libc::SIGSTOP => "SIGSTOP",
            libc::SIGTERM => "SIGTERM",
            libc::SIGUSR1 => "SIGUSR1",
            libc::SIGUSR2 => "SIGUSR2",
            libc::SIGWINCH => "SIGWINCH",
            _ => return None,
        })
    }
}

impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignalKind({self})")
    }
}
