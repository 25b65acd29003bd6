//! Two versions of the runtime in one program: as when two libraries of a program ask for one each.
//!
//! .ci/run builds it of the runtime's sources and of a copy that bears another version. So the two share no static,
//! no thread-local and no handler of a signal, and yet a thread, a process and each other's wakers.

use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::{set_hook, take_hook};
use std::process::Command;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

const NAP: Duration = Duration::from_millis(20);

/// A bit of everything, by one of the two.
macro_rules! work {
    ($one:ident) => {
        async {
            use $one::{net, process, signal, spawn, task, time};
            let listener = net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let server = spawn(async move { listener.accept().await.unwrap().0.peer_addr().unwrap() });
            let client = net::TcpStream::connect(addr).await.unwrap();
            assert_eq!(server.await.unwrap(), client.local_addr().unwrap());
            assert_eq!(task::spawn_blocking(|| 6 * 7).await.unwrap(), 42);
            time::sleep(NAP).await;
            let mut hangups = signal::signal(signal::SignalKind::hangup()).unwrap();
            assert!(process::Command::new("sh").args(["-c", "kill -HUP $PPID"]).status().await.unwrap().success());
            hangups.recv().await.unwrap();
        }
    };
}

/// A count that two loops raise in turn, and the waker of the one that waits.
#[derive(Default)]
struct Baton {
    passed: u32,
    waker: Option<Waker>,
}

fn pass(baton: &RefCell<Baton>) {
    let waker = {
        let mut baton = baton.borrow_mut();
        baton.passed += 1;
        baton.waker.take()
    };
    waker.into_iter().for_each(Waker::wake);
}

async fn passed(baton: &RefCell<Baton>, times: u32) {
    poll_fn(|cx| {
        let mut baton = baton.borrow_mut();
        if baton.passed >= times {
            return Poll::Ready(());
        }
        baton.waker = Some(cx.waker().clone());
        Poll::Pending
    })
    .await;
}

fn on_two_threads() {
    let other = thread::spawn(|| newer::run(work!(newer)));
    oneloop::run(work!(oneloop));
    other.join().unwrap();
}

/// The inner loop runs in a poll of the outer one's task, and wakes a task of the outer one.
fn nested() {
    oneloop::run(async {
        let baton = Rc::new(RefCell::new(Baton::default()));
        let waits = oneloop::spawn({
            let baton = Rc::clone(&baton);
            async move { passed(&baton, 2).await }
        });
        oneloop::task::yield_now().await;
        newer::run(async {
            pass(&baton);
            work!(newer).await;
            // A task of the inner loop sees the inner loop alone.
            newer::spawn(async { newer::time::sleep(NAP).await }).await.unwrap();
            pass(&baton);
        });
        waits.await.unwrap();
        work!(oneloop).await;
    });
    newer::run(async { oneloop::run(work!(oneloop)) });
}

/// Each side's own futures polled by the other: a leaf says in a sentence that it is on a foreign loop.
fn mixed_up() {
    let others = take_hook();
    set_hook(Box::new(|_| ()));
    let mixed = thread::spawn(|| newer::run(async { oneloop::time::sleep(NAP).await })).join();
    set_hook(others);
    let said = *mixed.unwrap_err().downcast::<String>().unwrap();
    assert!(said.contains("needs a running oneloop runtime on this thread"), "{said}");
}

/// Children of both, at a time: each loop hears of its own, and of the end of no other.
fn children_at_a_time() {
    let began = Instant::now();
    let other = thread::spawn(|| {
        newer::run(async {
            for _ in 0..20 {
                assert_eq!(newer::process::Command::new("true").status().await.unwrap().code(), Some(0));
            }
        });
    });
    oneloop::run(async {
        for _ in 0..20 {
            assert_eq!(oneloop::process::Command::new("false").status().await.unwrap().code(), Some(1));
        }
    });
    other.join().unwrap();
    assert!(Command::new("true").status().unwrap().success());
    println!("forty children of two versions: {} ms", began.elapsed().as_millis());
}

fn main() {
    on_two_threads();
    nested();
    mixed_up();
    children_at_a_time();
    println!("two versions of the runtime in one program agree");
}
