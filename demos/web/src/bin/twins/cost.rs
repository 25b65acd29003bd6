//! The cost of slow requests: each twin is a process of its own, asked by this one, and looked at meanwhile.

use std::convert::Infallible;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use async_lock::Semaphore;
use futures_lite::AsyncReadExt;
use futures_lite::future::or;
use oneloop::Runtime;
use oneloop::net::TcpStream;
use oneloop::task::Builder;
use oneloop::time::{Instant, sleep, timeout};
use oneloop_demos::{print, while_shown};

/// How long all requests may take.
const PATIENCE: Duration = Duration::from_secs(60);

struct Cost {
    seconds: f64,
    threads: u64,
    kib: u64,
}

pub(crate) fn compare(requests: u16, json: bool) -> Result<(), String> {
    let runtime = Runtime::new().map_err(|error| format!("cannot start a runtime: {error}"))?;
    let [threads, on_loop] = ["threads", "loop"].map(|twin| cost_of(twin, requests, &runtime));
    say(requests, json, (threads?, on_loop?));
    let shown = runtime.block_on(while_shown("the twins have been compared"));
    shown.map_err(|error| format!("cannot wait for Ctrl-C: {error}"))
}

fn say(requests: u16, json: bool, (threads, on_loop): (Cost, Cost)) {
    if json {
        for (twin, cost) in [("threads", threads), ("loop", on_loop)] {
            let Cost { seconds, threads, kib } = cost;
            let line = serde_json::json!({
                "twin": twin, "requests": requests, "seconds": seconds, "threads": threads, "kib": kib,
            });
            print(line);
        }
        return;
    }
    let row =
        |name: &str, threads: String, on_loop: String| print(format_args!("{name:<20} {threads:>10}  {on_loop:>10}"));
    row(&format!("{requests} slow requests"), "threads".to_owned(), "loop".to_owned());
    row("seconds", format!("{:.2}", threads.seconds), format!("{:.2}", on_loop.seconds));
    row("threads at most", threads.threads.to_string(), on_loop.threads.to_string());
    let mb = |cost: &Cost| format!("{:.1}", cost.kib as f64 * 1024.0 / 1e6);
    row("MB of memory", mb(&threads), mb(&on_loop));
}

/// A process that ends with this.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn cost_of(twin: &str, requests: u16, runtime: &Runtime) -> Result<Cost, String> {
    let failed = |error: io::Error| format!("cannot start the twin {twin}: {error}");
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(["--serve", twin, "--addr", "127.0.0.1:0", "--connections", "2000"]);
    // Shown is the loop of this process, which stays.
    command.env_remove("ONELOOP_SEE");
    let mut server = Server(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?);
    let mut line = String::new();
    let stdout = server.0.stdout.take().ok_or("the twin has no output")?;
    let mut stdout = BufReader::new(stdout);
    stdout.read_line(&mut line).map_err(failed)?;
    let addr = line.split([' ', ',']).nth(2).unwrap_or_default().to_owned();
    let status = format!("/proc/{}/status", server.0.id());
    runtime.block_on(async {
        // A connected client has been answered once: a new connection may wait a second for its second try.
        let (doors, (start, started)) = (Rc::new(Semaphore::new(16)), async_channel::bounded::<Infallible>(1));
        let (mut ready, mut asks) = (Vec::new(), Vec::new());
        for number in 0..requests {
            let (told, is_ready) = async_channel::bounded(1);
            let (addr, doors, started) = (addr.clone(), Rc::clone(&doors), started.clone());
            let named = Builder::new().name(format!("request {number}"));
            asks.push(named.spawn(async move { ask(&addr, &doors, told, &started).await }));
            ready.push(is_ready);
        }
        let all = async {
            for is_ready in ready {
                let _: Result<Infallible, _> = is_ready.recv().await;
            }
            let began = Instant::now();
            drop(start);
            for task in asks {
                let asked = task.await.map_err(|error| error.to_string())?;
                asked.map_err(|error| format!("a request to the twin {twin} failed: {error}"))?;
            }
            Ok(began.elapsed().as_secs_f64())
        };
        let mut most = (0, 0);
        let look = async {
            loop {
                let now = looked_up(&status);
                most = (most.0.max(now.0), most.1.max(now.1));
                sleep(Duration::from_millis(20)).await;
            }
        };
        let asked = timeout(PATIENCE, or(all, look)).await;
        let seconds = asked.unwrap_or_else(|_| Err(format!("the twin {twin} took longer than a minute")))?;
        Ok(Cost { seconds, threads: most.0, kib: most.1 })
    })
}

/// Threads, and KiB of memory, as Linux tells.
fn looked_up(path: &str) -> (u64, u64) {
    let status = std::fs::read_to_string(path).unwrap_or_default();
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    (number("Threads:").unwrap_or(0), number("VmRSS:").unwrap_or(0))
}

/// Connects, with few others at a time, and asks when all have connected.
async fn ask(addr: &str, doors: &Semaphore, ready: Sender<Infallible>, start: &Receiver<Infallible>) -> io::Result<()> {
    let mut stream = {
        let _door = doors.acquire().await;
        let mut stream = TcpStream::connect(addr).await?;
        stream.write_all(b"GET /hello/you HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"hello you\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).await?;
            answer.extend(byte);
        }
        stream
    };
    drop(ready);
    let _ = start.recv().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    if answer.starts_with("HTTP/1.1 200 ") { Ok(()) } else { Err(io::Error::other(answer)) }
}
