//! Building the damaged copy, and running one test of it.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::bugs::Bug;
use crate::tree::Tree;

/// A test that takes longer than this hangs. When nothing is planted, few of the table take a second.
const LIMIT: Duration = Duration::from_secs(6);

/// The fate of a planted bug.
pub(crate) enum Verdict {
    /// The test fails.
    Red,
    /// The test does not end.
    Hangs,
    /// The test passes: it does not see the bug.
    Survives,
    /// The test passes because it cannot be made on this system, and says so.
    Skipped,
    /// There was no test to be run, and why.
    NotTried(String),
}

impl Verdict {
    pub(crate) fn is_killed(&self) -> bool {
        matches!(self, Self::Red | Self::Hangs)
    }

    /// Whether a test is missing.
    pub(crate) fn is_a_hole(&self) -> bool {
        matches!(self, Self::Survives | Self::NotTried(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Red => "killed",
            Self::Hangs => "hangs",
            Self::Survives => "SURVIVES",
            Self::Skipped => "skipped",
            Self::NotTried(_) => "NOT TRIED",
        })
    }
}

/// How a run of a test program ended.
enum End {
    Passed,
    Failed,
    TimeLimit,
}

pub(crate) struct Cargo<'a> {
    tree: &'a Tree,
}

impl<'a> Cargo<'a> {
    pub(crate) fn new(tree: &'a Tree) -> Self {
        Self { tree }
    }

    /// Builds what is needed, and sees every test of these bugs pass while nothing is planted.
    pub(crate) fn all_green(&self, bugs: &[&Bug]) -> Result<(), String> {
        let programs: BTreeSet<&str> = bugs.iter().map(|bug| bug.program()).collect();
        for program in programs {
            let built = self.build(program)?;
            let tests: BTreeSet<&str> = bugs.iter().filter(|b| b.program() == program).map(|b| b.name()).collect();
            let list: Vec<&str> = tests.into_iter().collect();
            let said = self.run(&built, &list, LIMIT * 10)?;
            if !matches!(said, (End::Passed, ref output) if output.contains(&format!("{} passed", list.len()))) {
                return Err(format!("not every test of {program} passes while nothing is planted:\n{}", said.1));
            }
        }
        Ok(())
    }

    /// Runs a bug's test. The bug has been planted.
    pub(crate) fn test(&self, bug: &Bug) -> Verdict {
        let ended = self.build(bug.program()).and_then(|program| self.run(&program, &[bug.name()], LIMIT));
        match ended {
            Ok((End::Failed, _)) => Verdict::Red,
            Ok((End::TimeLimit, _)) => Verdict::Hangs,
            Ok((End::Passed, said)) if said.contains("skipped: ") => Verdict::Skipped,
            Ok((End::Passed, _)) => Verdict::Survives,
            Err(why) => Verdict::NotTried(why),
        }
    }

    /// Builds one test program and says where it is.
    fn build(&self, program: &str) -> Result<PathBuf, String> {
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            // The whole workspace is asked for it, so that its libraries are those that are built already.
            .args(["test", "--locked", "--no-run", "--color=never", "--workspace", "--test", program])
            .current_dir(&self.tree.top)
            .env("CARGO_TARGET_DIR", &self.tree.target)
            // A test's line numbers are of no use here, and building them takes a third of the time.
            .envs([("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_PROFILE_TEST_DEBUG", "0"), ("CARGO_INCREMENTAL", "1")])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cargo cannot be started: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let path = said.lines().filter(|line| line.trim_start().starts_with("Executable")).find_map(|line| {
            let (_, path) = line.rsplit_once('(')?;
            Some(PathBuf::from(path.trim_end_matches(')')))
        });
        match path {
            Some(path) if output.status.success() => Ok(path),
            _ => Err(format!("{program} does not compile:\n{said}")),
        }
    }

    /// Runs some tests of a program, all at once. Returns what it said, too.
    fn run(&self, program: &PathBuf, tests: &[&str], limit: Duration) -> Result<(End, String), String> {
        let log = self.tree.folder.join("said");
        let cannot = |error: std::io::Error| format!("{}: {error}", program.display());
        let said = File::create(&log).map_err(cannot)?;
        let mut child = Command::new(program)
            .args(["--exact", "--test-threads=2", "--nocapture"])
            .args(tests)
            .current_dir(self.tree.top.join("tests"))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(said.try_clone().map_err(cannot)?)
            .stderr(said)
            .spawn()
            .map_err(cannot)?;
        let began = Instant::now();
        let end = loop {
            match child.try_wait().map_err(cannot)? {
                Some(status) if status.success() => break End::Passed,
                Some(_) => break End::Failed,
                None if began.elapsed() > limit => break End::TimeLimit,
                None => sleep(Duration::from_millis(5)),
            }
        };
        // A test may have started processes of its own: they are in the group, and end with it.
        let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
        let _ = child.wait();
        Ok((end, std::fs::read_to_string(&log).unwrap_or_default()))
    }
}
