//! Operations dropped at every await point, and what that must not lose.
//!
//! `docs/cancel-safety.md` is the table; here its rows are held to it.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use oneloop::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixStream, duplex, happy_eyeballs, lookup_host};
use oneloop::process::Command;
use oneloop::signal::{SignalKind, signal};
use oneloop::task::{JoinHandle, cancel_at_every_await, scope, spawn_blocking, yield_now};
use oneloop::time::{Instant, interval, sleep, timeout};
use oneloop::{Handle, spawn};

use crate::kit::sockets::{ANY_PORT, pair};
use crate::kit::support::{Count, alone, rounds};
use crate::kit::watch::{in_order, runtime, watch};

/// Drops an operation everywhere, on a watched runtime. It must have waited: else nothing is shown.
#[track_caller]
fn dropped_everywhere<W, T>(
    setup: impl AsyncFnMut() -> W,
    operation: impl AsyncFnMut(&mut W) -> T,
    check: impl AsyncFnMut(W, Option<T>),
) {
    let places = watch(|| runtime().block_on(cancel_at_every_await(setup, operation, check)));
    assert!(places >= 3, "it was dropped in {places} places only");
}

/// Reads until this much has come.
async fn read_exactly(stream: &TcpStream, much: usize) -> Vec<u8> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    while bytes.len() < much {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the stream ended after {bytes:?}");
        bytes.extend_from_slice(&buffer[..read]);
    }
    bytes
}

#[test]
fn the_helper_drops_before_and_after_each_poll_and_after_each_wake() {
    watch(|| {
        let places = RefCell::new(Vec::new());
        let program = cancel_at_every_await(
            async || Rc::new(Cell::new(0)),
            async |step: &mut Rc<Cell<u32>>| {
                step.set(1);
                yield_now().await;
                step.set(2);
                yield_now().await;
                step.set(3);
            },
            async |step, output| places.borrow_mut().push((step.get(), output.is_some())),
        );
        assert_eq!(in_order().block_on(program), 5);
        let (none, done) = (false, true);
        assert_eq!(places.take(), [(0, none), (1, none), (1, none), (2, none), (2, none), (3, done)]);
    });
}

#[test]
fn the_helper_finds_a_message_that_is_lost_between_two_awaits() {
    let found = crate::kit::support::panic_of(|| {
        dropped_everywhere(
            async || Rc::new(RefCell::new(vec!["message"])),
            async |queue: &mut Rc<RefCell<Vec<_>>>| {
                let taken = queue.borrow_mut().pop();
                yield_now().await;
                taken
            },
            async |queue, taken: Option<Option<&str>>| assert!(taken.is_some() || !queue.borrow().is_empty(), "lost"),
        );
    });
    assert_eq!(found, "lost");
}

#[test]
fn a_read_loses_no_byte() {
    dropped_everywhere(
        async || {
            let (here, there) = pair().await;
            let writer = spawn(async move {
                sleep(Duration::from_millis(1)).await;
                there.write_all(b"word").await.unwrap();
                there
            });
            (here, writer, [0; 16])
        },
        async |(here, _, buffer)| here.read(buffer).await.unwrap(),
        async |(here, _writer, buffer), read| {
            let mut bytes = buffer[..read.unwrap_or(0)].to_vec();
            bytes.extend(read_exactly(&here, 4 - bytes.len()).await);
            assert_eq!(bytes, b"word");
        },
    );
}

#[test]
fn a_timeout_around_a_read_loses_no_byte() {
    dropped_everywhere(
        async || {
            let (here, there) = duplex(16);
            let writer = spawn(async move {
                sleep(Duration::from_millis(1)).await;
                there.write_all(b"word").await.unwrap();
            });
            (here, writer, [0; 16])
        },
        async |(here, _, buffer)| timeout(Duration::from_secs(10), here.read(buffer)).await.unwrap().unwrap(),
        async |(here, _writer, mut buffer), read| {
            if read.is_none() {
                assert_eq!(here.read(&mut buffer).await.unwrap(), 4);
            }
            assert_eq!(&buffer[..4], b"word");
        },
    );
}

#[test]
fn readable_and_writable_lose_nothing() {
    dropped_everywhere(
        async || {
            let (here, there) = UnixStream::pair().unwrap();
            // A new socket counts as readable until somebody has tried.
            here.try_read(&mut [0]).expect_err("nothing has been sent yet");
            let writer = spawn(async move {
                sleep(Duration::from_millis(1)).await;
                there.write_all(b"x").await.unwrap();
                there
            });
            (here, writer)
        },
        async |(here, _)| here.readable().await.unwrap(),
        async |(here, _writer), _| {
            here.writable().await.unwrap();
            assert_eq!(here.read(&mut [0; 4]).await.unwrap(), 1);
        },
    );
}

/// A connection with no room left to write, and a task that makes some. It counts what arrives.
async fn full() -> (TcpStream, JoinHandle<(usize, u8)>) {
    let (here, there) = pair().await;
    while here.try_write(&[0; 64 * 1024]).is_ok() {}
    let reader = spawn(async move {
        sleep(Duration::from_millis(1)).await;
        let (mut total, mut last, mut buffer) = (0, 0, vec![0; 256 * 1024]);
        loop {
            match there.read(&mut buffer).await.unwrap() {
                0 => return (total, last),
                read => (total, last) = (total + read, buffer[read - 1]),
            }
        }
    });
    (here, reader)
}

#[test]
fn a_write_that_is_dropped_has_written_nothing() {
    dropped_everywhere(
        full,
        async |(here, _)| here.write(&[1]).await.unwrap(),
        async |(here, reader), written| {
            drop(here);
            let (_, last) = reader.await.unwrap();
            assert_eq!(last, u8::from(written.is_some()));
        },
    );
}

#[test]
fn a_write_all_that_is_dropped_may_have_written_any_part() {
    let parts = Rc::new(RefCell::new(Vec::new()));
    dropped_everywhere(
        async || {
            let (here, there) = duplex(2);
            let reader = spawn(async move {
                let (mut bytes, mut buffer) = (Vec::new(), [0; 2]);
                while let Ok(read @ 1..) = there.read(&mut buffer).await {
                    bytes.extend_from_slice(&buffer[..read]);
                    yield_now().await;
                }
                bytes
            });
            (here, reader)
        },
        async |(here, _)| here.write_all(b"abcdef").await.unwrap(),
        async |(here, reader), written| {
            drop(here);
            let arrived = reader.await.unwrap();
            assert!(b"abcdef".starts_with(&arrived));
            assert!(written.is_none() || arrived == b"abcdef");
            parts.borrow_mut().push(arrived.len());
        },
    );
    parts.borrow_mut().dedup();
    assert_eq!(parts.take(), [0, 2, 4, 6]);
}

#[test]
fn an_accept_loses_no_connection() {
    dropped_everywhere(
        async || {
            let listener = TcpListener::bind(ANY_PORT).await.unwrap();
            let addr = listener.local_addr().unwrap();
            let client = spawn(async move {
                sleep(Duration::from_millis(1)).await;
                TcpStream::connect(addr).await.unwrap()
            });
            (listener, client)
        },
        async |(listener, _)| listener.accept().await.unwrap(),
        async |(listener, client), accepted| {
            let (_, from) = match accepted {
                Some(accepted) => accepted,
                None => listener.accept().await.unwrap(),
            };
            assert_eq!(from, client.await.unwrap().local_addr().unwrap());
        },
    );
}

#[test]
fn connecting_and_happy_eyeballs_leave_no_socket_behind() {
    let sources = || Handle::current().metrics().sources;
    for happy in [false, true] {
        dropped_everywhere(
            async || {
                let listener = std::net::TcpListener::bind(ANY_PORT).unwrap();
                sleep(Duration::from_millis(1)).await;
                (listener, sources())
            },
            async |(listener, _)| {
                let addr = listener.local_addr().unwrap();
                // So that there is something to wait for even where loopback connects at once.
                yield_now().await;
                if happy { happy_eyeballs(addr).await } else { TcpStream::connect(addr).await }.unwrap()
            },
            async |(_listener, before), connected| {
                drop(connected);
                // The sizes are written down at the end of a turn.
                sleep(Duration::from_millis(1)).await;
                assert_eq!(sources(), before);
            },
        );
    }
}

#[test]
fn receiving_loses_no_datagram() {
    dropped_everywhere(
        async || {
            let here = UdpSocket::bind(ANY_PORT).await.unwrap();
            let there = UdpSocket::bind(ANY_PORT).await.unwrap();
            let to = here.local_addr().unwrap();
            let sender = spawn(async move {
                sleep(Duration::from_millis(1)).await;
                there.send_to(b"word", to).await.unwrap();
            });
            (here, sender, [0; 16])
        },
        async |(here, _, buffer)| here.recv_from(buffer).await.unwrap().0,
        async |(here, _sender, mut buffer), received| {
            if received.is_none() {
                assert_eq!(here.recv(&mut buffer).await.unwrap(), 4);
            }
            assert_eq!(&buffer[..4], b"word");
        },
    );
}

#[test]
fn a_send_that_is_dropped_has_sent_nothing() {
    dropped_everywhere(
        async || {
            let (here, there) = UnixDatagram::pair().unwrap();
            let mut sent = 0;
            while here.try_send(b"fills").is_ok() {
                sent += 1;
            }
            let receiver = spawn(async move {
                sleep(Duration::from_millis(1)).await;
                let (mut received, mut buffer) = (0, [0; 16]);
                loop {
                    match there.recv(&mut buffer).await.unwrap() {
                        3 => return received,
                        _ => received += 1,
                    }
                }
            });
            (here, sent, receiver)
        },
        async |(here, ..)| here.send(b"more").await.unwrap(),
        async |(here, sent, receiver), more| {
            here.send(b"end").await.unwrap();
            assert_eq!(receiver.await.unwrap(), sent + usize::from(more.is_some()));
        },
    );
}

#[test]
fn a_lent_join_handle_keeps_its_output_and_a_detached_task_goes_on() {
    dropped_everywhere(
        async || {
            spawn(async {
                sleep(Duration::from_millis(1)).await;
                7
            })
        },
        async |handle| handle.await.unwrap(),
        async |handle, joined| {
            let output = match joined {
                Some(joined) => joined,
                None => handle.await.unwrap(),
            };
            assert_eq!(output, 7);
        },
    );
    dropped_everywhere(
        async || {
            let ended = Count::default();
            let noted = ended.at_drop();
            let task = spawn(async move {
                let _noted = noted;
                sleep(Duration::from_millis(1)).await;
            });
            (Some(task), ended)
        },
        async |(task, _)| task.take().expect("it is joined once").await.unwrap(),
        async |(_, ended), _| {
            while ended.get() == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        },
    );
}

#[test]
fn a_blocking_job_that_is_lent_keeps_its_output() {
    dropped_everywhere(
        async || spawn_blocking(|| std::thread::sleep(Duration::from_millis(2))),
        async |job| job.await.unwrap(),
        async |job, joined| {
            if joined.is_none() {
                job.await.unwrap();
            }
        },
    );
}

#[test]
fn dropping_a_lookup_loses_its_answer_alone() {
    dropped_everywhere(
        async || {},
        async |()| lookup_host("localhost:80").await.unwrap().count(),
        async |(), _| assert!(lookup_host("localhost:80").await.unwrap().all(|addr| addr.ip().is_loopback())),
    );
}

#[test]
fn a_scope_that_is_dropped_has_dropped_its_children() {
    dropped_everywhere(
        async || (Count::default(), Count::default()),
        async |(started, ended)| {
            let (started, ended) = (&*started, &*ended);
            let child = |later| async move {
                started.add();
                let _noted = ended.at_drop();
                rounds(later).await;
            };
            scope(async |s| {
                s.spawn(child(1));
                s.spawn(child(2));
                yield_now().await;
                s.spawn(child(3));
            })
            .await
            .unwrap();
        },
        async |(started, ended), output| {
            assert_eq!(ended.get(), started.get());
            assert!(output.is_none() || ended.get() == 3);
        },
    );
}

#[test]
fn an_interval_loses_no_tick_and_a_lent_sleep_no_time() {
    watch(|| {
        let second = Duration::from_secs(1);
        let ticking = cancel_at_every_await(
            async || {
                let mut ticks = interval(second);
                let first = ticks.tick().await;
                (ticks, first)
            },
            async |(ticks, _)| ticks.tick().await,
            async |(mut ticks, first), ticked| {
                let ticked = match ticked {
                    Some(ticked) => ticked,
                    None => ticks.tick().await,
                };
                assert_eq!(ticked.duration_since(first), second);
            },
        );
        assert_eq!(in_order().block_on(ticking), 3);
        let sleeping = cancel_at_every_await(
            async || (Instant::now(), sleep(second)),
            async |(_, sleep)| sleep.await,
            async |(start, sleep), _| {
                sleep.await;
                assert_eq!(start.elapsed(), second);
            },
        );
        assert_eq!(in_order().block_on(sleeping), 3);
    });
}

#[test]
fn a_child_process_that_was_waited_for_in_vain_is_waited_for_again() {
    dropped_everywhere(
        async || Command::new("sh").args(["-c", "sleep 0.01; exit 3"]).stdin(Stdio::null()).spawn().unwrap(),
        async |child| child.wait().await.unwrap(),
        async |mut child, _| assert_eq!(child.wait().await.unwrap().code(), Some(3)),
    );
}

#[test]
fn reading_a_childs_output_loses_no_byte() {
    dropped_everywhere(
        async || {
            let mut child =
                Command::new("sh").args(["-c", "sleep 0.01; printf word"]).stdout(Stdio::piped()).spawn().unwrap();
            (child.stdout.take().unwrap(), child, [0; 16])
        },
        async |(out, _, buffer)| out.read(buffer).await.unwrap(),
        async |(out, mut child, mut buffer), read| {
            if read.is_none() {
                assert_eq!(out.read(&mut buffer).await.unwrap(), 4);
            }
            assert_eq!(&buffer[..4], b"word");
            assert!(child.wait().await.unwrap().success());
        },
    );
}

#[test]
fn a_listener_loses_no_signal() {
    alone(|| {
        dropped_everywhere(
            async || {
                let signals = signal(SignalKind::user_defined1()).unwrap();
                let raiser = spawn(async {
                    sleep(Duration::from_millis(1)).await;
                    nix::sys::signal::raise(nix::sys::signal::Signal::SIGUSR1).unwrap();
                });
                (signals, raiser)
            },
            async |(signals, _)| signals.recv().await.unwrap(),
            async |(mut signals, raiser), received| {
                if received.is_none() {
                    signals.recv().await.unwrap();
                }
                raiser.await.unwrap();
            },
        );
    });
}

#[test]
fn whatever_a_timeout_drops_is_gone_when_it_is_over() {
    dropped_everywhere(
        async || (Count::default(), Count::default()),
        async |(started, dropped)| {
            let endless = async {
                started.add();
                let _noted = dropped.at_drop();
                pending::<()>().await;
            };
            assert!(timeout(Duration::from_millis(1), endless).await.is_err());
        },
        async |(started, dropped), output| {
            assert_eq!(dropped.get(), started.get());
            assert!(output.is_none() || dropped.get() == 1);
        },
    );
}
