//! A deadlock: two tasks, two locks, taken in opposite order. Each holds what the other wants.
//!
//! ```text
//! cargo run --release --bin deadlock
//! ONELOOP_SEE=1 cargo run --release --bin deadlock -- --real
//! ```
//!
//! Watch: `ann` takes the fork, `ben` takes the knife, and then each asks for the other thing. No
//! thread is blocked and the loop goes on turning, as `main` shows. But the two will never be polled
//! again. The diagnosis follows who waits for whom, and prints the circle. In the end `main`
//! aborts one of them, its lock comes free, and the other goes on.
//!
//! The lock here is the simplest one that the runtime can look into: it belongs to a task until that
//! task ends, and to wait for it is to join its holder. A lock of a library keeps its waiters in a list
//! of its own, and then the runtime knows only that a task waits, not for whom.
//!
//! The way out is as old as locks: everybody takes them in the same order. Try `--in-order`.

use std::cell::RefCell;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use oneloop::JoinHandle;
use oneloop::task::Builder;
use oneloop::time::{Instant, sleep};
use oneloop_demos::{Stage, flags, say};

const SECOND: Duration = Duration::from_secs(1);

/// Two tasks take two locks in opposite order.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    stage: Stage,
    /// Both take the fork first
    #[arg(long)]
    in_order: bool,
}

/// Belongs to a task until that task ends.
#[derive(Default)]
struct Lock {
    holder: RefCell<Option<JoinHandle<()>>>,
}

impl Lock {
    fn belongs_to(&self, holder: JoinHandle<()>) {
        self.holder.replace(Some(holder));
    }

    /// Waits until it belongs to nobody. A holder that was aborted has let go of it too.
    async fn free(&self) {
        let holder = self.holder.take();
        if let Some(holder) = holder {
            let _ended = holder.await;
        }
    }
}

fn main() -> ExitCode {
    let Args { stage, in_order } = flags();
    stage.play(async |_| scene(in_order).await)
}

async fn scene(in_order: bool) {
    let start = Instant::now();
    let (fork, knife) = (Rc::new(Lock::default()), Rc::new(Lock::default()));
    let ann = eat(start, "ann", "knife", &knife);
    let ben = eat(start, "ben", "fork", &fork);
    let dismiss_ben = ben.abort_handle();
    fork.belongs_to(ann);
    say(start, "ann has the fork");
    if in_order {
        say(start, "ben has nothing: the fork is the first thing to take, and it is not free");
    } else {
        knife.belongs_to(ben);
        say(start, "ben has the knife");
    }

    for _ in 0..4 {
        sleep(SECOND).await;
        say(start, "main is polled every second: the loop goes on turning");
    }
    if !dismiss_ben.is_finished() {
        say(start, "main aborts ben, and so the knife comes free");
        dismiss_ben.abort();
    }
    sleep(SECOND * 2).await;
}

/// A task that eats as soon as it has the other thing that it wants.
#[track_caller]
fn eat(start: Instant, name: &'static str, wants: &'static str, lock: &Rc<Lock>) -> JoinHandle<()> {
    let lock = Rc::clone(lock);
    Builder::new().name(name).spawn(async move {
        say(start, format_args!("{name} wants the {wants}"));
        lock.free().await;
        say(start, format_args!("{name} has the {wants}, and eats"));
        sleep(SECOND / 2).await;
        say(start, format_args!("{name} is done"));
    })
}
