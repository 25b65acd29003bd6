//! Programs that `ONELOOP_SEE` shows.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::Process;

/// Starts a demo that is shown, and returns it with the address of its page.
pub(crate) fn shown(program: &str, args: &[&str]) -> (Process, BufReader<ChildStderr>, String) {
    let mut command = Command::new(program);
    command
        .args(args)
        .env("ONELOOP_SEE", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = Process::start(&mut command);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("see it turn at http://") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "{program} names no page");
    }
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap().to_owned();
    (child, stderr, address)
}

/// The answer of the page's server to a request.
pub(crate) fn page_of(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nAccept-Encoding: gzip\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// The demo says that its page keeps the run, and still has the page then. It names no other page, and ends by Ctrl-C.
pub(crate) fn stays_until_ctrl_c(program: &str, args: &[&str]) {
    let (mut child, mut stderr, address) = shown(program, args);
    let mut said = String::new();
    while !said.contains("the page keeps the run") {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "{program} {args:?}: {said}");
    }
    assert!(page_of(&address).starts_with("HTTP/1.1 200 "), "{program} {args:?}");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert!(child.wait().unwrap().success(), "{program} {args:?}");
    assert!(!said.contains("see it turn"), "{program} {args:?} shows more than one loop: {said}");
}
