//! The learner's crate: where it is, what is remembered of it, and how it goes from stage to stage.
//!
//! The crate lies outside of this project. Its folder `.stage` remembers the stage, the hints that were given,
//! and the recordings of the last test run; nothing leaves the machine.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Said;
use crate::holes::{given, holes, join, pieces, stub};
use crate::stages::{self, Stage, project, read, write};
use crate::tree::{self, Files};

const NO_CRATE: &str = "you have no crate yet; make one with `cargo stage start`";

/// The learner's crate.
pub(crate) struct Learner {
    pub(crate) folder: PathBuf,
    memory: RefCell<BTreeMap<String, String>>,
}

impl Learner {
    /// The crate that the working folder lies in, or else the one that was started last from this project.
    pub(crate) fn find() -> Said<Self> {
        let here = std::env::current_dir().map_err(|error| format!("the working folder cannot be named: {error}"))?;
        let above = here.ancestors().find(|folder| memory_of(folder).is_file()).map(Path::to_owned);
        let started = || fs::read_to_string(started_last()).ok().map(|path| PathBuf::from(path.trim()));
        let folder = above.or_else(started).filter(|folder| memory_of(folder).is_file());
        let folder = folder.ok_or(NO_CRATE)?;
        let lines = read(&memory_of(&folder))?;
        let pairs = lines.lines().filter_map(|line| line.split_once('='));
        let memory = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let learner = Self { folder, memory: RefCell::new(memory) };
        let last = stages::all()?.len().saturating_sub(1);
        if learner.recall("stage").and_then(|stage| stage.parse().ok()).is_none_or(|stage: usize| stage > last) {
            let memory = memory_of(&learner.folder);
            let is = "does not say at which stage you are";
            return Err(format!("{} {is}; write the line `stage=N` there, with N from 1 to {last}", memory.display()));
        }
        Ok(learner)
    }

    pub(crate) fn stage(&self) -> usize {
        self.recall("stage").and_then(|stage| stage.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn recall(&self, key: &str) -> Option<String> {
        self.memory.borrow().get(key).cloned()
    }

    pub(crate) fn remember(&self, key: &str, value: impl std::fmt::Display) -> Said<()> {
        self.memory.borrow_mut().insert(key.to_owned(), value.to_string());
        let lines: Vec<String> = self.memory.borrow().iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        // In one step, so that nothing is lost if this program is ended meanwhile.
        let (new, memory) = (self.folder.join(".stage/memory.new"), memory_of(&self.folder));
        write(&new, &lines.concat())?;
        fs::rename(&new, &memory).map_err(|error| format!("{} cannot be written: {error}", memory.display()))
    }

    /// The path of the recording of a test's last run.
    pub(crate) fn recording(&self, test: &str) -> PathBuf {
        self.folder.join(".stage/recordings").join(format!("{}.ndjson", test.replace("::", ".")))
    }

    /// The learner's own files.
    pub(crate) fn files(&self) -> Said<Files> {
        let mut files = Files::new();
        for path in tree::solution(&stages::all()?, self.stage())?.into_keys() {
            if let Ok(text) = fs::read_to_string(self.folder.join(&path)) {
                files.insert(path, text);
            }
        }
        Ok(files)
    }

    /// The learner's own text of each hole.
    pub(crate) fn holes(&self) -> Said<BTreeMap<String, String>> {
        let mut all = BTreeMap::new();
        for (path, text) in self.files()? {
            all.extend(holes(&text).map_err(|error| format!("{path}: {error}"))?);
        }
        Ok(all)
    }

    /// Lays the files of a stage, with what the learner wrote in the holes of earlier ones.
    pub(crate) fn lay(&self, stages: &[Stage], number: usize) -> Said<()> {
        let wrote = self.holes()?;
        self.keep(stages)?;
        let (files, lost) = tree::begin(stages, number, |name| wrote.get(name).cloned())?;
        tree::lay(&self.folder, &files)?;
        write(&self.folder.join("Cargo.toml"), &tree::manifest(number))?;
        if !wrote.is_empty() && !lost.is_empty() {
            println!("These holes had no marks any more, and have the solution now: {}", lost.join(", "));
        }
        if number != self.stage() {
            self.record_minutes()?;
            self.remember("since", now())?;
        }
        self.remember("stage", number)
    }

    /// Keeps a copy of every file whose given part was changed: it is laid anew.
    fn keep(&self, stages: &[Stage]) -> Said<()> {
        let solved = tree::solution(stages, self.stage())?;
        for (path, text) in self.files()? {
            let changed = solved.get(&path).is_none_or(|solved| given(solved).ok() != given(&text).ok());
            if changed && path.starts_with("src/") {
                let copy = format!(".stage/before/stage_{:02}/{path}", self.stage());
                println!("You changed what is given in {path}; a copy is in {copy}");
                write(&self.folder.join(copy), &text)?;
            }
        }
        Ok(())
    }

    /// Writes down the minutes of a stage, for one who asked for it.
    fn record_minutes(&self) -> Said<()> {
        let since = self.recall("since").and_then(|since| since.parse::<u64>().ok());
        if let (Some(since), Some("yes")) = (since, self.recall("record").as_deref()) {
            let path = self.folder.join(".stage/minutes");
            let before = fs::read_to_string(&path).unwrap_or_default();
            let minutes = now().saturating_sub(since).div_ceil(60);
            write(&path, &format!("{before}stage {}: {minutes} min\n", self.stage()))?;
        }
        Ok(())
    }
}

fn memory_of(folder: &Path) -> PathBuf {
    folder.join(".stage/memory")
}

fn started_last() -> PathBuf {
    project().join("target/workshop/started")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The sentence about words that `start` cannot use.
pub(crate) fn misuse(words: &[&str]) -> Option<String> {
    if let Some(flag) = words.iter().find(|word| word.starts_with('-') && **word != "--record") {
        return Some(format!("`start` knows no `{flag}`; it knows --record, and the folder of your crate"));
    }
    let folders = words.iter().filter(|word| !word.starts_with('-')).count();
    (folders > 1).then(|| "`start` makes one crate in one folder; put quotes around a name with spaces".to_owned())
}

/// Makes the learner's crate.
pub(crate) fn start(words: &[&str]) -> Said<()> {
    let project = project();
    let default = project.join("../my-loop");
    let folder = words.iter().find(|word| !word.starts_with("--")).map_or(default, PathBuf::from);
    if memory_of(&folder).exists() {
        return Err(format!("{} is a workshop's crate already; go there, or name another folder", folder.display()));
    }
    let inside = |folder: &Path| format!("{} lies inside this project; name a folder outside of it", folder.display());
    // Looked at before anything is made, and again when links and `..` are known.
    let goes_up = folder.components().any(|part| part == Component::ParentDir);
    if !goes_up && std::path::absolute(&folder).is_ok_and(|folder| folder.starts_with(&project)) {
        return Err(inside(&folder));
    }
    fs::create_dir_all(&folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    let folder = folder.canonicalize().map_err(|error| format!("{} cannot be found: {error}", folder.display()))?;
    if folder.starts_with(&project) {
        return Err(inside(&folder));
    }
    if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(format!("{} is not empty; name another folder", folder.display()));
    }
    write(&memory_of(&folder), "stage=0\n")?;
    write(&started_last(), &folder.display().to_string())?;
    // The versions that this project was fetched with, so that the crate builds offline.
    write(&folder.join("Cargo.lock"), &read(&project.join("Cargo.lock"))?)?;
    let runner = project.join("docs/workshop/runner/Cargo.toml");
    let alias = format!("[alias]\nstage = [\"run\", \"--quiet\", \"--manifest-path\", {runner:?}, \"--\"]\n");
    write(&folder.join(".cargo/config.toml"), &alias)?;
    write(&folder.join(".gitignore"), "/target\n/.stage\n")?;
    let learner = Learner { folder, memory: RefCell::default() };
    learner.remember("record", if words.contains(&"--record") { "yes" } else { "no" })?;
    learner.remember("since", now())?;
    let stages = stages::all()?;
    learner.lay(&stages, 1.min(stages.len() - 1))?;
    println!("Your crate is in {}. Go there: `cargo stage` works there as well.\n", learner.folder.display());
    status()
}

/// Says where the learner is.
pub(crate) fn status() -> Said<()> {
    let learner = match Learner::find() {
        Ok(learner) => learner,
        Err(sentence) if sentence != NO_CRATE => return Err(sentence),
        Err(sentence) => {
            println!("{sentence}\nBegin with `cargo stage doctor`; all commands: `cargo stage help`.");
            return Ok(());
        }
    };
    let stages = stages::all()?;
    for stage in stages.iter().skip(1) {
        let mark = match stage.number.cmp(&learner.stage()) {
            std::cmp::Ordering::Less => "done",
            std::cmp::Ordering::Equal => "here",
            std::cmp::Ordering::Greater => "",
        };
        println!("{mark:>6}  {:>2}  {}, {} min", stage.number, stage.title, stage.minutes);
    }
    let Some(stage) = stages.get(learner.stage()) else { return Err("this project has no such stage".to_owned()) };
    println!("\nYour crate: {}", learner.folder.display());
    println!("Read:       {}", stage.readme().display());
    for (path, text) in learner.files()?.iter().filter(|(path, _)| path.starts_with("src/")) {
        for (line, text) in (1..).zip(text.lines()).filter(|(_, line)| line.contains("todo!(\"stage ")) {
            println!("Fill:       {path}:{line}  {}", text.trim());
        }
    }
    println!("Then:       cargo stage test");
    Ok(())
}

/// Fills the holes of this stage with the solution, and goes on.
pub(crate) fn skip() -> Said<()> {
    let (learner, stages) = (Learner::find()?, stages::all()?);
    let number = learner.stage();
    refill(&learner, &stages, |_, _, solved, _| solved.to_owned())?;
    println!("Stage {number} has the solution now; what you had is in .stage/before.");
    advance(&learner, &stages)
}

/// Empties the holes of this stage.
pub(crate) fn reset() -> Said<()> {
    let (learner, stages) = (Learner::find()?, stages::all()?);
    let number = learner.stage();
    refill(&learner, &stages, |name, indent, _, is_last| stub(number, name, indent, is_last))?;
    println!("The holes of stage {number} are empty again; what you had is in .stage/before.");
    Ok(())
}

/// Lays this stage's files again, with the holes of the stage as `fill` has them.
fn refill(learner: &Learner, stages: &[Stage], fill: impl Fn(&str, &str, &str, bool) -> String) -> Said<()> {
    let (number, origins, wrote) = (learner.stage(), tree::origins(stages)?, learner.holes()?);
    for (path, solved) in tree::solution(stages, number)? {
        let old = fs::read_to_string(learner.folder.join(&path)).unwrap_or_default();
        let new = join(&pieces(&solved)?, |name, indent, solved, is_last| match origins.get(name) {
            Some(origin) if *origin == number => fill(name, indent, solved, is_last),
            _ => wrote.get(name).cloned().unwrap_or_else(|| solved.to_owned()),
        });
        if old != new {
            write(&learner.folder.join(format!(".stage/before/stage_{number:02}/{path}")), &old)?;
            write(&learner.folder.join(&path), &new)?;
        }
    }
    Ok(())
}

/// Lays the next stage, if there is one.
pub(crate) fn advance(learner: &Learner, stages: &[Stage]) -> Said<()> {
    let next = learner.stage() + 1;
    if next >= stages.len() {
        println!("That was the last stage. You have built it: now read runtime/src/heart as a book you know.");
        return Ok(());
    }
    learner.lay(stages, next)?;
    println!();
    status()
}
