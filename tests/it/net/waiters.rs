//! Waiters: several futures on one socket, and what becomes of them when some are dropped.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use futures_lite::future::or;
use futures_lite::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use oneloop::net::{TcpListener, TcpStream};
use oneloop::spawn;
use oneloop::task::JoinHandle;
use oneloop::time::{sleep, timeout};

use crate::kit::sockets::{
    ANY_PORT, Count, fill, half, on_a_loop, pair, poll_once, poll_with, reset, settle, soon, turns,
};
use crate::kit::watch::{runtime, watch};

/// One way to read a single byte of a shared stream.
type Reader = fn(Rc<TcpStream>) -> JoinHandle<std::io::Result<usize>>;

const BY_ITSELF: Reader = |stream| spawn(async move { stream.read(&mut [0]).await });
const BY_FUTURES_IO: Reader = |stream| spawn(async move { (&mut &*stream).read(&mut [0]).await });
const WHEN_READABLE: Reader = |stream| {
    spawn(async move {
        loop {
            stream.readable().await?;
            match stream.try_read(&mut [0]) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    })
};

#[test]
fn no_reader_of_a_shared_stream_is_forgotten() {
    for kinds in [&[BY_ITSELF][..], &[BY_FUTURES_IO], &[WHEN_READABLE], &[BY_ITSELF, BY_FUTURES_IO, WHEN_READABLE]] {
        on_a_loop(async {
            let (here, mut there) = half();
            let here = Rc::new(here);
            settle(&here).await;
            let read_by = |n: usize| kinds[n % kinds.len()](Rc::clone(&here));
            let mut readers: Vec<_> = (0..12).map(read_by).collect();
            sleep(Duration::from_millis(1)).await;
            // Byte by byte, and then the rest as one.
            for sent in 1..=6 {
                there.write_all(b"x").unwrap();
                let done = async {
                    while readers.iter().filter(|reader| reader.is_finished()).count() < sent {
                        turns(1).await;
                    }
                };
                soon(done).await;
            }
            there.write_all(b"yyyyyy").unwrap();
            for reader in readers.drain(..) {
                assert_eq!(soon(reader).await.unwrap().unwrap(), 1);
            }
            // The end is everybody's.
            let readers: Vec<_> = (0..12).map(read_by).collect();
            sleep(Duration::from_millis(1)).await;
            there.shutdown(Shutdown::Write).unwrap();
            for reader in readers {
                assert_eq!(soon(reader).await.unwrap().unwrap(), 0);
            }
        });
    }
}

#[test]
fn no_writer_of_a_shared_stream_is_forgotten() {
    on_a_loop(async {
        let (here, mut there) = half();
        let here = Rc::new(here);
        let filled = fill(&here).await;
        let writers: Vec<JoinHandle<std::io::Result<()>>> = (0..8)
            .map(|n| {
                let here = Rc::clone(&here);
                if n % 2 == 0 {
                    spawn(async move { here.write_all(&[9; 50_000]).await })
                } else {
                    spawn(async move { (&mut &*here).write_all(&[9; 50_000]).await })
                }
            })
            .collect();
        sleep(Duration::from_millis(1)).await;
        let reader = std::thread::spawn(move || there.read_exact(&mut vec![0; filled + 8 * 50_000]).unwrap());
        for writer in writers {
            soon(writer).await.unwrap().unwrap();
        }
        reader.join().unwrap();
    });
}

#[test]
fn readers_and_writers_of_one_stream_do_not_take_each_others_wakes() {
    on_a_loop(async {
        let (here, mut there) = half();
        let here = Rc::new(here);
        let filled = fill(&here).await;
        let readers: Vec<_> = [BY_ITSELF, BY_FUTURES_IO].into_iter().map(|read| read(Rc::clone(&here))).collect();
        let writer = spawn({
            let here = Rc::clone(&here);
            async move { here.write_all(&[1; 10]).await }
        });
        sleep(Duration::from_millis(1)).await;
        there.write_all(b"ab").unwrap();
        for reader in readers {
            assert_eq!(soon(reader).await.unwrap().unwrap(), 1);
        }
        assert!(!writer.is_finished());
        there.read_exact(&mut vec![0; filled]).unwrap();
        soon(writer).await.unwrap().unwrap();
    });
}

#[test]
fn a_reset_wakes_every_waiter_of_both_directions() {
    on_a_loop(async {
        let (here, there) = half();
        let here = Rc::new(here);
        fill(&here).await;
        let kinds = [BY_ITSELF, BY_FUTURES_IO, WHEN_READABLE];
        let readers: Vec<_> = kinds.into_iter().cycle().take(9).map(|read| read(Rc::clone(&here))).collect();
        let writers: Vec<_> =
            (0..9).map(|_| Rc::clone(&here)).map(|here| spawn(async move { here.write_all(&[0; 10]).await })).collect();
        sleep(Duration::from_millis(1)).await;
        reset(there);
        for reader in readers {
            assert!(!matches!(soon(reader).await.unwrap(), Ok(1..)));
        }
        for writer in writers {
            soon(writer).await.unwrap().unwrap_err();
        }
    });
}

#[test]
fn a_future_polled_with_changing_wakers_keeps_the_latest_only() {
    on_a_loop(async {
        let (mut here, mut there) = half();
        settle(&here).await;
        let mut buffer = [0; 8];
        let counts: Vec<_> = (0..5).map(|_| Count::new()).collect();
        let kept = |count: &Arc<Count>| Arc::strong_count(count) > 2;
        {
            let mut read: Pin<Box<dyn Future<Output = std::io::Result<usize>>>> = Box::pin(here.read(&mut buffer));
            for (_, waker) in &counts {
                assert!(poll_with(read.as_mut(), waker).is_pending());
            }
            assert_eq!(
                counts.iter().map(|(count, _)| kept(count)).collect::<Vec<_>>(),
                [false, false, false, false, true]
            );
            drop(read);
            assert!(!counts.iter().any(|(count, _)| kept(count)), "a dropped future takes its waker along");
        }
        // The same through the ecosystem's trait, where the owner of a stream is one reader.
        for (_, waker) in &counts {
            let mut read = pin!(poll_fn(|cx| Pin::new(&mut here).poll_read(cx, &mut buffer)));
            assert!(poll_with(read.as_mut(), waker).is_pending());
        }
        assert_eq!(counts.iter().map(|(count, _)| kept(count)).collect::<Vec<_>>(), [false, false, false, false, true]);
        there.write_all(b"x").unwrap();
        soon(here.readable()).await.unwrap();
        assert_eq!(counts.iter().map(|(count, _)| count.get()).collect::<Vec<_>>(), [0, 0, 0, 0, 1]);
        assert!(!counts.iter().any(|(count, _)| kept(count)), "a waker that was woken is not kept");
    });
}

#[test]
fn a_future_that_moves_to_another_task_is_woken_there() {
    on_a_loop(async {
        let (here, mut there) = half();
        let here = Rc::new(here);
        for _ in 0..20 {
            let reader = Rc::clone(&here);
            let mut read = Box::pin(async move { reader.read(&mut [0; 8]).await });
            assert!(poll_once(read.as_mut()).await.is_pending());
            let elsewhere = spawn(read);
            turns(2).await;
            there.write_all(b"x").unwrap();
            assert_eq!(soon(elsewhere).await.unwrap().unwrap(), 1);
        }
    });
}

#[test]
fn a_cancelled_reader_leaves_the_writer_be_and_loses_no_byte() {
    on_a_loop(async {
        let (here, mut there) = half();
        let here = Rc::new(here);
        let filled = fill(&here).await;
        let writer = spawn({
            let here = Rc::clone(&here);
            async move { here.write_all(&[1; 1000]).await }
        });
        for _ in 0..100 {
            let gave_up = or(async { here.read(&mut [0; 8]).await.is_err() }, async {
                turns(1).await;
                true
            });
            assert!(gave_up.await, "nothing was sent");
        }
        let mut buffer = [0; 8];
        let mut read = Box::pin(here.read(&mut buffer));
        let (count, waker) = Count::new();
        assert!(poll_with(read.as_mut(), &waker).is_pending());
        there.write_all(b"all of it").unwrap();
        soon(here.readable()).await.unwrap();
        assert_eq!(count.get(), 1);
        // It was woken and is dropped before it could look.
        drop(read);
        assert!(!writer.is_finished());
        there.read_exact(&mut vec![0; filled]).unwrap();
        soon(writer).await.unwrap().unwrap();
        let mut rest = [0; 9];
        soon((&mut &*here).read_exact(&mut rest)).await.unwrap();
        assert_eq!(&rest, b"all of it");
    });
}

#[test]
fn a_cancelled_waiter_takes_no_others_place() {
    on_a_loop(async {
        let (here, mut there) = half();
        let here = Rc::new(here);
        settle(&here).await;
        for cancelled in 0..4 {
            let mut readers: Vec<_> = (0..4).map(|_| BY_ITSELF(Rc::clone(&here))).collect();
            turns(1).await;
            let gone = readers.remove(cancelled);
            gone.abort();
            assert!(gone.await.unwrap_err().is_cancelled());
            there.write_all(b"abc").unwrap();
            for reader in readers {
                assert_eq!(soon(reader).await.unwrap().unwrap(), 1);
            }
        }
    });
}

#[test]
fn a_cancelled_writer_leaves_the_reader_be() {
    on_a_loop(async {
        let (here, mut there) = half();
        let here = Rc::new(here);
        let reader = BY_ITSELF(Rc::clone(&here));
        let filled = fill(&here).await;
        for _ in 0..100 {
            let mut write = pin!(here.write(b"never sent"));
            assert!(poll_once(write.as_mut()).await.is_pending());
            turns(1).await;
        }
        there.write_all(b"x").unwrap();
        assert_eq!(soon(reader).await.unwrap().unwrap(), 1);
        there.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut got = Vec::new();
        assert!(there.read_to_end(&mut got).is_err(), "the end has not come");
        assert_eq!(got.len(), filled, "a cancelled write has written nothing");
    });
}

thread_local! {
    /// The things a [`Dropper`] drops when it is woken, and what it does then.
    static VICTIM: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// A waker that does harm.
struct Dropper;

impl Wake for Dropper {
    fn wake(self: Arc<Self>) {
        if let Some(harm) = VICTIM.take() {
            harm();
        }
    }
}

#[test]
fn a_socket_dropped_in_its_own_batch_hurts_nobody() {
    on_a_loop(async {
        for round in 0..200 {
            let ((killer, mut to_killer), (victim, mut to_victim), (next, mut to_next)) =
                (half(), half(), crate::kit::sockets::std_pair());
            settle(&killer).await;
            settle(&victim).await;
            let (count, waker) = Count::new();
            let mut doomed: Pin<Box<dyn Future<Output = _>>> = Box::pin(async move { victim.read(&mut [0; 8]).await });
            assert!(poll_with(doomed.as_mut(), &waker).is_pending());
            let mut buffer = [0; 8];
            let mut read = pin!(killer.read(&mut buffer));
            assert!(poll_with(read.as_mut(), &Waker::from(Arc::new(Dropper))).is_pending());
            // In the wake of the one event, the other's socket is closed, and a new one takes its slot.
            let tenant = Rc::new(RefCell::new(None));
            let moved_in = Rc::clone(&tenant);
            VICTIM.set(Some(Box::new(move || {
                drop(doomed);
                *moved_in.borrow_mut() = Some(TcpStream::from_std(next).unwrap());
            })));
            let (first, second) =
                if round % 2 == 0 { (&mut to_killer, &mut to_victim) } else { (&mut to_victim, &mut to_killer) };
            first.write_all(b"event").unwrap();
            second.write_all(b"event").unwrap();
            while tenant.borrow().is_none() {
                turns(1).await;
            }
            assert!(count.get() <= 1);
            let tenant = tenant.take().unwrap();
            assert_eq!(tenant.try_read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
            let mut buffer = [0; 8];
            let mut tenants_read = pin!(tenant.read(&mut buffer));
            let (count, waker) = Count::new();
            assert!(poll_with(tenants_read.as_mut(), &waker).is_pending());
            turns(2).await;
            assert_eq!(count.get(), 0, "an event of the old tenant reached the new one");
            to_next.write_all(b"event").unwrap();
            assert_eq!(soon(tenants_read).await.unwrap(), 5);
        }
    });
}

#[test]
fn a_sleep_or_a_read_dropped_by_another_timers_wake_does_not_fire() {
    watch(|| {
        let runtime = runtime();
        runtime.block_on(async {
            for round in 0..100 {
                let (victim, mut to_victim) = half();
                settle(&victim).await;
                let (count, waker) = Count::new();
                let mut sleeps: Vec<_> = (0..3).map(|_| Box::pin(sleep(Duration::from_millis(2)))).collect();
                let mut doomed_sleep = sleeps.remove(round % 3);
                assert!(poll_with(doomed_sleep.as_mut(), &waker).is_pending());
                let mut doomed_read = Box::pin(async move { victim.read(&mut [0]).await });
                assert!(poll_with(doomed_read.as_mut(), &waker).is_pending());
                let mut killer = sleeps.remove(0);
                assert!(poll_with(killer.as_mut(), &Waker::from(Arc::new(Dropper))).is_pending());
                VICTIM.set(Some(Box::new(move || drop((doomed_sleep, doomed_read)))));
                soon(sleeps.remove(0)).await;
                soon(killer).await;
                let woken_before = count.get();
                // Whether it fired before it was dropped is a matter of order; afterwards it must not.
                let _gone = to_victim.write_all(b"x");
                sleep(Duration::from_millis(3)).await;
                assert!(woken_before <= 1 && count.get() == woken_before);
            }
        });
        let left = runtime.metrics();
        assert_eq!((left.timers, left.sources), (0, 0));
    });
}

#[test]
fn tasks_that_abort_each_other_in_one_batch_end_once_each() {
    on_a_loop(async {
        for _ in 0..100 {
            let (mut peers, mut tasks, ended) = (Vec::new(), Vec::new(), Rc::new(Cell::new(0)));
            let handles = Rc::new(RefCell::new(Vec::new()));
            for n in 0..4 {
                let (here, there) = half();
                settle(&here).await;
                let (ended, handles) = (Rc::clone(&ended), Rc::clone(&handles));
                let task: JoinHandle<()> = spawn(async move {
                    here.read(&mut [0; 8]).await.unwrap();
                    ended.set(ended.get() + 1);
                    let others: std::cell::Ref<'_, Vec<oneloop::task::AbortHandle>> = handles.borrow();
                    others.iter().enumerate().filter(|(other, _)| *other != n).for_each(|(_, other)| other.abort());
                });
                peers.push(there);
                tasks.push(task);
            }
            handles.borrow_mut().extend(tasks.iter().map(JoinHandle::abort_handle));
            turns(1).await;
            for peer in &mut peers {
                peer.write_all(b"all at once").unwrap();
            }
            let mut aborted = 0;
            for task in tasks {
                aborted += usize::from(soon(task).await.is_err_and(|error| error.is_cancelled()));
            }
            assert_eq!((ended.get(), aborted), (1, 3));
        }
    });
}

#[test]
fn leaked_futures_keep_nobody_from_anything() {
    watch(|| {
        let runtime = runtime();
        runtime.block_on(async {
            let (here, mut there) = half();
            let here = Rc::new(here);
            settle(&here).await;
            for _ in 0..10 {
                let leaked = Rc::clone(&here);
                let mut read = Box::pin(async move { leaked.read(&mut [0]).await.is_ok() });
                assert!(poll_once(read.as_mut()).await.is_pending());
                std::mem::forget(read);
                let mut nap = Box::pin(sleep(Duration::from_millis(1)));
                assert!(poll_once(nap.as_mut()).await.is_pending());
                std::mem::forget(nap);
            }
            let task = spawn(async {
                let mut nap = Box::pin(sleep(Duration::from_secs(3600)));
                assert!(poll_once(nap.as_mut()).await.is_pending());
                std::mem::forget(nap);
            });
            task.await.unwrap();
            sleep(Duration::from_millis(3)).await;
            there.write_all(b"x").unwrap();
            assert_eq!(soon(here.read(&mut [0; 8])).await.unwrap(), 1);
            let (one, two) = pair().await;
            one.write_all(b"and others are served").await.unwrap();
            assert_eq!(soon(two.read(&mut [0; 64])).await.unwrap(), 21);
        });
        assert_eq!(runtime.metrics().tasks, 0);
        assert_eq!(runtime.metrics().timers, 1, "what is leaked stays, and only that");
        drop(runtime);
    });
}

#[test]
fn no_acceptor_of_a_shared_listener_is_forgotten() {
    on_a_loop(async {
        let listener = Rc::new(TcpListener::bind(ANY_PORT).await.unwrap());
        let acceptors: Vec<_> = (0..8)
            .map(|_| Rc::clone(&listener))
            .map(|listener| spawn(async move { listener.accept().await.map(|(_, peer)| peer) }))
            .collect();
        turns(2).await;
        let mut clients = Vec::new();
        for batch in [1, 1, 2, 4] {
            for _ in 0..batch {
                clients.push(std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap());
            }
            let accepted = || acceptors.iter().filter(|acceptor| acceptor.is_finished()).count();
            let done = async {
                while accepted() < clients.len() {
                    turns(1).await;
                }
            };
            soon(done).await;
        }
        let mut peers = Vec::new();
        for acceptor in acceptors {
            peers.push(acceptor.await.unwrap().unwrap());
        }
        peers.sort_unstable();
        let mut addrs: Vec<_> = clients.iter().map(|client| client.local_addr().unwrap()).collect();
        addrs.sort_unstable();
        assert_eq!(peers, addrs);
    });
}

#[test]
fn a_wait_that_times_out_can_be_taken_up_again() {
    on_a_loop(async {
        let (here, mut there) = half();
        for _ in 0..20 {
            let gave_up = timeout(Duration::from_millis(1), here.read(&mut [0; 8])).await;
            assert!(gave_up.is_err(), "nothing was sent");
            let gave_up = timeout(Duration::from_millis(1), (&mut &here).read(&mut [0; 8])).await;
            assert!(gave_up.is_err(), "nothing was sent");
        }
        there.write_all(b"x").unwrap();
        assert_eq!(soon((&mut &here).read(&mut [0; 8])).await.unwrap(), 1);
        (&mut &here).write_all(b"x").await.unwrap();
        there.read_exact(&mut [0]).unwrap();
    });
}
