//! Green threads as their clients meet them: they answer beside tasks, a panic stays in its thread, a kill runs
//! destructors, and ten thousand of them stand on one thread.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::support::{Demo, connect, has, run};

const GREEN: &str = env!("CARGO_BIN_EXE_green");

struct House {
    demo: Demo,
    green: String,
    tasks: String,
}

impl House {
    fn open(args: &[&str]) -> Self {
        let mut demo = Demo::start(GREEN, &[&["--green", "127.0.0.1:0", "--tasks", "127.0.0.1:0"], args].concat());
        let line = demo.line();
        let words: Vec<&str> = line.split([' ', ',', ';']).collect();
        let (green, tasks) = (words[3].to_owned(), words[8].to_owned());
        Self { demo, green, tasks }
    }

    fn green(&self) -> Client {
        Client(BufReader::new(connect(&self.green)))
    }

    fn task(&self) -> Client {
        Client(BufReader::new(connect(&self.tasks)))
    }

    /// The next line of the log.
    fn logged(&mut self) -> String {
        self.demo.line().trim_end().to_owned()
    }

    fn stop(self) -> String {
        self.demo.signal(Signal::INT);
        let ended = self.demo.end();
        assert!(ended.status.success(), "{}{}", ended.status, ended.stderr);
        ended.stdout
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn say(&mut self, line: &str) {
        writeln!(self.0.get_mut(), "{line}").unwrap();
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.hear()
    }

    fn is_hung_up_on(&mut self) -> bool {
        // Bytes that it had sent and nobody read may turn the end into a reset.
        self.0.read(&mut [0; 8]).unwrap_or(0) == 0
    }
}

#[test]
fn the_handler_of_a_green_thread_has_no_async() {
    let source = include_str!("../../src/bin/green/main.rs");
    let handler = source.split("fn green_talk").nth(1).unwrap().split("\n}\n").next().unwrap();
    assert!(handler.contains("read_until") && !handler.contains("async") && !handler.contains("await"), "{handler}");
}

#[test]
fn both_kinds_count_the_same_words_and_neither_waits_for_a_slow_one() {
    let house = House::open(&[]);
    let mut clients = [house.green(), house.task()];
    let mut slow = [house.green(), house.task()];
    slow.iter_mut().for_each(|client| client.say("slow"));
    for (client, words, total) in [(0, "one two", 2), (1, "three", 3), (0, "four", 4)] {
        let reply = clients[client].ask(words);
        assert!(reply.ends_with(&format!(": {total} words so far, on both ports")), "{reply}");
    }
    for client in &mut slow {
        assert_eq!(client.hear(), "that took a second, and nobody else waited");
    }
    assert!(house.stop().ends_with("stopped: 4 clients, 4 words, 0 naps\n"));
}

#[test]
fn a_reply_is_one_write_on_both_ports() {
    let house = House::open(&[]);
    for mut client in [house.green(), house.task()] {
        // Two writes would be two packets, and a reader that waits gets the first of them.
        for _ in 0..20 {
            client.say("hello");
            let mut reply = [0; 256];
            let length = client.0.get_mut().read(&mut reply).unwrap();
            assert!(reply[..length].ends_with(b"\n"), "{}", String::from_utf8_lossy(&reply[..length]));
        }
    }
    house.stop();
}

#[test]
fn nc_is_answered_on_both_ports() {
    if !has("nc", "a line of nc to a green thread and to a task") {
        return;
    }
    let house = House::open(&[]);
    for (addr, answer) in [(&house.green, "green 1: 2 words so far"), (&house.tasks, "task 2: 4 words so far")] {
        let (host, port) = addr.rsplit_once(':').unwrap();
        let mut nc = Command::new("nc");
        let mut nc = nc.args(["-N", host, port]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        nc.stdin.take().unwrap().write_all(b"hello there\n").unwrap();
        let said = nc.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), format!("{answer}, on both ports\n"));
    }
    house.stop();
}

#[test]
fn a_panic_ends_its_green_thread_and_no_other() {
    let mut house = House::open(&[]);
    let mut first = house.green();
    assert!(first.ask("hello").starts_with("green 1: 1 word so far"));
    let mut second = house.green();
    assert!(second.ask("hello").starts_with("green 2: 2 words"));
    second.say("panic");
    assert!(second.is_hung_up_on());
    assert_eq!(house.logged(), "green 2: its destructor has run");
    let end = house.logged();
    assert!(end.starts_with("green 2: ") && end.contains("a client asked for it"), "{end}");
    assert!(first.ask("hello").starts_with("green 1: 3 words"));
    house.stop();
}

#[test]
fn a_kill_runs_the_destructors_of_a_green_thread() {
    let mut house = House::open(&[]);
    let mut killer = house.task();
    assert!(killer.ask("hello").starts_with("task 1: "));
    let mut victim = house.green();
    assert!(victim.ask("hello").starts_with("green 2: "));
    victim.say("slow");
    assert_eq!(killer.ask("kill 9"), "no such client; there are: 1 2");
    assert_eq!(killer.ask("kill 2"), "killed client 2");
    assert!(victim.is_hung_up_on());
    assert_eq!(house.logged(), "green 2: its destructor has run");
    let end = house.logged();
    assert!(end.starts_with("green 2: ") && end.contains("aborted"), "{end}");
    assert!(killer.ask("hello").contains("3 words"));
    house.stop();
}

#[test]
fn a_stop_ends_the_green_threads_before_the_account() {
    let house = House::open(&[]);
    let mut clients = [house.green(), house.green(), house.task()];
    clients.iter_mut().for_each(|client| drop(client.ask("hello")));
    let said = house.stop();
    let ran = said.lines().filter(|line| line.ends_with("its destructor has run")).count();
    assert!(ran == 3 && said.ends_with("stopped: 3 clients, 3 words, 0 naps\n"), "{said}");
}

#[test]
fn ten_thousand_green_threads_stand_on_one_thread() {
    let mut house = House::open(&["--crowd", "10000"]);
    let line = house.logged();
    assert!(
        line.starts_with("10000 green threads stand around")
            && line.ends_with(", threads 1, beside the one that prints"),
        "{line}"
    );
    if let Some(each) = line.split([',', ' ']).zip(line.split([',', ' ']).skip(1)).find(|(_, unit)| *unit == "KiB") {
        // Two or three pages of its stack, and what the loop keeps for a task and a sleep.
        assert!(each.0.parse::<f64>().unwrap() < 24.0, "{line}");
    }
    assert!(house.green().ask("hello").contains("1 word so far"));
    let said = house.stop();
    let naps: u64 = said.rsplit(' ').nth(1).unwrap().parse().unwrap();
    assert!(naps >= 10_000, "{said}");
}

#[test]
fn who_is_silent_too_loud_or_too_many_is_hung_up_on() {
    let house = House::open(&["--patience", "0.05"]);
    assert!(house.green().is_hung_up_on());
    assert!(house.task().is_hung_up_on());
    let said = house.stop();
    assert!(said.contains("green 1: idle for too long") && said.contains("task 2: "), "{said}");

    let mut house = House::open(&["--connections", "2"]);
    for mut loud in [house.green(), house.task()] {
        // All of it is there when it is refused: the kernel takes so much at once.
        loud.0.get_mut().write_all(&[b'x'; 20_000]).unwrap();
        let mut rest = String::new();
        loud.0.read_to_string(&mut rest).expect("no reset, which would take the last line along");
        assert_eq!(rest, "a line has 1024 bytes at most\n");
        drop(loud);
        house.logged();
        assert!(house.logged().ends_with("a line has 1024 bytes at most"));
    }
    let mut silent = house.green();
    silent.ask("first");
    let mut heard = house.green();
    heard.ask("second");
    assert!(house.task().ask("third").contains("3 words"));
    assert!(silent.is_hung_up_on());
    assert!(heard.ask("fourth").contains("4 words"));
    house.stop();

    let house = House::open(&["--lifetime", "0.3"]);
    let mut green = house.green();
    // It speaks all the time, and its time is up all the same.
    let mut heard = String::new();
    while green.0.get_mut().write_all(b"on and on\n").is_ok()
        && green.0.read_line(&mut heard).is_ok_and(|length| length > 0)
    {}
    assert!(house.stop().contains("green 1: "));
}

#[test]
fn wrong_flags_and_a_port_in_use_are_named_with_the_way_out() {
    let house = House::open(&[]);
    run(GREEN, &["--green", &house.green]).assert_complains(1, &[&house.green, "--green"]);
    run(GREEN, &["--green", "127.0.0.1:0", "--tasks", &house.tasks]).assert_complains(1, &[&house.tasks, "--tasks"]);
    run(GREEN, &["--stack", "1"]).assert_complains(2, &["--stack", "64 to 65536"]);
    run(GREEN, &["--patience", "0"]).assert_complains(2, &["--patience", "more than zero"]);
    let help = run(GREEN, &["--help"]);
    help.assert_code(0);
    assert!(help.stdout.contains("--crowd"));
    house.stop();
}
