//! Timers, and the absence of them.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use oneloop::Handle;
use oneloop::time::sleep;

use crate::Seen;
use crate::accounts::processor_time;

/// Sleeps off the beat of the milliseconds, a hundred thousand at a time, each compared to the nanosecond.
pub(crate) fn none_early(timers: u64) -> Seen {
    let (early, latest) = (Rc::new(Cell::new(0_u64)), Rc::new(Cell::new(Duration::ZERO)));
    oneloop::run(async {
        let mut left = timers;
        while left > 0 {
            let batch = left.min(100_000);
            left -= batch;
            let tasks: Vec<_> = (0..batch)
                .map(|_| {
                    let asked = Duration::from_nanos(fastrand::u64(0..500_000_000));
                    let (early, latest) = (Rc::clone(&early), Rc::clone(&latest));
                    oneloop::spawn(async move {
                        let start = Instant::now();
                        sleep(asked).await;
                        let slept = start.elapsed();
                        early.set(early.get() + u64::from(slept < asked));
                        latest.set(latest.get().max(slept.saturating_sub(asked)));
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("a task that sleeps does not panic");
            }
        }
    });
    let said = format!("{timers} timers, {} early; the latest by {:?}", early.get(), latest.get());
    if early.get() == 0 { Ok(said) } else { Err(said) }
}

/// A loop that waits for one timer far away: it must not wake up before.
pub(crate) fn idle(time: Duration) -> Seen {
    let (wake_ups, processor) = oneloop::run(async {
        sleep(Duration::from_millis(10)).await;
        let (before, processor) = (Handle::current().metrics(), processor_time());
        sleep(time).await;
        let after = Handle::current().metrics();
        // The one that ends the wait is not counted.
        (after.parks - before.parks - 1, processor_time() - processor)
    });
    let said = format!("{time:?} of nothing: {wake_ups} wake-ups, {processor:?} of processor time");
    if wake_ups == 0 { Ok(said) } else { Err(said) }
}
