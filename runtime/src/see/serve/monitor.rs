//! The monitor: a line of question, some lines of answer, for `nc` and for people at a terminal.
//!
//! It answers from what the ring knows, on a thread of its own, so it can say what a stuck loop is stuck
//! in. It changes one thing: `cancel` asks the loop to end a task. To hold or step the loop is the page's part.

use std::io;
use std::time::Duration;

use super::guest::{Guest, Trouble, a_line};
use super::request::{Refusal, Rules};
use super::watched::Watched;
use super::{kernel, report, why};
use crate::heart::key::{Key, TaskKey};
use crate::see::model::state::State;
use crate::task::AbortHandle;

/// How long somebody may say nothing before the line is hung up, which others may need.
const IDLE: Duration = Duration::from_secs(600);

/// For somebody who comes by `nc`, and for anybody who presses Enter to see what this is.
const GREETING: &str = "\
This is the monitor of a loop; a browser shows the loop here.
Ask: ps, where N, why N, wheel, fds, cancel N, help, quit.
";

const HELP: &str = "\
ps         every task: what it waits for, and who woke it
where N    where task N was spawned, and where it waits
why N      the last wake of task N, and what led to that
wheel      the timers, level by level
fds        the sources, beside what the kernel watches
cancel N   aborts task N, when the loop comes to it
help       this
quit       goodbye
";

/// The words to somebody who has not said anything.
pub(super) fn greeting(rules: &Rules) -> &'static str {
    if rules.ask_for_a_token() {
        "This is the monitor of a loop.\nSend its token as the first line.\n"
    } else {
        GREETING
    }
}

/// Answers until the guest has had enough.
pub(super) fn converse(guest: &mut Guest, rules: &Rules, watched: &Watched) -> io::Result<()> {
    let mut may_ask = !rules.ask_for_a_token();
    let _viewer = watched.gate.viewer();
    let mut patience = None;
    loop {
        let question = match guest.hear(a_line, patience) {
            Ok(line) => line.trim().to_owned(),
            Err(Trouble::Refused(Refusal(_, why))) => return guest.say_last(format!("{why}\n")),
            Err(Trouble::Gone(error)) => return Err(error),
        };
        guest.heard(a_line);
        patience = Some(IDLE);
        if !may_ask {
            may_ask = rules.knows(&question);
            if !may_ask {
                return guest.say_last("this loop is shown to those who send its token as the first line\n");
            }
            guest.stay.is_known();
            continue;
        }
        guest.stay.is_known();
        let Some(answer) = answer(&question, watched) else { return guest.say_last("") };
        guest.say(answer)?;
    }
}

/// The answer; `None` to somebody who wants to leave.
fn answer(question: &str, watched: &Watched) -> Option<String> {
    let mut words = question.split_whitespace();
    let (verb, task, rest) = (words.next().unwrap_or(""), words.next(), words.next());
    let task = task.map(str::parse::<u64>);
    Some(match (verb, task, rest) {
        ("", None, None) => String::from(GREETING),
        ("help" | "?", None, None) => String::from(HELP),
        ("ps", None, None) => table(watched),
        ("where", Some(Ok(task)), None) => told(task, watched.look(|state, now| report::task(state, task, now))),
        ("why", Some(Ok(task)), None) => {
            told(task, watched.look(|state, now| why::chain(&watched.ring, state, task, now)))
        }
        ("cancel", Some(Ok(task)), None) => told(task, cancel(task, watched)),
        ("where" | "why" | "cancel", _, _) => format!("{verb} wants the number of a task, such as: {verb} 7\n"),
        ("wheel", None, None) => watched.look(report::wheel),
        ("fds", None, None) => watched.look(|state, _| kernel::sources(state, watched.epoll)),
        ("quit" | "exit", None, None) => return None,
        _ => String::from("this question is unknown: try help\n"),
    })
}

/// The task table; below it who holds up the loop, if anybody does.
pub(super) fn table(watched: &Watched) -> String {
    let mut text = watched.look(report::table);
    if watched.gate.status().is_held() {
        text.push_str("a viewer holds the loop\n");
    }
    if let Some(culprit) = watched.culprit() {
        text.push_str(&culprit.sentence);
        text.push('\n');
    }
    text
}

/// Asks the loop to end a task, and says in a line when it will. A stuck loop does it as soon as it is back.
fn cancel(task: u64, watched: &Watched) -> Option<String> {
    let found = |state: &State, _| Some((state.tasks.get(&task)?.slot, report::name(state, task)));
    let (slot, name) = watched.look(found)?;
    // The root future of `block_on` has slot 0. It belongs to the caller, so nobody can drop it.
    if slot == 0 {
        return Some(format!("{name} is the future of block_on and ends only by itself; Ctrl-C ends the program\n"));
    }
    AbortHandle::new(TaskKey(Key { runtime: watched.runtime, slot, serial: task })).abort();
    let when = match watched.culprit() {
        Some(culprit) => format!("when the loop is back; {}", culprit.sentence),
        None if watched.gate.status().is_held() => String::from("when the loop goes on, which a viewer holds"),
        None => String::from("when its turn comes"),
    };
    Some(format!("{name} is cancelled: it ends {when}\n"))
}

fn told(task: u64, text: Option<String>) -> String {
    text.unwrap_or_else(|| format!("there is no task {task}; ps lists the tasks\n"))
}
