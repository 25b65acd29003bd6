//! The client as its users meet it: both fronts print the same, and what went wrong is named with the way out.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::support::{Process, has, run};

const FETCH: &str = env!("CARGO_BIN_EXE_fetch");

/// The lines without their times.
fn without_times(text: &str) -> Vec<String> {
    let line = |line: &str| line.split(' ').filter(|word| !word.contains('.')).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect()
}

#[test]
fn without_a_url_both_fronts_call_the_app() {
    let (awaited, blocked) = (run(FETCH, &[]), run(FETCH, &["--blocking"]));
    awaited.assert_code(0);
    blocked.assert_code(0);
    assert_eq!(without_times(&awaited.stdout), without_times(&blocked.stdout));
    let lines = without_times(&awaited.stdout);
    assert_eq!(
        lines,
        [
            "200 10 bytes s http://app/hello/you",
            "200 12 bytes s http://app/old -> http://app/hello/again",
            "404 0 bytes s http://app/nowhere"
        ]
    );
    let json = run(FETCH, &["--json"]).stdout;
    let last: serde_json::Value = serde_json::from_str(json.lines().nth(1).unwrap()).unwrap();
    assert!(last["hops"] == 1 && last["bytes"] == 12 && last["end"] == "http://app/hello/again", "{json}");
}

#[test]
fn a_file_of_pythons_server_comes_whole() {
    if !has("python3", "a file of its http.server") {
        return;
    }
    let mut server = Command::new("python3");
    let args = ["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", env!("CARGO_MANIFEST_DIR"), "0"];
    let mut server = Process::start(server.args(args).stdout(Stdio::piped()).stderr(Stdio::null()));
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.split_whitespace().find_map(|word| word.parse::<u16>().ok()).unwrap();
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let url = format!("http://127.0.0.1:{port}/Cargo.toml");
    for front in [&["--body", &url][..], &["--body", "--blocking", &url]] {
        let ended = run(FETCH, front);
        ended.assert_code(0);
        assert_eq!(ended.stdout, manifest);
    }
}

#[test]
fn what_goes_wrong_is_named_with_the_way_out() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    for front in [&["--read", "0.1", &url][..], &["--read", "0.1", "--blocking", &url]] {
        run(FETCH, front).assert_complains(1, &[&url, "took longer than 0.1 s", "--read"]);
    }
    run(FETCH, &["gopher://127.0.0.1/"]).assert_complains(2, &["gopher", "http and https"]);
    run(FETCH, &["http://127.0.0.1:99999/"]).assert_complains(2, &["99999 is too large"]);
    run(FETCH, &["--read", "0", &url]).assert_complains(2, &["--read"]);
    run(FETCH, &["--connections", "0", &url]).assert_complains(2, &["--connections"]);
}
