//! async-channel and async-lock.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_lock::{Barrier, Mutex, RwLock, Semaphore};
use futures_concurrency::prelude::*;
use oneloop::time::{Instant, sleep};

use crate::support::{run, run_virtual};

#[test]
fn a_full_channel_makes_its_senders_wait_and_loses_nothing() {
    run(async {
        let (sender, receiver) = async_channel::bounded(4);
        for n in 0..10 {
            let sender = sender.clone();
            oneloop::spawn(async move {
                for m in 0..1000 {
                    sender.send(n * 1000 + m).await.unwrap();
                }
            });
        }
        drop(sender);
        let receivers: Vec<_> = (0..3).map(|_| oneloop::spawn(count_and_sum(receiver.clone()))).collect();
        let (mut count, mut sum) = (0, 0);
        for receiver in receivers {
            let (one_count, one_sum) = receiver.await.unwrap();
            count += one_count;
            sum += one_sum;
        }
        assert_eq!((count, sum), (10_000, (0..10_000).sum::<u64>()));
    });
}

async fn count_and_sum(receiver: async_channel::Receiver<u64>) -> (u64, u64) {
    let (mut count, mut sum) = (0, 0);
    while let Ok(number) = receiver.recv().await {
        count += 1;
        sum += number;
    }
    (count, sum)
}

#[test]
fn another_thread_fills_a_channel_that_the_loop_empties() {
    run(async {
        let (sender, receiver) = async_channel::bounded(1);
        let thread = thread::spawn(move || (0..10_000).for_each(|n| sender.send_blocking(n).unwrap()));
        assert_eq!(count_and_sum(receiver).await, (10_000, (0..10_000).sum()));
        thread.join().unwrap();
    });
}

#[test]
fn a_lock_is_held_across_awaits_by_one_task_at_a_time() {
    run_virtual(async {
        let (total, inside) = (Rc::new(Mutex::new(0)), Rc::new(Cell::new(0)));
        let start = Instant::now();
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let (total, inside) = (Rc::clone(&total), Rc::clone(&inside));
                oneloop::spawn(async move {
                    let mut total = total.lock().await;
                    assert_eq!(inside.replace(1), 0);
                    sleep(Duration::from_secs(1)).await;
                    inside.set(0);
                    *total += 1;
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!((*total.lock().await, start.elapsed()), (100, Duration::from_secs(100)));
    });
}

#[test]
fn a_semaphore_lets_so_many_in_and_readers_share() {
    run_virtual(async {
        let (semaphore, lock) = (Arc::new(Semaphore::new(3)), Rc::new(RwLock::new(7)));
        let start = Instant::now();
        let tasks: Vec<_> = (0..9)
            .map(|_| {
                let (semaphore, lock) = (Arc::clone(&semaphore), Rc::clone(&lock));
                oneloop::spawn(async move {
                    let _permit = semaphore.acquire_arc().await;
                    let value = lock.read().await;
                    sleep(Duration::from_secs(1)).await;
                    *value
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 7);
        }
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    });
}

#[test]
fn a_barrier_opens_when_the_last_one_comes() {
    run_virtual(async {
        let barrier = Barrier::new(3);
        let start = Instant::now();
        let arrive = async |seconds| {
            sleep(Duration::from_secs(seconds)).await;
            barrier.wait().await;
            start.elapsed().as_secs()
        };
        assert_eq!([arrive(1), arrive(3), arrive(2)].join().await, [3, 3, 3]);
    });
}
