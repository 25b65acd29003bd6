//! The same results with no runtime at all: what the work itself costs, and the floor to compare with.
//!
//! Boxed futures polled by hand, a sorted map or a heap for deadlines, and mio's epoll for sockets.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::future::Future;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Token};

use crate::probe;
use crate::shape::{ANY_PORT, BUFFER_SIZE};
use crate::work::{
    AN_HOUR, Announce, CROWD, Figures, GATHERED, GATHERED_SLEEP, Job, Workload, around_a_minute, batches, gathered,
    nanos, punctuality, timer_duration, yield_once,
};

/// The name that the command line and the table use.
pub const NAME: &str = "raw";

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The workloads that are about a runtime and nothing else.
pub const LACKS: [Workload; 2] = [Workload::SpawnJoinRoot, Workload::Baton];

/// Runs one job.
///
/// # Errors
///
/// The sockets' own error, or `Unsupported` for the workloads in [`LACKS`].
pub fn run(job: Job, announce: Announce<'_>) -> io::Result<Figures> {
    let Job { workload, units, extra } = job;
    match workload {
        Workload::SpawnJoin => spawn_join(units),
        Workload::SpawnJoinValue => spawn_join_value(units),
        Workload::SpawnJoinOne => spawn_join_one(units),
        Workload::Yield => yields(units, CROWD),
        Workload::YieldLone => yields(units, 1),
        Workload::SleepDrop => sleep_drop(units, extra),
        Workload::Echo => return echo(extra, announce),
        Workload::Timers => return Ok(timers(units)),
        Workload::IdleTasks => return Ok(idle_tasks(units)),
        Workload::Gather => return Ok(gather(units)),
        Workload::WakeRemote => return wake_remote(units),
        Workload::IdleConns => return idle_conns(units, announce),
        Workload::SpawnJoinRoot | Workload::Baton => {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it takes a runtime"));
        }
    }
    Ok(Figures::new())
}

fn spawn_join(units: u64) {
    let mut ready: VecDeque<Task> = VecDeque::new();
    let mut handles = Vec::with_capacity(CROWD);
    for batch in batches(units) {
        handles.extend(batch.map(|_| spawn(&mut ready, async {})));
        join(&mut ready, &mut handles);
    }
}

fn spawn_join_value(units: u64) {
    let mut ready: VecDeque<Task> = VecDeque::new();
    let mut handles = Vec::with_capacity(CROWD);
    for batch in batches(units) {
        handles.extend(batch.map(|unit| spawn(&mut ready, async move { black_box(unit) })));
        join(&mut ready, &mut handles);
    }
}

fn spawn_join_one(units: u64) {
    let mut ready: VecDeque<Task> = VecDeque::new();
    let mut handles = Vec::with_capacity(1);
    for _ in 0..units {
        handles.push(spawn(&mut ready, async {}));
        join(&mut ready, &mut handles);
    }
}

/// A task leaves its output here.
type Handle<T> = Rc<Cell<Option<T>>>;

fn spawn<T: 'static>(ready: &mut VecDeque<Task>, future: impl Future<Output = T> + 'static) -> Handle<T> {
    let handle = Handle::default();
    let output = handle.clone();
    ready.push_back(Box::pin(async move { output.set(Some(future.await)) }));
    handle
}

/// Polls all tasks to their end and takes the outputs.
fn join<T>(ready: &mut VecDeque<Task>, handles: &mut Vec<Handle<T>>) {
    while !ready.is_empty() {
        turn(ready);
    }
    for handle in handles.drain(..) {
        black_box(handle.take().expect("the task has ended"));
    }
}

fn yields(units: u64, tasks: usize) {
    let mut ready: VecDeque<Task> = VecDeque::new();
    for _ in 0..tasks {
        ready.push_back(Box::pin(async move {
            for _ in 0..units / tasks as u64 {
                yield_once().await;
            }
        }));
    }
    while !ready.is_empty() {
        turn(&mut ready);
    }
}

/// Polls the first task and queues it again unless it is done.
fn turn(ready: &mut VecDeque<Task>) {
    let Some(mut task) = ready.pop_front() else { return };
    if task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        ready.push_back(task);
    }
}

fn sleep_drop(units: u64, pending: u64) {
    let mut deadlines: BTreeMap<(Instant, u64), Waker> = BTreeMap::new();
    for other in 0..pending {
        deadlines.insert((Instant::now() + around_a_minute(other), other), Waker::noop().clone());
    }
    for unit in 0..units {
        let key = (Instant::now() + around_a_minute(unit), pending + unit);
        deadlines.insert(key, Waker::noop().clone());
        black_box(deadlines.remove(&key));
    }
}

fn timers(units: u64) -> Figures {
    let start = probe::cpu_time();
    let mut heap = BinaryHeap::new();
    for unit in 0..units {
        heap.push(Reverse(Instant::now() + timer_duration(unit)));
    }
    let mut late_ms = Vec::new();
    expire(heap, |deadline| late_ms.push(deadline.elapsed().as_secs_f64() * 1e3));
    punctuality(probe::cpu_time() - start, late_ms)
}

fn gather(rounds: u64) -> Figures {
    let mut overruns_ms = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        let heap = (0..GATHERED).map(|_| Reverse(Instant::now() + GATHERED_SLEEP)).collect();
        expire(heap, |_| ());
        overruns_ms.push((start.elapsed().as_secs_f64() - GATHERED_SLEEP.as_secs_f64()) * 1e3);
    }
    gathered(overruns_ms)
}

/// Reports each deadline when it is due; sleeps whole milliseconds, so that many share a wake-up.
fn expire(mut heap: BinaryHeap<Reverse<Instant>>, mut due: impl FnMut(Instant)) {
    while let Some(Reverse(deadline)) = heap.pop() {
        let left = deadline.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            std::thread::sleep(Duration::from_millis(left.as_nanos().div_ceil(1_000_000) as u64));
        }
        due(deadline);
    }
}

/// A future with a deadline and nobody to wake it.
struct Asleep(Instant);

impl Future for Asleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0 <= Instant::now() { Poll::Ready(()) } else { Poll::Pending }
    }
}

fn idle_tasks(units: u64) -> Figures {
    let memory = probe::resident();
    let start = probe::cpu_time();
    let mut tasks: Vec<Task> = Vec::new();
    for _ in 0..units {
        let mut task: Task = Box::pin(Asleep(Instant::now() + AN_HOUR));
        let poll = pin!(&mut task).poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll.is_pending(), "an hour has not passed");
        tasks.push(task);
    }
    drop(tasks);
    let cpu = probe::cpu_time() - start;
    vec![("cpu_ns", nanos(cpu)), ("peak_rss_bytes", (probe::peak_resident() - memory) as f64)]
}

fn wake_remote(units: u64) -> io::Result<Figures> {
    const BELL: Token = Token(0);
    let mut poll = mio::Poll::new()?;
    let bell = mio::Waker::new(poll.registry(), BELL)?;
    let answered = Arc::new(AtomicBool::new(false));
    let (ask, asked) = mpsc::channel::<()>();
    let answer = answered.clone();
    let partner = std::thread::spawn(move || {
        for () in asked {
            answer.store(true, Ordering::Release);
            bell.wake().expect("the eventfd takes a write");
        }
    });
    let mut events = Events::with_capacity(1);
    let start = Instant::now();
    for _ in 0..units {
        ask.send(()).expect("the partner listens");
        while !answered.swap(false, Ordering::Acquire) {
            poll.poll(&mut events, None)?;
        }
    }
    let elapsed = start.elapsed();
    drop(ask);
    partner.join().expect("the partner thread ended well");
    Ok(vec![("wall_ns", nanos(elapsed))])
}

/// A connection and its buffer; the stream is gone once its peer has closed.
struct Connection {
    stream: Option<TcpStream>,
    buffer: Box<[u8]>,
}

/// An epoll loop over echoing connections, and nothing else.
struct Server {
    poll: mio::Poll,
    connections: Vec<Connection>,
}

impl Server {
    /// Takes over what [`accept`] returned: the kernel reports what has arrived in the meantime.
    fn new(streams: Vec<TcpStream>) -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let mut connections = Vec::new();
        for mut stream in streams {
            let token = Token(connections.len());
            poll.registry().register(&mut stream, token, Interest::READABLE)?;
            let buffer = vec![0; BUFFER_SIZE].into_boxed_slice();
            connections.push(Connection { stream: Some(stream), buffer });
        }
        Ok(Self { poll, connections })
    }

    /// Turns until every connection is closed.
    fn serve(mut self) -> io::Result<()> {
        let mut open = self.connections.len();
        let mut events = Events::with_capacity(1024);
        while open > 0 {
            self.poll.poll(&mut events, None)?;
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                if !connection.answer(event.is_read_closed())? {
                    connection.stream = None;
                    open -= 1;
                }
            }
        }
        Ok(())
    }
}

impl Connection {
    /// Answers what has arrived; false when the peer has closed. A short read has emptied the
    /// socket, so no second read asks for `WouldBlock`: the next byte brings a new event. Only a
    /// close that is already known brings none.
    fn answer(&mut self, closing: bool) -> io::Result<bool> {
        let Some(stream) = &mut self.stream else { return Ok(true) };
        loop {
            match stream.read(&mut self.buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    stream.write_all(&self.buffer[..count])?;
                    if count < self.buffer.len() && !closing {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Accepts `connections`, then listens no more.
fn accept(listener: &TcpListener, connections: u64) -> io::Result<Vec<TcpStream>> {
    let accepted = (0..connections).map(|_| {
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok(TcpStream::from_std(stream))
    });
    accepted.collect()
}

fn listen(announce: Announce<'_>) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(ANY_PORT)?;
    announce(listener.local_addr()?);
    Ok(listener)
}

fn echo(connections: u64, announce: Announce<'_>) -> io::Result<Figures> {
    let server = Server::new(accept(&listen(announce)?, connections)?)?;
    let start = probe::cpu_time();
    server.serve()?;
    Ok(vec![("cpu_ns", nanos(probe::cpu_time() - start))])
}

fn idle_conns(connections: u64, announce: Announce<'_>) -> io::Result<Figures> {
    let listener = listen(announce)?;
    let memory = probe::resident();
    let server = Server::new(accept(&listener, connections)?)?;
    let held = probe::resident() - memory;
    drop(server);
    Ok(vec![("rss_bytes", held as f64)])
}
