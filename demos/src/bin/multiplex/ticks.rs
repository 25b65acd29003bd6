//! The timers: tasks that do nothing but sleep, and check that they slept long enough.

use std::rc::Rc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use oneloop::task::Builder;
use oneloop::time::sleep;

use crate::tally::Tally;

/// Starts `count` tasks that sleep again and again, each time from 1 to 1000 ms, to the microsecond.
pub(crate) fn start(count: u32, seed: u64, tally: &Rc<Tally>) {
    for number in 0..count {
        let tally = Rc::clone(tally);
        let mut rng = Rng::with_seed(!seed.wrapping_add(u64::from(number)));
        let task = Builder::new().name(format!("timer {number}")).spawn(async move {
            loop {
                let asked = Duration::from_micros(rng.u64(1_000..=1_000_000));
                // Judged by the system's clock, not by the runtime's.
                let start = Instant::now();
                sleep(asked).await;
                tally.fired(asked, start.elapsed());
            }
        });
        drop(task); // detached: it ends with the runtime
    }
}
