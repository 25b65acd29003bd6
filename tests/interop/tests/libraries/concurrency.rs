//! futures-concurrency: joining, racing and merging.

use std::time::Duration;

use futures_concurrency::future::FutureGroup;
use futures_concurrency::prelude::*;
use futures_lite::StreamExt;
use oneloop::time::{Instant, interval_at, sleep};

use crate::support::{run_virtual, timers};

async fn after(seconds: u64) -> u64 {
    sleep(Duration::from_secs(seconds)).await;
    seconds
}

#[test]
fn joined_futures_wait_together_and_keep_their_order() {
    run_virtual(async {
        let start = Instant::now();
        assert_eq!((after(3), after(1), after(2)).join().await, (3, 1, 2));
        assert_eq!(start.elapsed(), Duration::from_secs(3));
        assert_eq!((0..1000).rev().map(after).collect::<Vec<_>>().join().await.len(), 1000);
        assert_eq!(start.elapsed(), Duration::from_secs(3 + 999));
    });
}

#[test]
fn of_racing_futures_the_first_wins_and_the_others_leave_no_timer() {
    run_virtual(async {
        let start = Instant::now();
        assert_eq!([after(3), after(1), after(2)].race().await, 1);
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        assert_eq!(timers().await, 0);
    });
}

#[test]
fn merged_intervals_interleave_by_the_clock() {
    run_virtual(async {
        let start = Instant::now();
        let ticks = |name, period| {
            let period = Duration::from_secs(period);
            interval_at(start + period, period).take(3).map(move |at| (at.duration_since(start).as_secs(), name))
        };
        let merged: Vec<_> = (ticks("two", 2), ticks("five", 5)).merge().collect().await;
        assert_eq!(merged, [(2, "two"), (4, "two"), (5, "five"), (6, "two"), (10, "five"), (15, "five")]);
    });
}

#[test]
fn a_group_gives_its_results_as_they_come() {
    run_virtual(async {
        let group: FutureGroup<_> = [3, 1, 2].into_iter().map(after).collect();
        assert_eq!(group.collect::<Vec<_>>().await, [1, 2, 3]);
    });
}
