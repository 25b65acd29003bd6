//! The parts that are hard to see on sockets: a day of races on the virtual clock, and a race that is dropped
//! wherever it can be.

use std::fmt::{self, Display};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use oneloop::Runtime;
use oneloop::signal::ctrl_c;
use oneloop::task::{cancel_at_every_await, yield_now};
use oneloop::time::{Instant, sleep};
use oneloop_demos::print;

use crate::{HEAD_START, race};

/// An address of the simulation: after so long it answers, or fails.
#[derive(Clone, Copy)]
struct Address {
    takes: Duration,
    answers: bool,
}

/// Whether Ctrl-C was pressed. A loop of its own listens: one that listens has a socket, and the loop of the proof is to
/// have none that is not of a race.
pub(crate) struct CtrlC(Arc<AtomicBool>);

impl CtrlC {
    /// When this returns, Ctrl-C ends the process no more.
    pub(crate) fn heard_from_now_on() -> Self {
        let (pressed, (ready, is_ready)) = (Arc::new(AtomicBool::new(false)), channel());
        let press = Arc::clone(&pressed);
        thread::spawn(move || {
            oneloop::run(async {
                let heard = ctrl_c();
                let _ = ready.send(());
                press.store(heard.await.is_ok(), Relaxed);
            });
        });
        let _ = is_ready.recv();
        Self(pressed)
    }

    fn is_pressed(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// Runs races until so many hours have passed on the virtual clock. Each must end when a table of times
/// says it does, with the same winner.
pub(crate) fn of_a_long_time(hours: u64, seed: u64, ctrl_c: &CtrlC) -> Result<(), String> {
    let began = std::time::Instant::now();
    let runtime = virtual_loop()?;
    let (races, ran) = runtime.block_on(async {
        let (began, mut numbers, mut races) = (Instant::now(), Numbers(seed), 0_u64);
        while began.elapsed() < Duration::from_secs(hours * 3600) && !ctrl_c.is_pressed() {
            let addresses = numbers.addresses();
            let (due, winner) = expected(&addresses);
            let start = Instant::now();
            let won = race(addresses.iter().enumerate().map(|(n, address)| address.connect(n)).collect()).await;
            let took = start.elapsed();
            if won.as_ref().ok() != winner.as_ref() || took != due {
                let (won, winner) = (told(won.ok(), took), told(winner, due));
                let addresses = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                return Err(format!("{won}, but by the table {winner}; the addresses: {addresses}"));
            }
            nothing_is_left().await?;
            races += 1;
        }
        Ok((races, began.elapsed().as_secs() / 3600))
    })?;
    let took = began.elapsed().as_secs_f64();
    let raced = format!("{} hours, {races} races, in {took:.2} s", ran.min(hours));
    print(format_args!("2. on the virtual clock: {raced}; each won by whom it should be"));
    if ran < hours { Err(format!("stopped before {hours} hours were over")) } else { Ok(()) }
}

/// Drops a race at each of its awaits. Nothing may be left, wherever it stood.
pub(crate) fn of_every_await() -> Result<(), String> {
    let table = [(600, true), (100, false), (300, true)];
    let addresses = table.map(|(ms, answers)| Address { takes: Duration::from_millis(ms), answers });
    let places = virtual_loop()?.block_on(cancel_at_every_await(
        async || (),
        async |()| race(addresses.iter().enumerate().map(|(n, address)| address.connect(n)).collect()).await.ok(),
        async |(), _| nothing_is_left().await.expect("a race that is dropped takes everything along"),
    ));
    print(format_args!("3. dropped at each of its {places} awaits: no task, no timer and no socket is left"));
    Ok(())
}

impl Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.answers { "answers" } else { "fails" };
        write!(f, "one {verb} after {:.3} s", self.takes.as_secs_f64())
    }
}

/// How a race ended, and when.
fn told(winner: Option<usize>, took: Duration) -> String {
    let took = took.as_secs_f64();
    match winner {
        Some(winner) => format!("address {winner} won after {took:.3} s"),
        None => format!("nobody won, after {took:.3} s"),
    }
}

impl Address {
    async fn connect(self, number: usize) -> io::Result<usize> {
        sleep(self.takes).await;
        if self.answers { Ok(number) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
    }
}

/// When a race of these is over, and who has won it: reckoned by a table, without a loop.
fn expected(addresses: &[Address]) -> (Duration, Option<usize>) {
    let mut begins = Duration::ZERO;
    let mut ends = Vec::new();
    for (number, address) in addresses.iter().enumerate() {
        ends.push((begins + address.takes, number, address.answers));
        let lost_early = !address.answers && address.takes < HEAD_START;
        begins += if lost_early { address.takes } else { HEAD_START };
        // An attempt that comes after the end does not run at all.
        if ends.iter().any(|(end, _, answers)| *answers && *end < begins) {
            break;
        }
    }
    match ends.iter().filter(|(.., answers)| *answers).min() {
        Some((end, winner, _)) => (*end, Some(*winner)),
        None => (ends.iter().map(|(end, ..)| *end).max().unwrap_or_default().max(begins), None),
    }
}

/// Asks the loop what it holds, when all that has ended is cleared away. The first yield may be answered by a
/// wake that was under way; after the second, everybody else who was ready has run.
async fn nothing_is_left() -> Result<(), String> {
    yield_now().await;
    yield_now().await;
    let left = oneloop::Handle::current().metrics();
    match (left.tasks, left.timers, left.sources) {
        (0, 0, 0) => Ok(()),
        (tasks, timers, sources) => Err(format!("{tasks} tasks, {timers} timers and {sources} sockets are left")),
    }
}

fn virtual_loop() -> Result<Runtime, String> {
    // With one poll a turn, the metrics of the last turn are as fresh as can be.
    Runtime::builder()
        .virtual_clock()
        .polls_per_turn(1)
        .build()
        .map_err(|error| format!("cannot start a runtime: {error}"))
}

/// Numbers that look random, and are the same in every run. (Marsaglia, "Xorshift RNGs", 2003.)
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.max(1);
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// Two to four addresses. They take odd times, so that no two things happen in the same millisecond.
    fn addresses(&mut self) -> Vec<Address> {
        let count = 2 + self.below(3);
        (0..count)
            .map(|n| {
                let takes = Duration::from_millis(1 + 4 * self.below(15_000) + n);
                Address { takes, answers: self.below(3) > 0 }
            })
            .collect()
    }
}
