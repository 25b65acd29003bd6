//! The demos that `ONELOOP_SEE` shows: they are there for as long as somebody looks.

use std::io::BufRead;
use std::thread;
use std::time::Duration;

use crate::support::shown::{page_of, shown};
use rustix::process::{Pid, Signal, kill_process};

const SEE_SLEEPERS: &str = env!("CARGO_BIN_EXE_see_sleepers");
const SLEEPERS: &str = env!("CARGO_BIN_EXE_sleepers");
const HELLO: &str = env!("CARGO_BIN_EXE_hello");
const HAPPY_EYEBALLS: &str = env!("CARGO_BIN_EXE_happy_eyeballs");
const DEADLOCK: &str = env!("CARGO_BIN_EXE_deadlock");

#[test]
fn a_demo_that_is_shown_waits_for_its_viewer_and_ends_by_ctrl_c() {
    for (program, args, says) in [
        (SEE_SLEEPERS, &[][..], "the virtual clock is through"),
        (DEADLOCK, &[], "the virtual clock is through"),
        (SEE_SLEEPERS, &["--real", "--tasks", "2"], ""),
        (SEE_SLEEPERS, &["--real", "--tasks", "2", "--rounds", "1"], "it is over; the page keeps the run"),
        (SLEEPERS, &["--virtual"], "the virtual clock is through; the page keeps the run"),
        (SLEEPERS, &[], "all have slept; the page keeps the run"),
        (HELLO, &[], "it is over; the page keeps the run"),
        (HAPPY_EYEBALLS, &[], "the proofs are left out; the page keeps the run"),
    ] {
        let (mut child, mut stderr, address) = shown(program, args);
        let mut said = String::new();
        while !said.contains(says) {
            assert!(stderr.read_line(&mut said).unwrap() > 0, "{said}");
        }
        // Longer than the scene takes, and then the page is still there.
        thread::sleep(Duration::from_millis(1200));
        assert!(page_of(&address).starts_with("HTTP/1.1 200 "), "{program} {args:?}");
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        assert!(child.wait().unwrap().success(), "{program} {args:?}");
    }
}
