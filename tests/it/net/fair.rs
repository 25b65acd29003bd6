//! Fairness: one greedy task, one chatty socket or one long queue keeps nobody else from running.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use oneloop::event::{Event, Observer};
use oneloop::net::TcpListener;
use oneloop::task::yield_now;
use oneloop::time::sleep;
use oneloop::{Handle, JoinHandle, spawn};

use crate::kit::sockets::{arrived, half, on_a_loop, poll_once, settle, soon, turns};
use crate::kit::support::alone;
use crate::kit::watch::{builder, unobserved, watch};

/// How many operations a task may do in one poll, at the most.
const OPERATIONS_PER_POLL: u32 = 128;

/// A task that is always ready, and counts its polls.
fn spinner() -> (Rc<Cell<u32>>, JoinHandle<()>) {
    let polls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&polls);
    let spin = poll_fn(move |cx| {
        counted.set(counted.get() + 1);
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    (polls, spawn(spin))
}

#[test]
fn a_task_that_never_rests_delays_others_by_two_turns_at_most() {
    for polls_per_turn in [1, 2, 64, 500] {
        watch(|| {
            let runtime = builder().polls_per_turn(polls_per_turn).build().unwrap();
            let bound = 3 * u32::try_from(polls_per_turn).unwrap() + 3;
            runtime.block_on(async {
                let (here, mut there) = half();
                settle(&here).await;
                let here = Rc::new(here);
                let (spins, spinner) = spinner();
                for _ in 0..20 {
                    let before = spins.get();
                    yield_now().await;
                    assert!(spins.get() - before <= 1, "a sibling waited for {} polls", spins.get() - before);
                    let before = spins.get();
                    turns(1).await;
                    assert!(spins.get() - before <= bound, "a timer waited for {} polls", spins.get() - before);
                    let reader = spawn({
                        let (spins, here) = (Rc::clone(&spins), Rc::clone(&here));
                        async move {
                            here.read(&mut [0; 8]).await.unwrap();
                            spins.get()
                        }
                    });
                    turns(2).await;
                    there.write_all(b"x").unwrap();
                    arrived(&here);
                    let before = spins.get();
                    let served = soon(reader).await.unwrap();
                    assert!(served - before <= bound, "a socket waited for {} polls", served - before);
                }
                spinner.abort();
            });
        });
    }
}

/// Runs a greedy task beside one that yields all the time. Returns the most operations that the greedy
/// one did between two polls of the other; it is to count them in the cell that it is given.
async fn most_at_once<F: Future<Output = ()> + 'static>(greedy: impl FnOnce(Rc<Cell<u32>>) -> F) -> u32 {
    let done = Rc::new(Cell::new(0));
    let greedy = spawn(greedy(Rc::clone(&done)));
    let mut most = 0;
    while !greedy.is_finished() {
        let before = done.get();
        yield_now().await;
        most = most.max(done.get() - before);
    }
    greedy.await.unwrap();
    assert!(done.get() > 3 * OPERATIONS_PER_POLL, "it was not greedy at all: {} operations", done.get());
    most
}

#[test]
fn a_socket_that_always_has_data_or_room_leaves_its_siblings_their_turn() {
    on_a_loop(async {
        let (here, mut there) = half();
        settle(&here).await;
        there.write_all(&[0; 3000]).unwrap();
        let here = Rc::new(here);
        let stream = Rc::clone(&here);
        let reads = most_at_once(move |done| async move {
            for n in 1..=3000 {
                assert_eq!(stream.read(&mut [0]).await.unwrap(), 1);
                done.set(n);
            }
        });
        assert!(reads.await <= OPERATIONS_PER_POLL);
        let stream = Rc::clone(&here);
        let writes = most_at_once(move |done| async move {
            for n in 1..=3000 {
                assert_eq!(stream.write(b"x").await.unwrap(), 1);
                done.set(n);
            }
        });
        assert!(writes.await <= OPERATIONS_PER_POLL);
        there.read_exact(&mut [0; 3000]).unwrap();
        let stream = Rc::clone(&here);
        let waits = most_at_once(move |done| async move {
            for n in 1..=3000 {
                stream.writable().await.unwrap();
                done.set(n);
            }
        });
        assert!(waits.await <= OPERATIONS_PER_POLL);
    });
}

#[test]
fn a_long_backlog_leaves_the_siblings_their_turn() {
    on_a_loop(async {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(1024).unwrap();
        let listener = TcpListener::from_std(socket.into()).unwrap();
        let addr = listener.local_addr().unwrap();
        let clients: Vec<_> = (0..400).map(|_| std::net::TcpStream::connect(addr).unwrap()).collect();
        let accepts = most_at_once(move |done| async move {
            for n in 1..=400 {
                drop(listener.accept().await.unwrap());
                done.set(n);
            }
        });
        assert!(soon(accepts).await <= OPERATIONS_PER_POLL);
        drop(clients);
    });
}

#[test]
fn more_ready_sockets_than_one_batch_holds_are_all_served_at_once() {
    alone(|| {
        let wanted = 3000;
        let (_, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
        nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, hard, hard).unwrap();
        let count = wanted.min(usize::try_from(hard).unwrap_or(usize::MAX).saturating_sub(100) / 2);
        assert!(count > 1100, "a limit of {hard} open files is too low for more sockets than one batch of events");
        let runtime = oneloop::Runtime::builder().polls_per_turn(4 * wanted).build().unwrap();
        runtime.block_on(async {
            let served = Rc::new(Cell::new(0));
            let (mut peers, mut ends) = (Vec::new(), Vec::new());
            for _ in 0..count {
                let (here, there) = half();
                let here = Rc::new(here);
                peers.push(there);
                ends.push(Rc::clone(&here));
                let served = Rc::clone(&served);
                drop(spawn(async move {
                    assert_eq!(here.read(&mut [0; 64]).await.unwrap(), 1);
                    served.set(served.get() + 1);
                    here.read(&mut [0; 64]).await.unwrap();
                }));
            }
            turns(5).await;
            for peer in &mut peers {
                peer.write_all(b"x").unwrap();
            }
            ends.iter().for_each(|here| arrived(here));
            let before = Handle::current().metrics().turns;
            while served.get() < count {
                yield_now().await;
            }
            let turns = Handle::current().metrics().turns - before;
            assert!(turns <= 2 + count.div_ceil(1024) as u64, "{count} sockets took {turns} turns");
        });
    });
}

#[test]
fn thousands_of_ready_tasks_do_not_keep_the_kernel_from_being_heard() {
    watch(|| {
        let runtime = unobserved();
        runtime.block_on(async {
            let (here, mut there) = half();
            settle(&here).await;
            let spinners: Vec<_> = (0..2000).map(|_| spinner()).collect();
            let (go, may_go) = std::sync::mpsc::channel();
            let echo = std::thread::spawn(move || {
                for () in may_go {
                    there.write_all(b"x").unwrap();
                    there.read_exact(&mut [0]).unwrap();
                }
            });
            let before = Handle::current().metrics().turns;
            for _ in 0..100 {
                let mut buffer = [0; 8];
                let mut read = pin!(here.read(&mut buffer));
                // Only the kernel can tell that there is something now.
                assert!(poll_once(read.as_mut()).await.is_pending());
                go.send(()).unwrap();
                assert_eq!(read.await.unwrap(), 1);
                here.write_all(b"y").await.unwrap();
            }
            drop(go);
            echo.join().unwrap();
            assert!(Handle::current().metrics().turns >= before + 100);
            for (_, spinner) in spinners {
                spinner.abort();
            }
        });
    });
}

/// How many polls the others had made when a timer fired last.
struct AtTheFiring {
    polls: Rc<Cell<u32>>,
    noted: Rc<Cell<u32>>,
}

impl Observer for AtTheFiring {
    fn on_event(&self, _: Duration, event: &Event<'_>) {
        if let Event::TimerFired { .. } = event {
            self.noted.set(self.polls.get());
        }
    }
}

#[test]
fn a_task_that_a_timer_woke_waits_behind_those_that_were_ready() {
    watch(|| {
        for ready in [10, 1000, 10_000] {
            let (polls, noted) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            let observer = AtTheFiring { polls: Rc::clone(&polls), noted: Rc::clone(&noted) };
            let runtime = oneloop::Runtime::builder().observer(observer).build().unwrap();
            runtime.block_on(async {
                let spinners: Vec<_> = (0..ready)
                    .map(|_| {
                        let polls = Rc::clone(&polls);
                        spawn(poll_fn(move |cx| {
                            polls.set(polls.get() + 1);
                            cx.waker().wake_by_ref();
                            Poll::<()>::Pending
                        }))
                    })
                    .collect();
                yield_now().await;
                for _ in 0..3 {
                    sleep(Duration::from_millis(1)).await;
                    assert_eq!(polls.get() - noted.get(), ready);
                }
                spinners.iter().for_each(JoinHandle::abort);
            });
        }
    });
}
