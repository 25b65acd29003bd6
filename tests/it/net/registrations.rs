//! The life of a registration: wherever and whenever a socket ends, nothing of it stays behind, and
//! no event reaches a socket that it was not meant for.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use futures_lite::AsyncReadExt;
use oneloop::event::{Event, Observer};
use oneloop::net::{TcpListener, TcpStream};
use oneloop::time::{self, sleep};
use oneloop::{Handle, Runtime, spawn};

use crate::kit::sockets::{
    ANY_PORT, Count, descriptors, half, on_a_loop, on_a_thread, pair, poll_once, poll_with, settle, soon, std_pair,
    turns,
};
use crate::kit::support::{alone, panic_of};
use crate::kit::watch::{builder, runtime, unobserved, watch};

#[test]
fn two_thousand_connections_leave_no_descriptor_and_no_registration() {
    alone(|| {
        let runtime = unobserved();
        let cycle = async |listener: &TcpListener, n: u32| {
            let here = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (there, _) = listener.accept().await.unwrap();
            here.write_all(b"ping").await.unwrap();
            assert_eq!(there.read(&mut [0; 8]).await.unwrap(), 4);
            // The end that closes first, and whether anybody still waits.
            match n % 4 {
                0 => drop((here, there)),
                1 => drop((there, here)),
                2 => {
                    let waits = spawn(async move { there.read(&mut [0; 8]).await });
                    turns(1).await;
                    drop(here);
                    assert_eq!(waits.await.unwrap().unwrap(), 0);
                }
                _ => {
                    let waits = spawn(async move { there.read(&mut [0; 8]).await });
                    turns(1).await;
                    waits.abort();
                    assert!(waits.await.unwrap_err().is_cancelled());
                    assert_eq!(here.read(&mut [0; 8]).await.unwrap(), 0);
                }
            }
        };
        runtime.block_on(async {
            let listener = TcpListener::bind(ANY_PORT).await.unwrap();
            let (descriptors_before, sources_before) = (descriptors(), runtime.metrics().sources);
            for n in 0..2000 {
                cycle(&listener, n).await;
            }
            assert_eq!(runtime.metrics().sources, sources_before);
            assert_eq!(runtime.metrics().tasks, 0);
            assert_eq!(descriptors(), descriptors_before);
        });
    });
}

#[test]
fn a_runtime_gives_back_every_descriptor_when_it_is_dropped() {
    alone(|| {
        let before = descriptors();
        for _ in 0..50 {
            let runtime = unobserved();
            runtime.block_on(async {
                for _ in 0..5 {
                    let (here, there) = pair().await;
                    drop(spawn(async move { here.read(&mut [0]).await.map(|_| drop(there)) }));
                }
                let listener = TcpListener::bind(ANY_PORT).await.unwrap();
                drop(spawn(async move { listener.accept().await.map(drop) }));
                turns(1).await;
            });
            drop(runtime);
            assert_eq!(descriptors(), before);
        }
    });
}

#[test]
fn a_socket_that_outlives_its_runtime_is_closed_by_its_drop() {
    alone(|| {
        let before = descriptors();
        for elsewhere in [false, true] {
            let runtime = runtime();
            let (here, mut there) = runtime.block_on(async { half() });
            drop(runtime);
            there.write_all(b"nobody reads this").unwrap();
            if elsewhere {
                thread::spawn(move || drop(here)).join().unwrap();
            } else {
                drop(here);
            }
            assert!(there.read(&mut [0]).is_err(), "closed with bytes unread, so it is a reset");
            drop(there);
            assert_eq!(descriptors(), before);
        }
        // While another runtime is running here, which knows nothing of it.
        let first = runtime();
        let (here, there) = first.block_on(async { half() });
        drop(first);
        runtime().block_on(async {
            let _own = half();
            drop(here);
            turns(2).await;
        });
        drop(there);
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn a_socket_dropped_on_another_thread_is_closed_while_its_loop_sleeps() {
    alone(|| {
        let runtime = runtime();
        let before = descriptors();
        runtime.block_on(async {
            let (waits, _other) = half();
            let mut waits = pin!(async { waits.read(&mut [0]).await });
            assert!(poll_once(waits.as_mut()).await.is_pending());
            for _ in 0..100 {
                let (here, mut there) = half();
                // The thread ends only when the sleeping loop was told to close our end, and has.
                let read = on_a_thread(move || {
                    drop(here);
                    there.read(&mut [0]).unwrap()
                });
                assert_eq!(read.await, 0);
            }
            assert!(poll_once(waits.as_mut()).await.is_pending());
        });
        assert_eq!(runtime.metrics().sources, 0);
        assert_eq!(descriptors(), before);
    });
}

/// Writes down which source was reported ready how often, and which slot the last one was given.
#[derive(Clone, Default)]
struct Reports {
    by_source: Rc<RefCell<HashMap<u64, u32>>>,
    last_opened: Rc<Cell<(u64, u32)>>,
}

impl Observer for Reports {
    fn on_event(&self, _: Duration, event: &Event<'_>) {
        match event {
            Event::SourceReady { source, .. } => {
                *self.by_source.borrow_mut().entry(source.as_u64()).or_default() += 1;
            }
            Event::SourceOpened { source, .. } => self.last_opened.set((source.as_u64(), source.slot())),
            _ => {}
        }
    }
}

impl Reports {
    fn of(&self, source: u64) -> u32 {
        self.by_source.borrow().get(&source).copied().unwrap_or(0)
    }
}

#[test]
fn a_slot_that_is_used_again_gets_no_event_of_its_old_tenant() {
    watch(|| {
        let reports = Reports::default();
        let runtime = builder().observer(reports.clone()).build().unwrap();
        let mut pairs: Vec<_> = (0..2).map(|_| std_pair()).collect();
        runtime.block_on(async {
            for _ in 0..1000 {
                let (next, mut to_next) = pairs.remove(0);
                let (old, mut to_old) = pairs.remove(0);
                let old = TcpStream::from_std(old).unwrap();
                let (_, slot) = reports.last_opened.get();
                settle(&old).await;
                // The event is on its way when the slot changes hands.
                to_old.write_all(b"for the old one").unwrap();
                let old = old.into_std();
                let next = TcpStream::from_std(next).unwrap();
                let (tenant, its_slot) = reports.last_opened.get();
                assert_eq!(its_slot, slot);
                assert_eq!(next.try_read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
                turns(1).await;
                let (count, waker) = Count::new();
                let before = reports.of(tenant);
                let mut buffer = [0; 16];
                let mut read = Box::pin(next.read(&mut buffer));
                assert!(poll_with(read.as_mut(), &waker).is_pending());
                to_old.write_all(b"more").unwrap();
                turns(2).await;
                assert_eq!((count.get(), reports.of(tenant)), (0, before));
                to_next.write_all(b"mine").unwrap();
                assert_eq!(soon(read).await.unwrap(), 4);
                old.set_nonblocking(false).unwrap();
                (&old).read_exact(&mut [0; 19]).unwrap();
                let next = next.into_std();
                pairs.extend([(old, to_old), (next, to_next)]);
            }
        });
    });
}

#[test]
fn a_closed_socket_is_reported_no_more_though_its_descriptor_lives_on() {
    watch(|| {
        let reports = Reports::default();
        let runtime = builder().observer(reports.clone()).build().unwrap();
        runtime.block_on(async {
            for round in 0..20 {
                let (here, mut there) = std_pair();
                let duplicate = here.try_clone().unwrap();
                let here = TcpStream::from_std(here).unwrap();
                let (closed, _) = reports.last_opened.get();
                settle(&here).await;
                if round % 2 == 0 {
                    drop(here);
                } else {
                    thread::spawn(move || drop(here)).join().unwrap();
                    turns(2).await;
                }
                let (tenant, mut to_tenant) = half();
                settle(&tenant).await;
                let (before, parks) = (reports.of(closed), Handle::current().metrics().parks);
                let writer = on_a_thread(move || {
                    for _ in 0..50 {
                        there.write_all(b"to the duplicate").unwrap();
                        thread::sleep(Duration::from_micros(100));
                    }
                    there
                });
                let mut there = writer.await;
                let parks = Handle::current().metrics().parks - parks;
                assert_eq!(reports.of(closed), before, "it is reported as a source that is no more");
                assert!(parks < 10, "the loop was woken {parks} times for a socket that is closed");
                assert_eq!(tenant.try_read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
                to_tenant.write_all(b"x").unwrap();
                assert_eq!(soon(tenant.read(&mut [0; 8])).await.unwrap(), 1);
                // The duplicate is a socket like any other.
                let duplicate = TcpStream::from_std(duplicate).unwrap();
                soon((&mut &duplicate).read_exact(&mut [0; 800])).await.unwrap();
                duplicate.write_all(b"y").await.unwrap();
                there.read_exact(&mut [0]).unwrap();
            }
        });
    });
}

#[test]
fn two_duplicates_of_a_socket_are_two_sources() {
    on_a_loop(async {
        let (here, mut there) = std_pair();
        let one = TcpStream::from_std(here.try_clone().unwrap()).unwrap();
        let two = TcpStream::from_std(here).unwrap();
        for stream in [&one, &two] {
            settle(stream).await;
        }
        let readers = [one, two].map(|stream| {
            spawn(async move {
                assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 1);
                stream
            })
        });
        turns(2).await;
        there.write_all(b"ab").unwrap();
        let [one, two] = readers;
        drop(soon(one).await.unwrap());
        let two = soon(two).await.unwrap();
        let mut buffer = [0; 1];
        let mut read = pin!(two.read(&mut buffer));
        assert!(poll_once(read.as_mut()).await.is_pending());
        there.write_all(b"c").unwrap();
        assert_eq!(soon(read).await.unwrap(), 1);
    });
}

#[test]
fn a_socket_may_move_from_one_runtime_to_the_next() {
    watch(|| {
        let (mut here, mut there) = std_pair();
        for n in 0..50 {
            let runtime = runtime();
            here = runtime.block_on(async {
                let stream = TcpStream::from_std(here).unwrap();
                there.write_all(&[n]).unwrap();
                let mut buffer = [0; 8];
                assert_eq!(soon(stream.read(&mut buffer)).await.unwrap(), 1);
                assert_eq!(buffer[0], n);
                stream.into_std()
            });
        }
    });
}

#[test]
fn a_socket_polled_on_a_loop_that_is_not_its_own_says_so() {
    watch(|| {
        let own = runtime();
        let (here, _there) = own.block_on(async { half() });
        let said = panic_of(|| runtime().block_on(here.read(&mut [0])));
        assert!(said.contains("inside another runtime") && said.contains("use it on that runtime"), "{said}");
        let said = panic_of(|| here.try_read(&mut [0]));
        assert!(said.contains("where no runtime is running"), "{said}");
        // Its own loop was not hurt by that.
        let read = own.block_on(async { here.try_read(&mut [0]) });
        assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        drop(own);
        let said = panic_of(|| runtime().block_on(here.read(&mut [0])));
        assert!(said.contains("has been dropped"), "{said}");
    });
}

#[test]
fn what_is_no_socket_is_refused_and_closed() {
    alone(|| {
        let runtime = runtime();
        runtime.block_on(async {
            let before = descriptors();
            let program = std::env::current_exe().unwrap();
            for path in [program.as_path(), program.parent().unwrap(), "/dev/null".as_ref()] {
                let file = || OwnedFd::from(File::open(path).unwrap());
                TcpStream::from_std(file().into()).unwrap_err();
                TcpListener::from_std(file().into()).unwrap_err();
            }
            let unconnected = std::net::UdpSocket::bind(ANY_PORT).unwrap();
            TcpStream::from_std(OwnedFd::from(unconnected).into()).unwrap_err();
            turns(1).await;
            assert_eq!(Handle::current().metrics().sources, 0);
            assert_eq!(descriptors(), before);
            let (here, mut there) = half();
            there.write_all(b"x").unwrap();
            assert_eq!(soon(here.read(&mut [0; 8])).await.unwrap(), 1);
        });
    });
}

#[test]
#[cfg_attr(mio_unsupported_force_poll_poll, ignore = "poll(2) knows the descriptor and not what is behind it")]
fn a_descriptor_that_was_replaced_behind_our_back_does_not_stop_the_loop() {
    alone(|| {
        let reports = Reports::default();
        let runtime = builder().observer(reports.clone()).build().unwrap();
        runtime.block_on(async {
            let before = descriptors();
            for lives_on in [false, true, false, true] {
                let (here, mut there) = std_pair();
                let duplicate = lives_on.then(|| here.try_clone().unwrap());
                let here = TcpStream::from_std(here).unwrap();
                let (_, slot) = reports.last_opened.get();
                settle(&here).await;
                let null = File::open("/dev/null").unwrap();
                // The kernel closes the socket, unless it has a duplicate. Then it goes on reporting it,
                // as nobody can deregister it any more.
                nix::unistd::dup2(null.as_raw_fd(), here.as_raw_fd()).unwrap();
                turns(1).await;
                drop((here, null));
                let (tenant, mut to_tenant) = half();
                let (its_number, its_slot) = reports.last_opened.get();
                assert_eq!(its_slot, slot);
                settle(&tenant).await;
                let before = reports.of(its_number);
                let _may_be_closed = there.write_all(b"x");
                turns(2).await;
                assert_eq!(reports.of(its_number), before, "an event of the old tenant reached the new one");
                to_tenant.write_all(b"x").unwrap();
                assert_eq!(soon(tenant.read(&mut [0; 8])).await.unwrap(), 1);
                drop(duplicate);
            }
            turns(1).await;
            assert_eq!(Handle::current().metrics().sources, 0);
            assert_eq!(descriptors(), before);
            let (here, mut there) = half();
            there.write_all(b"x").unwrap();
            assert_eq!(soon(here.read(&mut [0; 8])).await.unwrap(), 1);
        });
    });
}

/// Tells another thread when the loop parks with nothing to wait for but sockets and the inbox.
struct TellsOfParks(std::sync::mpsc::Sender<()>);

impl Observer for TellsOfParks {
    fn on_event(&self, _: Duration, event: &Event<'_>) {
        if let Event::ParkStart { timeout } = event {
            if timeout.is_none_or(|timeout| timeout > Duration::from_secs(60)) {
                let _ = self.0.send(());
            }
        }
    }
}

#[test]
fn an_idle_loop_does_not_wake_up() {
    // The end of somebody else's child would be a signal here, and end the park.
    alone(|| {
        let (tell, parks) = channel();
        let runtime = builder().observer(TellsOfParks(tell)).build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let listener = TcpListener::bind(ANY_PORT).await.unwrap();
            drop(spawn(async move { listener.accept().await.map(drop) }));
            let mut ends = Vec::new();
            for _ in 0..10 {
                let (here, there) = half();
                ends.push(there);
                drop(spawn(async move { here.read(&mut [0]).await }));
            }
            drop(spawn(sleep(Duration::from_secs(3600))));
            turns(2).await;
            while parks.try_recv().is_ok() {}
            let slept = on_a_thread(move || {
                parks.recv().unwrap();
                let before = handle.metrics();
                thread::sleep(Duration::from_secs(2));
                let after = handle.metrics();
                (after.parks - before.parks, after.turns - before.turns, after.polls - before.polls)
            });
            assert_eq!(slept.await, (0, 0, 0));
        });
    });
}

#[test]
fn the_virtual_clock_waits_for_real_while_a_socket_is_awaited() {
    watch(|| {
        let runtime = Runtime::builder().virtual_clock().build().unwrap();
        runtime.block_on(async {
            let (here, mut there) = half();
            settle(&here).await;
            let really = Instant::now();
            let virtually = time::Instant::now();
            // Registered, but awaited by nobody.
            sleep(Duration::from_secs(3600)).await;
            assert!(really.elapsed() < Duration::from_secs(5));
            assert_eq!(virtually.elapsed(), Duration::from_secs(3600));
            let (really, virtually) = (Instant::now(), time::Instant::now());
            let mut buffer = [0; 8];
            let mut read: Pin<Box<dyn Future<Output = _>>> = Box::pin(here.read(&mut buffer));
            assert!(poll_once(read.as_mut()).await.is_pending());
            sleep(Duration::from_millis(60)).await;
            assert!(really.elapsed() >= Duration::from_millis(59), "{:?}", really.elapsed());
            assert!(virtually.elapsed() >= Duration::from_millis(60));
            // A client that comes meanwhile is served at once, and not at the deadline.
            let writer = thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                there.write_all(b"x").unwrap();
                there
            });
            let before = time::Instant::now();
            let read = time::timeout(Duration::from_secs(10), read).await;
            assert_eq!(read.expect("it came in time").unwrap(), 1);
            assert!(before.elapsed() < Duration::from_secs(9), "{:?}", before.elapsed());
            let _there = writer.join().unwrap();
            let really = Instant::now();
            sleep(Duration::from_secs(86400)).await;
            assert!(really.elapsed() < Duration::from_secs(5), "nobody waits for the socket any more");
        });
    });
}
