//! UDP: datagrams are data whatever their length, and errors are told once.

use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use oneloop::net::UdpSocket;
use oneloop::time::sleep;
use oneloop::{Handle, spawn};

use crate::kit::sockets::{ANY_PORT, on_a_loop, poll_once, soon, turns};

async fn bound() -> UdpSocket {
    UdpSocket::bind(ANY_PORT).await.expect("loopback has a port")
}

/// Two sockets, connected to each other.
async fn connected() -> (UdpSocket, UdpSocket) {
    let (here, there) = (bound().await, bound().await);
    here.connect(there.local_addr().unwrap()).await.unwrap();
    there.connect(here.local_addr().unwrap()).await.unwrap();
    (here, there)
}

/// A blocking socket of the standard library. Its datagrams on loopback have arrived when `send` returns.
fn blocking() -> std::net::UdpSocket {
    let socket = std::net::UdpSocket::bind(ANY_PORT).expect("loopback has a port");
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

#[test]
fn an_empty_datagram_is_data_and_not_an_end() {
    on_a_loop(async {
        let (here, there) = connected().await;
        let mut buffer = [0; 8];
        for _ in 0..3 {
            assert_eq!(here.send(b"").await.unwrap(), 0);
            assert_eq!(here.send(b"x").await.unwrap(), 1);
            assert_eq!(soon(there.recv(&mut buffer)).await.unwrap(), 0);
            assert_eq!(soon(there.recv(&mut buffer)).await.unwrap(), 1);
        }
        here.send(b"").await.unwrap();
        let from = here.local_addr().unwrap();
        assert_eq!(soon(there.recv_from(&mut buffer)).await.unwrap(), (0, from));
    });
}

#[test]
fn datagrams_shorter_than_the_buffer_do_not_hide_those_behind_them() {
    on_a_loop(async {
        let (here, there) = (bound().await, blocking());
        let addr = here.local_addr().unwrap();
        let mut buffer = [0; 512];
        for _ in 0..10 {
            let burst = async {
                // The loop sleeps when they arrive, and hears of all ten by one event.
                for n in 0..10_u8 {
                    there.send_to(&[n; 3], addr).unwrap();
                }
                for n in 0..10 {
                    assert_eq!(here.recv(&mut buffer).await.unwrap(), 3);
                    assert_eq!(buffer[..3], [n; 3]);
                }
            };
            soon(burst).await;
            let nothing = here.try_recv(&mut buffer).unwrap_err();
            assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        }
    });
}

#[test]
fn a_datagram_that_is_too_long_is_an_error_and_the_socket_goes_on() {
    on_a_loop(async {
        let (here, there) = connected().await;
        let too_long = vec![7; 65_508]; // 65,535 less the headers of IPv4 and UDP, and one more
        let error = soon(here.send(&too_long)).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::MSGSIZE.raw_os_error()), "{error}");
        let addr = there.local_addr().unwrap();
        assert!(soon(bound().await.send_to(&too_long, addr)).await.is_err());
        assert!(bound().await.try_send_to(&too_long, addr).is_err());
        here.send(b"short").await.unwrap();
        assert_eq!(soon(there.recv(&mut [0; 8])).await.unwrap(), 5);
    });
}

#[test]
fn a_datagram_longer_than_the_buffer_is_cut_and_the_next_is_whole() {
    on_a_loop(async {
        let (here, there) = connected().await;
        here.send(b"long").await.unwrap();
        here.send(b"ok").await.unwrap();
        let mut buffer = [0; 3];
        assert_eq!(soon(there.recv(&mut buffer)).await.unwrap(), 3);
        assert_eq!(&buffer, b"lon");
        assert_eq!(soon(there.recv(&mut buffer)).await.unwrap(), 2);
        assert_eq!(&buffer[..2], b"ok");
    });
}

#[cfg_attr(mio_unsupported_force_poll_poll, ignore = "mio's poll(2) backend lets go of a socket that has an error")]
#[test]
fn a_refusal_is_told_once_and_the_next_datagram_arrives() {
    on_a_loop(async {
        let nobody = blocking();
        let addr = nobody.local_addr().unwrap();
        drop(nobody);
        let here = bound().await;
        here.connect(addr).await.unwrap();
        // A task that waits already is woken by the refusal.
        let mut waits = Box::pin(here.recv(&mut []));
        assert!(poll_once(waits.as_mut()).await.is_pending());
        turns(2).await;
        here.send(b"anybody?").await.unwrap();
        let refused = soon(waits).await.unwrap_err();
        let mut buffer = [0; 8];
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let nothing = here.try_recv(&mut buffer).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock, "it was told already");
        // The next operation may as well be a send.
        here.send(b"anybody?").await.unwrap();
        assert_eq!(here.send(b"anybody?").await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        // Once somebody is there, both ways work.
        let there = UdpSocket::bind(addr).await.unwrap();
        here.send(b"and now?").await.unwrap();
        let (length, from) = soon(there.recv_from(&mut buffer)).await.unwrap();
        there.send_to(&buffer[..length], from).await.unwrap();
        assert_eq!(soon(here.recv(&mut buffer)).await.unwrap(), 8);
        assert_eq!(&buffer, b"and now?");
    });
}

#[test]
fn a_connected_socket_hears_its_peer_alone() {
    on_a_loop(async {
        let (here, there) = connected().await;
        blocking().send_to(b"a stranger", here.local_addr().unwrap()).unwrap();
        there.send(b"friend").await.unwrap();
        assert_eq!(soon(here.recv(&mut [0; 16])).await.unwrap(), 6);
        assert_eq!(here.peer_addr().unwrap(), there.local_addr().unwrap());
        assert_eq!(bound().await.peer_addr().unwrap_err().kind(), io::ErrorKind::NotConnected);
    });
}

#[test]
fn no_receiver_of_a_shared_socket_is_forgotten() {
    on_a_loop(async {
        let (here, there) = (Rc::new(bound().await), blocking());
        let addr = here.local_addr().unwrap();
        let receive = |n: usize| {
            let here = Rc::clone(&here);
            spawn(async move {
                let mut buffer = [0; 8];
                match n % 3 {
                    0 => here.recv(&mut buffer).await,
                    1 => here.recv_from(&mut buffer).await.map(|(length, _)| length),
                    _ => poll_fn(|cx| here.poll_recv(cx, &mut buffer)).await,
                }
            })
        };
        let receivers: Vec<_> = (0..12).map(receive).collect();
        turns(2).await;
        for _ in 0..12 {
            there.send_to(b"x", addr).unwrap();
        }
        for receiver in receivers {
            assert_eq!(soon(receiver).await.unwrap().unwrap(), 1);
        }
    });
}

#[test]
fn a_receive_that_is_given_up_loses_no_datagram() {
    on_a_loop(async {
        let (here, there) = (bound().await, blocking());
        let addr = here.local_addr().unwrap();
        let mut buffer = [0; 8];
        for n in 0..20_u8 {
            {
                let mut given_up = pin!(here.recv(&mut buffer));
                assert!(poll_once(given_up.as_mut()).await.is_pending());
                there.send_to(&[n], addr).unwrap();
                turns(u32::from(n % 3)).await;
            }
            assert_eq!(soon(here.recv(&mut buffer)).await.unwrap(), 1);
            assert_eq!(buffer[0], n);
        }
    });
}

#[test]
fn peeking_takes_nothing() {
    on_a_loop(async {
        let (here, there) = connected().await;
        here.send(b"still there").await.unwrap();
        let (mut buffer, from) = ([0; 16], here.local_addr().unwrap());
        for _ in 0..2 {
            assert_eq!(soon(there.peek(&mut buffer)).await.unwrap(), 11);
            assert_eq!(soon(there.peek_from(&mut buffer)).await.unwrap(), (11, from));
        }
        assert_eq!(there.try_recv_from(&mut buffer).unwrap(), (11, from));
        assert_eq!(there.try_recv_from(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    });
}

#[test]
fn poll_functions_do_as_the_futures_do() {
    on_a_loop(async {
        let (here, there) = (bound().await, bound().await);
        let (from, to) = (here.local_addr().unwrap(), there.local_addr().unwrap());
        let mut buffer = [0; 8];
        let mut receive = pin!(poll_fn(|cx| there.poll_recv_from(cx, &mut buffer)));
        assert!(poll_once(receive.as_mut()).await.is_pending());
        poll_fn(|cx| here.poll_write_ready(cx)).await.unwrap();
        assert_eq!(poll_fn(|cx| here.poll_send_to(cx, b"one", to)).await.unwrap(), 3);
        assert_eq!(soon(receive).await.unwrap(), (3, from));
        here.connect(to).await.unwrap();
        assert_eq!(poll_fn(|cx| here.poll_send(cx, b"three")).await.unwrap(), 5);
        soon(poll_fn(|cx| there.poll_read_ready(cx))).await.unwrap();
        assert_eq!(there.try_recv(&mut buffer).unwrap(), 5);
    });
}

#[test]
fn somebody_elses_system_calls_take_part_in_the_waiting() {
    on_a_loop(async {
        let (here, there) = (bound().await, blocking());
        let addr = here.local_addr().unwrap();
        let receive = || {
            let mut buffer = [0; 8];
            let received = rustix::net::recv(&here, &mut buffer, rustix::net::RecvFlags::empty());
            Ok(received.map(|(length, _)| length)?)
        };
        for _ in 0..5 {
            assert_eq!(here.try_read_with(receive).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            let mut readable = pin!(here.readable());
            assert!(poll_once(readable.as_mut()).await.is_pending());
            there.send_to(b"x", addr).unwrap();
            soon(readable).await.unwrap();
            assert_eq!(here.try_read_with(receive).unwrap(), 1);
        }
        let target = there.local_addr().unwrap();
        let send = || Ok(rustix::net::sendto(&here, b"back", rustix::net::SendFlags::empty(), &target)?);
        assert_eq!(here.try_write_with(send).unwrap(), 4);
        assert_eq!(there.recv(&mut [0; 8]).unwrap(), 4);
    });
}

#[test]
fn a_target_of_several_addresses_is_the_first_that_can_be_sent_to() {
    on_a_loop(async {
        let (here, there) = (bound().await, bound().await);
        let port = there.local_addr().unwrap().port();
        let targets: [SocketAddr; 2] = [(Ipv6Addr::LOCALHOST, port).into(), (Ipv4Addr::LOCALHOST, port).into()];
        assert_eq!(soon(here.send_to(b"found", targets)).await.unwrap(), 5);
        assert_eq!(soon(there.recv(&mut [0; 8])).await.unwrap(), 5);
        assert!(here.send_to(b"lost", targets[0]).await.is_err());
        let nowhere = here.send_to(b"lost", Vec::new()).await.unwrap_err();
        assert_eq!(nowhere.kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn a_port_in_use_is_named() {
    on_a_loop(async {
        let addr = bound().await.local_addr().unwrap();
        let _taken = UdpSocket::bind(addr).await.unwrap();
        let error = UdpSocket::bind(addr).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&addr.to_string()), "{error}");
    });
}

#[test]
fn settings_are_kept() {
    on_a_loop(async {
        let socket = bound().await;
        for on in [true, false] {
            socket.set_broadcast(on).unwrap();
            assert_eq!(socket.broadcast().unwrap(), on);
            socket.set_multicast_loop_v4(on).unwrap();
            assert_eq!(socket.multicast_loop_v4().unwrap(), on);
        }
        socket.set_ttl(7).unwrap();
        socket.set_multicast_ttl_v4(3).unwrap();
        assert_eq!((socket.ttl().unwrap(), socket.multicast_ttl_v4().unwrap()), (7, 3));
        assert!(socket.take_error().unwrap().is_none());
        assert!(socket.join_multicast_v4(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST).is_err(), "that is no group");
        let group = Ipv4Addr::new(239, 255, 7, 7);
        socket.join_multicast_v4(group, Ipv4Addr::LOCALHOST).unwrap();
        socket.leave_multicast_v4(group, Ipv4Addr::LOCALHOST).unwrap();
        assert!(socket.leave_multicast_v4(group, Ipv4Addr::LOCALHOST).is_err(), "it has left already");
    });
}

#[test]
fn what_is_no_socket_is_refused_and_leaves_nothing() {
    // In a process of its own, where nobody else opens files.
    crate::kit::support::alone(|| {
        crate::kit::watch::runtime().block_on(async {
            let before = crate::kit::sockets::descriptors();
            for _ in 0..10 {
                let file = std::fs::File::open("Cargo.toml").expect("tests run where their manifest is");
                assert!(UdpSocket::from_std(OwnedFd::from(file).into()).is_err());
            }
            turns(1).await;
            assert_eq!(Handle::current().metrics().sources, 0);
            assert_eq!(crate::kit::sockets::descriptors(), before);
        });
    });
}

#[test]
fn a_socket_goes_to_the_standard_library_and_comes_back() {
    on_a_loop(async {
        let (here, there) = connected().await;
        let here = here.into_std();
        turns(1).await;
        assert_eq!(Handle::current().metrics().sources, 1);
        assert_eq!(here.send(b"by hand").unwrap(), 7);
        let here = UdpSocket::from_std(here).unwrap();
        assert_eq!(soon(there.recv(&mut [0; 8])).await.unwrap(), 7);
        there.send(b"back").await.unwrap();
        assert_eq!(soon(here.recv(&mut [0; 8])).await.unwrap(), 4);
        assert!(rustix::io::fcntl_getfd(here.as_fd()).is_ok());
    });
}

#[test]
fn a_socket_that_always_has_a_datagram_leaves_the_others_their_turn() {
    on_a_loop(async {
        let greedy = spawn(async {
            let socket = bound().await;
            let itself = socket.local_addr().unwrap();
            loop {
                socket.send_to(b"x", itself).await.unwrap();
                socket.recv(&mut [0; 8]).await.unwrap();
            }
        });
        soon(sleep(Duration::from_millis(10))).await;
        assert!(!greedy.is_finished());
        greedy.abort();
        assert!(soon(greedy).await.unwrap_err().is_cancelled());
    });
}
