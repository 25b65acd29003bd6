//! The `sync` types of tokio, which need no runtime of its own.

use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use oneloop::task::yield_now;
use oneloop::time::{Instant, sleep, timeout};
use tokio::sync::{Notify, Semaphore, broadcast, mpsc, oneshot, watch};

use crate::support::{run, run_virtual};

#[test]
fn mpsc_keeps_the_order_of_each_sender_and_ends_with_the_last() {
    run(async {
        let (sender, mut receiver) = mpsc::channel(8);
        for n in 0..10_usize {
            let sender = sender.clone();
            oneloop::spawn(async move {
                for m in 0..1000 {
                    sender.send((n, m)).await.unwrap();
                }
            });
        }
        drop(sender);
        let mut next = [0; 10];
        while let Some((n, m)) = receiver.recv().await {
            assert_eq!(m, next[n]);
            next[n] += 1;
        }
        assert_eq!(next, [1000; 10]);
    });
}

#[test]
fn oneshot_brings_a_threads_answer_or_the_news_that_none_will_come() {
    run(async {
        let (sender, receiver) = oneshot::channel();
        let (never, nothing) = oneshot::channel::<u32>();
        let thread = thread::spawn(move || {
            sender.send(42).unwrap();
            drop(never);
        });
        assert_eq!(receiver.await, Ok(42));
        assert!(nothing.await.is_err());
        thread.join().unwrap();
    });
}

#[test]
fn notify_wakes_one_or_all_and_keeps_one_for_later() {
    run_virtual(async {
        let notify = Rc::new(Notify::new());
        notify.notify_one();
        notify.notified().await;
        assert!(timeout(Duration::from_secs(1), notify.notified()).await.is_err());
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let notify = Rc::clone(&notify);
                oneloop::spawn(async move { notify.notified().await })
            })
            .collect();
        yield_now().await;
        notify.notify_waiters();
        for task in waiting {
            task.await.unwrap();
        }
    });
}

#[test]
fn a_semaphore_bounds_how_many_work_at_once() {
    run_virtual(async {
        let semaphore = Arc::new(Semaphore::new(4));
        let start = Instant::now();
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let semaphore = Arc::clone(&semaphore);
                oneloop::spawn(async move {
                    let _permit = semaphore.acquire_owned().await.unwrap();
                    sleep(Duration::from_secs(1)).await;
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(start.elapsed(), Duration::from_secs(5));
    });
}

#[test]
fn broadcast_reaches_everyone_and_watch_shows_the_latest() {
    run(async {
        let (sender, mut one) = broadcast::channel(4);
        let mut two = sender.subscribe();
        sender.send("news").unwrap();
        assert_eq!((one.recv().await, two.recv().await), (Ok("news"), Ok("news")));

        let (writer, mut reader) = watch::channel(0);
        let thread = thread::spawn(move || (1..=1000).for_each(|n| writer.send(n).unwrap()));
        while *reader.borrow_and_update() < 1000 {
            reader.changed().await.unwrap();
        }
        assert!(reader.changed().await.is_err());
        thread.join().unwrap();
    });
}
