//! The workloads, each written once over [`Runtime`].
//!
//! They run inside a spawned task, where programs spend their time; `spawn_join_root` alone runs in
//! the future given to `block_on`, because some runtimes treat that one differently. If a loop
//! with much to do and a loop with one task to run cost differently, both are workloads.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::hint::black_box;
use std::net::SocketAddr;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::probe;
use crate::shape::Runtime;

/// A figure that a workload measured itself: a name with its unit last, and the value.
pub type Figures = Vec<(&'static str, f64)>;

/// Tells the client's side where the server listens.
pub type Announce<'a> = &'a dyn Fn(SocketAddr);

/// Tasks that are ready at the same time in [`Workload::SpawnJoin`] and [`Workload::Yield`].
pub const CROWD: usize = 100;
/// Sleeps gathered in one round of [`Workload::Gather`].
pub const GATHERED: usize = 30;
/// How long each of them lasts.
pub const GATHERED_SLEEP: Duration = Duration::from_millis(100);
/// How long an idle task sleeps: longer than any run.
pub const AN_HOUR: Duration = Duration::from_secs(3600);

thread_local! {
    /// Idle tasks that had their first poll: counted here, so that a task carries nothing for it.
    static STARTED: Cell<u64> = const { Cell::new(0) };
}

/// Everything that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Spawn an empty task, await its handle; a hundred are spawned before the first is awaited.
    SpawnJoin,
    /// The same, with a `u64` as the output.
    SpawnJoinValue,
    /// Spawn an empty task and await it before the next is spawned.
    SpawnJoinOne,
    /// The same as `SpawnJoinOne`, from the future given to `block_on`.
    SpawnJoinRoot,
    /// Give way once, among a hundred tasks that do the same.
    Yield,
    /// Give way once, with nobody else to run.
    YieldLone,
    /// Two tasks wake each other; one unit is both ways.
    Baton,
    /// Create a sleep, poll it once, drop it; the extra is how many others are pending.
    SleepDrop,
    /// Answer one request; the extra is how many connections share them.
    Echo,
    /// Run one task that sleeps 1 to 1000 ms, with all the others.
    Timers,
    /// Hold one task that sleeps for an hour.
    IdleTasks,
    /// Gather 30 sleeps of 100 ms.
    Gather,
    /// Ask another thread, which wakes the task.
    WakeRemote,
    /// Hold one silent connection.
    IdleConns,
}

impl Workload {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 14] = [
        Self::SpawnJoin,
        Self::SpawnJoinValue,
        Self::SpawnJoinOne,
        Self::SpawnJoinRoot,
        Self::Yield,
        Self::YieldLone,
        Self::Baton,
        Self::SleepDrop,
        Self::Echo,
        Self::Timers,
        Self::IdleTasks,
        Self::Gather,
        Self::WakeRemote,
        Self::IdleConns,
    ];

    /// The name that the command line uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SpawnJoin => "spawn_join",
            Self::SpawnJoinValue => "spawn_join_value",
            Self::SpawnJoinOne => "spawn_join_one",
            Self::SpawnJoinRoot => "spawn_join_root",
            Self::Yield => "yield",
            Self::YieldLone => "yield_lone",
            Self::Baton => "baton",
            Self::SleepDrop => "sleep_drop",
            Self::Echo => "echo",
            Self::Timers => "timers",
            Self::IdleTasks => "idle_tasks",
            Self::Gather => "gather",
            Self::WakeRemote => "wake_remote",
            Self::IdleConns => "idle_conns",
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|workload| workload.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no workload `{name}`; there are: {names}")
        })
    }
}

/// One workload with its size.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// The work to do.
    pub workload: Workload,
    /// How many times.
    pub units: u64,
    /// Tasks that wait all the time for `spawn_join`, pending sleeps for `sleep_drop`, connections for
    /// `echo`; no meaning elsewhere.
    pub extra: u64,
}

/// Runs one job on `R`, and nothing else.
pub fn run<R: Runtime>(job: Job, announce: Announce<'_>) -> Figures {
    let Job { workload, units, extra } = job;
    match workload {
        Workload::SpawnJoin => in_task::<R, _>(spawn_join::<R>(units, extra)),
        Workload::SpawnJoinValue => in_task::<R, _>(spawn_join_value::<R>(units)),
        Workload::SpawnJoinOne => in_task::<R, _>(spawn_join_one::<R>(units)),
        Workload::SpawnJoinRoot => R::block_on(spawn_join_one::<R>(units)),
        Workload::Yield => in_task::<R, _>(yield_together::<R>(units)),
        Workload::YieldLone => in_task::<R, _>(yields::<R>(units)),
        Workload::Baton => R::block_on(baton::<R>(units)),
        Workload::SleepDrop => in_task::<R, _>(sleep_drop::<R>(units, extra)),
        Workload::Echo => return R::block_on(echo::<R>(extra, announce)),
        Workload::Timers => return timers::<R>(units),
        Workload::IdleTasks => return idle_tasks::<R>(units),
        Workload::Gather => return R::block_on(gather::<R>(units)),
        Workload::WakeRemote => return in_task::<R, _>(wake_remote(units)),
        Workload::IdleConns => return R::block_on(idle_conns::<R>(units, announce)),
    }
    Figures::new()
}

/// Runs `work` as a task: the root does nothing but wait for it.
fn in_task<R: Runtime, T: 'static>(work: impl Future<Output = T> + 'static) -> T {
    R::block_on(async { R::join(R::spawn(work)).await })
}

async fn spawn_join<R: Runtime>(units: u64, waiting: u64) {
    for other in 0..waiting {
        R::detach(R::spawn(pending::<()>()));
        breathe::<R>(other).await;
    }
    let mut handles = Vec::with_capacity(CROWD);
    for batch in batches(units) {
        handles.extend(batch.map(|_| R::spawn(async {})));
        for handle in handles.drain(..) {
            R::join(handle).await;
        }
    }
}

async fn spawn_join_value<R: Runtime>(units: u64) {
    let mut handles = Vec::with_capacity(CROWD);
    for batch in batches(units) {
        handles.extend(batch.map(|unit| R::spawn(async move { black_box(unit) })));
        for handle in handles.drain(..) {
            black_box(R::join(handle).await);
        }
    }
}

/// The units, a crowd at a time.
pub(crate) fn batches(units: u64) -> impl Iterator<Item = Range<u64>> {
    (0..units).step_by(CROWD).map(move |first| first..units.min(first + CROWD as u64))
}

async fn spawn_join_one<R: Runtime>(units: u64) {
    for _ in 0..units {
        R::join(R::spawn(async {})).await;
    }
}

/// Shares the units among a crowd of tasks; sizes are multiples of the crowd.
async fn yield_together<R: Runtime>(units: u64) {
    let handles: Vec<_> = (0..CROWD).map(|_| R::spawn(yields::<R>(units / CROWD as u64))).collect();
    for handle in handles {
        R::join(handle).await;
    }
}

async fn yields<R: Runtime>(units: u64) {
    for _ in 0..units {
        R::yield_now().await;
    }
}

/// A yield for runtimes that bring none: wake yourself, then give way.
pub fn yield_once() -> impl Future<Output = ()> {
    let mut gave_way = false;
    poll_fn(move |context| {
        if gave_way {
            return Poll::Ready(());
        }
        gave_way = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

/// The state that the two tasks of [`baton`] share.
struct Baton {
    holder: Cell<usize>,
    waiting: [Cell<Option<Waker>>; 2],
}

async fn baton<R: Runtime>(units: u64) {
    let baton = Rc::new(Baton { holder: Cell::new(0), waiting: Default::default() });
    let first = R::spawn(pass::<R>(baton.clone(), 0, units));
    let second = R::spawn(pass::<R>(baton, 1, units));
    R::join(first).await;
    R::join(second).await;
}

/// Each runtime has one of its own: whether the compiler puts it into the caller is then decided for each alone.
async fn pass<R: Runtime>(baton: Rc<Baton>, me: usize, units: u64) {
    for _ in 0..units {
        poll_fn(|context| {
            if baton.holder.get() == me {
                return Poll::Ready(());
            }
            baton.waiting[me].set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
        baton.holder.set(1 - me);
        if let Some(waker) = baton.waiting[1 - me].take() {
            waker.wake();
        }
    }
}

async fn sleep_drop<R: Runtime>(units: u64, pending: u64) {
    let mut others: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
    for other in 0..pending {
        let mut sleep: Pin<Box<dyn Future<Output = ()>>> = Box::pin(R::sleep(around_a_minute(other)));
        poll_once(sleep.as_mut()).await;
        others.push(sleep);
        breathe::<R>(other).await;
    }
    for unit in 0..units {
        poll_once(pin!(R::sleep(around_a_minute(unit)))).await;
        breathe::<R>(unit).await;
    }
    drop(others);
}

/// Gives way now and then, as a task should: some runtimes ration the polls between two yields, and
/// some put off work until the next turn, which belongs to the price.
async fn breathe<R: Runtime>(unit: u64) {
    if unit % 64 == 63 {
        R::yield_now().await;
    }
}

/// 45 to 75 seconds, a different duration for each of many neighbouring units.
pub(crate) fn around_a_minute(unit: u64) -> Duration {
    Duration::from_millis(45_000 + unit.wrapping_mul(7919) % 30_000)
}

/// Polls once, which must leave the future pending.
async fn poll_once(mut future: Pin<&mut (impl Future<Output = ()> + ?Sized)>) {
    let poll = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
    assert!(poll.is_pending(), "the sleep is over before its time");
}

/// Serves `connections` until the client closes them all.
async fn echo<R: Runtime>(connections: u64, announce: Announce<'_>) -> Figures {
    let (listener, address) = R::listen().await;
    announce(address);
    let mut handles = Vec::new();
    for _ in 0..connections {
        let stream = R::accept(&listener).await;
        handles.push(R::spawn(R::echo(stream)));
    }
    let start = probe::cpu_time();
    for handle in handles {
        R::join(handle).await;
    }
    vec![("cpu_ns", nanos(probe::cpu_time() - start))]
}

fn timers<R: Runtime>(units: u64) -> Figures {
    let start = probe::cpu_time();
    let late_ms = R::block_on(async {
        let mut handles = Vec::new();
        for unit in 0..units {
            handles.push(R::spawn(lateness::<R>(timer_duration(unit))));
        }
        let mut late_ms = Vec::new();
        for handle in handles {
            late_ms.push(R::join(handle).await);
        }
        late_ms
    });
    let cpu = probe::cpu_time() - start;
    punctuality(cpu, late_ms)
}

/// The figures of many timers: what they cost and how late they were; a minimum below 0 was early.
pub(crate) fn punctuality(cpu: Duration, mut late_ms: Vec<f64>) -> Figures {
    late_ms.sort_by(f64::total_cmp);
    vec![
        ("cpu_ns", nanos(cpu)),
        ("late_ms_min", late_ms[0]),
        ("late_ms_p50", late_ms[late_ms.len() / 2]),
        ("late_ms_p99", late_ms[late_ms.len() * 99 / 100]),
    ]
}

/// How late a sleep of `duration` ends, in milliseconds; negative when it ends early.
async fn lateness<R: Runtime>(duration: Duration) -> f64 {
    let start = Instant::now();
    R::sleep(duration).await;
    (start.elapsed().as_secs_f64() - duration.as_secs_f64()) * 1e3
}

/// 1 to 1000 ms without order, the same in every run: the mixing step of splitmix64.
pub(crate) fn timer_duration(unit: u64) -> Duration {
    let mut word = unit.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Duration::from_millis(1 + (word ^ (word >> 31)) % 1000)
}

fn idle_tasks<R: Runtime>(units: u64) -> Figures {
    let memory = probe::resident();
    let start = probe::cpu_time();
    R::block_on(async {
        for _ in 0..units {
            R::detach(R::spawn(async {
                STARTED.set(STARTED.get() + 1);
                R::sleep(AN_HOUR).await;
            }));
        }
        until_started::<R>(units).await;
    });
    let cpu = probe::cpu_time() - start;
    vec![("cpu_ns", nanos(cpu)), ("peak_rss_bytes", (probe::peak_resident() - memory) as f64)]
}

/// Waits for the first poll of `tasks` idle tasks: by sleeping, because a task that yields is not
/// put behind the others by every runtime.
async fn until_started<R: Runtime>(tasks: u64) {
    while STARTED.get() < tasks {
        R::sleep(Duration::from_millis(1)).await;
    }
}

async fn gather<R: Runtime>(rounds: u64) -> Figures {
    let mut overruns_ms = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        let handles: Vec<_> = (0..GATHERED).map(|_| R::spawn(R::sleep(GATHERED_SLEEP))).collect();
        for handle in handles {
            R::join(handle).await;
        }
        overruns_ms.push((start.elapsed().as_secs_f64() - GATHERED_SLEEP.as_secs_f64()) * 1e3);
    }
    gathered(overruns_ms)
}

/// The figures of a gathering: the median round and the worst.
pub(crate) fn gathered(mut overruns_ms: Vec<f64>) -> Figures {
    overruns_ms.sort_by(f64::total_cmp);
    vec![("overrun_ms_p50", overruns_ms[overruns_ms.len() / 2]), ("overrun_ms_max", overruns_ms[overruns_ms.len() - 1])]
}

async fn wake_remote(units: u64) -> Figures {
    let answered = Arc::new(AtomicBool::new(false));
    let (ask, asked) = mpsc::channel::<Waker>();
    let answer = answered.clone();
    let partner = std::thread::spawn(move || {
        for waker in asked {
            answer.store(true, Ordering::Release);
            waker.wake();
        }
    });
    let start = Instant::now();
    for _ in 0..units {
        round_trip(&ask, &answered).await;
    }
    let elapsed = start.elapsed();
    drop(ask);
    partner.join().expect("the partner thread ended well");
    vec![("wall_ns", nanos(elapsed))]
}

/// Hands this task's waker to the partner and waits until it was used.
fn round_trip(ask: &mpsc::Sender<Waker>, answered: &AtomicBool) -> impl Future<Output = ()> {
    let mut asked = false;
    poll_fn(move |context| {
        if answered.swap(false, Ordering::Acquire) {
            return Poll::Ready(());
        }
        if !asked {
            asked = true;
            ask.send(context.waker().clone()).expect("the partner listens");
        }
        Poll::Pending
    })
}

/// Holds `connections` that say nothing, and looks at its own memory.
async fn idle_conns<R: Runtime>(connections: u64, announce: Announce<'_>) -> Figures {
    let (listener, address) = R::listen().await;
    announce(address);
    let memory = probe::resident();
    for _ in 0..connections {
        let stream = R::accept(&listener).await;
        R::detach(R::spawn(async {
            STARTED.set(STARTED.get() + 1);
            R::echo(stream).await;
        }));
    }
    until_started::<R>(connections).await;
    vec![("rss_bytes", (probe::resident() - memory) as f64)]
}

pub(crate) fn nanos(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}
