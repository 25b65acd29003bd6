//! Wakes from other threads.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use oneloop::Handle;

use crate::Seen;

/// How long the loop may sit still before a wake counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(10);

async fn my_waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

/// Waits, by wakes alone, until something holds.
async fn until(mut holds: impl FnMut() -> bool) {
    poll_fn(|_| if holds() { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// Ends the process when `progress` has stood still for too long: a wake that is lost hangs the loop.
fn watch(progress: Arc<AtomicU64>, over: Arc<AtomicBool>) {
    thread::spawn(move || {
        let mut last = u64::MAX;
        while !over.load(Ordering::Relaxed) {
            let now = progress.load(Ordering::Relaxed);
            if now == last {
                println!("BROKEN  a wake is lost: nothing has gone on since number {now}");
                std::process::exit(1);
            }
            last = now;
            thread::sleep(LOST_AFTER);
        }
    });
}

/// Two threads wake one task as fast as they can. Each counts before it wakes, so the last wake is for the
/// full count; were it lost, the task would not end.
pub(crate) fn coalesced(wakes: u64) -> Seen {
    let (count, polls) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let over = Arc::new(AtomicBool::new(false));
    watch(Arc::clone(&count), Arc::clone(&over));
    let metrics = oneloop::run(async {
        let waker = my_waker().await;
        let each = wakes / 2;
        let threads = [(); 2].map(|()| {
            let (waker, count) = (waker.clone(), Arc::clone(&count));
            thread::spawn(move || {
                for _ in 0..each {
                    count.fetch_add(1, Ordering::SeqCst);
                    waker.wake_by_ref();
                }
            })
        });
        until(|| {
            polls.fetch_add(1, Ordering::Relaxed);
            count.load(Ordering::SeqCst) == each * 2
        })
        .await;
        for thread in threads {
            thread.join().expect("a thread that wakes does not panic");
        }
        Handle::current().metrics()
    });
    over.store(true, Ordering::Relaxed);
    Ok(format!("{wakes} wakes, 0 lost; {} polls, {} parks", polls.load(Ordering::Relaxed), metrics.parks))
}

/// One wake at a time, each a little later than the last, so that it meets every step of the park.
pub(crate) fn on_the_edge(rounds: u64) -> Seen {
    let (asked, answered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let over = Arc::new(AtomicBool::new(false));
    watch(Arc::clone(&asked), Arc::clone(&over));
    let parks = oneloop::run(async {
        let waker = my_waker().await;
        let thread = thread::spawn({
            let (asked, answered) = (Arc::clone(&asked), Arc::clone(&answered));
            move || {
                for round in 1..=rounds {
                    while asked.load(Ordering::Acquire) < round {
                        thread::yield_now();
                    }
                    for _ in 0..round % 500 {
                        std::hint::black_box(asked.load(Ordering::Relaxed));
                    }
                    answered.store(round, Ordering::Release);
                    waker.wake_by_ref();
                }
            }
        });
        for round in 1..=rounds {
            asked.store(round, Ordering::Release);
            until(|| answered.load(Ordering::Acquire) >= round).await;
        }
        thread.join().expect("a thread that wakes does not panic");
        Handle::current().metrics().parks
    });
    over.store(true, Ordering::Relaxed);
    Ok(format!("{rounds} wakes on the edge of a park, 0 lost; {parks} parks"))
}
