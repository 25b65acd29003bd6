//! The tools that demos share: flags, leaving with a sentence, what servers need, and the stage for those that show the
//! loop at work or in trouble.

mod complaint;
mod flags;
mod guests;
mod log;
mod patient;
pub mod server;

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::{ExitCode, exit};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

pub use flags::{address, flags, host_name, port_fits, seconds, whole, without_flags};
use futures_lite::future::or;
pub use guests::{Guest, Guests};
pub use log::{finish_log, finish_print, log, print, show};
use oneloop::Runtime;
use oneloop::signal::ctrl_c;
use oneloop::time::{Instant, advance};
pub use patient::Patient;
use rustix::process::{Resource, getrlimit};

/// How many files this process may have open.
pub fn files_allowed() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Runs a server to its end: what it has logged is written, and a problem is told.
#[track_caller]
pub fn end_of<E: Display>(server: impl Future<Output = Result<(), E>>) -> ExitCode {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(format_args!("cannot start a runtime: {error}")),
    };
    let ended = runtime.block_on(server);
    // The destructors of tasks may log, too.
    drop(runtime);
    match ended {
        Ok(()) => {
            finish_log();
            ExitCode::SUCCESS
        }
        Err(problem) => fail(problem),
    }
}

/// So many of them, as a person says it: `1 task`, `30 tasks`.
pub fn counted(count: impl Into<u64>, one: &str) -> String {
    match count.into() {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}

/// Says on stderr what went wrong, and returns the exit code that goes with it.
///
/// A reader who stalls is waited for, but for a moment only: a server must be able to end.
pub fn fail(problem: impl Display) -> ExitCode {
    finish_log();
    complain(format_args!("error: {problem}"));
    ExitCode::FAILURE
}

/// Writes a line to stderr, and waits for its reader, but for a second at most.
pub fn complain(line: impl Display) {
    let _: Result<(), _> = note(&line).recv_timeout(Duration::from_secs(1));
}

/// Has a thread write a line to stderr, so that nobody waits for the reader of stderr. The channel that
/// this returns ends when the line is written.
fn note(line: &dyn Display) -> Receiver<()> {
    let (over, is_over) = channel();
    let line = format!("{line}\n");
    thread::spawn(move || {
        let _ = io::stderr().write_all(line.as_bytes());
        drop(over);
    });
    is_over
}

/// The flags of the demos that are made to be watched. The virtual clock makes each run the same, and
/// instant; the real one gives you time to look.
#[derive(clap::Args, Clone, Copy)]
pub struct Stage {
    /// On the real clock. Watch it turn: put ONELOOP_SEE=1 before the command
    #[arg(long)]
    pub real: bool,
    /// How often to play it: once, or until Ctrl-C where it is shown on the real clock
    #[arg(long, value_name = "N", value_parser = whole(1..=1000_u32))]
    pub rounds: Option<u32>,
}

impl Stage {
    /// Plays `scene` as often as it was asked for, on a runtime with the diagnosis on, which speaks on
    /// stderr.
    #[track_caller]
    pub fn play(self, scene: impl AsyncFn(Self)) -> ExitCode {
        self.play_with(Runtime::builder(), scene)
    }

    /// The same, on a runtime with settings of the demo's own.
    #[track_caller]
    pub fn play_with(self, builder: oneloop::Builder, scene: impl AsyncFn(Self)) -> ExitCode {
        let builder = builder.diagnose(true);
        let builder = if self.real { builder } else { builder.virtual_clock() };
        let runtime = match builder.build() {
            Ok(runtime) => runtime,
            Err(error) => return fail(format_args!("cannot start a runtime: {error}")),
        };
        let played = runtime.block_on(self.rounds_of(scene));
        drop(runtime);
        // Ctrl-C is heard where the demo is shown, and would not end a wait for its reader.
        let finish = if is_shown() { finish_log } else { finish_print };
        finish();
        match played {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(format_args!("cannot wait for Ctrl-C: {error}")),
        }
    }

    /// Plays it for as long as somebody looks, if it is shown.
    async fn rounds_of(self, scene: impl AsyncFn(Self)) -> io::Result<()> {
        if is_shown() && self.real && self.rounds.is_none() {
            let endless = async {
                loop {
                    scene(self).await;
                }
            };
            return or(endless, ctrl_c()).await;
        }
        for _ in 0..self.rounds.unwrap_or(1) {
            scene(self).await;
        }
        if self.real {
            return while_shown("it is over").await;
        }
        // On the virtual clock all of it was over at once, before anybody could open the page.
        while_shown("the virtual clock is through (--real shows it as it happens)").await
    }

    /// Keeps the loop busy: for so long on the real clock, as if for so long on the virtual one.
    pub fn work(self, time: Duration) {
        if self.real {
            let start = Instant::now();
            while start.elapsed() < time {
                std::hint::spin_loop();
            }
        } else {
            advance(time);
        }
    }
}

/// Keeps the loop for as long as somebody looks, if `ONELOOP_SEE` shows a program that has done its work.
///
/// # Errors
///
/// If Ctrl-C cannot be waited for.
pub async fn while_shown(end: &str) -> io::Result<()> {
    if !is_shown() {
        return Ok(());
    }
    drop(note(&format_args!("note: {end}; the page keeps the run, to be played at any speed. Ctrl-C ends.")));
    ctrl_c().await
}

/// Whether `ONELOOP_SEE` shows the program: then it goes on for as long as somebody looks.
pub fn is_shown() -> bool {
    std::env::var_os("ONELOOP_SEE").is_some_and(|value| !value.is_empty() && value != "0")
}

/// Prints a line with the time since `start`, as [`print()`] does.
pub fn say(start: Instant, what: impl Display) {
    print(format_args!("[{:7.3}] {what}", start.elapsed().as_secs_f64()));
}

/// Ends a demo whose output nobody takes: in silence where its reader has gone.
fn end_without_output(error: &io::Error) -> ! {
    if error.kind() == ErrorKind::BrokenPipe {
        exit(0);
    }
    complain(format_args!("error: cannot write the output: {error}"));
    exit(1)
}
