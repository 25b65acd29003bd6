//! Everything at once, for a long time; and in the end the accounts are what they were.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use oneloop::net::TcpStream;
use oneloop::task::{scope, spawn_blocking};
use oneloop::time::{sleep, timeout};
use oneloop::{Handle, Runtime, spawn};

use crate::Seen;
use crate::accounts::Accounts;
use crate::sockets::{ask, echo_server, reset};

/// The work that was done, and what of it was wrong.
#[derive(Default)]
struct Tally {
    echoes: Cell<u64>,
    resets: Cell<u64>,
    timers: Cell<u64>,
    jobs: Cell<u64>,
    aborts: Cell<u64>,
    scopes: Cell<u64>,
    wrong: Cell<u64>,
}

fn add(count: &Cell<u64>) {
    count.set(count.get() + 1);
}

pub(crate) fn mixed(time: Duration) -> Seen {
    // A panic here is meant.
    std::panic::set_hook(Box::new(|_| ()));
    // A small pool, so that it has all its threads from the first second on.
    let runtime = Runtime::builder().max_blocking_threads(4).build().map_err(|error| error.to_string())?;
    let said = runtime.block_on(async {
        // The pool's threads, the buffers and the slabs come to their size first.
        round(Duration::from_secs(1)).await?;
        let before = Accounts::at_rest().await;
        let said = round(time).await?;
        let after = Accounts::at_rest().await;
        after.differ(&before, 4096)?;
        Ok::<String, String>(format!("{said}: before {before}; after {after}"))
    });
    drop(std::panic::take_hook());
    said
}

async fn round(time: Duration) -> Seen {
    let tally = Rc::new(Tally::default());
    let (addr, server) = echo_server().await.map_err(|error| error.to_string())?;
    let stop = Arc::new(AtomicBool::new(false));
    let (sent, ran) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let threads: Vec<_> = (0..2).map(|_| start_sender(&stop, &sent, &ran)).collect();
    let end = Instant::now() + time;
    let talkers: Vec<_> = (0..100).map(|_| spawn(talk(addr, end, Rc::clone(&tally)))).collect();
    let others: Vec<_> = (0..50).map(|_| spawn(be_busy(end, Rc::clone(&tally)))).collect();
    for task in talkers.into_iter().chain(others) {
        task.await.map_err(|error| error.to_string())?;
    }
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        spawn_blocking(move || drop(thread.join())).await.map_err(|error| error.to_string())?;
    }
    while ran.load(Ordering::Relaxed) < sent.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(1)).await;
    }
    server.abort();
    let Tally { echoes, resets, timers, jobs, aborts, scopes, wrong } = &*tally;
    let said = format!(
        "{time:?}: {} echoes, {} resets, {} timers, {} jobs, {} aborts, {} scopes, {} tasks from threads; {} wrong",
        echoes.get(),
        resets.get(),
        timers.get(),
        jobs.get(),
        aborts.get(),
        scopes.get(),
        ran.load(Ordering::Relaxed),
        wrong.get()
    );
    if wrong.get() == 0 { Ok(said) } else { Err(said) }
}

/// Another thread, which spawns on the loop until it is stopped.
fn start_sender(stop: &Arc<AtomicBool>, sent: &Arc<AtomicU64>, ran: &Arc<AtomicU64>) -> thread::JoinHandle<()> {
    let (stop, sent, ran) = (Arc::clone(stop), Arc::clone(sent), Arc::clone(ran));
    let handle = Handle::current();
    thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let ran = Arc::clone(&ran);
            sent.fetch_add(1, Ordering::Relaxed);
            handle.spawn(move || async move { ran.fetch_add(1, Ordering::Relaxed) }).expect("the loop runs");
            thread::sleep(Duration::from_micros(500));
        }
    })
}

/// Connects, talks, ends in order or by a reset, and begins again.
async fn talk(addr: std::net::SocketAddr, end: Instant, tally: Rc<Tally>) {
    while Instant::now() < end {
        let Ok(stream) = TcpStream::connect(addr).await else {
            add(&tally.wrong);
            continue;
        };
        for _ in 0..fastrand::u32(1..50) {
            match ask(&stream, fastrand::usize(1..2000)).await {
                Ok(true) => add(&tally.echoes),
                _ => add(&tally.wrong),
            }
            sleep(Duration::from_millis(fastrand::u64(0..5))).await;
        }
        // A read that is given up.
        let nothing = timeout(Duration::from_millis(1), stream.read(&mut [0; 8])).await;
        if nothing.is_ok() {
            add(&tally.wrong);
        }
        // Always by a reset: an orderly end would keep the port for a minute.
        reset(&stream);
        add(&tally.resets);
    }
}

/// Timers, blocking jobs, aborts, panics and scopes.
async fn be_busy(end: Instant, tally: Rc<Tally>) {
    while Instant::now() < end {
        let (asked, start) = (Duration::from_micros(fastrand::u64(0..20_000)), Instant::now());
        sleep(asked).await;
        if start.elapsed() < asked {
            add(&tally.wrong);
        }
        add(&tally.timers);
        let n = fastrand::u64(..);
        match spawn_blocking(move || n.wrapping_mul(3)).await {
            Ok(product) if product == n.wrapping_mul(3) => add(&tally.jobs),
            _ => add(&tally.wrong),
        }
        let (waits, panics) = (spawn(pending::<()>()), spawn(async { panic!("meant to be") }));
        sleep(Duration::from_millis(1)).await;
        waits.abort();
        let cancelled = waits.await.is_err_and(|error| error.is_cancelled());
        let panicked = panics.await.map(|(): ()| ()).is_err_and(|error| error.is_panic());
        add(if cancelled && panicked { &tally.aborts } else { &tally.wrong });
        let sum = Cell::new(0);
        let children = scope(async |s| {
            for n in 1..=10 {
                let sum = &sum;
                drop(s.spawn(async move {
                    sleep(Duration::from_millis(n % 3)).await;
                    sum.set(sum.get() + n);
                }));
            }
        });
        let whole = children.await.is_ok() && sum.get() == 55;
        add(if whole { &tally.scopes } else { &tally.wrong });
    }
}
