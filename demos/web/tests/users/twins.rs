//! The twins side by side: the same transcript, the same end in order, and costs that differ.

use std::io::{Read, Write};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Demo, connect, has, run, until_read};

const TWINS: &str = env!("CARGO_BIN_EXE_twins");

fn start(twin: &str, args: &[&str]) -> (Demo, String) {
    let mut demo = Demo::start(TWINS, &[&["--serve", twin, "--addr", "127.0.0.1:0"], args].concat());
    let line = demo.line();
    let addr = line.split([' ', ',']).nth(2).unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
    (demo, addr)
}

/// The script that asks both, word by word.
const SCRIPT: &str = r#"
    ask() { curl -s -i -m 20 "$@" | grep -iv '^date:'; echo "-- $?"; }
    ask "http://$1/"
    ask "http://$1/hello/you"
    ask "http://$1/hello/"
    ask "http://$1/nowhere"
    ask -I "http://$1/hello/you"
    ask -d 'some words' "http://$1/length"
    ask -d '' "http://$1/length"
    head -c 70000 /dev/zero | ask --data-binary @- "http://$1/length"
    ask -X DELETE "http://$1/hello/you"
    ask -H 'host:' "http://$1/hello/you"
    ask -H 'host: a b' "http://$1/hello/you"
    ask -H 'expect: 100-continue' -d 'words' "http://$1/length"
    ask --http1.0 "http://$1/hello/old"
    ask -H 'transfer-encoding: chunked' -d 'in chunks' "http://$1/length"
    ask "http://$1/hello/one" "http://$1/hello/two" "http://$1/slow"
"#;

#[test]
fn one_curl_script_has_equal_transcripts() {
    if !has("curl", "the transcripts of both twins") {
        return;
    }
    let transcripts = ["threads", "loop"].map(|twin| {
        let (demo, addr) = start(twin, &[]);
        let said = Command::new("bash").args(["-c", SCRIPT, "script", &addr]).output().unwrap();
        demo.signal(Signal::TERM);
        demo.end().assert_code(0);
        String::from_utf8(said.stdout).unwrap()
    });
    assert_eq!(transcripts[0], transcripts[1]);
    for words in ["hello you", "10 bytes", "413 Payload", "405 Method", "400 Bad", "a second later", "9 bytes"] {
        assert!(transcripts[1].contains(words), "{words:?} is not in {}", transcripts[1]);
    }
}

#[test]
fn a_stop_lets_what_is_being_answered_finish_and_ends_idle_connections() {
    for twin in ["threads", "loop"] {
        let (demo, addr) = start(twin, &["--grace", "50"]);
        let (mut idle, mut busy) = (connect(&addr), connect(&addr));
        write!(idle, "GET /hello/you HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        idle.read_exact(&mut [0; 40]).unwrap();
        write!(busy, "GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        // A later client is answered, so the request above is being answered.
        let mut later = connect(&addr);
        write!(later, "GET /slow HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        later.read_exact(&mut [0; 15]).unwrap();
        write!(busy, "GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        until_read(&busy);
        demo.signal(Signal::TERM);
        let mut answer = String::new();
        busy.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.matches("a second later\n").count(), 2, "{twin}: {answer}");
        idle.read_to_string(&mut String::new()).unwrap();
        let ended = demo.end();
        ended.assert_code(0);
        assert!(ended.stdout.ends_with("stopping\nstopped\n"), "{twin}: {}", ended.stdout);
    }
}

#[test]
fn a_head_has_one_deadline_however_slowly_its_bytes_come() {
    for twin in ["threads", "loop"] {
        let (demo, addr) = start(twin, &["--head", "0.3"]);
        let mut slow = connect(&addr);
        slow.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nx-slow: ").unwrap();
        // Each byte comes long before a deadline of its own would be over.
        let drips = (0..400).take_while(|_| {
            let is_hung_up_on = slow.write_all(b"x").is_err() || slow.read(&mut [0; 512]).is_ok();
            !is_hung_up_on
        });
        assert!(drips.count() < 400, "the {twin} may be dripped on for ever");
        demo.signal(Signal::TERM);
        demo.end().assert_code(0);
    }
}

#[test]
fn slow_requests_take_a_thread_each_or_one_for_all() {
    let ended = run(TWINS, &["--requests", "50", "--json"]);
    ended.assert_code(0);
    let costs: Vec<serde_json::Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((costs[0]["twin"].as_str(), costs[1]["twin"].as_str()), (Some("threads"), Some("loop")));
    if cfg!(target_os = "linux") {
        assert!(costs[0]["threads"].as_u64() >= Some(50), "{}", costs[0]);
        // The loop, and the thread that writes the log.
        assert!(costs[1]["threads"].as_u64() <= Some(3), "{}", costs[1]);
    }
    for cost in &costs {
        assert!((1.0..20.0).contains(&cost["seconds"].as_f64().unwrap()), "{cost}");
    }
    let table = run(TWINS, &["--requests", "5"]).stdout;
    assert!(table.starts_with("5 slow requests ") && table.lines().count() == 4, "{table}");
    assert!(table.lines().all(|line| line.len() <= 60), "{table}");
}

#[test]
fn silent_clients_are_hung_up_on_by_both() {
    for twin in ["threads", "loop"] {
        let (demo, addr) = start(twin, &["--head", "0.2", "--connections", "4"]);
        let mut silent: Vec<_> = (0..4).map(|_| connect(&addr)).collect();
        silent[0].write_all(b"GET / HTT").unwrap();
        for stream in &mut silent {
            // It may say why, and then it ends.
            stream.read_to_end(&mut Vec::new()).unwrap();
        }
        let mut next = connect(&addr);
        write!(next, "GET /hello/next HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        next.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("hello next\n"), "{twin}: {answer}");
        demo.signal(Signal::TERM);
        demo.end().assert_code(0);
    }
}

#[test]
fn silent_clients_that_take_all_places_of_a_twin_give_way_to_a_newcomer() {
    for twin in ["threads", "loop"] {
        // A silent one may stay for minutes, unless its place is needed.
        let (demo, addr) = start(twin, &["--head", "300", "--connections", "4"]);
        let silent: Vec<_> = (0..8).map(|_| connect(&addr)).collect();
        let mut next = connect(&addr);
        write!(next, "GET /hello/next HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        next.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("hello next\n"), "{twin}: {answer}");
        drop(silent);
        demo.signal(Signal::TERM);
        demo.end().assert_code(0);
    }
}

#[test]
fn what_the_flags_cannot_mean_is_named_with_the_way_out() {
    let (demo, addr) = start("threads", &[]);
    for twin in ["threads", "loop"] {
        run(TWINS, &["--serve", twin, "--addr", &addr]).assert_complains(1, &[&addr, "--addr"]);
    }
    run(TWINS, &["--serve", "fibres"]).assert_complains(2, &["--serve", "fibres"]);
    run(TWINS, &["--requests", "0"]).assert_complains(2, &["--requests"]);
    demo.signal(Signal::INT);
    demo.end().assert_code(0);
}
