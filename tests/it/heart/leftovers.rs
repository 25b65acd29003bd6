//! Leftovers: what waits and is dropped leaves nothing, and a wake that rests somewhere is counted.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_lite::{AsyncRead, AsyncWrite};
use oneloop::event::{Event, Finding, Observer};
use oneloop::net::{UdpSocket, UnixStream, duplex};
use oneloop::task::{Builder, scope, yield_now};
use oneloop::time::{sleep, timeout};
use oneloop::{Runtime, spawn};

use crate::kit::sockets::pair;
use crate::kit::support::Count;
use crate::kit::watch::{builder, in_order, runtime, watch};

const MILLISECOND: Duration = Duration::from_millis(1);

/// The findings of a diagnosis, as the observers were told.
#[derive(Clone, Default)]
struct Found(Rc<RefCell<Vec<(Finding, String)>>>);

impl Observer for Found {
    fn on_event(&self, _: Duration, event: &Event<'_>) {
        if let Event::Finding { kind, text, .. } = *event {
            self.0.borrow_mut().push((kind, text.to_owned()));
        }
    }
}

impl Found {
    fn diagnosed(&self) -> Runtime {
        builder().diagnose(true).observer(self.clone()).build().expect("a runtime")
    }

    /// The texts of those of one kind.
    fn of(&self, kind: Finding) -> Vec<String> {
        self.0.borrow().iter().filter(|(found, _)| *found == kind).map(|(_, text)| text.clone()).collect()
    }
}

/// Polls a future once, with this waker.
pub(crate) fn poll_with<F: Future>(waker: &Waker, future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// Somebody else's wakers, each another one. How many of them are kept somewhere?
#[derive(Default)]
pub(crate) struct Strangers(Vec<Arc<Stranger>>);

#[derive(Default)]
struct Stranger(AtomicBool);

impl Wake for Stranger {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Strangers {
    pub(crate) fn next(&mut self) -> Waker {
        let stranger: Arc<Stranger> = Arc::default();
        self.0.push(Arc::clone(&stranger));
        Waker::from(stranger)
    }

    pub(crate) fn kept(&self) -> usize {
        self.0.iter().filter(|stranger| Arc::strong_count(stranger) > 1).count()
    }

    /// How many are kept nowhere, although they were never woken.
    fn forgotten(&self) -> usize {
        let is_forgotten =
            |stranger: &&Arc<Stranger>| Arc::strong_count(stranger) == 1 && !stranger.0.load(Ordering::Relaxed);
        self.0.iter().filter(is_forgotten).count()
    }
}

#[test]
fn a_scope_that_was_begun_and_set_aside_is_no_finding() {
    watch(|| {
        let found = Found::default();
        found.diagnosed().block_on(async {
            let mut aside = Box::pin(scope(async |s| {
                let child = s.spawn(async {
                    sleep(MILLISECOND).await;
                    7
                });
                child.await
            }));
            assert!(poll_fn(|cx| Poll::Ready(aside.as_mut().poll(cx))).await.is_pending());
            for _ in 0..3 {
                sleep(MILLISECOND * 3).await;
            }
            assert_eq!(found.of(Finding::NobodyCanWake), Vec::<String>::new());
            assert_eq!(aside.await.unwrap(), 7);
        });
    });
}

#[test]
fn a_child_without_a_waker_is_found_although_it_was_woken_before() {
    watch(|| {
        let found = Found::default();
        // By the virtual clock the loop rests, and the diagnosis looks, before the time is over.
        let runtime = builder().virtual_clock().diagnose(true).observer(found.clone()).build().expect("a runtime");
        runtime.block_on(async {
            let all = scope(async |s| {
                s.spawn(async {
                    sleep(MILLISECOND).await;
                    poll_fn(|_| Poll::<()>::Pending).await;
                });
            });
            assert!(timeout(MILLISECOND * 20, all).await.is_err());
            assert_eq!(found.of(Finding::NobodyCanWake).len(), 1, "{:?}", found.0);
        });
    });
}

#[test]
fn a_child_woken_a_thousand_times_while_set_aside_is_polled_once() {
    watch(|| {
        in_order().block_on(async {
            let (polls, waker) = (Count::default(), Cell::new(None));
            let mut aside = Box::pin(scope(async |s| {
                s.spawn(polls.polls(poll_fn(|cx| {
                    waker.set(Some(cx.waker().clone()));
                    if polls.get() < 3 { Poll::Pending } else { Poll::Ready(()) }
                })));
                s.spawn(async {});
            }));
            let mut poll_once = async || poll_fn(|cx| Poll::Ready(aside.as_mut().poll(cx))).await.is_pending();
            assert!(poll_once().await);
            yield_now().await;
            assert!(poll_once().await);
            let child = waker.take().expect("it was polled");
            for _ in 0..1_000 {
                child.wake_by_ref();
                yield_now().await;
            }
            assert_eq!(polls.get(), 1);
            assert!(poll_once().await);
            assert_eq!(polls.get(), 2);
            child.wake();
            aside.await.unwrap();
            assert_eq!(polls.get(), 3);
        });
    });
}

#[test]
fn a_scope_that_is_over_leaves_nothing_with_its_cancellers() {
    watch(|| {
        let runtime = in_order();
        runtime.block_on(async {
            let mut strangers = Strangers::default();
            let canceller = Cell::new(None);
            for is_dropped in [false, true] {
                let mut all = Box::pin(scope(async |s| {
                    canceller.set(Some(s.canceller()));
                    s.cancel_after(MILLISECOND * 1_000);
                    yield_now().await;
                }));
                assert!(poll_with(&strangers.next(), all.as_mut()).is_pending());
                assert_eq!((strangers.kept(), runtime.metrics().timers), (1, 1));
                if !is_dropped {
                    assert!(poll_with(&strangers.next(), all.as_mut()).is_ready());
                }
                drop(all);
                let canceller = canceller.take().expect("the body has run");
                assert_eq!((strangers.kept(), runtime.metrics().timers), (0, 0));
                canceller.cancel("too late");
            }
        });
    });
}

#[test]
fn a_scopes_handle_that_is_dropped_takes_its_waker_along() {
    watch(|| {
        in_order().block_on(async {
            let mut strangers = Strangers::default();
            let ended = scope(async |s| {
                let mut handle = s.spawn(pending::<()>());
                assert!(poll_with(&strangers.next(), Pin::new(&mut handle)).is_pending());
                assert!(poll_with(&strangers.next(), Pin::new(&mut handle)).is_pending());
                assert_eq!(strangers.kept(), 1, "the latest");
                drop(handle);
                assert_eq!(strangers.kept(), 0);
                s.cancel("all is seen");
            });
            assert!(ended.await.is_err());
        });
    });
}

#[test]
fn reads_and_writes_in_memory_that_are_given_up_leave_no_waker() {
    watch(|| {
        let mut strangers = Strangers::default();
        let (near, far) = duplex(1);
        assert!(poll_with(Waker::noop(), pin!(near.write(b"x"))).is_ready());
        for _ in 0..1_000 {
            assert!(poll_with(&strangers.next(), pin!(near.read(&mut [0]))).is_pending());
            assert!(poll_with(&strangers.next(), pin!(near.write(b"y"))).is_pending());
            assert!(poll_with(&strangers.next(), pin!(near.write_all(b"y"))).is_pending());
        }
        assert_eq!(strangers.kept(), 0);
        drop(far);
    });
}

#[test]
fn a_timed_out_read_in_memory_does_not_hide_a_task_nobody_can_wake() {
    watch(|| {
        let found = Found::default();
        found.diagnosed().block_on(async {
            let (near, far) = duplex(1);
            Builder::new().name("lost").spawn(async move {
                assert!(timeout(MILLISECOND, near.read(&mut [0])).await.is_err());
                poll_fn(|_| Poll::<()>::Pending).await;
                drop(near);
            });
            for _ in 0..3 {
                sleep(MILLISECOND * 3).await;
            }
            assert_eq!(found.of(Finding::NobodyCanWake).len(), 1, "{:?}", found.0);
            drop(far);
        });
    });
}

#[test]
fn a_shared_stream_polled_with_ever_new_wakers_keeps_few_of_them() {
    watch(|| {
        runtime().block_on(async {
            let (memory, _far) = duplex(1);
            let (tcp, _tcp) = pair().await;
            let (unix, _unix) = UnixStream::pair().unwrap();
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            // Each has its own: a waker that one of them wakes may be forgotten by another.
            let mut strangers: [Strangers; 4] = Default::default();
            for _ in 0..1_000 {
                let buffer = &mut [0];
                let wakers = strangers.each_mut().map(Strangers::next);
                let [mut a, mut b, mut c, mut d] = wakers.each_ref().map(Context::from_waker);
                assert!(Pin::new(&mut &memory).poll_read(&mut a, buffer).is_pending());
                assert!(Pin::new(&mut &tcp).poll_read(&mut b, buffer).is_pending());
                assert!(Pin::new(&mut &unix).poll_read(&mut c, buffer).is_pending());
                assert!(udp.poll_recv(&mut d, buffer).is_pending());
                yield_now().await;
            }
            for (socket, strangers) in ["memory", "tcp", "unix", "udp"].iter().zip(&strangers) {
                let kept = strangers.kept();
                assert!(kept <= 50, "{kept} of 1,000 wakers are kept by {socket}");
                assert_eq!(strangers.forgotten(), 0, "a task that has to go is woken by {socket}");
                assert!(kept >= 2, "more than one may wait for {socket}, but {kept} can be woken");
            }
        });
    });
}

#[test]
fn tasks_that_ended_before_their_shared_stream_had_news_are_not_kept() {
    watch(|| {
        let runtime = runtime();
        runtime.block_on(async {
            let (near, far) = duplex(1);
            let near = Rc::new(near);
            for _ in 0..1_000 {
                let near = Rc::clone(&near);
                let once = spawn(poll_fn(move |cx| {
                    assert!(Pin::new(&mut &*near).poll_read(cx, &mut [0]).is_pending());
                    Poll::Ready(())
                }));
                once.await.unwrap();
            }
            let before = runtime.metrics().wakes_stale;
            far.write_all(b"x").await.unwrap();
            let stale = runtime.metrics().wakes_stale - before;
            assert!(stale <= 64, "{stale} wakers of tasks that were over");
        });
    });
}

#[test]
fn hundreds_of_tasks_on_one_stream_all_hear_its_news_without_spinning() {
    watch(|| {
        runtime().block_on(async {
            let (near, far) = pair().await;
            let (near, polls) = (Rc::new(near), Count::default());
            let readers: Vec<_> = (0..300)
                .map(|_| {
                    let near = Rc::clone(&near);
                    let read = async move {
                        let mut byte = [0];
                        poll_fn(|cx| Pin::new(&mut &*near).poll_read(cx, &mut byte)).await.unwrap()
                    };
                    spawn(polls.polls(read))
                })
                .collect();
            sleep(MILLISECOND * 20).await;
            assert_eq!(polls.get(), 300, "each waits after one poll");
            far.write_all(&[1; 300]).await.unwrap();
            for reader in readers {
                assert_eq!(reader.await.unwrap(), 1);
            }
        });
    });
}

#[test]
fn an_owned_half_that_is_dropped_takes_its_waker_along() {
    watch(|| {
        runtime().block_on(async {
            let (near, _far) = pair().await;
            let mut strangers = Strangers::default();
            let (mut read, mut write) = near.into_split();
            let waker = strangers.next();
            let cx = &mut Context::from_waker(&waker);
            assert!(Pin::new(&mut read).poll_read(cx, &mut [0]).is_pending());
            drop((read, waker));
            assert_eq!(strangers.kept(), 0, "the one that reads");
            let bytes = vec![0; 1 << 20];
            let waker = strangers.next();
            let cx = &mut Context::from_waker(&waker);
            while Pin::new(&mut write).poll_write(cx, &bytes).is_ready() {}
            write.forget();
            drop(waker);
            assert_eq!(strangers.kept(), 0, "the one that writes");
        });
    });
}

#[test]
fn a_waker_of_another_runtime_is_booked_on_no_task_of_this_one() {
    watch(|| {
        let (other, kept) = (in_order(), Rc::new(Cell::new(None)));
        let keep = Rc::clone(&kept);
        other.block_on(async move {
            spawn(poll_fn(move |cx| {
                keep.set(Some(cx.waker().clone()));
                Poll::<()>::Pending
            }));
            yield_now().await;
        });
        let theirs = kept.take().expect("it was polled");
        let waits = Rc::new(RefCell::new(Vec::new()));
        let runtime = builder().virtual_clock().observer(Waits(Rc::clone(&waits))).build().expect("a runtime");
        runtime.block_on(async {
            let mut victim = Builder::new().name("victim").spawn(pending::<()>());
            yield_now().await;
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            waits.borrow_mut().clear();
            let (mut asleep, mut buffer) = (sleep(MILLISECOND), [0]);
            let mut received = Box::pin(udp.recv_from(&mut buffer));
            for _ in 0..2 {
                assert!(poll_with(&theirs, Pin::new(&mut asleep)).is_pending());
                assert!(poll_with(&theirs, received.as_mut()).is_pending());
                assert!(poll_with(&theirs, Pin::new(&mut victim)).is_pending());
            }
            let dump = oneloop::see::dump();
            assert!(dump.tasks.iter().all(|task| task.waits.is_empty()), "{dump}");
            drop((asleep, received, victim));
            assert_eq!(*waits.borrow(), Vec::<String>::new());
        });
    });
}

/// The waits that the observers are told of.
struct Waits(Rc<RefCell<Vec<String>>>);

impl Observer for Waits {
    fn on_event(&self, _: Duration, event: &Event<'_>) {
        if let Event::Wait { .. } | Event::WaitDropped { .. } = event {
            self.0.borrow_mut().push(format!("{event:?}"));
        }
    }
}
