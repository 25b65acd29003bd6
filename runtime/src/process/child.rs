//! A child process that was started.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::process::{ExitStatus, Output};
use std::task::{Context, Poll, ready};

use crate::ground::signals;
use crate::heart::budget::ready_within_budget;
use crate::heart::current::expect_home;
use crate::process::look::{AWAITED, Look};
use crate::process::orphans;
use crate::process::pipes::{ChildStderr, ChildStdin, ChildStdout};
use crate::signal::{Signal, SignalKind, signal};

/// A child process. Made by [`Command::spawn`](crate::process::Command::spawn).
///
/// Dropping it does not end the process, unless [`kill_on_drop`](crate::process::Command::kill_on_drop) was set. Either
/// way it does not stay behind as a zombie. A task of the runtime, named "orphans", waits for the end of dropped
/// children. Those that outlive their runtime are asked for when the next child is dropped or started anywhere in this
/// process.
///
/// ```
/// use oneloop::process::{Command, Stdio};
///
/// # oneloop::run(async {
/// let mut child = Command::new("tr").args(["a-z", "A-Z"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// let stdin = child.stdin.take().expect("it is piped");
/// stdin.write_all(b"hello").await?;
/// drop(stdin); // the end of its input
/// let output = child.wait_with_output().await?;
/// assert_eq!(output.stdout, b"HELLO");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct Child {
    /// The writing end of the child's standard input, if that was piped.
    pub stdin: Option<ChildStdin>,
    /// The reading end of the child's standard output, if that was piped.
    pub stdout: Option<ChildStdout>,
    /// The reading end of the child's standard error, if that was piped.
    pub stderr: Option<ChildStderr>,
    /// `None` only while it is being dropped.
    process: Option<std::process::Child>,
    status: Option<ExitStatus>,
    /// SIGCHLD, heard from before the process began.
    ends: Signal,
    kill_on_drop: bool,
    /// The line that started it.
    at: &'static Location<'static>,
}

impl Child {
    #[track_caller]
    pub(crate) fn start(command: &mut std::process::Command, kill_on_drop: bool) -> io::Result<Self> {
        let at = Location::caller();
        orphans::reap();
        let ends = signal(SignalKind::child())?;
        if signals::is_ignored(SignalKind::child().as_raw_value()) {
            return Err(io::Error::other(
                "this process has set SIGCHLD to be ignored, so the system tells nobody how a child ends: give the \
                 signal its default back before a child is started",
            ));
        }
        let mut process = command.spawn()?;
        let id = process.id();
        let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        // Should a pipe be refused, nobody learns of this process: then it ends here.
        let mut child = Self {
            stdin: None,
            stdout: None,
            stderr: None,
            process: Some(process),
            status: None,
            ends,
            kill_on_drop: true,
            at,
        };
        child.stdin = stdin.map(|pipe| ChildStdin::new(pipe, id, at)).transpose()?;
        child.stdout = stdout.map(|pipe| ChildStdout::new(pipe, id, at)).transpose()?;
        child.stderr = stderr.map(|pipe| ChildStderr::new(pipe, id, at)).transpose()?;
        child.kill_on_drop = kill_on_drop;
        Ok(child)
    }

    fn process(&mut self) -> &mut std::process::Child {
        self.process.as_mut().expect("a child has its process until it is dropped")
    }

    /// The process's id; `None` once its end is known here, since the system may then give the number
    /// to another process.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().filter(|_| self.status.is_none()).map(std::process::Child::id)
    }

    /// How the process has ended, if it has. Never waits.
    ///
    /// # Errors
    ///
    /// If other code has asked for any child's end, and got this one's. If SIGCHLD was set to be ignored: then the
    /// system keeps no child's end.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            let process = self.process();
            self.status = process.try_wait().map_err(|error| match error.raw_os_error() {
                Some(libc::ECHILD) => io::Error::new(error.kind(), untold(process.id())),
                _ => error,
            })?;
        }
        Ok(self.status)
    }

    /// Waits until the process has ended, and says how. Once it has, every further call says it again.
    ///
    /// The child's standard input is closed first if it is still here: many programs end when their
    /// input does. Its output is not read. A child that has filled the pipe never ends; see
    /// [`wait_with_output`](Self::wait_with_output).
    ///
    /// # Errors
    ///
    /// As [`try_wait`](Self::try_wait).
    ///
    /// # Panics
    ///
    /// When polled where its runtime is not running.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; the standard input stays closed.
    #[track_caller]
    pub fn wait(&mut self) -> impl Future<Output = io::Result<ExitStatus>> + '_ {
        self.wait_at(Location::caller())
    }

    pub(crate) fn wait_at(&mut self, at: &'static Location<'static>) -> Ended<'_> {
        Ended { child: self, look: Look::new(AWAITED), at }
    }

    /// Waits until the process has ended, reading its standard output and its standard error meanwhile,
    /// as far as they are piped and still here. Its standard input is closed first.
    ///
    /// The outputs end when everybody who can write to them has closed them. A process that the child has
    /// started, and that holds them, keeps this waiting even after the child's end; where that may be,
    /// use [`timeout`](crate::time::timeout).
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait); or if reading fails.
    ///
    /// # Panics
    ///
    /// When polled where its runtime is not running.
    ///
    /// # Cancel safety
    ///
    /// **Not** cancel-safe: dropping the future drops the child, and what was read of its output.
    #[track_caller]
    pub fn wait_with_output(self) -> impl Future<Output = io::Result<Output>> {
        self.collect_at(Location::caller())
    }

    pub(crate) async fn collect_at(mut self, at: &'static Location<'static>) -> io::Result<Output> {
        self.stdin = None;
        let (out, err) = (self.stdout.take(), self.stderr.take());
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        // One after the other would not do: the child may be stuck in writing to either. So each has its share
        // of a poll, however much the other brings.
        poll_fn(|cx| {
            let core = expect_home(self.ends.runtime(), "the output of a child was awaited");
            let over = Poll::Ready(Ok(()));
            let (out, _) =
                core.with_own_share(|| out.as_ref().map_or(over, |out| out.poll_collect(cx, at, &mut stdout)));
            let over = Poll::Ready(Ok(()));
            let (err, _) =
                core.with_own_share(|| err.as_ref().map_or(over, |err| err.poll_collect(cx, at, &mut stderr)));
            let (out, err) = (out?, err?);
            if out.is_ready() && err.is_ready() { Poll::Ready(io::Result::Ok(())) } else { Poll::Pending }
        })
        .await?;
        let status = self.wait_at(at).await?;
        Ok(Output { status, stdout, stderr })
    }

    /// Kills the process, with SIGKILL, and returns without waiting for its end. One that has ended is
    /// left alone.
    ///
    /// # Errors
    ///
    /// If the system refuses, as when the process has changed its user.
    pub fn start_kill(&mut self) -> io::Result<()> {
        match self.status {
            Some(_) => Ok(()),
            None => self.process().kill(),
        }
    }

    /// Kills the process, with SIGKILL, and waits for its end.
    ///
    /// # Errors
    ///
    /// As [`start_kill`](Self::start_kill) and [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// When polled where its runtime is not running.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future after it was polled leaves the process killed.
    #[track_caller]
    pub fn kill(&mut self) -> impl Future<Output = io::Result<()>> + '_ {
        let at = Location::caller();
        async move {
            self.start_kill()?;
            self.wait_at(at).await.map(drop)
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take().filter(|_| self.status.is_none()) else { return };
        let killed = self.kill_on_drop && process.kill().is_ok();
        orphans::adopt(process, killed, self.ends.runtime(), self.at);
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.id(), self.status) {
            (Some(id), _) => write!(f, "Child(process {id})"),
            (None, Some(status)) => write!(f, "Child(ended with {status})"),
            (None, None) => f.write_str("Child(being dropped)"),
        }
    }
}

fn untold(process: u32) -> String {
    format!(
        "process {process} is over, but the system does not tell how: SIGCHLD is ignored, or other code has asked for \
         the end of any child"
    )
}

/// The future of [`Child::wait`]. Dropped, it takes its waker away.
pub(crate) struct Ended<'a> {
    child: &'a mut Child,
    look: Look,
    at: &'static Location<'static>,
}

impl Future for Ended<'_> {
    type Output = io::Result<ExitStatus>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        let Self { child, look, at } = &mut *self;
        child.stdin = None;
        if child.status.is_some() {
            ready!(ready_within_budget(cx));
        }
        loop {
            // First the child is asked, and then the signal is awaited. If the child ends in between, the signal comes.
            if let Some(status) = child.try_wait()? {
                return Poll::Ready(Ok(status));
            }
            // If the signal does not come, or its pipe has failed, the time to look does.
            if child.ends.poll_at(cx, at) != Poll::Ready(Some(())) {
                ready!(look.poll(cx, at));
            }
        }
    }
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.child.ends.forget();
    }
}
