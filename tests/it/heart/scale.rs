//! Many of everything: the costs stay those of one.

use std::future::pending;
use std::time::Duration;

use oneloop::time::sleep;
use oneloop::{Runtime, spawn};

use crate::kit::support::{Count, alone, join_all, my_waker, one_wake, resident_kb, rounds};
use crate::kit::watch::{in_order, unobserved, watch};

#[test]
fn a_million_idle_tasks_fit_into_little_memory_and_waking_one_polls_one() {
    alone(|| {
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            let before = resident_kb();
            for _ in 0..1_000_000 {
                drop(spawn(pending::<()>()));
            }
            let (polls, (send, receive)) = (Count::default(), std::sync::mpsc::channel());
            let one = spawn(polls.polls(async move {
                send.send(my_waker().await).unwrap();
                one_wake().await;
            }));
            while polls.get() == 0 {
                rounds(1).await;
            }
            let each = (resident_kb() - before) * 1024 / 1_000_000;
            assert!(each < 256, "{each} bytes for each idle task");
            sleep(Duration::from_millis(1)).await;
            let before = runtime.metrics();
            receive.recv().unwrap().wake();
            one.await.unwrap();
            sleep(Duration::from_millis(1)).await;
            let after = runtime.metrics();
            assert_eq!(after.tasks, 1_000_000);
            assert!(after.polls - before.polls <= 5, "{}", after.polls - before.polls);
        });
    });
}

#[test]
fn a_hundred_thousand_tasks_sleep_end_and_are_joined() {
    watch(|| {
        Runtime::builder().virtual_clock().build().unwrap().block_on(async {
            let tasks: Vec<_> = (0..100_000_u64)
                .map(|n| {
                    spawn(async move {
                        sleep(Duration::from_millis(n * 7919 % 10_007)).await;
                        n
                    })
                })
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.unwrap();
            }
            assert_eq!(sum, 100_000 * 99_999 / 2);
        });
    });
}

#[test]
fn a_chain_of_ten_thousand_tasks_that_join_the_next_unwinds() {
    watch(|| {
        unobserved().block_on(async {
            let mut last = spawn(async { 0 });
            for _ in 0..10_000 {
                let next = last;
                last = spawn(async move { next.await.unwrap() + 1 });
            }
            assert_eq!(last.await.unwrap(), 10_000);
        });
    });
}

#[test]
fn slots_are_used_again_and_ids_are_not() {
    watch(|| {
        in_order().block_on(async {
            let mut highest = 0;
            for round in 0..1000 {
                let tasks: Vec<_> = (0..10).map(|_| spawn(rounds(1))).collect();
                assert!(tasks.iter().all(|task| task.id().slot() <= 10), "round {round}");
                assert!(tasks.iter().all(|task| task.id().as_u64() > highest));
                highest = tasks.last().unwrap().id().as_u64();
                let _ = join_all(tasks).await;
            }
        });
    });
}
