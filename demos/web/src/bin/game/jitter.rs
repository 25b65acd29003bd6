//! How late ticks are, and how late a thread is that does nothing but sleep: the difference is the loop's part, and
//! the rest is the machine's.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use oneloop::time::interval;
use oneloop_demos::{counted, log};

use crate::{Game, TICK};

/// How often it is told.
const TOLD: Duration = Duration::from_secs(5);

/// How late something was, since it was last told.
#[derive(Default)]
pub(crate) struct Late {
    since: RefCell<Vec<Duration>>,
    /// How often in all, and the worst of all.
    count: Cell<u64>,
    worst: Cell<Duration>,
}

impl Late {
    pub(crate) fn note(&self, late: Duration) {
        self.since.borrow_mut().push(late);
        self.count.set(self.count.get() + 1);
        self.worst.set(self.worst.get().max(late));
    }

    /// Three columns: the median, the 99th of a hundred, and the worst, in milliseconds. Then it begins anew.
    fn take(&self) -> Option<String> {
        let mut late = self.since.take();
        late.sort_unstable();
        let at = |part: usize| late.get((late.len() * part / 100).min(late.len().saturating_sub(1)));
        let column = |late: &Duration| format!("{:6.1}", late.as_secs_f64() * 1e3);
        Some([at(50)?, at(99)?, at(100)?].map(column).concat())
    }

    /// How often in all, and the worst of all.
    pub(crate) fn account(&self) -> String {
        format!(
            "of {}, the worst was {:.1} ms late",
            counted(self.count.get(), "tick"),
            self.worst.get().as_secs_f64() * 1e3
        )
    }
}

/// A thread of its own that sleeps from tick to tick, for ever. Returns where it says how late it woke.
fn sleep_beside() -> Arc<Mutex<Vec<Duration>>> {
    let woke = Arc::new(Mutex::new(Vec::new()));
    let late = Arc::clone(&woke);
    let sleeps = move || {
        let mut due = Instant::now();
        loop {
            due += TICK;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let now = Instant::now();
            late.lock().unwrap_or_else(PoisonError::into_inner).push(now.saturating_duration_since(due));
            // A tick that was missed is not caught up with, as in the game.
            due = due.max(now - TICK);
        }
    };
    // Its columns stay empty where no thread can be had.
    drop(thread::Builder::new().name("bare".to_owned()).spawn(sleeps));
    woke
}

/// Says how many play and how late the ticks were, now and then.
pub(crate) async fn tell(game: &Game) {
    let woke = sleep_beside();
    let bare = Late::default();
    let mut times = interval(TOLD);
    times.tick().await;
    log("              ms late: ticks       a bare thread");
    log("  time  play   p50   p99 worst     p50   p99 worst");
    for seconds in (1..).map(|times: u64| times * TOLD.as_secs()) {
        times.tick().await;
        std::mem::take(&mut *woke.lock().unwrap_or_else(PoisonError::into_inner))
            .into_iter()
            .for_each(|late| bare.note(late));
        let Some(late) = game.late.take() else { continue };
        let here = game.seats.borrow().len();
        log(&format!("{seconds:4} s{here:6}{late}  {}", bare.take().unwrap_or_default()));
    }
}
