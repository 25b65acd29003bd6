//! A monitor that answers while the loop is wedged: it names the task and the line, and ends a task. This answers
//! curio.
//!
//! ```text
//! cargo run --release --bin wedge         in one terminal; when it says "wedged", in another:
//! nc 127.0.0.1 6062                       then type: ps, where 2, cancel 3
//! ```
//!
//! Watch: `blocker` makes the mistake that all loops suffer from. It calls something that blocks, and for
//! five seconds no other task runs, and Ctrl-C is not heard. The monitor is a thread of its own: `ps` answers at
//! once, and its last line says who holds the loop and where it waited before. `cancel N` tells when the task will
//! end; the line in the log is written by its destructor, as soon as the loop is back.
//!
//! It prints `tick` once a second, and nothing while it is wedged; at last, how many ticks there were. The way out is `task::spawn_blocking`: with
//! `--polite` the same call holds up nobody.

use std::cell::Cell;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use clap::Parser;
use futures_lite::future::or;
use oneloop::task::{Builder, spawn_blocking};
use oneloop::time::{Instant, sleep};
use oneloop_demos::server::{cannot_listen, some_seconds, stop_asked_for};
use oneloop_demos::{address, counted, end_of, flags, log, print, seconds, whole};

/// A loop that is wedged now and then, with a monitor that answers all the same. Ctrl-C ends it.
#[derive(Parser, Clone, Copy)]
struct Args {
    /// The address of the monitor, one of this machine; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:6062", value_parser = address)]
    addr: SocketAddr,
    /// How long the loop is wedged each time, in seconds
    #[arg(long, value_name = "F", default_value = "5", value_parser = some_seconds)]
    wedge: Duration,
    /// How long it is free in between, in seconds
    #[arg(long, value_name = "F", default_value = "3", value_parser = some_seconds)]
    free: Duration,
    /// How many tasks wait for something that never comes
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = whole(0..=10_000_u32))]
    readers: u32,
    /// Block on another thread instead
    #[arg(long)]
    polite: bool,
    /// Stop by itself after this time, in seconds
    #[arg(long, value_name = "F", value_parser = seconds)]
    seconds: Option<Duration>,
}

/// A call that ought not to be made on a loop.
fn blocks(time: Duration) {
    thread::sleep(time);
}

/// The numbers of the account.
#[derive(Default)]
struct Counts {
    ticks: Cell<u32>,
    calls: Cell<u32>,
    ended: Cell<u32>,
}

fn count(number: &Cell<u32>) {
    number.set(number.get() + 1);
}

/// Blocks again and again.
async fn blocker(args: Args, counts: Rc<Counts>) {
    loop {
        sleep(args.free).await;
        log(&format!("wedged for {} s: ask the monitor now", args.wedge.as_secs_f64()));
        let start = Instant::now();
        if args.polite {
            let _ = spawn_blocking(move || blocks(args.wedge)).await;
        } else {
            blocks(args.wedge);
        }
        log(&format!("free again, after {:.1} s", start.elapsed().as_secs_f64()));
        count(&counts.calls);
    }
}

/// Waits, until somebody ends it.
async fn reader(number: u32, counts: Rc<Counts>) {
    struct AtEnd(u32, Rc<Counts>);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            log(&format!("reader {}: its destructor has run", self.0));
            count(&self.1.ended);
        }
    }
    let _at_end = AtEnd(number, counts);
    sleep(Duration::from_secs(24 * 3600)).await;
}

async fn run(args: Args) -> Result<(), String> {
    let stop = stop_asked_for(args.seconds); // from here on it is heard, but not while the loop is wedged
    let monitor = oneloop::see::serve(args.addr).map_err(|error| cannot_listen(&error, "--addr"))?;
    let addr = monitor.address();
    let counts = Rc::<Counts>::default();
    drop(Builder::new().name("blocker").spawn(blocker(args, Rc::clone(&counts))));
    for number in 1..=args.readers {
        drop(Builder::new().name(format!("reader {number}")).spawn(reader(number, Rc::clone(&counts))));
    }
    print(format_args!("the monitor answers at {addr}; try: nc {} {}, and there: ps", addr.ip(), addr.port()));
    let ticks = async {
        for second in 1.. {
            sleep(Duration::from_secs(1)).await;
            log(&format!("tick {second}"));
            count(&counts.ticks);
        }
        Ok(())
    };
    or(ticks, stop).await.map_err(|error| error.to_string())?;
    let (ticks, calls) = (counted(counts.ticks.get(), "tick"), counted(counts.calls.get(), "call"));
    let ended = counts.ended.get();
    log(&format!("stopped: {ticks}, {calls} that blocked, {ended} of {} ended", counted(args.readers, "reader")));
    Ok(())
}

fn main() -> ExitCode {
    end_of(run(flags()))
}
