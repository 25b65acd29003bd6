//! How a child process is to be started.

use std::ffi::OsStr;
use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};

use crate::process::child::Child;

/// A child process to be: a program, its arguments, its environment and its standard streams.
///
/// The methods are those of [`std::process::Command`], which it is made of;
/// [`as_std_mut`](Self::as_std_mut) leads to what is missing here. The child inherits no descriptor but
/// its three standard streams, no signal handler, no blocked signals and no ignored SIGPIPE.
///
/// ```
/// use oneloop::process::Command;
///
/// # oneloop::run(async {
/// let output = Command::new("echo").arg("hello").output().await?;
/// assert!(output.status.success());
/// assert_eq!(output.stdout, b"hello\n");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Command {
    std: std::process::Command,
    /// Which of the three streams were set here.
    set: [bool; 3],
    kill_on_drop: bool,
}

impl Command {
    /// A command without arguments, with this process's environment and working directory. A program
    /// without a slash is looked for in `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self::from(std::process::Command::new(program))
    }

    /// Adds an argument. It is passed as it is: there is no shell between.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.std.arg(arg);
        self
    }

    /// Adds several arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.std.args(args);
        self
    }

    /// Sets a variable of the environment.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.std.env(key, value);
        self
    }

    /// Sets several variables of the environment.
    pub fn envs(&mut self, variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>) -> &mut Self {
        self.std.envs(variables);
        self
    }

    /// Keeps a variable from being inherited.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Self {
        self.std.env_remove(key);
        self
    }

    /// Starts from an empty environment.
    pub fn env_clear(&mut self) -> &mut Self {
        self.std.env_clear();
        self
    }

    /// Sets the working directory.
    pub fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Self {
        self.std.current_dir(dir);
        self
    }

    /// Sets what the child reads as its standard input. Unset, it is this process's own, or nothing for
    /// [`output`](Self::output).
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.set[0] = true;
        self.std.stdin(stdin);
        self
    }

    /// Sets where the child's standard output goes. Unset, it is this process's own, or a pipe for
    /// [`output`](Self::output).
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.set[1] = true;
        self.std.stdout(stdout);
        self
    }

    /// Sets where the child's standard error goes. Unset, it is this process's own, or a pipe for
    /// [`output`](Self::output).
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.set[2] = true;
        self.std.stderr(stderr);
        self
    }

    /// Sets whether dropping the [`Child`] kills the process, with SIGKILL. Unset, the process goes on.
    ///
    /// The process alone is killed, not those that it has started itself.
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
        self.kill_on_drop = kill;
        self
    }

    /// Puts the child into the process group with this id, or into a new one if it is 0. Ctrl-C on the
    /// terminal reaches the whole foreground group: a child that is to survive it needs its own.
    pub fn process_group(&mut self, group: i32) -> &mut Self {
        std::os::unix::process::CommandExt::process_group(&mut self.std, group);
        self
    }

    /// Starts the process. It takes the loop's thread as long as the system takes to start a program, which is about
    /// a millisecond.
    ///
    /// # Errors
    ///
    /// If the program cannot be started: the error names it, and its kind says why. No descriptor and
    /// no process is left then. If SIGCHLD is set to be ignored, since then nobody can tell how a child ends.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn spawn(&mut self) -> io::Result<Child> {
        let started = Child::start(&mut self.std, self.kill_on_drop);
        started.map_err(|error| self.cannot_run(&error))
    }

    /// Runs the process to its end. Those of its streams that are piped are closed at once.
    ///
    /// The process is started here, not when the future is first polled.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn) and [`Child::wait`].
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the [`Child`]: the process goes on, or is killed, as
    /// [`kill_on_drop`](Self::kill_on_drop) says.
    #[track_caller]
    pub fn status(&mut self) -> impl Future<Output = io::Result<ExitStatus>> + use<> {
        let (child, at) = (self.spawn(), Location::caller());
        async move {
            let mut child = child?;
            drop((child.stdin.take(), child.stdout.take(), child.stderr.take()));
            child.wait_at(at).await
        }
    }

    /// Runs the process to its end. Collects its standard output and its standard error, unless these were set to
    /// something else. It has no standard input unless one was set.
    ///
    /// The process is started here, not when the future is first polled.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn) and [`Child::wait_with_output`].
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    ///
    /// # Cancel safety
    ///
    /// As [`status`](Self::status); what has been collected is lost.
    #[track_caller]
    pub fn output(&mut self) -> impl Future<Output = io::Result<Output>> + use<> {
        if !self.set[0] {
            self.stdin(Stdio::null());
        }
        if !self.set[1] {
            self.stdout(Stdio::piped());
        }
        if !self.set[2] {
            self.stderr(Stdio::piped());
        }
        let (child, at) = (self.spawn(), Location::caller());
        async move { child?.collect_at(at).await }
    }

    /// The standard library's command inside, to read.
    pub fn as_std(&self) -> &std::process::Command {
        &self.std
    }

    /// The standard library's command inside, for what has no method here, such as the user id. Streams
    /// that are set there count as unset for [`output`](Self::output).
    pub fn as_std_mut(&mut self) -> &mut std::process::Command {
        &mut self.std
    }

    /// An error that says what could not be run, where and why. A missing working directory and a missing program are
    /// the same to the system, but not to the reader.
    fn cannot_run(&self, error: &io::Error) -> io::Error {
        let program = self.std.get_program().to_string_lossy();
        let dir: Option<PathBuf> = self.std.get_current_dir().map(PathBuf::from);
        let text = match dir {
            Some(dir) if !dir.is_dir() => {
                format!("cannot run {program:?} in {}, which is no directory: {error}", dir.display())
            }
            _ => format!("cannot run {program:?}: {error}"),
        };
        io::Error::new(error.kind(), text)
    }
}

impl From<std::process::Command> for Command {
    fn from(std: std::process::Command) -> Self {
        Self { std, set: [false; 3], kill_on_drop: false }
    }
}
