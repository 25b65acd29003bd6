//! The demos as their users meet them: what they print, how they end, and what they say to bad input.
//!
//! Every process is started by its path, bounded in time by a watchdog, and ended by its own id.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::support::{Demo, connect, has, run, together, until_handled};

const ECHO: &str = env!("CARGO_BIN_EXE_echo");
const MULTIPLEX: &str = env!("CARGO_BIN_EXE_multiplex");
const GRACEFUL: &str = env!("CARGO_BIN_EXE_graceful");
const HAPPY_EYEBALLS: &str = env!("CARGO_BIN_EXE_happy_eyeballs");
const HELLO: &str = env!("CARGO_BIN_EXE_hello");
const SLEEPERS: &str = env!("CARGO_BIN_EXE_sleepers");
const DEADLOCK: &str = env!("CARGO_BIN_EXE_deadlock");
const FORGOTTEN_WAKER: &str = env!("CARGO_BIN_EXE_forgotten_waker");
const HOG: &str = env!("CARGO_BIN_EXE_hog");
const SEE_SLEEPERS: &str = env!("CARGO_BIN_EXE_see_sleepers");
const SELF_WAKE: &str = env!("CARGO_BIN_EXE_self_wake");
const STARVATION: &str = env!("CARGO_BIN_EXE_starvation");
const STEPS: [&str; 3] = [
    env!("CARGO_BIN_EXE_step1_block_on"),
    env!("CARGO_BIN_EXE_step2_arc_waker"),
    env!("CARGO_BIN_EXE_step3_heap_timers"),
];

/// An echo server on a free port, and its address.
fn start_echo(args: &[&str]) -> (Demo, String) {
    let mut echo = Demo::start(ECHO, &[&["--addr", "127.0.0.1:0"], args].concat());
    let line = echo.line();
    let addr = line.split([' ', ';']).nth(2).unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
    (echo, addr)
}

fn says_back(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
    let mut reply = vec![0; text.len()];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(reply, text.as_bytes());
}

/// The times that a run of the sleepers printed, and the lines without them.
fn split_times(stdout: &str) -> (Vec<f64>, Vec<&str>) {
    let split = |line: &'_ str| -> Option<(f64, usize)> {
        let (time, _) = line.strip_prefix('[')?.split_once("] ")?;
        Some((time.trim().parse().ok()?, time.len() + "[] ".len()))
    };
    let parts = stdout.lines().map(|line| match split(line) {
        Some((time, end)) => (time, &line[end..]),
        None => panic!("no time at the start of {line:?}"),
    });
    parts.unzip()
}

#[test]
fn each_step_runs_and_asks_the_question_that_leads_on() {
    let answers = ["main:    42", "10 tasks of one second each took", "100000 cancelled timers are still in the heap"];
    let next = ["-> step2_arc_waker", "-> step3_heap_timers", "-> runtime/src/heart/wheel.rs"];
    for ((step, answer), next) in STEPS.iter().zip(answers).zip(next) {
        let ended = run(step, &[]);
        ended.assert_code(0);
        for part in [answer, "Question: ", next] {
            assert!(ended.stdout.contains(part), "{step} does not say {part:?}:\n{}", ended.stdout);
        }
        assert!(ended.stdout.lines().all(|line| line.len() <= 60), "a narrow terminal breaks:\n{}", ended.stdout);
    }
}

#[test]
fn sleepers_all_start_before_the_first_one_ends_and_none_sleeps_too_short() {
    let ended = run(SLEEPERS, &["--seconds", "0.25"]);
    ended.assert_code(0);
    let (times, lines) = split_times(&ended.stdout);
    assert_eq!(lines.len(), 61, "{}", ended.stdout);
    assert!(lines[..30].iter().all(|line| line.ends_with("starts")), "{}", ended.stdout);
    assert!(lines[30..60].iter().all(|line| line.ends_with("ends")), "{}", ended.stdout);
    assert!(times[30..].iter().all(|time| *time >= 0.25), "{}", ended.stdout);
    assert_eq!(lines[60], "30 tasks slept 7.500 s in all, on one thread");
}

#[test]
fn sleepers_give_their_account_when_they_are_interrupted() {
    let mut sleepers = Demo::start(SLEEPERS, &["--seconds", "50", "--tasks", "2"]);
    assert!(sleepers.line().ends_with("task 1 starts\n"));
    assert!(sleepers.line().ends_with("task 2 starts\n"));
    // The handler of signals is there once the tasks have been polled: main waits with it for the first of them.
    sleepers.signal(Signal::INT);
    let ended = sleepers.end();
    ended.assert_code(0);
    assert!(ended.stdout.ends_with("stopped: 0 of 2 tasks slept\n"), "{}", ended.stdout);
}

#[test]
fn on_the_virtual_clock_an_hour_is_exact_and_over_at_once() {
    let ended = run(SLEEPERS, &["--seconds", "3600", "--tasks", "1000", "--virtual"]);
    ended.assert_code(0);
    let (times, _) = split_times(&ended.stdout);
    assert!(times[..1000].iter().all(|time| *time == 0.0), "{}", ended.stdout);
    assert!(times[1000..].iter().all(|time| *time == 3600.0), "{}", ended.stdout);
}

#[test]
fn sleepers_on_asyncio_print_the_same_lines() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/sleepers.py");
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: there is no python3 to run {script} with");
        return;
    }
    for args in [&["--tasks", "12", "--seconds", "0.125"][..], &["--quiet", "--seconds", "0.5", "--tasks", "3"]] {
        let python = run("python3", &[&[script], args].concat());
        python.assert_code(0);
        let rust = run(SLEEPERS, &[args, &["--virtual"]].concat());
        rust.assert_code(0);
        assert_eq!(split_times(&python.stdout).1, split_times(&rust.stdout).1);
    }
}

#[test]
fn sleepers_end_quietly_when_their_reader_goes_away() {
    let mut sleepers = Demo::start(SLEEPERS, &["--tasks", "100000", "--virtual"]);
    assert!(sleepers.line().contains("starts"));
    let Demo { stdout, mut child, over } = sleepers;
    drop(stdout);
    let mut complaints = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
    assert_eq!((child.wait().unwrap().code(), complaints.as_str()), (Some(0), ""));
    drop(over);
}

#[test]
fn a_demo_whose_test_fails_ends_with_it() {
    let (echo, addr) = start_echo(&[]);
    let failed = thread::spawn(move || {
        let _echo = echo;
        // Not a panic, which would be printed: a test that fails unwinds as this does.
        std::panic::resume_unwind(Box::new(()));
    });
    assert!(failed.join().is_err());
    assert!(TcpStream::connect(&addr).is_err(), "it listens still");
}

#[test]
fn hello_and_the_steps_explain_themselves_and_take_no_flags() {
    for (number, step) in (1..).zip(STEPS) {
        let ended = run(step, &["--help"]);
        ended.assert_code(0);
        assert!(ended.stdout.starts_with(&format!("Step {number} of 3: ")), "{}", ended.stdout);
        run(step, &["--seconds", "1"]).assert_complains(2, &["--seconds"]);
    }
    let ended = run(HELLO, &["--help"]);
    ended.assert_code(0);
    assert!(ended.stdout.starts_with("Two tasks sleep a second together"), "{}", ended.stdout);
    run(HELLO, &["--seconds", "1"]).assert_complains(2, &["--seconds"]);
}

#[test]
fn every_demo_with_flags_explains_them() {
    for (demo, flag) in [
        (ECHO, "--addr"),
        (MULTIPLEX, "--connections"),
        (SLEEPERS, "--virtual"),
        (HAPPY_EYEBALLS, "--hours"),
        (GRACEFUL, "--grace"),
        (DEADLOCK, "--in-order"),
        (FORGOTTEN_WAKER, "--real"),
        (HOG, "--polite"),
        (SEE_SLEEPERS, "--tasks"),
        (SELF_WAKE, "--rounds"),
        (STARVATION, "--polls-per-turn"),
    ] {
        let ended = run(demo, &["--help"]);
        ended.assert_code(0);
        assert!(ended.stdout.contains(flag) && ended.stdout.contains("Usage:"), "{}", ended.stdout);
    }
}

#[test]
fn a_malformed_flag_is_a_usage_error_that_names_it() {
    for (demo, args, words) in [
        (ECHO, &["--addr", "localhost"][..], ["--addr", "such as 127.0.0.1:7000"]),
        (ECHO, &["--addr", "localhost:99999"], ["99999", "too large"]),
        (MULTIPLEX, &["--to", "127.0.0.1:65536"], ["65536", "too large"]),
        (ECHO, &["--connections", "0"], ["--connections", "from 1 to 100000"]),
        (ECHO, &["--seconds", "soon"], ["--seconds", "such as 10 or 0.5"]),
        (MULTIPLEX, &["--connections", "10001"], ["--connections", "from 1 to 10000"]),
        (MULTIPLEX, &["--connections", "0"], ["--connections", "from 1 to 10000"]),
        (MULTIPLEX, &["--timers", "-1"], ["-1", "unexpected"]),
        (MULTIPLEX, &["--to", "192.0.2.1:80"], ["--to", "an address of this machine"]),
        (SLEEPERS, &["--tasks", "many"], ["--tasks", "whole number"]),
        (SLEEPERS, &["--seconds", "-1"], ["-1", "unexpected"]),
        (SLEEPERS, &["--fast"], ["--fast", "unexpected"]),
        (DEADLOCK, &["--rounds", "0"], ["--rounds", "from 1 to 1000"]),
        (FORGOTTEN_WAKER, &["--rounds", "0"], ["--rounds", "from 1 to 1000"]),
        (HOG, &["--rounds", "0"], ["--rounds", "from 1 to 1000"]),
        (SEE_SLEEPERS, &["--rounds", "0"], ["--rounds", "from 1 to 1000"]),
        (SELF_WAKE, &["--rounds", "0"], ["--rounds", "from 1 to 1000"]),
        (STARVATION, &["--rounds", "0"], ["--rounds", "from 1 to 1000"]),
    ] {
        let ended = run(demo, args);
        ended.assert_complains(2, &words);
        assert!(ended.stderr.contains("--help"), "{}", ended.stderr);
    }
}

#[test]
fn a_port_in_use_is_named_with_the_way_out() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = holder.local_addr().unwrap().to_string();
    run(ECHO, &["--addr", &addr]).assert_complains(1, &[&addr, "in use", "--addr"]);
}

#[test]
fn an_address_of_another_machine_is_named_with_the_way_out() {
    run(ECHO, &["--addr", "192.0.2.1:7000"])
        .assert_complains(1, &["192.0.2.1:7000", "does not have that address", "--addr 127.0.0.1:0"]);
}

#[test]
fn echo_returns_every_byte_also_to_a_client_that_has_stopped_sending() {
    let (mut echo, addr) = start_echo(&[]);
    let mut client = connect(&addr);
    let sent: Vec<u8> = (0..100_000_u32).map(|n| ((n * 31) >> 3) as u8).collect();
    let mut reader = client.try_clone().unwrap();
    let received = thread::spawn(move || {
        let mut received = Vec::new();
        reader.read_to_end(&mut received).unwrap();
        received
    });
    client.write_all(&sent).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert!(received.join().unwrap() == sent);
    let line = echo.line();
    assert!(line.contains("100000 bytes echoed") && line.contains("closed by the client"), "{line}");

    echo.signal(Signal::INT);
    let ended = echo.end();
    ended.assert_code(0);
    assert_eq!(ended.stdout, "stopped: 1 connection, 100000 bytes echoed, 0 cut off\n");
}

#[test]
fn echo_sends_a_line_of_nc_back() {
    if Command::new("nc").arg("-h").output().is_err() {
        eprintln!("skipped: there is no nc to talk to echo with");
        return;
    }
    let (echo, addr) = start_echo(&[]);
    let (host, port) = addr.rsplit_once(':').unwrap();
    let mut nc = Command::new("nc");
    let mut nc = nc.args(["-N", host, port]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // Dropping its standard input tells nc that this line was the last one.
    nc.stdin.take().unwrap().write_all(b"and back\n").unwrap();
    let said = nc.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "and back\n");
    echo.signal(Signal::INT);
    echo.end().assert_code(0);
}

#[test]
fn echo_lets_the_connected_finish_after_a_stop_and_nobody_else_in() {
    let (mut echo, addr) = start_echo(&["--grace", "50"]);
    let mut client = connect(&addr);
    says_back(&mut client, "before");
    echo.signal(Signal::TERM);
    assert_eq!(echo.line(), "stopping; 1 connected, with 50 s to finish\n");
    says_back(&mut client, "after");
    assert!(TcpStream::connect(&addr).is_err());
    drop(client);
    let ended = echo.end();
    ended.assert_code(0);
    assert!(ended.stdout.ends_with("stopped: 1 connection, 11 bytes echoed, 0 cut off\n"), "{}", ended.stdout);
}

#[test]
fn echo_cuts_off_whoever_does_not_finish_in_time() {
    let (mut echo, addr) = start_echo(&["--grace", "0.05"]);
    let mut client = connect(&addr);
    says_back(&mut client, "I stay");
    echo.signal(Signal::INT);
    assert!(echo.line().starts_with("stopping; 1 connected"));
    let ended = echo.end();
    ended.assert_code(0);
    assert_eq!(ended.stdout, "stopped: 1 connection, 6 bytes echoed, 1 cut off\n");
}

#[test]
fn a_second_interrupt_ends_echo_at_once() {
    let (mut echo, addr) = start_echo(&["--grace", "3600"]);
    let mut client = connect(&addr);
    says_back(&mut client, "I stay");
    echo.signal(Signal::INT);
    assert!(echo.line().starts_with("stopping"));
    echo.signal(Signal::INT);
    echo.end().assert_code(130);
}

#[test]
fn echo_hangs_up_on_the_silent_and_on_the_endless() {
    for (flag, reason) in [("--idle", "idle for too long"), ("--lifetime", "its time was up")] {
        let (mut echo, addr) = start_echo(&[flag, "0.05"]);
        let mut client = connect(&addr);
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "the server hangs up");
        let line = echo.line();
        assert!(line.contains(reason), "{line}");
        echo.signal(Signal::INT);
        echo.end().assert_code(0);
    }
}

#[test]
fn silent_clients_that_fill_echo_give_way_to_newcomers() {
    let (mut echo, addr) = start_echo(&["--connections", "4"]);
    let mut silent: Vec<_> = (0..4).map(|_| connect(&addr)).collect();
    // The first has spoken since, so the second has been silent the longest.
    says_back(&mut silent[0], "here");
    says_back(&mut connect(&addr), "and here");
    assert_eq!(silent[1].read(&mut [0]).unwrap(), 0, "the server hangs up");
    says_back(&mut silent[0], "still here");
    let line = echo.line();
    assert!(line.starts_with("4 are connected"), "{line}");
    // A hundred at once are more than it keeps, and the last who comes is served.
    let crowd: Vec<_> = (0..100).map(|_| connect(&addr)).collect();
    says_back(&mut connect(&addr), "the last");
    drop(crowd);
    echo.signal(Signal::INT);
    echo.end().assert_code(0);
}

#[test]
fn echo_keeps_no_more_connections_than_it_has_files_for() {
    let script = format!("ulimit -n 40 && exec {ECHO} --addr 127.0.0.1:0 --idle 50");
    let mut echo = Demo::start("sh", &["-c", &script]);
    let line = echo.line();
    let addr = line.split([' ', ';']).nth(2).unwrap().to_owned();
    let crowd: Vec<_> = (0..60).map(|_| connect(&addr)).collect();
    says_back(&mut connect(&addr), "there is room");
    drop(crowd);
    echo.signal(Signal::INT);
    echo.end().assert_code(0);
}

#[test]
fn multiplex_gives_its_account_when_it_is_interrupted() {
    let mut multiplex = Demo::start(MULTIPLEX, &["--seconds", "50", "--connections", "20", "--timers", "20"]);
    // Its first line of figures comes when it has been running for a while.
    while !multiplex.line().contains(" s ") {}
    multiplex.signal(Signal::INT);
    let ended = multiplex.end();
    ended.assert_code(0);
    assert!(
        ended.stdout.contains("20 connections and 20 timers") && ended.stdout.contains("a second"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.ends_with("ok: every byte came back, nobody was lost, no timer early\n"), "{}", ended.stdout);
}

#[test]
fn multiplex_loses_nothing_in_two_processes_to_unruly_clients() {
    let ended = run(
        MULTIPLEX,
        &["--two-processes", "--unruly", "50", "--connections", "400", "--timers", "10", "--seconds", "3"],
    );
    ended.assert_code(0);
    let line = |words: &str| ended.stdout.lines().find(|line| line.contains(words)).unwrap_or_default();
    assert!(!line("a process of its own").is_empty(), "{}", ended.stdout);
    assert!(line(" bytes of memory each").trim().starts_with(|digit: char| digit.is_ascii_digit()), "{}", ended.stdout);
    let numbers: Vec<u64> = line("closed by half").split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(numbers.len() == 2 && numbers.iter().all(|number| *number > 0), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("ok: every byte came back, nobody was lost, no timer early\n"), "{}", ended.stdout);
}

#[test]
fn a_terminal_s_ctrl_c_leaves_multiplex_its_server_to_ask() {
    if !has("setsid", "a group of processes, as a terminal has one") {
        return;
    }
    let args = ["--two-processes", "--connections", "20", "--timers", "0", "--seconds", "50"];
    let mut multiplex = Demo::start("setsid", &[&[MULTIPLEX], &args[..]].concat());
    while !multiplex.line().contains(" s ") {}
    // A terminal sends it to all processes of the group.
    kill_process_group(Pid::from_child(&multiplex.child), Signal::INT).unwrap();
    let ended = multiplex.end();
    ended.assert_code(0);
    assert!(ended.stdout.contains("a process of its own: 20 connections"), "{}", ended.stdout);
}

#[test]
fn multiplex_connects_no_more_at_a_time_than_a_server_takes_in() {
    // One that accepts and never answers: the clients wait there, in 64 lanes, and nobody comes after them.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let multiplex = Demo::start(MULTIPLEX, &["--connections", "200", "--to", &addr]);
    let mut lanes: Vec<_> = (0..64).map(|_| listener.accept().unwrap().0).collect();
    // Each has asked for an echo, so all of them have been connected for a while.
    lanes.iter_mut().for_each(|lane| lane.read_exact(&mut [0]).unwrap());
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    lanes[0].write_all(b"?").unwrap();
    listener.set_nonblocking(false).unwrap();
    let _next = listener.accept().unwrap();
    multiplex.signal(Signal::INT);
    let ended = multiplex.end();
    ended.assert_code(0);
    assert!(ended.stdout.contains("stopped while connecting: 1 of 200 were"), "{}", ended.stdout);
}

#[test]
fn multiplex_tells_a_script_in_one_line() {
    let args = ["--json", "--two-processes", "--connections", "20", "--timers", "10", "--seconds", "0.5"];
    let ended = run(MULTIPLEX, &args);
    ended.assert_code(0);
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    for part in ["{\"ok\":true,\"connections\":20,", ",\"lost\":0,", ",\"early\":0,", ",\"server_bytes_a_connection\":"]
    {
        assert!(ended.stdout.contains(part), "{part:?} is not in {}", ended.stdout);
    }
}

#[test]
fn the_server_of_two_processes_ends_with_the_one_who_started_it() {
    let mut multiplex =
        Demo::start(MULTIPLEX, &["--two-processes", "--connections", "20", "--timers", "0", "--seconds", "50"]);
    while !multiplex.line().contains(" s ") {}
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", multiplex.child.id()));
    let Ok(children) = children else { return eprintln!("skipped: this system does not list a process's children") };
    let server: i32 = children.trim().parse().expect("it has one child");
    multiplex.signal(Signal::KILL);
    drop(multiplex.end());
    // Its standard input has ended, which it hears at once; a process that is over has no command line.
    let is_over = || std::fs::read(format!("/proc/{server}/cmdline")).is_ok_and(|line| line.is_empty());
    let until = Instant::now() + Duration::from_secs(20);
    while std::fs::exists(format!("/proc/{server}")).unwrap() && !is_over() {
        assert!(Instant::now() < until, "the server goes on");
        thread::sleep(Duration::from_millis(20));
    }
    run(MULTIPLEX, &["--two-processes", "--to", "127.0.0.1:1"]).assert_complains(2, &["--to", "--two-processes"]);
}

#[test]
fn no_time_has_no_rates() {
    let ended = run(MULTIPLEX, &["--seconds", "0", "--connections", "10", "--timers", "10"]);
    ended.assert_code(0);
    assert!(ended.stdout.contains("10 connections and 10 timers"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("a second") && !ended.stdout.contains("requests/s"), "{}", ended.stdout);
}

#[test]
fn multiplex_says_why_nobody_is_accepted() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: there is no strace to refuse accept4 with");
        return;
    }
    let args = ["--seconds", "0.1", "--connections", "3", "--timers", "3"];
    // The one is tried again and again, as a connection's own failure is; the other ends the server.
    together([("EPERM", "refused to accept"), ("ENOSYS", "cannot accept")], |(error, words)| {
        let inject = format!("inject=accept4:error={error}");
        let refused = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=accept4", "-e", &inject, MULTIPLEX];
        let ended = run("strace", &[&refused[..], &args].concat());
        assert_eq!(ended.status.code(), Some(1), "{error}: {}", ended.stdout);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains(words) && !said.contains("start a server"), "{error}: {said}");
    });
}

#[test]
fn echo_stops_by_itself_when_it_was_asked_to() {
    let ended = run(ECHO, &["--addr", "127.0.0.1:0", "--seconds", "0.05"]);
    ended.assert_code(0);
    assert!(ended.stdout.ends_with("stopped: 0 connections, 0 bytes echoed, 0 cut off\n"), "{}", ended.stdout);
}

#[test]
fn multiplex_finds_nothing_wrong_and_says_so() {
    let ended = run(MULTIPLEX, &["--seconds", "2", "--connections", "50"]);
    ended.assert_code(0);
    let summary = ended.stdout.split_once("\n50 connections and 10,000 timers on ").map(|(_, rest)| rest);
    let summary = summary.unwrap_or_else(|| panic!("no summary in:\n{}", ended.stdout));
    for part in ["compared byte for byte: 0 wrong", ": 0 lost", "fired: 0 early", "\nok: "] {
        assert!(summary.contains(part), "{part:?} is not in:\n{summary}");
    }
    // A narrow terminal has sixty columns.
    assert!(summary.lines().all(|line| line.len() <= 60), "{summary}");
    if cfg!(target_os = "linux") {
        assert!(summary.starts_with("1 thread "), "{summary}");
    }
}

#[test]
fn multiplex_makes_do_with_the_files_it_may_open() {
    let limited = |files: u32, command: &str| {
        let script = format!("ulimit -n {files} && exec {MULTIPLEX} --seconds 0.2 --timers 10 {command}");
        run("sh", &["-c", &script])
    };
    let ended = limited(64, "--connections 100");
    ended.assert_code(0);
    assert!(
        ended.stderr.contains("16 connections instead of 100") && ended.stderr.contains("ulimit"),
        "{}",
        ended.stderr
    );
    assert!(ended.stdout.contains("\n16 connections and 10 timers"), "{}", ended.stdout);
    limited(20, "").assert_complains(1, &["limit on open files", "ulimit -n"]);
}

#[test]
fn multiplex_talks_to_the_echo_demo_as_well() {
    let (echo, addr) = start_echo(&[]);
    let ended = run(MULTIPLEX, &["--to", &addr, "--connections", "20", "--timers", "0", "--seconds", "1"]);
    ended.assert_code(0);
    echo.signal(Signal::INT);
    let served = echo.end();
    served.assert_code(0);
    assert!(served.stdout.contains("stopped: 20 connections, "), "{}", served.stdout);
}

#[test]
fn multiplex_without_a_server_says_where_it_knocked() {
    // The port of a client: taken, so that no server can get it, and nobody listens there.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    let addr = client.local_addr().unwrap().to_string();
    run(MULTIPLEX, &["--to", &addr]).assert_complains(1, &[&addr, "start a server there first"]);
}

/// A server that treats what it reads with `answer`, and hangs up when that returns false.
fn serve(answer: impl Fn(&mut TcpStream, &mut [u8]) -> bool + Send + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), answer.clone());
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    if !answer(&mut stream, &mut buffer[..length]) {
                        return;
                    }
                }
            });
        }
    });
    addr
}

#[test]
fn multiplex_notices_a_single_wrong_byte() {
    let addr = serve(|stream, data| {
        *data.last_mut().unwrap() ^= 1;
        stream.write_all(data).is_ok()
    });
    let ended = run(MULTIPLEX, &["--to", &addr, "--connections", "3", "--timers", "0", "--seconds", "2"]);
    ended.assert_code(1);
    assert!(ended.stdout.contains("FAILED; the first of it: ") && ended.stdout.contains("the echo differs"));
    assert!(!ended.stdout.contains(": 0 wrong") && ended.stdout.contains(": 0 lost"), "{}", ended.stdout);
}

#[test]
fn multiplex_notices_a_lost_connection() {
    // It lets each of them in, and hangs up on what they say then.
    let addr = serve(|stream, data| data == b"?" && stream.write_all(data).is_ok());
    let ended = run(MULTIPLEX, &["--to", &addr, "--connections", "3", "--timers", "0", "--seconds", "2"]);
    ended.assert_code(1);
    assert!(ended.stdout.contains("FAILED; the first of it: client ") && ended.stdout.contains(": 3 lost"));
}

/// Runs a demo of the loop in trouble on the virtual clock, which makes all it says exact.
#[track_caller]
fn assert_says(demo: &str, args: &[&str], stdout: &str, stderr: &[&[&str]]) {
    let ended = run(demo, args);
    ended.assert_code(0);
    assert_eq!(ended.stdout, stdout);
    let said: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(said.len(), stderr.len(), "{said:#?}");
    for (line, words) in said.iter().zip(stderr) {
        let missing = words.iter().find(|word| !line.contains(*word));
        assert!(line.starts_with("oneloop: ") && missing.is_none(), "{missing:?} is not in {line:?}");
    }
}

#[test]
fn the_sleepers_to_watch_sleep_one_second_together() {
    let expected = "\
[  0.000] 30 tasks spawned, and none has run yet
[  1.000] 30 tasks slept a second each, on one thread
";
    assert_says(SEE_SLEEPERS, &[], expected, &[]);
    let alone = run(SEE_SLEEPERS, &["--tasks", "1"]);
    assert_eq!(alone.stdout, expected.replace("30 tasks", "1 task"));
    let twice = run(SEE_SLEEPERS, &["--rounds", "2"]);
    assert_eq!(twice.stdout, expected.repeat(2));
}

#[test]
fn a_hog_makes_all_ticks_late_and_is_named_unless_it_is_polite() {
    let expected = "\
[  0.300] hog begins two seconds of work
[  2.300] hog is done
[  2.300] tick: 2000 ms late
[  2.600] the latest tick was 2000 ms late
";
    assert_says(HOG, &[], expected, &[&["\"hog\"", "hog.rs:", "ran for 2 s in one poll"]]);
    let polite = "\
[  0.300] hog begins two seconds of work
[  2.300] hog is done
[  2.600] the latest tick was 62 ms late
";
    assert_says(HOG, &["--polite"], polite, &[]);
}

#[test]
fn a_hog_is_named_on_the_real_clock_too_and_while_it_works() {
    let ended = run(HOG, &["--real"]);
    ended.assert_code(0);
    for words in ["holds up the loop", "in one poll, and nothing else could"] {
        let named = |line: &&str| line.contains("\"hog\"") && line.contains(words);
        assert!(ended.stderr.lines().any(|line| named(&line)), "{}", ended.stderr);
    }
}

#[test]
fn who_forgets_its_waker_is_named_and_who_does_not_gets_its_letter() {
    let expected = "\
[  1.000] a letter is put into both mailboxes
[  1.000] reader of the careful mailbox: got \"hello\"
[  5.000] reader of the forgetful mailbox: still waits, for a letter that is there
[  5.000] reader of the careful mailbox: is done
";
    let named: &[&str] = &["nobody can wake task 2 \"reader of the forgetful mailbox\"", "forgotten_waker.rs:"];
    assert_says(FORGOTTEN_WAKER, &[], expected, &[named]);
}

#[test]
fn a_deadlock_is_printed_as_a_circle_with_names_and_lines() {
    let expected = "\
[  0.000] ann has the fork
[  0.000] ben has the knife
[  0.000] ann wants the knife
[  0.000] ben wants the fork
[  1.000] main is polled every second: the loop goes on turning
[  2.000] main is polled every second: the loop goes on turning
[  3.000] main is polled every second: the loop goes on turning
[  4.000] main is polled every second: the loop goes on turning
[  4.000] main aborts ben, and so the knife comes free
[  4.000] ann has the knife, and eats
[  4.500] ann is done
";
    let said: [&[&str]; 3] = [
        &["in a circle: task 2 waits for task 3 waits for task 2"],
        &["task 2 \"ann\"", "spawned at", "deadlock.rs:"],
        &["task 3 \"ben\"", "spawned at", "deadlock.rs:"],
    ];
    assert_says(DEADLOCK, &[], expected, &said);
    let in_order = run(DEADLOCK, &["--in-order"]);
    assert!(in_order.stderr.is_empty() && in_order.stdout.contains("ben is done"), "{}", in_order.stdout);
}

#[test]
fn a_task_that_wakes_itself_is_polled_all_the_time() {
    let expected = "\
[  0.319] the flag is set
[  0.320] asker needed 320 polls to see it, waiter 2
";
    let ended = run(SELF_WAKE, &[]);
    ended.assert_code(0);
    assert_eq!(ended.stdout, expected);
    assert!(ended.stderr.contains("\"asker\"") && ended.stderr.contains("has woken itself"), "{}", ended.stderr);
}

#[test]
fn budget_and_turn_keep_the_greedy_from_starving_the_polite() {
    let expected = |crowd| {
        format!(
            "\
[  0.150] 1. beside a reader that never has to wait, main stood in the queue for 64 ms
[  0.300] 2. beside 100 tasks that give way all the time, main's timer and the queue took {crowd} ms more
[  0.450] 3. beside a task that never awaits, they took 148 ms more
"
        )
    };
    let loner: &[&[&str]] = &[&["\"loner\"", "starvation.rs:", "ran for 150 ms in one poll"]];
    assert_says(STARVATION, &[], &expected(76), loner);
    assert_says(STARVATION, &["--polls-per-turn", "1000"], &expected(148), loner);
}

#[test]
fn hello_sleeps_both_words_in_one_second() {
    let began = Instant::now();
    let ended = run(HELLO, &[]);
    ended.assert_code(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("hello world\n", ""));
    assert!((Duration::from_secs(1)..Duration::from_millis(1900)).contains(&began.elapsed()));
}

#[test]
fn happy_eyeballs_cancel_the_loser_who_leaves_nothing() {
    let ended = run(HAPPY_EYEBALLS, &["--hours", "24"]);
    ended.assert_code(0);
    for line in ["has won", "the loser has left nothing", "24 hours, ", "each won by whom it should be", "no task"] {
        assert!(ended.stdout.contains(line), "{line:?} is not in:\n{}", ended.stdout);
    }
    // The same seed, the same races; the time that they took is another one.
    let races =
        |text: &str| text.split_once(" hours, ").and_then(|(_, rest)| Some(rest.split_once(" races")?.0.to_owned()));
    let again = run(HAPPY_EYEBALLS, &[]);
    assert_eq!(races(&ended.stdout), races(&again.stdout));
    assert_ne!(races(&ended.stdout), races(&run(HAPPY_EYEBALLS, &["--seed", "2"]).stdout));
}

#[test]
fn ctrl_c_in_the_midst_of_many_hours_gives_the_account_so_far() {
    let mut race = Demo::start(HAPPY_EYEBALLS, &["--hours", "10000"]);
    while !race.line().contains("left nothing") {}
    until_handled(&race.child, Signal::INT);
    race.signal(Signal::INT);
    let ended = race.end();
    ended.assert_complains(1, &["stopped before 10000 hours were over"]);
    assert!(ended.stdout.contains(" races, in ") && ended.stdout.contains("each won by whom"), "{}", ended.stdout);
}

#[test]
fn ss_sees_the_loser_connect_and_nothing_of_it_afterwards() {
    if !has("ss", "the sockets of happy_eyeballs, seen from outside") {
        return;
    }
    // A race takes a quarter of a second. A busy machine may look too late.
    for _ in 0..10 {
        let mut race = Demo::start(HAPPY_EYEBALLS, &["--hours", "10000"]);
        let first = race.line();
        let silent = first.split_once("sockets: ").and_then(|(_, rest)| rest.split(' ').next()).unwrap().to_owned();
        let connecting = || {
            let seen = Command::new("ss").args(["-Htnp", "state", "syn-sent", "dst", &silent]).output().unwrap();
            String::from_utf8(seen.stdout).unwrap()
        };
        while !race.line().contains("attempt 1 begins") {}
        let before = connecting();
        while !race.line().contains("left nothing") {}
        // The process goes on with its races on the virtual clock.
        assert_eq!((connecting().as_str(), race.child.try_wait().unwrap()), ("", None));
        if before.contains(&silent) {
            return;
        }
    }
    panic!("ss never saw the first attempt connect");
}
