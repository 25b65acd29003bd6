//! The programs that the browser's tests look at: small programs, chosen by the first argument, that run until a line
//! comes on their standard input.

#[path = "../command_line.rs"]
mod command_line;

use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use futures_lite::{AsyncReadExt as _, future, io};
use oneloop::Runtime;
use oneloop::net::{TcpListener, TcpStream};
use oneloop::signal::ctrl_c;
use oneloop::task::Builder;
use oneloop::time::{sleep, timeout};

/// Names that try to be more than names.
const HOSTILE: [&str; 4] = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "\"><svg onload=alert(3)>",
    "\u{202e}gnp.exe & &lt;b&gt; ' \\ \u{7} \u{2028}",
];

/// Runs a small program for the browser's tests to look at, until a line comes on its standard input.
#[derive(Parser)]
struct Arguments {
    /// Which one
    program: Program,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Program {
    Steady,
    Guarded,
    Wedged,
    Hostile,
    Recorded,
    Varied,
    Crowd,
    Flood,
    Nappers,
    Staggered,
    Hundred,
    Multitude,
    Resting,
    Lingering,
}

fn main() {
    let Arguments { program } = command_line::read();
    let builder = Runtime::builder();
    let builder = if program == Program::Recorded { builder.virtual_clock() } else { builder };
    let runtime = builder.build().expect("a runtime can be started");
    runtime.block_on(async {
        match program {
            Program::Steady => steady().await,
            Program::Guarded => guarded().await,
            Program::Wedged => wedged().await,
            Program::Hostile => hostile().await,
            Program::Recorded => recorded().await,
            Program::Varied => varied().await,
            Program::Crowd => crowd().await,
            Program::Flood => flood().await,
            Program::Nappers => nappers().await,
            Program::Staggered => staggered().await,
            Program::Hundred => busy(100, 20, 100).await,
            Program::Multitude => busy(12_000, 1_000, 2_000).await,
            Program::Resting => busy(31, 3_600_000, 1).await,
            Program::Lingering => lingering().await,
        }
    });
}

/// It has done its work after a moment, and stays until Ctrl-C.
async fn lingering() {
    recorded().await;
    ctrl_c().await.expect("signals can be heard");
}

/// Three tasks that tick at their own rates, for ever.
async fn steady() {
    tick();
    line().await;
}

fn tick() {
    for (name, rate) in [("quick", 5), ("steady", 20), ("slow", 50)] {
        Builder::new().name(name).spawn(async move {
            loop {
                sleep(Duration::from_millis(rate)).await;
            }
        });
    }
}

/// Thirty tasks that sleep at the same time, again and again: the lesson's program.
async fn nappers() {
    for n in 1..=30 {
        Builder::new().name(format!("sleeper {n}")).spawn(async {
            loop {
                sleep(Duration::from_millis(150)).await;
            }
        });
    }
    line().await;
}

/// Thirty tasks that sleep one after the other, so that timers are always pending.
async fn staggered() {
    for n in 1..=30 {
        Builder::new().name(format!("sleeper {n}")).spawn(async move {
            sleep(Duration::from_millis(5 * n)).await;
            loop {
                sleep(Duration::from_millis(150)).await;
            }
        });
    }
    line().await;
}

/// Three tasks that tick. But when a line comes, more happens at once than anybody keeps.
async fn flood() {
    tick();
    line().await;
    future::poll_fn(|context| {
        (0..400_000).for_each(|_| context.waker().wake_by_ref());
        Poll::Ready(())
    })
    .await;
    line().await;
}

/// The same, shown to those alone who know a word.
async fn guarded() {
    let server = oneloop::see::serve_with_token("127.0.0.1:0", "open-sesame").expect("there is a free port");
    eprintln!("oneloop: see it turn at {server}");
    steady().await;
}

/// A task that is in one poll until a line comes.
async fn wedged() {
    let hog = Builder::new().name("hog");
    let hog = hog.spawn(async {
        sleep(Duration::from_millis(50)).await;
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).expect("the test writes a line");
    });
    hog.await.expect("the hog ends");
    line().await;
}

async fn hostile() {
    for name in HOSTILE {
        Builder::new().name(name).spawn(future::pending::<()>());
    }
    line().await;
}

/// Sleepers that are gathered, on the virtual clock: the same events each time.
async fn recorded() {
    let sleepers = (0..6).map(|n| {
        let name = HOSTILE.get(n).copied().unwrap_or("sleeper");
        Builder::new().name(name).spawn(sleep(Duration::from_millis(100 * (n as u64 + 1))))
    });
    for sleeper in sleepers.collect::<Vec<_>>() {
        sleeper.await.expect("a sleeper ends");
    }
}

/// A little of everything that a loop does: sockets, joins, a timeout, a task that is aborted and one that
/// panics.
async fn varied() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let address = listener.local_addr().expect("it has an address");
    let server = Builder::new().name("server").spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            oneloop::spawn(async move {
                {
                    let (mut reader, mut writer) = (&stream, &stream);
                    io::copy(&mut reader, &mut writer).await
                }
            });
        }
    });
    let clients = (0..3).map(|n| Builder::new().name(format!("client {n}")).spawn(talk(address)));
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("no client panics").expect("the server answers");
    }
    // One task waits for another's end, and then hands that over to a third.
    let mut nap = oneloop::spawn(sleep(Duration::from_millis(2)));
    assert!(future::poll_once(&mut nap).await.is_none());
    let heir = Builder::new().name("heir").spawn(nap);
    heir.await.expect("the heir ends").expect("the nap ends");
    server.abort();
    let in_vain = timeout(Duration::from_millis(3), oneloop::spawn(future::pending::<()>())).await;
    assert!(in_vain.is_err() && server.await.is_err());
    let panics = Builder::new().name("panics").spawn(async {
        oneloop::task::yield_now().await;
        panic!("as it is meant to");
    });
    assert!(panics.await.is_err());
}

async fn talk(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    for round in 0..4 {
        stream.write_all(&[round; 10]).await?;
        stream.read_exact(&mut [0; 10]).await?;
        sleep(Duration::from_millis(u64::from(round))).await;
    }
    Ok(())
}

/// So many tasks that tick, each at a rate of its own, of `least` milliseconds and up to `more` above.
async fn busy(tasks: u64, least: u64, more: u64) {
    for n in 0..tasks {
        let nap = Duration::from_millis(least + n * 7919 % more);
        Builder::new().name(format!("worker {n}")).spawn(async move {
            loop {
                sleep(nap).await;
            }
        });
    }
    line().await;
}

/// Ten thousand tasks that sleep.
async fn crowd() {
    for n in 0..10_000 {
        let nap = Duration::from_millis(2_000 + n);
        Builder::new().name("one of many").spawn(async move {
            loop {
                sleep(nap).await;
            }
        });
    }
    line().await;
}

/// Waits until somebody says a line, or nothing any more.
async fn line() {
    let said = oneloop::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    said.await.expect("reading does not panic").expect("the standard input can be read");
}
