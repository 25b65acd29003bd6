//! The server that stops in order, and what a stranger may use up of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::{Demo, connect, until_read};
use rustix::process::Signal;

const GRACEFUL: &str = env!("CARGO_BIN_EXE_graceful");

/// A server on a free port, and its address.
fn start(args: &[&str]) -> (Demo, String) {
    let mut graceful = Demo::start(GRACEFUL, args);
    let line = graceful.line();
    let addr = line.split([' ', ';']).nth(2).unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
    (graceful, addr)
}

#[track_caller]
fn is_answered(client: &mut TcpStream) {
    client.write_all(b"do it").unwrap();
    let mut answer = [0; 4];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"done");
}

#[test]
fn a_stop_answers_what_was_begun_and_nothing_new() {
    let (graceful, addr) = start(&["--work", "1", "--grace", "20"]);
    let mut client = connect(&addr);
    client.write_all(b"do it").unwrap();
    // The server has begun once it has read.
    until_read(&client);
    graceful.signal(Signal::TERM);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "done");
    let ended = graceful.end();
    ended.assert_code(0);
    assert!(ended.stdout.contains(" 0 cut off"), "{}", ended.stdout);
    assert!(TcpStream::connect(&addr).is_err());
}

#[test]
fn a_client_whose_requests_lie_ready_is_answered_no_more_after_a_stop() {
    let (graceful, addr) = start(&["--work", "0.2", "--grace", "50"]);
    let mut client = connect(&addr);
    // A request is what one read finds, and that is 64 bytes at most.
    client.write_all(&[b'?'; 64 * 1000]).unwrap();
    let mut answer = [0; 4];
    client.read_exact(&mut answer).unwrap();
    graceful.signal(Signal::TERM);
    let ended = graceful.end();
    ended.assert_code(0);
    let in_flight = |line: &&str| line.contains("stopping, ");
    let stopping = ended.stdout.lines().find(in_flight).unwrap();
    let number = |text: &str, before: &str| -> u32 {
        text.split(before).next().unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    };
    let account = ended.stdout.lines().last().unwrap();
    assert_eq!(number(account, " after,"), number(stopping, " in flight"), "{}", ended.stdout);
}

#[test]
fn silent_clients_that_take_all_places_of_graceful_give_way_to_a_newcomer() {
    // Three of the twelve places are the demo's own clients'.
    let (graceful, addr) = start(&["--work", "0.01", "--connections", "12"]);
    let mut silent: Vec<_> = (0..9).map(|_| connect(&addr)).collect();
    let mut newcomers: Vec<_> = (0..7).map(|_| connect(&addr)).collect();
    newcomers.iter_mut().for_each(is_answered);
    // A newcomer who has spoken stays: two of the silent are still there to give way.
    is_answered(&mut connect(&addr));
    is_answered(&mut newcomers[0]);
    assert_eq!(silent[0].read(&mut [0]).unwrap(), 0, "the one that was silent the longest is hung up on");
    graceful.signal(Signal::TERM);
    graceful.end().assert_code(0);
}

#[test]
fn every_phase_of_a_connection_to_graceful_has_a_deadline() {
    // Silence; asking for ever; and asking without ever taking an answer.
    let (graceful, addr) = start(&["--work", "0", "--idle", "0.3", "--lifetime", "1.5"]);
    let began = Instant::now();
    assert_eq!(connect(&addr).read(&mut [0]).unwrap(), 0);
    let mut endless = connect(&addr);
    endless.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    while endless.write_all(b"?").is_ok() {
        match endless.read(&mut [0; 64]) {
            Ok(0) => break,
            Err(error) if !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                break;
            }
            _ => {}
        }
        assert!(began.elapsed() < Duration::from_secs(20), "it may ask for ever");
    }
    let mut takes_nothing = connect(&addr);
    takes_nothing.set_nonblocking(true).unwrap();
    let mut refused = false;
    while !refused {
        refused =
            matches!(takes_nothing.write(&[b'?'; 64]), Err(error) if error.kind() != std::io::ErrorKind::WouldBlock);
        assert!(began.elapsed() < Duration::from_secs(40), "it may leave its answers lying for ever");
    }
    graceful.signal(Signal::TERM);
    graceful.end().assert_code(0);
}
