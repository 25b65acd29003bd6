//! A claim: which file is this process's to write, when others of its kind were given the same path.
//!
//! ```text
//!     ONELOOP_RECORD=run.ndjson
//!         the program                        run.ndjson
//!         its second runtime                 run.ndjson.2
//!         a child of it, process 4711        run.ndjson.4711, whose second runtime is run.ndjson.4711.2
//!         another program, meanwhile         run.ndjson.4712
//! ```
//!
//! The file of a process's first runtime is locked until the process is over, so two that live at a time never
//! have the same. Children of a program's own kind leave the path to it even before it has a runtime. A program
//! that is started again later writes over the file of its last run.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, PoisonError};

use crate::ground::signals;

/// A path that this process writes to, and a copy of its file, which keeps the lock.
struct Claim {
    process: u32,
    variable: &'static str,
    path: PathBuf,
    /// How many runtimes have had a file so far.
    runtimes: u64,
    _locked: File,
}

/// Opens the file of the next runtime of this process: at `path`, or beside it.
pub(super) fn open(variable: &'static str, path: &Path) -> io::Result<(PathBuf, File)> {
    static CLAIMS: Mutex<Vec<Claim>> = Mutex::new(Vec::new());
    let mut claims = CLAIMS.lock().unwrap_or_else(PoisonError::into_inner);
    let process = process::id();
    if let Some(mine) = claims.iter_mut().find(|claim| claim.process == process && claim.variable == variable) {
        mine.runtimes += 1;
        let path = with_suffix(&mine.path, &mine.runtimes.to_string());
        return open_one(&path).map(|file| (path, file));
    }
    let (path, file) = claim(variable, path)?;
    claims.push(Claim { process, variable, path: path.clone(), runtimes: 1, _locked: file.try_clone()? });
    Ok((path, file))
}

/// The first of these paths that no other process has.
fn claim(variable: &str, path: &Path) -> io::Result<(PathBuf, File)> {
    if fs::metadata(path).is_ok_and(|known| !known.is_file()) {
        // A device or a pipe: a user who names it twice wants both in it.
        return open_one(path).map(|file| (path.to_owned(), file));
    }
    let pid = process::id();
    let usual = (!is_a_child_of_its_kind(variable, path)).then(|| path.to_owned());
    let beside = (1_u64..).map(|n| with_suffix(path, &if n == 1 { pid.to_string() } else { format!("{pid}-{n}") }));
    for path in usual.into_iter().chain(beside) {
        let file = open_one(&path)?;
        if signals::lock_file(&file) {
            return Ok((path, file));
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Opens one without a change to what is in it, and without waiting for a reader of a pipe, say.
fn open_one(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    options.open(path).map_err(|error| match error.raw_os_error() {
        Some(libc::ENXIO) => io::Error::new(error.kind(), "nobody reads what is written there"),
        _ => error,
    })
}

/// Whether one of those who started this process runs the same program, and was given the same path.
fn is_a_child_of_its_kind(variable: &str, path: &Path) -> bool {
    let wish = [variable.as_bytes(), b"=", path.as_os_str().as_bytes()].concat();
    let Ok(program) = fs::read_link("/proc/self/exe") else { return false };
    let has_the_wish = |pid: &u32| {
        let variables = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        variables.split(|byte| *byte == 0).any(|variable| variable == wish)
    };
    std::iter::successors(Some(parent_id()), |pid| parent_of(*pid))
        .filter(|pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|other| other == program))
        .any(|pid| has_the_wish(&pid))
}

/// The process whose child another is, by the fourth field of its line in `/proc` (proc_pid_stat(5)).
fn parent_of(pid: u32) -> Option<u32> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in brackets, and may hold anything.
    let (_, fields) = line.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok().filter(|parent| *parent > 0)
}

/// Whether a path bears this process's number: then another process has the one that was asked for.
pub(super) fn is_beside(path: &Path, asked_for: &Path) -> bool {
    path.as_os_str().as_bytes().starts_with(with_suffix(asked_for, &process::id().to_string()).as_os_str().as_bytes())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(path);
    path.push(".");
    path.push(suffix);
    path.into()
}
