//! One path in the environment of several processes: each writes its own file, and goes on with it for as long
//! as its loop turns.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oneloop::event::{Event, Observer};
use oneloop::see::Recording;
use oneloop::task::Builder;
use oneloop::time::sleep;

use crate::kit::support::{CAME_TO_ITS_END, Folder, UNSEEN_BY_LEAK_SANITIZER, child_command, child_with};
use crate::kit::watch::Watch;
use crate::process::system_faults::fork_and_wait;

/// The name of a process of these tests: set for those that a test's own process has started.
const WHO: &str = "ONELOOP_TEST_WHO";

/// The files that the processes of a test leave in its folder.
impl Folder {
    /// The files whose names begin so, each by its name.
    fn files(&self, name: &str) -> Vec<PathBuf> {
        let mut found: Vec<_> = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name));
        found.sort();
        found
    }

    /// The owners of the recordings here: the name of a task of each.
    fn recorded(&self) -> Vec<String> {
        let names =
            self.files("run").iter().map(|path| recorded(path).pop().expect("a task has a name")).collect::<Vec<_>>();
        let all: BTreeSet<_> = names.iter().cloned().collect();
        assert_eq!(all.len(), names.len(), "{names:?}");
        all.into_iter().collect()
    }
}

/// The names of the tasks in a recording, but for "main".
fn recorded(path: &Path) -> Vec<String> {
    names_in(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the tasks in a recording, or why it cannot be read. It may be in the midst of being written.
fn names_in(path: &Path) -> std::io::Result<Vec<String>> {
    struct Names(std::cell::RefCell<Vec<String>>);
    impl Observer for Names {
        fn on_event(&self, _: Duration, event: &Event<'_>) {
            if let Event::Spawn { name: Some(name), .. } = event {
                self.0.borrow_mut().push((*name).to_owned());
            }
        }
    }
    let recording = Recording::read(BufReader::new(File::open(path)?))?;
    let names = Names(std::cell::RefCell::default());
    recording.replay(&names);
    Ok(names.0.into_inner().into_iter().filter(|name| name != "main").collect())
}

/// This process once more, as somebody else.
fn myself(who: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(std::env::args_os().skip(1)).env(WHO, who).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn run_as(who: &str) {
    let who = who.to_owned();
    oneloop::run(async { Builder::new().name(who).spawn(async {}).await.unwrap() });
}

/// A program that starts children of its kind, some before it has a runtime, some from its loop.
#[test]
fn children_of_its_own_kind_leave_a_programs_recording_alone() {
    let folder = Folder::new();
    let (run, trace) = (folder.file("run"), folder.file("trace"));
    let output = child_with(&[("ONELOOP_RECORD", &run), ("ONELOOP_TRACE", &trace)], || {
        if let Ok(who) = std::env::var(WHO) {
            return run_as(&who);
        }
        let ended = |mut child: Child| assert_eq!(child.wait().unwrap().code(), Some(CAME_TO_ITS_END));
        ended(myself("early 1").spawn().unwrap());
        ended(myself("early 2").spawn().unwrap());
        // One whose parent is a shell that the program has started.
        let mut shell = Command::new("sh");
        shell.args(["-c", "\"$@\"; exit $?", "sh"]).arg(std::env::current_exe().unwrap());
        shell.args(std::env::args_os().skip(1)).env(WHO, "by a shell").stdout(Stdio::null());
        ended(shell.spawn().unwrap());
        oneloop::run(async {
            let children: Vec<_> = (1..=4).map(|n| myself(&format!("child {n}")).spawn().unwrap()).collect();
            children.into_iter().for_each(ended);
            Builder::new().name("the program").spawn(async {}).await.unwrap();
        });
        // The next runtime of the same process.
        run_as("the program again");
    });
    assert_eq!(output.status.code(), Some(CAME_TO_ITS_END), "{}", String::from_utf8_lossy(&output.stderr));
    let all = ["by a shell", "child 1", "child 2", "child 3", "child 4", "early 1", "early 2"];
    assert_eq!(folder.recorded(), [&all[..], &["the program", "the program again"]].concat());
    assert_eq!(recorded(Path::new(&run)), ["the program"]);
    let traces = folder.files("trace");
    assert_eq!(traces.len(), 9);
    for path in traces {
        let trace: serde_json::Value = serde_json::from_reader(File::open(&path).unwrap()).unwrap();
        assert!(trace["traceEvents"].as_array().unwrap().len() > 5, "{}", path.display());
    }
}

#[test]
fn programs_that_live_at_a_time_have_a_recording_each() {
    let folder = Folder::new();
    let run = folder.file("run");
    let start = |who: &str| {
        let mut command = child_command(&[("ONELOOP_RECORD", &run), (WHO, who)], || {
            run_as(&std::env::var(WHO).unwrap());
            println!("it is written");
            std::io::stdin().read_line(&mut String::new()).unwrap();
        });
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    };
    let _watch = Watch::new(Duration::from_secs(30));
    let mut all: Vec<_> = ["a", "b", "c"].map(start).into();
    // All of them are there, and have ended their runtimes.
    for child in &mut all {
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "it is written"));
    }
    let leave = |mut child: Child| {
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(CAME_TO_ITS_END));
    };
    all.into_iter().for_each(leave);
    assert_eq!(folder.recorded(), ["a", "b", "c"]);
    // A program that comes when all of them are gone takes the path, as the next run of a program does.
    let mut next = start("d");
    let mut lines = BufReader::new(next.stdout.as_mut().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "it is written"));
    leave(next);
    assert_eq!(recorded(Path::new(&run)), ["d"]);
}

#[test]
fn a_forked_child_s_recording_is_another_than_its_parent_s() {
    let folder = Folder::new();
    let run = folder.file("run");
    let output = child_with(&[("ONELOOP_RECORD", &run), UNSEEN_BY_LEAK_SANITIZER], || {
        run_as("before");
        fork_and_wait(|| run_as("the child"));
        run_as("after");
    });
    assert_eq!(output.status.code(), Some(CAME_TO_ITS_END), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(folder.recorded(), ["after", "before", "the child"]);
}

/// The kernel spares the first process of a container from signals that it does not handle.
#[test]
fn a_recording_goes_on_after_a_signal_that_has_ended_nothing() {
    let folder = Folder::new();
    let run = folder.file("run");
    let program = child_command(&[("ONELOOP_RECORD", &run)], || {
        assert_eq!(std::process::id(), 1);
        let run = std::env::var("ONELOOP_RECORD").unwrap();
        oneloop::run(async {
            for name in ["one", "two", "three"] {
                Builder::new().name(name).spawn(async {}).await.unwrap();
                kill(Pid::this(), Signal::SIGTERM).unwrap();
                // It is written as of now, in case this was the end.
                while !names_in(Path::new(&run)).is_ok_and(|names| names.contains(&name.to_owned())) {
                    sleep(Duration::from_millis(1)).await;
                }
            }
            Builder::new().name("the end").spawn(async {}).await.unwrap();
        });
    });
    let mut first = Command::new("unshare");
    first
        .args(["--user", "--map-root-user", "--pid", "--fork", "--"])
        .arg(program.get_program())
        .args(program.get_args());
    first.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let _watch = Watch::new(Duration::from_secs(40));
    let output = match first.output() {
        Ok(output) if !String::from_utf8_lossy(&output.stderr).starts_with("unshare: ") => output,
        _ => {
            eprintln!("skipped: this system gives nobody a process 1 of their own");
            return;
        }
    };
    assert_eq!(output.status.code(), Some(CAME_TO_ITS_END), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(recorded(Path::new(&run)), ["one", "two", "three", "the end"]);
}
