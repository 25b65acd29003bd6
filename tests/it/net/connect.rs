//! Connecting and accepting: every way in which a connection begins, or does not.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_lite::AsyncRead;
use oneloop::net::{TcpListener, TcpStream};
use oneloop::time::{sleep, timeout};
use oneloop::{Handle, spawn};

use crate::kit::sockets::{ANY_PORT, half, on_a_loop, pair, poll_once, soon, turns};
use crate::kit::support::alone;

/// An address on which nobody listens: bound, so that nobody else gets it, but not listening.
fn closed_port() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, addr)
}

/// A listener whose backlog is full: it answers nobody until somebody is accepted. With it come the
/// connections that fill it.
fn full_listener() -> (std::net::TcpListener, Vec<std::net::TcpStream>) {
    let (socket, addr) = closed_port();
    socket.listen(0).unwrap();
    let mut clients = Vec::new();
    while let Ok(client) = std::net::TcpStream::connect_timeout(&addr, Duration::from_millis(30)) {
        clients.push(client);
    }
    (socket.into(), clients)
}

#[test]
fn a_refused_connection_is_an_error_that_names_the_address() {
    on_a_loop(async {
        let (_reserved, addr) = closed_port();
        for _ in 0..50 {
            let refused = soon(TcpStream::connect(addr)).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            assert!(refused.to_string().contains(&addr.to_string()), "{refused}");
        }
        turns(1).await;
        assert_eq!(Handle::current().metrics().sources, 0);
    });
}

#[test]
fn of_several_addresses_the_first_that_answers_is_taken() {
    on_a_loop(async {
        let (_reserved, nobody) = closed_port();
        let listener = TcpListener::bind(ANY_PORT).await.unwrap();
        let somebody = listener.local_addr().unwrap();
        let stream = soon(TcpStream::connect([nobody, nobody, somebody])).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), somebody);
        let error = soon(TcpStream::connect(&[nobody, nobody][..])).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = TcpStream::connect(Vec::<SocketAddr>::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn a_connection_on_its_way_is_not_made_and_leaves_nothing() {
    alone(|| {
        let runtime = crate::kit::watch::runtime();
        let (listener, clients) = full_listener();
        let addr = listener.local_addr().unwrap();
        let before = crate::kit::sockets::descriptors();
        runtime.block_on(async {
            for _ in 0..10 {
                let mut connect = pin!(TcpStream::connect(addr));
                assert!(poll_once(connect.as_mut()).await.is_pending());
                turns(3).await;
                assert!(poll_once(connect.as_mut()).await.is_pending(), "the listener has no room");
            }
            let given_up = timeout(Duration::from_millis(50), TcpStream::connect(addr)).await;
            assert!(given_up.is_err(), "the listener has no room");
            let abandoned = spawn(TcpStream::connect(addr));
            turns(2).await;
            abandoned.abort();
            assert!(abandoned.await.unwrap_err().is_cancelled());
        });
        assert_eq!(runtime.metrics().sources, 0);
        assert_eq!(crate::kit::sockets::descriptors(), before);
        drop((listener, clients));
    });
}

#[test]
fn a_connection_waits_for_room_in_the_backlog_and_is_made_when_there_is() {
    on_a_loop(async {
        let (listener, mut clients) = full_listener();
        let waiting: Vec<_> = (0..3).map(|_| spawn(TcpStream::connect(listener.local_addr().unwrap()))).collect();
        turns(2).await;
        assert!(!waiting.iter().any(oneloop::JoinHandle::is_finished));
        clients.clear();
        let listener = TcpListener::from_std(listener).unwrap();
        let acceptor = spawn(async move {
            let mut accepted = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                accepted.push(stream);
            }
        });
        for connect in waiting {
            // The kernel tries again after a second, and after two more.
            soon(connect).await.unwrap().unwrap();
        }
        acceptor.abort();
    });
}

#[test]
fn one_task_may_connect_to_its_own_listener() {
    on_a_loop(async {
        for addr in ["127.0.0.1:0", "[::1]:0"] {
            let listener = match TcpListener::bind(addr).await {
                Ok(listener) => listener,
                Err(error) if addr.contains("::1") => {
                    println!("skipped, as there is no IPv6 here: {error}");
                    continue;
                }
                Err(error) => panic!("{error}"),
            };
            let client = soon(TcpStream::connect(listener.local_addr().unwrap())).await.unwrap();
            let (server, peer) = soon(listener.accept()).await.unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
            assert_eq!(peer.is_ipv6(), addr.contains("::1"));
            client.write_all(b"hello").await.unwrap();
            assert_eq!(soon(server.read(&mut [0; 8])).await.unwrap(), 5);
        }
    });
}

#[test]
fn a_socket_connected_to_itself_reads_what_it_writes() {
    on_a_loop(async {
        let (socket, addr) = closed_port();
        socket.connect(&addr.into()).expect("TCP allows a simultaneous open, even with oneself");
        let stream = TcpStream::from_std(socket.into()).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), stream.local_addr().unwrap());
        for _ in 0..100 {
            stream.write_all(b"echo").await.unwrap();
            let mut buffer = [0; 8];
            assert_eq!(soon(stream.read(&mut buffer)).await.unwrap(), 4);
            assert_eq!(&buffer[..4], b"echo");
        }
    });
}

#[test]
fn a_burst_of_connections_is_accepted_to_the_last() {
    on_a_loop(async {
        let listener = TcpListener::bind(ANY_PORT).await.unwrap();
        let addr = listener.local_addr().unwrap();
        // More of them at once than a backlog may hold would have to wait for room.
        for burst in [1, 100, 3] {
            let clients: Vec<_> = (0..burst).map(|_| std::net::TcpStream::connect(addr).unwrap()).collect();
            for client in &clients {
                let (mut greeted, (stream, peer)) = (client, soon(listener.accept()).await.unwrap());
                assert_eq!(peer, client.local_addr().unwrap());
                stream.write_all(b"hi").await.unwrap();
                greeted.read_exact(&mut [0; 2]).unwrap();
            }
            let mut nobody = pin!(listener.accept());
            assert!(poll_once(nobody.as_mut()).await.is_pending());
        }
    });
}

#[test]
fn an_accept_that_is_dropped_loses_no_connection() {
    on_a_loop(async {
        let listener = TcpListener::bind(ANY_PORT).await.unwrap();
        let addr = listener.local_addr().unwrap();
        for _ in 0..100 {
            let client = {
                let mut accept = pin!(listener.accept());
                assert!(poll_once(accept.as_mut()).await.is_pending());
                let client = std::net::TcpStream::connect(addr).unwrap();
                turns(2).await;
                client
            };
            let (_, peer) = soon(listener.accept()).await.unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
        }
    });
}

#[test]
fn a_client_that_is_gone_before_it_is_accepted_does_not_stop_the_listener() {
    on_a_loop(async {
        let listener = TcpListener::bind(ANY_PORT).await.unwrap();
        let addr = listener.local_addr().unwrap();
        for _ in 0..20 {
            crate::kit::sockets::reset(std::net::TcpStream::connect(addr).unwrap());
            drop(std::net::TcpStream::connect(addr).unwrap());
            let stays = std::net::TcpStream::connect(addr).unwrap();
            // Linux gives the dead ones too, and the first read tells.
            loop {
                let (stream, peer) = soon(listener.accept()).await.unwrap();
                if peer == stays.local_addr().unwrap() {
                    break;
                }
                assert!(!matches!(soon(stream.read(&mut [0; 8])).await, Ok(1..)));
            }
        }
    });
}

#[test]
fn an_address_that_cannot_be_had_is_named_in_the_error() {
    on_a_loop(async {
        let taken = TcpListener::bind(ANY_PORT).await.unwrap();
        let addr = taken.local_addr().unwrap();
        let error = TcpListener::bind(addr).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&addr.to_string()), "{error}");
        let error = TcpListener::bind("192.0.2.1:0").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
        assert!(error.to_string().contains("192.0.2.1:0"), "{error}");
        for text in ["", "127.0.0.1", "127.0.0.1:99999", "no address"] {
            let error = TcpListener::bind(text).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
        turns(1).await;
        assert_eq!(Handle::current().metrics().sources, 1);
        drop(taken);
        TcpListener::bind(addr).await.expect("the port is free again at once");
    });
}

#[test]
fn a_name_that_is_none_is_named_in_one_line_whatever_is_in_it() {
    on_a_loop(async {
        let error = soon(TcpStream::connect("no\0\nname:80")).await.unwrap_err().to_string();
        assert!(error.starts_with(r#"cannot look up "no\0\nname": "#), "{error}");
        assert!(!error.contains(['\0', '\n']), "{error}");
    });
}

#[test]
fn a_listener_that_does_not_listen_is_an_error_and_no_busy_wait() {
    on_a_loop(async {
        let (socket, _) = closed_port();
        let listener = TcpListener::from_std(socket.into()).unwrap();
        soon(listener.accept()).await.unwrap_err();
        let datagrams = std::net::UdpSocket::bind(ANY_PORT).unwrap();
        let listener = TcpListener::from_std(std::os::fd::OwnedFd::from(datagrams).into()).unwrap();
        soon(listener.accept()).await.unwrap_err();
    });
}

#[test]
fn a_listener_goes_from_std_with_its_backlog() {
    on_a_loop(async {
        let listener = std::net::TcpListener::bind(ANY_PORT).unwrap();
        let addr = listener.local_addr().unwrap();
        let mut client = std::net::TcpStream::connect(addr).unwrap();
        client.write_all(b"early").unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        assert_eq!(listener.local_addr().unwrap(), addr);
        let (stream, _) = soon(listener.accept()).await.unwrap();
        assert_eq!(soon(stream.read(&mut [0; 8])).await.unwrap(), 5);
    });
}

#[test]
fn a_wait_for_a_socket_costs_no_more_time_than_it_must() {
    on_a_loop(async {
        let (here, mut there) = half();
        let (one, two) = pair().await;
        let before = Instant::now();
        for _ in 0..200 {
            there.write_all(b"x").unwrap();
            soon(here.read(&mut [0])).await.unwrap();
            one.write_all(b"x").await.unwrap();
            soon(two.read(&mut [0])).await.unwrap();
        }
        // A lost event that some timer makes up for would show here: each round would take its time.
        assert!(before.elapsed() < Duration::from_secs(3), "{:?}", before.elapsed());
        sleep(Duration::ZERO).await;
    });
}

/// The fate of a connection: what is read of it up to the end, or the error that comes instead.
type Told = (Vec<u8>, Option<io::ErrorKind>);

/// A connection is made, and meets `fate` before anybody looks at it. Says what a blocking socket makes of it, and what
/// one of a loop does.
async fn meets(fate: fn(std::net::TcpStream)) -> (Told, Told) {
    let listener = std::net::TcpListener::bind(ANY_PORT).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut blocking = std::net::TcpStream::connect(addr).unwrap();
    fate(listener.accept().unwrap().0);
    let mut read = Vec::new();
    let error = blocking.read_to_end(&mut read).err();
    let theirs = (read, error.map(|error| error.kind()));

    let mut connect = pin!(TcpStream::connect(addr));
    assert!(poll_once(connect.as_mut()).await.is_pending());
    fate(listener.accept().unwrap().0);
    let stream = soon(connect).await.unwrap();
    let (mut read, mut buffer) = (Vec::new(), [0; 3]);
    let error = loop {
        match soon(stream.read(&mut buffer)).await {
            Ok(0) => break None,
            Ok(count) => read.extend_from_slice(&buffer[..count]),
            Err(error) => break Some(error.kind()),
        }
    };
    assert_eq!(soon(stream.read(&mut buffer)).await.unwrap(), 0, "an error is told once");
    (theirs, (read, error))
}

#[test]
fn a_connection_reset_before_a_look_is_as_a_blocking_socket_sees_it() {
    let fates: [fn(std::net::TcpStream); 6] = [
        drop,
        crate::kit::sockets::reset,
        |mut stream| stream.write_all(b"hello").unwrap(),
        |mut stream| {
            stream.write_all(b"hello").unwrap();
            crate::kit::sockets::reset(stream);
        },
        |stream| {
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            crate::kit::sockets::reset(stream);
        },
        |mut stream| {
            stream.write_all(b"hello").unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            crate::kit::sockets::reset(stream);
        },
    ];
    on_a_loop(async {
        for (number, fate) in fates.into_iter().enumerate() {
            let (blocking, ours) = meets(fate).await;
            assert_eq!(ours, blocking, "fate {number}");
        }
    });
}

#[test]
fn an_error_that_came_before_a_look_is_told_once_to_the_first() {
    on_a_loop(async {
        for way in 0..6 {
            let listener = std::net::TcpListener::bind(ANY_PORT).unwrap();
            let mut connect = pin!(TcpStream::connect(listener.local_addr().unwrap()));
            assert!(poll_once(connect.as_mut()).await.is_pending());
            crate::kit::sockets::reset(listener.accept().unwrap().0);
            let stream = soon(connect).await.unwrap();
            let told = match way {
                0 => stream.take_error().unwrap().unwrap(),
                1 => soon(stream.read(&mut [0; 8])).await.unwrap_err(),
                2 => soon(stream.peek(&mut [0; 8])).await.unwrap_err(),
                3 => soon(stream.write(b"x")).await.unwrap_err(),
                4 => soon(stream.write_all(b"x")).await.unwrap_err(),
                _ => {
                    let (mut one, mut other) = ([0; 4], [0; 4]);
                    let mut buffers = [io::IoSliceMut::new(&mut one), io::IoSliceMut::new(&mut other)];
                    let read = |cx: &mut std::task::Context<'_>| {
                        std::pin::Pin::new(&mut &stream).poll_read_vectored(cx, &mut buffers)
                    };
                    soon(std::future::poll_fn(read)).await.unwrap_err()
                }
            };
            assert_eq!(told.kind(), io::ErrorKind::ConnectionReset, "by way {way}");
            assert!(stream.take_error().unwrap().is_none());
            assert_eq!(soon(stream.read(&mut [0; 8])).await.unwrap(), 0);
            assert_eq!(soon(stream.write(b"x")).await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        }
    });
}

#[test]
fn a_reset_connection_of_std_keeps_its_bytes_and_its_error() {
    on_a_loop(async {
        let (here, mut there) = crate::kit::sockets::std_pair();
        there.write_all(b"hello").unwrap();
        crate::kit::sockets::reset(there);
        let stream = TcpStream::from_std(here).unwrap();
        assert_eq!(soon(stream.read(&mut [0; 8])).await.unwrap(), 5);
        assert_eq!(soon(stream.read(&mut [0; 8])).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_port_that_is_too_large_is_called_that() {
    on_a_loop(async {
        for wrong in ["localhost:99999", "127.0.0.1:65536", "[::1]:99999999999999999999"] {
            let error = TcpStream::connect(wrong).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), format!("{wrong:?} names a port that is too large: ports go up to 65535"));
        }
    });
}
