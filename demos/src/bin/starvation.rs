//! Starvation: greedy tasks against a polite one, and the two limits that keep the loop fair.
//!
//! ```text
//! cargo run --release --bin starvation
//! cargo run --release --bin starvation -- --polls-per-turn 1000
//! ONELOOP_SEE=1 cargo run --release --bin starvation -- --real
//! ```
//!
//! Watch: three acts, in each of which others have 150 ms of work, in pieces of half a
//! millisecond. `main` is polite, wants little, and says how long it was kept waiting at most.
//!
//! 1. `reader` reads from a pipe that is never empty, so no read ever has to wait. The runtime counts
//!    what it completes: after 128 operations in one poll the next one says "not yet" and wakes the task,
//!    which so goes to the end of the ready queue, behind `main`. This is its budget: 64 ms here.
//! 2. a crowd of 100 tasks gives way after each piece. None of them is greedy, but together they keep the
//!    queue from ever being empty, and `main` waits for a timer. After 64 polls the turn is over, and
//!    timers and sockets are looked at, though tasks are ready. This is `polls_per_turn`: 32 ms here, and
//!    then `main` stands in the queue as everybody does. With `--polls-per-turn 1000` see it missing.
//! 3. `loner` awaits nothing at all. Nobody can interrupt a poll, so no limit helps; but the diagnosis
//!    names it. Each act prints how long `main` was kept waiting.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use oneloop::net::duplex;
use oneloop::task::{Builder, yield_now};
use oneloop::time::{Instant, sleep};
use oneloop::{JoinHandle, Runtime};
use oneloop_demos::{Stage, flags, say, whole};

const PIECE: Duration = Duration::from_micros(500);
/// How many pieces there are in each act.
const PIECES: u32 = 300;
const CROWD: u32 = 100;

/// Greedy tasks against a polite one.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    stage: Stage,
    /// How many polls a turn may have before timers and sockets are looked at
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = whole(1..=65_535_u16))]
    polls_per_turn: u16,
}

fn main() -> ExitCode {
    let Args { stage, polls_per_turn } = flags();
    stage.play_with(Runtime::builder().polls_per_turn(usize::from(polls_per_turn)), scene)
}

async fn scene(stage: Stage) {
    let start = Instant::now();
    let reader = Builder::new().name("reader").spawn(read(stage));
    let waited = longest_wait(&[reader], Duration::ZERO).await;
    say(start, format_args!("1. beside a reader that never has to wait, main stood in the queue for {waited:.0} ms"));

    let crowd: Vec<_> = (0..CROWD).map(|_| Builder::new().name("crowd").spawn(give_way(stage))).collect();
    let waited = longest_wait(&crowd, PIECE * 4).await;
    say(
        start,
        format_args!(
            "2. beside {CROWD} tasks that give way all the time, main's timer and the queue took {waited:.0} ms more"
        ),
    );

    let loner = async move { (0..PIECES).for_each(|_| stage.work(PIECE)) };
    let waited = longest_wait(&[Builder::new().name("loner").spawn(loner)], PIECE * 4).await;
    say(start, format_args!("3. beside a task that never awaits, they took {waited:.0} ms more"));
}

/// Waits again and again for `pause`, or for one round of the queue, until the others are over. Returns
/// by how many milliseconds the longest wait was too long.
async fn longest_wait(others: &[JoinHandle<()>], pause: Duration) -> f64 {
    let mut longest = Duration::ZERO;
    while !others.iter().all(JoinHandle::is_finished) {
        let due = Instant::now() + pause;
        if pause.is_zero() {
            yield_now().await;
        } else {
            sleep(pause).await;
        }
        longest = longest.max(due.elapsed());
    }
    longest.as_secs_f64() * 1e3
}

/// Reads what is always there, and works on each byte.
async fn read(stage: Stage) {
    let (here, there) = duplex(PIECES as usize);
    there.write_all(&[0; PIECES as usize]).await.expect("there is room for all of it");
    for _ in 0..PIECES {
        here.read(&mut [0]).await.expect("the other end is open");
        stage.work(PIECE);
    }
}

async fn give_way(stage: Stage) {
    for _ in 0..PIECES / CROWD {
        stage.work(PIECE);
        yield_now().await;
    }
}
