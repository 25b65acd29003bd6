//! Unix sockets: paths and names, full backlogs and full receivers, and peers that go.

use std::ffi::CString;
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use futures_lite::StreamExt;
use oneloop::net::{UnixDatagram, UnixListener, UnixStream};
use oneloop::time::{Instant, sleep, timeout};
use oneloop::{Handle, spawn};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

use crate::kit::sockets::{descriptors, on_a_loop, poll_once, soon, turns};
use crate::kit::support::{Folder, alone};
use crate::kit::watch::{in_order, runtime, spawn_thread, watch};

/// The path of a file of the folder, of exactly so many bytes.
fn path_of(folder: &Folder, bytes: usize) -> PathBuf {
    let path = folder.path().join("x".repeat(bytes - folder.path().as_os_str().len() - 1));
    assert_eq!(path.as_os_str().len(), bytes);
    path
}

async fn pair_at(path: &Path) -> (UnixListener, UnixStream, UnixStream) {
    let listener = UnixListener::bind(path).unwrap();
    let near = UnixStream::connect(path).await.unwrap();
    let (far, _) = soon(listener.accept()).await.unwrap();
    (listener, near, far)
}

/// A listener that has no room for another connection, and the connections that took it.
fn full_listener(path: &Path) -> (std::os::unix::net::UnixListener, Vec<OwnedFd>) {
    let addr = SocketAddrUnix::new(path).unwrap();
    let listener = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&listener, &addr).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let mut clients = Vec::new();
    loop {
        let client = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        rustix::io::ioctl_fionbio(&client, true).unwrap();
        if rustix::net::connect(&client, &addr).is_err() {
            return (listener.into(), clients);
        }
        clients.push(client);
    }
}

#[test]
fn a_stream_says_what_it_hears() {
    let folder = Folder::new();
    on_a_loop(async {
        let path = folder.path().join("echo");
        let (listener, near, far) = pair_at(&path).await;
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
        assert_eq!(near.peer_addr().unwrap().as_pathname(), Some(&*path));
        assert!(far.peer_addr().unwrap().is_unnamed());
        let echo = spawn(async move {
            let mut buffer = [0; 1000];
            while let count @ 1.. = far.read(&mut buffer).await? {
                far.write_all(&buffer[..count]).await?;
            }
            io::Result::Ok(())
        });
        let sent: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
        let receive = async {
            let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
            while received.len() < sent.len() {
                let count = near.read(&mut buffer).await.unwrap();
                received.extend_from_slice(&buffer[..count]);
            }
            received
        };
        let ((), received) =
            soon(futures_lite::future::zip(async { near.write_all(&sent).await.unwrap() }, receive)).await;
        assert!(received == sent);
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(soon(near.read(&mut [0; 8])).await.unwrap(), 0);
        soon(echo).await.unwrap().unwrap();
    });
}

#[test]
fn an_error_names_the_path_and_the_way_out() {
    let folder = Folder::new();
    on_a_loop(async {
        let (taken, missing) = (folder.path().join("taken"), folder.path().join("no/such/directory"));
        drop(UnixListener::bind(&taken).unwrap());
        let too_long = path_of(&folder, 108);
        let cases = [
            (UnixListener::bind(&taken).err(), &taken, io::ErrorKind::AddrInUse, "remove it"),
            (UnixDatagram::bind(&taken).err(), &taken, io::ErrorKind::AddrInUse, "remove it"),
            (UnixListener::bind(&missing).err(), &missing, io::ErrorKind::NotFound, "cannot bind"),
            (UnixStream::connect(&missing).await.err(), &missing, io::ErrorKind::NotFound, "cannot connect to"),
            (UnixStream::connect(&taken).await.err(), &taken, io::ErrorKind::ConnectionRefused, "nobody listens"),
            (UnixListener::bind(&too_long).err(), &too_long, io::ErrorKind::InvalidInput, "108 bytes, and 107 fit"),
            (UnixStream::connect(&too_long).await.err(), &too_long, io::ErrorKind::InvalidInput, "shorter path"),
            (UnixDatagram::bind(&too_long).err(), &too_long, io::ErrorKind::InvalidInput, "107 fit"),
            (
                UnixDatagram::unbound().unwrap().connect(&too_long).err(),
                &too_long,
                io::ErrorKind::InvalidInput,
                "107 fit",
            ),
            (
                UnixDatagram::unbound().unwrap().connect(&missing).err(),
                &missing,
                io::ErrorKind::NotFound,
                "cannot connect",
            ),
        ];
        for (error, path, kind, words) in cases {
            let error = error.expect("that cannot work");
            assert_eq!(error.kind(), kind, "{error}");
            let says = error.to_string();
            assert!(says.contains(path.to_str().unwrap()) && says.contains(words), "{says}");
        }
        turns(1).await;
        assert_eq!(Handle::current().metrics().sources, 0);
    });
}

#[test]
fn the_longest_path_there_is_can_be_used() {
    let folder = Folder::new();
    on_a_loop(async {
        let (_listener, near, far) = pair_at(&path_of(&folder, 107)).await;
        near.write_all(b"x").await.unwrap();
        assert_eq!(soon(far.read(&mut [0; 8])).await.unwrap(), 1);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_peer_whose_path_fills_its_address_is_a_peer_like_any() {
    let folder = Folder::new();
    on_a_loop(async {
        let full = SocketAddrUnix::new(CString::new(path_of(&folder, 108).to_str().unwrap()).unwrap()).unwrap();
        let path = folder.path().join("stream");
        let listener = UnixListener::bind(&path).unwrap();
        let client = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&client, &full).unwrap();
        rustix::net::connect(&client, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        let (stream, peer) = soon(listener.accept()).await.unwrap();
        assert_eq!(peer.as_pathname(), Some(&*path_of(&folder, 108)));
        assert_eq!(stream.peer_addr().unwrap().as_pathname(), peer.as_pathname());
        drop(client);
        std::fs::remove_file(path_of(&folder, 108)).unwrap();

        let receiver = UnixDatagram::bind(folder.path().join("datagram")).unwrap();
        let sender = rustix::net::socket(AddressFamily::UNIX, SocketType::DGRAM, None).unwrap();
        rustix::net::bind(&sender, &full).unwrap();
        let to = SocketAddrUnix::new(folder.path().join("datagram")).unwrap();
        rustix::net::sendto(&sender, b"x", rustix::net::SendFlags::empty(), &to).unwrap();
        let (length, from) = soon(receiver.recv_from(&mut [0; 8])).await.unwrap();
        assert_eq!((length, from.as_pathname()), (1, Some(&*path_of(&folder, 108))));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_name_needs_no_file_and_is_gone_with_its_socket() {
    use std::os::linux::net::SocketAddrExt;
    on_a_loop(async {
        let name = format!("oneloop test {}", std::process::id());
        let addr = SocketAddr::from_abstract_name(&name).unwrap();
        for _ in 0..3 {
            let listener = UnixListener::bind_addr(&addr).unwrap();
            let in_use = UnixListener::bind_addr(&addr).unwrap_err();
            assert!(in_use.to_string().contains(&format!("@{name}")), "{in_use}");
            let near = UnixStream::connect_addr(&addr).await.unwrap();
            let (far, _) = soon(listener.accept()).await.unwrap();
            near.write_all(b"x").await.unwrap();
            assert_eq!(soon(far.read(&mut [0; 8])).await.unwrap(), 1);
        }
        let gone = UnixStream::connect_addr(&addr).await.unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::ConnectionRefused);
        assert!(gone.to_string().contains(&format!("@{name}")), "{gone}");
        // Datagrams find their way there, and back to where they came from.
        let server = UnixDatagram::bind_addr(&addr).unwrap();
        let client = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(format!("{name} 2")).unwrap()).unwrap();
        client.connect_addr(&addr).unwrap();
        client.send(b"there").await.unwrap();
        let (_, from) = soon(server.recv_from(&mut [0; 8])).await.unwrap();
        assert_eq!(soon(server.send_to_addr(b"and back", &from)).await.unwrap(), 8);
        assert_eq!(soon(client.recv(&mut [0; 8])).await.unwrap(), 8);
    });
}

#[test]
fn the_file_of_a_socket_stays() {
    let folder = Folder::new();
    on_a_loop(async {
        drop(pair_at(&folder.path().join("stream")).await);
        drop(UnixDatagram::bind(folder.path().join("datagram")).unwrap());
        assert!(folder.path().join("stream").exists() && folder.path().join("datagram").exists());
    });
}

#[test]
fn who_finds_no_room_at_a_listener_waits_for_it() {
    let folder = Folder::new();
    on_a_loop(async {
        let path = folder.path().join("full");
        let (listener, clients) = full_listener(&path);
        let mut connect = pin!(UnixStream::connect(&path));
        let early = timeout(Duration::from_millis(60), connect.as_mut()).await;
        assert!(early.is_err(), "there was no room, and yet it said {early:?}");
        for _ in &clients {
            listener.accept().unwrap();
        }
        let near = soon(connect).await.unwrap();
        let far = UnixStream::from_std(listener.accept().unwrap().0).unwrap();
        near.write_all(b"x").await.unwrap();
        assert_eq!(soon(far.read(&mut [0; 8])).await.unwrap(), 1);
    });
}

#[test]
fn a_connect_that_is_given_up_leaves_nothing() {
    alone(|| {
        let folder = Folder::new();
        let runtime = runtime();
        let (_listener, _clients) = full_listener(&folder.path().join("full"));
        let before = descriptors();
        runtime.block_on(async {
            for _ in 0..20 {
                assert!(poll_once(pin!(UnixStream::connect(folder.path().join("full")))).await.is_pending());
            }
            let abandoned = spawn(UnixStream::connect(folder.path().join("full")));
            turns(2).await;
            abandoned.abort();
            assert!(soon(abandoned).await.is_err());
        });
        assert_eq!((runtime.metrics().sources, runtime.metrics().timers, descriptors()), (0, 0, before));
    });
}

#[test]
fn bytes_sent_before_a_peer_went_are_delivered_before_the_end() {
    on_a_loop(async {
        let (near, far) = UnixStream::pair().unwrap();
        near.write_all(b"farewell").await.unwrap();
        drop(near);
        let mut buffer = [0; 4];
        assert_eq!(soon(far.read(&mut buffer)).await.unwrap(), 4);
        assert_eq!(soon(far.read(&mut buffer)).await.unwrap(), 4);
        assert_eq!(soon(far.read(&mut buffer)).await.unwrap(), 0);
        assert_eq!(far.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(far.write_all(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn whoever_waits_hears_that_the_peer_went() {
    on_a_loop(async {
        let (near, far) = UnixStream::pair().unwrap();
        let reader = spawn(async move { near.read(&mut [0; 8]).await });
        turns(2).await;
        drop(far);
        assert_eq!(soon(reader).await.unwrap().unwrap(), 0);
        let (near, far) = UnixStream::pair().unwrap();
        let writer = spawn(async move { near.write_all(&vec![7; 10_000_000]).await });
        turns(2).await;
        assert!(!writer.is_finished());
        drop(far);
        assert_eq!(soon(writer).await.unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn incoming_connections_are_a_stream() {
    let folder = Folder::new();
    on_a_loop(async {
        let path = folder.path().join("stream");
        let listener = UnixListener::bind(&path).unwrap();
        let mut incoming = listener.incoming();
        assert!(poll_once(pin!(incoming.next())).await.is_pending());
        for n in 0..5 {
            let near = UnixStream::connect(&path).await.unwrap();
            near.write_all(&[n]).await.unwrap();
            let far = soon(incoming.next()).await.unwrap().unwrap();
            let mut buffer = [0; 8];
            assert_eq!(soon(far.read(&mut buffer)).await.unwrap(), 1);
            assert_eq!(buffer[0], n);
        }
        // Given up while it waits, it takes no connection along.
        assert!(poll_once(pin!(incoming.next())).await.is_pending());
        drop(incoming);
        let _near = UnixStream::connect(&path).await.unwrap();
        soon(listener.accept()).await.unwrap();
    });
}

#[test]
fn accepting_recovers_when_descriptors_are_there_again() {
    alone(|| {
        let folder = Folder::new();
        let limit = rustix::process::Rlimit { current: Some(64), maximum: Some(64) };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
        runtime().block_on(async {
            let path = folder.path().join("stream");
            let listener = UnixListener::bind(&path).unwrap();
            let _near = UnixStream::connect(&path).await.unwrap();
            let mut hoard = Vec::new();
            while let Ok(file) = std::fs::File::open("/dev/null") {
                hoard.push(file);
            }
            let accepted = spawn(async move { listener.accept().await.map(|_| ()) });
            let retries = || Handle::current().metrics().accept_retries;
            while retries() < 3 {
                oneloop::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(!accepted.is_finished());
            drop(hoard);
            soon(accepted).await.unwrap().unwrap();
        });
    });
}

#[test]
fn datagrams_arrive_whole_and_in_order_whatever_their_length() {
    let folder = Folder::new();
    on_a_loop(async {
        let (here, there) = (
            UnixDatagram::bind(folder.path().join("a")).unwrap(),
            UnixDatagram::bind(folder.path().join("b")).unwrap(),
        );
        let mut buffer = [0; 16];
        for length in [3, 0, 7, 0, 0, 16, 1] {
            here.send_to(&vec![length as u8; length], folder.path().join("b")).await.unwrap();
        }
        for length in [3, 0, 7, 0, 0, 16, 1] {
            let (received, from) = soon(there.recv_from(&mut buffer)).await.unwrap();
            assert_eq!((received, from.as_pathname()), (length, Some(&*folder.path().join("a"))));
            assert!(buffer[..length].iter().all(|&byte| byte == length as u8));
        }
        here.send_to(b"longer than the buffer", folder.path().join("b")).await.unwrap();
        assert_eq!(soon(there.recv(&mut buffer)).await.unwrap(), 16);
        assert_eq!(there.try_recv(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let too_long = soon(here.send_to(&vec![0; 10_000_000], folder.path().join("b"))).await.unwrap_err();
        assert_eq!(too_long.raw_os_error(), Some(rustix::io::Errno::MSGSIZE.raw_os_error()), "{too_long}");
    });
}

#[test]
fn a_datagram_for_a_full_receiver_waits_for_room_without_spinning() {
    let folder = Folder::new();
    on_a_loop(async {
        let path = folder.path().join("receiver");
        let receiver = UnixDatagram::bind(&path).unwrap();
        let others = UnixDatagram::unbound().unwrap();
        let mut taken = 0;
        while others.try_send_to(b"x", &path).is_ok() {
            taken += 1;
        }
        // The kernel tells a sender without a connection of its own room, and not of the receiver's.
        let sender = UnixDatagram::unbound().unwrap();
        let mut send = pin!(sender.send_to(b"ours", &path));
        let before = Handle::current().metrics().turns;
        assert!(timeout(Duration::from_millis(60), send.as_mut()).await.is_err());
        let turns = Handle::current().metrics().turns - before;
        assert!(turns < 30, "{turns} turns are too many for waiting");
        let mut buffer = [0; 8];
        for _ in 0..taken {
            assert_eq!(soon(receiver.recv(&mut buffer)).await.unwrap(), 1);
        }
        assert_eq!(soon(send).await.unwrap(), 4);
        assert_eq!(soon(receiver.recv(&mut buffer)).await.unwrap(), 4);
    });
}

#[test]
fn a_connected_sender_is_woken_when_its_receiver_has_room() {
    on_a_loop(async {
        let (near, far) = UnixDatagram::pair().unwrap();
        while near.try_send(b"x").is_ok() {}
        let sender = spawn(async move {
            near.send(b"ours").await.unwrap();
            near
        });
        turns(2).await;
        assert!(!sender.is_finished());
        let timers = Handle::current().metrics().timers;
        assert_eq!(timers, 1, "the test's own: the sender is woken by the kernel, and need not ask again");
        let mut buffer = [0; 8];
        while soon(far.recv(&mut buffer)).await.unwrap() == 1 {}
        let near = soon(sender).await.unwrap();
        drop(far);
        assert_eq!(soon(near.send(b"x")).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    });
}

#[cfg_attr(mio_unsupported_force_poll_poll, ignore = "poll(2) takes anything that is open")]
#[test]
fn what_cannot_be_polled_is_refused_and_leaves_nothing() {
    alone(|| {
        runtime().block_on(async {
            let before = descriptors();
            let file = || OwnedFd::from(std::fs::File::open("Cargo.toml").expect("tests run where their manifest is"));
            for _ in 0..10 {
                let refused = [
                    UnixStream::from_std(file().into()).unwrap_err(),
                    UnixDatagram::from_std(file().into()).unwrap_err(),
                    UnixListener::from_std(file().into()).unwrap_err(),
                ];
                for error in refused {
                    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
                }
            }
            turns(1).await;
            assert_eq!((Handle::current().metrics().sources, descriptors()), (0, before));
            // The slots are still good.
            let (near, far) = UnixStream::pair().unwrap();
            near.write_all(b"x").await.unwrap();
            assert_eq!(soon(far.read(&mut [0; 8])).await.unwrap(), 1);
        });
    });
}

/// Waits by the virtual clock for what a thread makes possible once the loop has gone to sleep a few times, and
/// sees that no more time passes by it than really does.
#[track_caller]
fn no_hour_passes<T>(waits: impl Future<Output = T>, makes_room: impl FnOnce() + Send + 'static) {
    let runtime = in_order();
    let handle = runtime.handle();
    let helper = spawn_thread(move || {
        while handle.metrics().parks < 3 {
            std::thread::yield_now();
        }
        makes_room();
    });
    runtime.block_on(async {
        let (start, hour) = (Instant::now(), Duration::from_secs(3600));
        let really = std::time::Instant::now();
        let in_time = timeout(hour, waits).await.is_ok();
        let passed = start.elapsed();
        assert!(passed <= really.elapsed(), "{passed:?} have passed in {:?}", really.elapsed());
        sleep(hour).await;
        assert_eq!((start.elapsed() - passed).as_secs(), hour.as_secs(), "nothing is awaited any more");
        assert!(in_time);
    });
    helper.join().unwrap();
}

#[test]
fn the_virtual_clock_does_not_jump_while_a_full_listener_is_awaited() {
    let folder = Folder::new();
    watch(|| {
        let path = folder.path().join("full");
        let (listener, clients) = full_listener(&path);
        let connects = async { UnixStream::connect(&path).await.unwrap() };
        no_hour_passes(connects, move || {
            for _ in &clients {
                listener.accept().unwrap();
            }
            // The listener stays until the connection was made.
            std::mem::forget(listener);
        });
    });
}

#[test]
fn the_virtual_clock_does_not_jump_while_a_full_receiver_is_awaited() {
    let folder = Folder::new();
    watch(|| {
        let path = folder.path().join("receiver");
        let receiver = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        let sends = async {
            let sender = UnixDatagram::unbound().unwrap();
            while sender.try_send_to(b"x", &path).is_ok() {}
            sender.send_to(b"y", &path).await.unwrap()
        };
        let theirs = receiver.try_clone().unwrap();
        no_hour_passes(sends, move || assert_eq!(theirs.recv(&mut [0; 8]).unwrap(), 1));
    });
}

#[test]
fn a_connection_whose_listener_goes_before_anybody_looks_was_made() {
    let folder = Folder::new();
    on_a_loop(async {
        let path = folder.path().join("gone");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let blocking = std::os::unix::net::UnixStream::connect(&path).unwrap();
        drop(listener);
        std::fs::remove_file(&path).unwrap();
        let expected = std::io::Read::read(&mut &blocking, &mut [0; 8]).map_err(|error| error.kind());

        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let stream = UnixStream::connect(&path).await.unwrap();
        drop(listener);
        assert_eq!(soon(stream.read(&mut [0; 8])).await.map_err(|error| error.kind()), expected);
    });
}
