//! More operations dropped at every await point: children, requests to stop, addresses and what is in memory.

use std::net::Shutdown;
use std::process::Stdio;
use std::time::Duration;

use oneloop::net::{TcpListener, UdpSocket, UnixListener, UnixStream, duplex};
use oneloop::process::{Child, Command};
use oneloop::signal::{SignalKind, ctrl_c, stop_requested};
use oneloop::spawn;
use oneloop::task::{cancel_at_every_await, scope, yield_now};
use oneloop::time::{Instant, sleep, timeout_at};

use crate::kit::sockets::ANY_PORT;
use crate::kit::support::{Folder, alone, open_files, rounds};
use crate::kit::watch::{in_order, runtime, watch};

/// A child that says a word and ends, both a little later.
fn speaker() -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 0.01; printf word; sleep 0.01; exit 3"]).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn a_child_that_was_killed_in_vain_has_been_killed() {
    watch(|| {
        let places = runtime().block_on(cancel_at_every_await(
            async || Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap(),
            async |child| child.kill().await.unwrap(),
            async |mut child, _| {
                child.kill().await.unwrap();
                assert!(child.try_wait().unwrap().is_some_and(|status| !status.success()));
            },
        ));
        assert!(places >= 1, "it was dropped in {places} places only");
    });
}

#[test]
fn a_child_whose_output_was_waited_for_in_vain_leaves_nothing_behind() {
    alone(|| {
        let runtime = runtime();
        let files = open_files();
        let places = runtime.block_on(cancel_at_every_await(
            async || Some(speaker()),
            async |child| child.take().unwrap().wait_with_output().await.unwrap(),
            async |_, output| {
                if let Some(output) = output {
                    assert_eq!((output.stdout.as_slice(), output.status.code()), (b"word".as_slice(), Some(3)));
                }
            },
        ));
        assert!(places >= 3, "it was dropped in {places} places only");
        drop(runtime);
        assert!(open_files() <= files, "descriptors were left behind");
    });
}

#[test]
fn a_command_that_was_run_in_vain_leaves_nothing_behind() {
    alone(|| {
        let runtime = runtime();
        let files = open_files();
        let run = || {
            let mut command = Command::new("sh");
            command.args(["-c", "sleep 0.01; printf word"]).stdin(Stdio::null()).kill_on_drop(true);
            command
        };
        let places = runtime.block_on(cancel_at_every_await(
            async || run(),
            async |command| command.output().await.unwrap(),
            async |_, output| assert!(output.is_none_or(|output| output.stdout == b"word")),
        ));
        assert!(places >= 2, "output was dropped in {places} places only");
        let places = runtime.block_on(cancel_at_every_await(
            async || run(),
            async |command| command.stdout(Stdio::null()).status().await.unwrap(),
            async |_, status| assert!(status.is_none_or(|status| status.success())),
        ));
        assert!(places >= 1, "status was dropped in {places} places only");
        drop(runtime);
        assert!(open_files() <= files, "descriptors were left behind");
    });
}

#[test]
fn a_request_to_stop_that_was_awaited_in_vain_is_told_to_the_next() {
    alone(|| {
        let runtime = runtime();
        // From the first call on, the request is heard instead of ending the process.
        runtime.block_on(async { drop(stop_requested()) });
        let places = runtime.block_on(cancel_at_every_await(
            async || {
                // The request is for the whole process, and stays: it is waited for once, and then ready.
                spawn(async {
                    sleep(Duration::from_millis(1)).await;
                    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).unwrap();
                })
            },
            async |_| stop_requested().await.unwrap(),
            async |raiser, stopped| {
                raiser.await.unwrap();
                let told = stop_requested().await.unwrap();
                assert!(stopped.is_none_or(|kind| kind == told) && told == SignalKind::terminate());
            },
        ));
        assert!(places >= 1, "it was dropped in {places} places only");
    });
}

#[test]
fn a_ctrl_c_is_for_those_who_listen_when_it_comes() {
    alone(|| {
        let places = runtime().block_on(cancel_at_every_await(
            async || {
                let raiser = spawn(async {
                    sleep(Duration::from_millis(1)).await;
                    nix::sys::signal::raise(nix::sys::signal::Signal::SIGINT).unwrap();
                });
                // Another that listens all the while: nobody takes a signal from anybody.
                (ctrl_c(), raiser)
            },
            async |_| ctrl_c().await.unwrap(),
            async |(other, raiser), _| {
                other.await.unwrap();
                raiser.await.unwrap();
            },
        ));
        assert!(places >= 3, "it was dropped in {places} places only");
    });
}

#[test]
fn binding_and_connecting_in_vain_leaves_no_socket_behind() {
    alone(|| {
        let runtime = runtime();
        runtime.block_on(async { drop(TcpListener::bind("localhost:0").await) });
        let files = open_files();
        let places = runtime.block_on(cancel_at_every_await(
            async || {},
            async |()| TcpListener::bind("localhost:0").await.unwrap(),
            async |(), listener| drop(listener),
        ));
        assert!(places >= 2, "bind was dropped in {places} places only");
        let places = runtime.block_on(cancel_at_every_await(
            async || {},
            async |()| UdpSocket::bind("localhost:0").await.unwrap(),
            async |(), socket| drop(socket),
        ));
        assert!(places >= 2, "bind was dropped in {places} places only");
        assert_eq!(open_files(), files);
        let places = runtime.block_on(cancel_at_every_await(
            async || UdpSocket::bind(ANY_PORT).await.unwrap(),
            async |socket| socket.connect("localhost:9").await.unwrap(),
            async |socket, connected| assert_eq!(socket.peer_addr().is_ok(), connected.is_some()),
        ));
        assert!(places >= 2, "connect was dropped in {places} places only");
        assert_eq!(open_files(), files);
    });
}

#[test]
fn a_unix_listener_loses_no_connection() {
    watch(|| {
        let folder = Folder::new();
        let path = folder.file("socket");
        let places = runtime().block_on(cancel_at_every_await(
            async || {
                let _ = std::fs::remove_file(&path);
                let listener = UnixListener::bind(&path).unwrap();
                let path = path.clone();
                let client = spawn(async move {
                    rounds(2).await;
                    let stream = UnixStream::connect(path).await.unwrap();
                    stream.write_all(b"word").await.unwrap();
                });
                (listener, client)
            },
            async |(listener, _)| listener.accept().await.unwrap().0,
            async |(listener, client), accepted| {
                let stream = match accepted {
                    Some(stream) => stream,
                    None => listener.accept().await.unwrap().0,
                };
                client.await.unwrap();
                let mut word = [0; 8];
                assert_eq!(stream.read(&mut word).await.unwrap(), 4);
            },
        ));
        assert!(places >= 3, "it was dropped in {places} places only");
    });
}

#[test]
fn a_connection_in_memory_loses_no_byte() {
    watch(|| {
        let reads = in_order().block_on(cancel_at_every_await(
            async || {
                let (near, far) = duplex(4);
                let writer = spawn(async move {
                    rounds(1).await;
                    far.write_all(b"word").await.unwrap();
                });
                (near, writer, [0; 4])
            },
            async |(near, _, word)| near.read(word).await.unwrap(),
            async |(near, writer, mut word), read| {
                if read.is_none() {
                    assert_eq!(near.read(&mut word).await.unwrap(), 4);
                }
                writer.await.unwrap();
                assert_eq!(&word, b"word");
            },
        ));
        let writes = in_order().block_on(cancel_at_every_await(
            async || {
                let (near, far) = duplex(4);
                near.write_all(b"full").await.unwrap();
                let reader = spawn(async move {
                    rounds(1).await;
                    let (mut all, mut some) = (Vec::new(), [0; 3]);
                    loop {
                        match far.read(&mut some).await.unwrap() {
                            0 => return all,
                            read => all.extend_from_slice(&some[..read]),
                        }
                    }
                });
                (near, reader)
            },
            async |(near, _)| near.write(b"x").await.unwrap(),
            async |(near, reader), written| {
                near.shutdown(Shutdown::Write).unwrap();
                let expected: &[u8] = if written.is_some() { b"fullx" } else { b"full" };
                assert_eq!(reader.await.unwrap(), expected);
            },
        ));
        assert!(reads >= 3 && writes >= 3, "dropped in {reads} and {writes} places only");
    });
}

#[test]
fn a_scopes_handle_that_is_lent_keeps_its_output() {
    watch(|| {
        in_order().block_on(async {
            for polls in 0..4 {
                let output = scope(async |s| {
                    let mut child = s.spawn(async {
                        rounds(2).await;
                        7
                    });
                    for _ in 0..polls {
                        if let Some(output) = futures_lite::future::poll_once(&mut child).await {
                            return output;
                        }
                        yield_now().await;
                    }
                    child.await
                });
                assert_eq!(output.await.unwrap(), 7);
            }
        });
    });
}

#[test]
fn a_deadline_and_a_yield_that_are_dropped_leave_no_timer_and_no_wake() {
    watch(|| {
        let runtime = in_order();
        let places = runtime.block_on(cancel_at_every_await(
            async || Instant::now() + Duration::from_secs(1),
            async |deadline| timeout_at(*deadline, std::future::pending::<()>()).await.unwrap_err(),
            async |deadline, over| assert!(over.is_none() || Instant::now() >= deadline),
        ));
        assert!(places >= 2, "a timeout was dropped in {places} places only");
        assert_eq!(runtime.metrics().timers, 0);
        let places =
            runtime.block_on(cancel_at_every_await(async || {}, async |()| yield_now().await, async |(), _| ()));
        assert!(places >= 2, "a yield was dropped in {places} places only");
    });
}
