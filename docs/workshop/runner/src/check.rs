//! `cargo stage check`: the rules that keep the workshop honest.
//!
//! Each stub, each solution and each wrong version is a crate of its own, compiled by `rustc` alone, tests and all,
//! without debug information. A crate that held once is not built again until one of its files, or this program, changes.
//! One crate differs little from the next. So all of them are built in one place, one after the other, where the
//! compiler keeps what it has made of the lines that they share.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use crate::judge::judge;
use crate::report::{WRONG, explain};
use crate::run::{self, Verdict};
use crate::stages::{self, Stage, project, read, write};
use crate::texts::{self, Block};
use crate::tree::{self, Files, LIBRARIES_FROM};
use crate::{Said, beside, clinic, conformance, events, hints, loom, patch, same, schedule};

/// How many crates are built and run at the same time, each in a place of its own.
const AT_ONCE: usize = 2;

/// How many wrong versions must be told by the event that was wrong. The others do wrong where nothing is recorded.
const NAMED: usize = 90;

/// The claim that a crate is to show.
enum Claim {
    /// Rule 1: it compiles without a warning, its own tests say what is to do, those before pass. If the stage
    /// opens a step of the machine anew, earlier tests fall into that hole: those of the modules and tests in
    /// `passes_through`, but for those in `passes`.
    Stub,
    /// Rule 2: all tests pass, and what the page prints and shows is so.
    Solution(Vec<(String, Option<String>)>),
    /// Rule 3: these tests fail.
    Broken(String, Vec<String>),
    /// Rule 7: with the code of the last hints in the holes, the stage's own tests pass.
    Hints,
}

/// The name of a stage's crate in which everything is solved.
const SOLUTION: &str = "solution";

struct Job<'a> {
    stage: &'a Stage,
    name: String,
    files: Files,
    claim: Claim,
    blocks: Vec<Block>,
}

/// The sentence about words that `check` cannot use.
pub(crate) fn misuse(words: &[&str]) -> Option<String> {
    let flags = ["--fresh", "--write", "--conformance", "--loom"];
    let last = stages::all().ok()?.len().saturating_sub(1);
    let is_known = |word: &&&str| flags.contains(word) || word.parse().is_ok_and(|number: usize| number <= last);
    let unknown = words.iter().find(|word| !is_known(word))?;
    Some(format!("`check` knows no `{unknown}`; it knows the stages 0 to {last} and {}", flags.join(", ")))
}

/// `cargo stage check`.
pub(crate) fn check(words: &[&str]) -> Said<()> {
    if words.contains(&"--conformance") {
        return conformance::check();
    }
    if words.contains(&"--loom") {
        return loom::check();
    }
    let began = Instant::now();
    let stages = stages::all()?;
    let numbers: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let wanted = |stage: &&Stage| numbers.is_empty() || numbers.contains(&stage.number);
    let mut faults = schedule::faults(&stages, words.contains(&"--write"))?;
    for case in clinic::cases() {
        faults.extend(clinic::faults(&case).into_iter().map(|fault| format!("{}: {fault}", case.display())));
    }
    if let Some(last) = stages.last().filter(wanted) {
        let found = same::beyond(last, &tree::solution(&stages, last.number)?, words.contains(&"--write"))?;
        faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", last.folder)));
    }
    let mut jobs = Vec::new();
    for stage in stages.iter().filter(wanted) {
        let found = look(&stages, stage, &mut jobs)?;
        faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", stage.folder)));
    }
    if jobs.iter().any(|job| job.stage.number >= LIBRARIES_FROM) {
        build_libraries()?;
    }
    let count = jobs.len();
    let broken: Vec<String> =
        jobs.iter().filter(|job| matches!(job.claim, Claim::Broken(..))).map(|job| job.name.clone()).collect();
    let (built, found) = hold_all(&stages, jobs, words.contains(&"--fresh"));
    faults.extend(found);
    let named = broken.iter().filter(|name| is_named(name)).count();
    println!("{named} of {} wrong versions are told by the event that was wrong", broken.len());
    if numbers.is_empty() && named < NAMED {
        faults.push(format!("{named} wrong versions are told by their event, and {NAMED} have to be"));
    }
    faults.sort();
    faults.iter().for_each(|fault| println!("{fault}"));
    println!("{count} crates, {built} of them built, {} s", began.elapsed().as_secs());
    if faults.is_empty() { Ok(()) } else { Err(format!("{} to mend", faults.len())) }
}

/// Builds and runs all crates, each in one of the places. Returns how many were built, and what does not hold.
fn hold_all(stages: &[Stage], jobs: Vec<Job<'_>>, is_fresh: bool) -> (usize, Vec<String>) {
    let (found, built) = (Mutex::new(Vec::new()), Mutex::new(0));
    // The solutions first: what a wrong version does is compared with what they did.
    let (first, then): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.name.ends_with(SOLUTION));
    for jobs in [first, then] {
        let jobs = Mutex::new(jobs.into_iter());
        thread::scope(|scope| {
            for place in 0..AT_ONCE {
                let (stages, jobs, found, built) = (stages, &jobs, &found, &built);
                scope.spawn(move || {
                    let place = project().join(format!("target/workshop/place-{place}"));
                    loop {
                        let Some(job) = jobs.lock().expect("nobody panics").next() else { break };
                        let name = job.name.clone();
                        let (fresh, faults) = hold(stages, &job, &place, is_fresh);
                        *built.lock().expect("nobody panics") += usize::from(fresh);
                        let faults = faults.into_iter().map(|fault| format!("{name}: {fault}"));
                        found.lock().expect("nobody panics").extend(faults);
                    }
                });
            }
        });
    }
    (built.into_inner().expect("nobody panics"), found.into_inner().expect("nobody panics"))
}

/// Whether a test that kills a wrong version names an event.
fn is_named(name: &str) -> bool {
    let said = fs::read_to_string(check_folder(name).join("said.txt")).unwrap_or_default();
    said.lines().any(|line| line.trim_start().starts_with(WRONG))
}

/// The faults that show without building a stage, and the crates to build.
fn look<'a>(stages: &'a [Stage], stage: &'a Stage, jobs: &mut Vec<Job<'a>>) -> Said<Vec<String>> {
    let (solution, stub) = (tree::solution(stages, stage.number)?, tree::stubbed(stages, stage.number)?);
    let origins = tree::origins(stages)?;
    let own: Vec<&String> =
        origins.iter().filter(|(_, origin)| **origin == stage.number).map(|(name, _)| name).collect();
    let mut faults = hints::faults(stage, &own, &solution)?;
    faults.extend(same::faults(stage, &solution)?);
    faults.extend(carried(stages, stage, &solution)?);
    let blocks = texts::blocks(stage)?;
    let mut quotable: Vec<String> = solution.values().chain(stub.values()).cloned().collect();
    let mut add = |name: &str, files: Files, claim: Claim| {
        let name = format!("{:02}-{name}", stage.number);
        jobs.push(Job { stage, name, files, claim, blocks: blocks.clone() });
    };
    if !stage.files("tests")?.is_empty() {
        if !own.is_empty() {
            add("stub", stub, Claim::Stub);
        }
        let (module, expected) = texts::programs(&blocks);
        let mut files = solution.clone();
        if !expected.is_empty() {
            files.insert("src/page.rs".to_owned(), module);
            files.entry("src/lib.rs".to_owned()).or_default().push_str("\n#[cfg(test)]\nmod page;\n");
        }
        add(SOLUTION, files, Claim::Solution(expected));
        let (hinted, blocks) = hints::applied(stage, &solution)?;
        if blocks > 0 {
            add("hints", hinted, Claim::Hints);
        }
    }
    for (name, kills) in stage.broken() {
        let mut files = solution.clone();
        if kills.is_empty() {
            faults.push(format!("stage.toml names no test that kills {name}"));
        }
        match stage.patch(&name).and_then(|text| patch::apply(&mut files, &text)) {
            Ok(()) => {
                quotable.extend(files.values().cloned());
                add(&name, files, Claim::Broken(name.clone(), kills));
            }
            Err(fault) => faults.push(format!("broken/{name}.patch does not apply: {fault}")),
        }
    }
    let patches = fs::read_dir(stage.path.join("broken")).into_iter().flatten().flatten();
    for name in patches.filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned())) {
        if !stage.broken().iter().chain(&loom::broken(stage)).any(|(known, _)| *known == name) {
            faults.push(format!("stage.toml does not name broken/{name}.patch"));
        }
    }
    faults.extend(texts::faults(stage, &quotable.iter().map(String::as_str).collect::<Vec<_>>())?);
    Ok(faults)
}

/// A hole that a later stage brings again has the text that it had: else a learner's own would not do there.
fn carried(stages: &[Stage], stage: &Stage, solution: &Files) -> Said<Vec<String>> {
    let mut faults = Vec::new();
    if stage.number == 0 {
        return Ok(faults);
    }
    let all = |files: &Files| -> Said<Vec<(String, String)>> {
        let holes: Said<Vec<_>> = files.values().map(|text| crate::holes::holes(text)).collect();
        Ok(holes?.into_iter().flatten().collect())
    };
    let now = all(solution)?;
    for (name, text) in all(&tree::solution(stages, stage.number - 1)?)? {
        if now.iter().any(|(known, changed)| *known == name && *changed != text) {
            faults.push(format!("the hole \"{name}\" has another text than before; give it another name"));
        }
    }
    Ok(faults)
}

/// Builds and runs a crate, unless it held already as it is. Returns whether it was built, and what does not hold.
fn hold(stages: &[Stage], job: &Job<'_>, place: &Path, is_fresh: bool) -> (bool, Vec<String>) {
    let folder = check_folder(&job.name);
    let mark = folder.join("held");
    let hash = hash(job);
    if !is_fresh && fs::read_to_string(&mark).is_ok_and(|held| held == hash) {
        return (false, Vec::new());
    }
    let faults = build_and_run(stages, job, &folder, place).unwrap_or_else(|fault| vec![fault]);
    if faults.is_empty() {
        let _ = write(&mark, &hash);
    } else {
        let _ = fs::remove_file(&mark);
    }
    (true, faults)
}

fn check_folder(name: &str) -> PathBuf {
    project().join("target/workshop/check").join(name)
}

fn hash(job: &Job<'_>) -> String {
    let mut hasher = DefaultHasher::new();
    job.files.hash(&mut hasher);
    format!("{:?}", job.blocks).hash(&mut hasher);
    std::env::current_exe().ok().and_then(|program| fs::read(program).ok()).hash(&mut hasher);
    let expected = match &job.claim {
        Claim::Stub => String::new(),
        Claim::Solution(expected) => format!("{expected:?}"),
        Claim::Broken(name, kills) => format!("{name} {kills:?}"),
        Claim::Hints => "hints".to_owned(),
    };
    expected.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn build_and_run(stages: &[Stage], job: &Job<'_>, folder: &Path, place: &Path) -> Said<Vec<String>> {
    // The first is for those who look into a fault; the compiler knows its own lines again in the second alone.
    for folder in [folder, &place.join("crate")] {
        let _ = fs::remove_dir_all(folder);
        tree::lay(folder, &job.files)?;
    }
    let program = folder.join("tests-of-it");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "--test", "--crate-name", "my_loop", "-D", "warnings"]);
    rustc.args(["-C", "debuginfo=0", "-C", "opt-level=0"]);
    rustc.arg("-C").arg(format!("incremental={}", place.join("kept").display()));
    rustc.arg("src/lib.rs").arg("-o").arg(&program).current_dir(place.join("crate")).stdin(Stdio::null());
    if job.stage.number >= LIBRARIES_FROM {
        let built_in = libraries_folder().join("target/debug/deps");
        rustc.arg("-L").arg(&built_in);
        for name in tree::LIBRARIES {
            let built = fs::read_dir(&built_in).into_iter().flatten().flatten().map(|entry| entry.path());
            let library = built
                .filter(|path| path.to_string_lossy().contains(&format!("lib{name}-")))
                .find(|path| path.extension().is_some_and(|e| e == "rlib"));
            let library = library.ok_or_else(|| format!("{name} was not built"))?;
            rustc.arg("--extern").arg(format!("{name}={}", library.display()));
        }
    }
    let output = rustc.output().map_err(|error| format!("rustc cannot be run: {error}"))?;
    if !output.status.success() {
        let said: Vec<String> = String::from_utf8_lossy(&output.stderr).lines().take(20).map(str::to_owned).collect();
        // A wrong version that does not compile teaches nothing.
        return Ok(vec![format!("it does not compile without a warning (rule 1):\n{}", said.join("\n"))]);
    }
    let tests = run::tests(&program)?;
    let faults = match &job.claim {
        Claim::Stub => hold_stub(job, folder, &program, &tests)?,
        Claim::Solution(expected) => hold_solution(stages, job, folder, (&program, &tests), expected)?,
        Claim::Broken(name, kills) => hold_broken(stages, job, folder, (&program, &tests), (name, kills))?,
        Claim::Hints => hold_hints(job, folder, (&program, &tests))?,
    };
    let _ = fs::remove_file(&program);
    Ok(faults)
}

fn recording(folder: &std::path::Path, test: &str) -> PathBuf {
    folder.join("recordings").join(format!("{}.ndjson", test.replace("::", ".")))
}

fn hold_stub(
    job: &Job<'_>,
    folder: &std::path::Path,
    program: &std::path::Path,
    tests: &[String],
) -> Said<Vec<String>> {
    let mut faults = Vec::new();
    let own = format!("{}::", job.stage.module());
    let through = job.stage.passes_through();
    let passes = job.stage.toml.list("", "passes");
    let named =
        |list: &[String], test: &str| list.iter().any(|name| test == name || test.split("::").next() == Some(name));
    let falls = |test: &str| named(&through, test) && !named(&passes, test);
    let unknown =
        through.iter().chain(&passes).filter(|name| !tests.iter().any(|test| named(std::slice::from_ref(name), test)));
    faults.extend(unknown.map(|name| format!("stage.toml names {name}, which is no test")));
    let says = format!("not yet implemented: stage {}: ", job.stage.number);
    for test in tests {
        let ran = run::run(program, test, &recording(folder, test), run::limit(10))?;
        match ran.verdict {
            Verdict::Failed(_) if test.starts_with(&own) && ran.said.contains(&says) => {}
            Verdict::Failed(_) if ran.said.contains(&says) && falls(test) => {}
            Verdict::Passed if falls(test) => faults.push(format!("passes_through names {test}, which passes")),
            Verdict::Passed if !test.starts_with(&own) => {}
            // Rule 2: this stub is the solution before it, and has to fail what is asked now.
            Verdict::Passed => {
                faults.push(format!("{test} passes while all holes are empty, so it asks nothing new (rule 2)"));
            }
            verdict if test.starts_with(&own) => {
                faults.push(format!("{test} should say what is to do, and has the verdict {verdict:?}"));
            }
            verdict => {
                faults
                    .push(format!("{test}, of an earlier stage, should pass, or stand in passes_through: {verdict:?}"));
            }
        }
    }
    Ok(faults)
}

fn hold_solution(
    stages: &[Stage],
    job: &Job<'_>,
    folder: &std::path::Path,
    (program, tests): (&std::path::Path, &[String]),
    expected: &[(String, Option<String>)],
) -> Said<Vec<String>> {
    let mut faults = Vec::new();
    for test in tests {
        let path = recording(folder, test);
        let ran = run::run(program, test, &path, run::limit(10))?;
        if ran.verdict != Verdict::Passed {
            faults.push(format!(
                "{test} should pass:\n{}",
                explain(stages, folder, test, &ran.verdict, &path, Vec::new)?
            ));
        }
        let number = stages.iter().find(|stage| test.starts_with(&stage.module())).map_or(0, |stage| stage.number);
        // A second run, for the wrong versions: each is compared with both.
        if number == job.stage.number {
            run::run(program, test, &beside::two(&folder.join("recordings"), test)[1], run::limit(10))?;
        }
        if let Some(wrong) = judge(&events::read(&path), number) {
            faults.push(format!("{test} passes, and the judge says: {wrong}"));
        }
        let prints = expected.iter().find(|(name, _)| name == test).and_then(|(_, prints)| prints.as_deref());
        if let Some(prints) = prints.filter(|prints| *prints != texts::between_marks(&ran.printed)) {
            let printed = texts::between_marks(&ran.printed);
            faults.push(format!("{test} of README.md prints\n{printed}and not\n{prints}"));
        }
    }
    for block in &job.blocks {
        let Some(test) = block.kind.strip_prefix("text trace ") else { continue };
        let events = events::read(&recording(folder, &format!("{}::{test}", job.stage.module())));
        let said: String = events.iter().map(|event| format!("{event}\n")).collect();
        if let Some(line) = texts::first_missing(&block.text, &said) {
            faults.push(format!("README.md:{}: the recording has no `{}`; it has\n{said}", block.line, line.trim()));
        }
    }
    Ok(faults)
}

fn hold_hints(
    job: &Job<'_>,
    folder: &std::path::Path,
    (program, tests): (&std::path::Path, &[String]),
) -> Said<Vec<String>> {
    let mut faults = Vec::new();
    let own = format!("{}::", job.stage.module());
    for test in tests.iter().filter(|test| test.starts_with(&own)) {
        let ran = run::run(program, test, &recording(folder, test), run::limit(10))?;
        if ran.verdict != Verdict::Passed {
            faults.push(format!("with the code of the last hints, {test} has the verdict {:?}", ran.verdict));
        }
    }
    Ok(faults)
}

fn hold_broken(
    stages: &[Stage],
    job: &Job<'_>,
    folder: &std::path::Path,
    (program, tests): (&std::path::Path, &[String]),
    (name, kills): (&str, &[String]),
) -> Said<Vec<String>> {
    let mut faults = Vec::new();
    let mut said = String::new();
    let solved = check_folder(&format!("{:02}-{SOLUTION}", job.stage.number)).join("recordings");
    for kill in kills {
        let test = format!("{}::{kill}", job.stage.module());
        if !tests.contains(&test) {
            faults.push(format!("there is no test {test}"));
            continue;
        }
        let path = recording(folder, &test);
        let ran = run::run(program, &test, &path, run::limit(2))?;
        if ran.verdict == Verdict::Passed {
            faults.push(format!("{test} lets it live"));
        }
        let sign = if ran.verdict == Verdict::Hangs { "HANGS" } else { "FAILS" };
        said.push_str(&format!(
            "{sign}   {}\n{}",
            kill.replace('_', " "),
            explain(stages, folder, &test, &ran.verdict, &path, || beside::two(&solved, &test).to_vec())?
        ));
    }
    let _ = write(&folder.join("said.txt"), &said);
    for block in job.blocks.iter().filter(|block| block.kind == format!("text broken {name}")) {
        if let Some(line) = texts::first_missing(&block.text, &said) {
            faults.push(format!("README.md:{}: nobody says `{}`; it is said\n{said}", block.line, line.trim()));
        }
    }
    Ok(faults)
}

fn libraries_folder() -> PathBuf {
    project().join("target/workshop/libraries")
}

/// Builds the libraries once, for all crates that need them.
fn build_libraries() -> Said<()> {
    let folder = libraries_folder();
    write(&folder.join("Cargo.toml"), &tree::manifest(LIBRARIES_FROM))?;
    write(&folder.join("src/lib.rs"), "//! Nothing.\n")?;
    write(&folder.join("Cargo.lock"), &read(&project().join("Cargo.lock"))?)?;
    let built = Command::new("cargo")
        .args(["build", "--offline", "--quiet", "--target-dir", "target"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .status();
    match built {
        Ok(status) if status.success() => Ok(()),
        _ => Err("mio and slab do not build offline; run `cargo fetch` once while you are online".to_owned()),
    }
}
