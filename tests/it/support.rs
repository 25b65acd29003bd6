//! What several tests need: processes of their own, counters, and futures that are polled by hand.

use std::any::type_name_of_val;
use std::process::{Command, Output};
use std::time::Duration;

use crate::watch::Watch;

/// What a process exits with when a body that [`child`] ran in it came to its end.
const CAME_TO_ITS_END: i32 = 42;

/// Runs a test's body in a process of its own, where nobody else opens files, allocates or aborts.
#[track_caller]
pub(crate) fn alone<F: FnOnce()>(body: F) {
    let output = child(body);
    let (said, cried) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.code() == Some(CAME_TO_ITS_END), "{}\n{said}\n{cried}", output.status);
}

/// The same, for a body that may end its process before its end. In that process this call does not
/// return; elsewhere it gives what came of it. The body must be a closure in the test's own function,
/// because that is how the process finds it.
#[track_caller]
pub(crate) fn child<F: FnOnce()>(body: F) -> Output {
    const INSIDE: &str = "ONELOOP_TEST_ALONE";
    if std::env::var_os(INSIDE).is_some() {
        crate::watch::watch(body);
        std::process::exit(CAME_TO_ITS_END);
    }
    // Time for the child's own watchdog to bark first.
    let _watch = Watch::new(Duration::from_secs(40));
    let path = type_name_of_val(&body);
    let test = path.split_once("::").and_then(|(_crate, path)| path.split("::{{closure}}").next());
    let program = std::env::current_exe().expect("this program knows its own path");
    Command::new(program)
        .args(["--exact", test.expect("a closure's type is named after its function"), "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("this program can be started again")
}
