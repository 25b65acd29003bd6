//! Fixtures of several tests: processes of their own, counters, and futures that are polled by hand.

use std::any::{Any, type_name_of_val};
use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::pin::{Pin, pin};
use std::process::{Command, Output};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::Signal;
use nix::sys::time::TimeValLike;
use oneloop::task::yield_now;
use tempfile::TempDir;

use crate::kit::watch::Watch;

/// The exit code of a process when a body that [`child`] ran in it came to its end.
pub(crate) const CAME_TO_ITS_END: i32 = 42;

/// Set for a process that was started for a test's body alone.
const INSIDE: &str = "ONELOOP_TEST_ALONE";

/// Whether such a process has come to that body.
static BODY_BEGUN: AtomicBool = AtomicBool::new(false);

/// Whether this is such a process.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs a test's body in a process of its own, where nobody else opens files, allocates or aborts.
#[track_caller]
pub(crate) fn alone<F: FnOnce()>(body: F) {
    alone_with(&[], body);
}

/// The same, in an environment with these variables besides.
#[track_caller]
pub(crate) fn alone_with<F: FnOnce()>(variables: &[(&str, &str)], body: F) {
    let output = child_with(variables, body);
    let (said, cried) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.code() == Some(CAME_TO_ITS_END), "{}\n{said}\n{cried}", output.status);
}

/// The same, for a body that may end its process before its end. In that process this call does not
/// return; elsewhere it gives what came of it. The body must be a closure in the test's own function,
/// because that is how the process finds it.
#[track_caller]
pub(crate) fn child<F: FnOnce()>(body: F) -> Output {
    child_with(&[], body)
}

/// The same, in an environment with these variables besides.
#[track_caller]
pub(crate) fn child_with<F: FnOnce()>(variables: &[(&str, &str)], body: F) -> Output {
    let mut command = child_command(variables, body);
    // Time for the child's own watchdog to bark first.
    let _watch = Watch::new(Duration::from_secs(40));
    command.output().expect("this program can be started again")
}

/// The command that starts such a process, for a test that gives it other standard files.
#[track_caller]
pub(crate) fn child_command<F: FnOnce()>(variables: &[(&str, &str)], body: F) -> Command {
    if is_inside() {
        BODY_BEGUN.store(true, Ordering::Relaxed);
        crate::kit::watch::watch(body);
        std::process::exit(CAME_TO_ITS_END);
    }
    let path = type_name_of_val(&body);
    let test = path.split_once("::").and_then(|(_crate, path)| path.split("::{{closure}}").next());
    let mut command = this_program();
    command
        .args(["--exact", test.expect("a closure's type is named after its function"), "--nocapture"])
        .env(INSIDE, "1")
        .envs(variables.iter().copied());
    command
}

/// This program, to be started again. Its parent may ignore SIGINT and its like, as `nohup` and a shell's `&`
/// do; a child would inherit that, and its signals would end nothing.
pub(crate) fn this_program() -> Command {
    let program = std::env::current_exe().expect("this program knows its own path");
    if !some_ending_signal_is_ignored() {
        return Command::new(program);
    }
    let mut command = Command::new("env");
    command.arg("--default-signal=HUP,INT,QUIT").arg(program);
    command
}

/// As Linux tells. Elsewhere nothing is known of it.
fn some_ending_signal_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or(0);
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT].into_iter().any(|signal| ignored >> (signal as i32 - 1) & 1 == 1)
}

/// A folder of the test's own, gone with this. Nobody had its name before: a process's number comes round.
pub(crate) struct Folder(Option<TempDir>);

impl Folder {
    /// A process on its way to the body that it was started for has no use for one, and may leave without a drop.
    pub(crate) fn new() -> Self {
        let on_the_way = is_inside() && !BODY_BEGUN.load(Ordering::Relaxed);
        Self((!on_the_way).then(|| TempDir::with_prefix("oneloop-").expect("there is a folder for temporary files")))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new("/nowhere"), TempDir::path)
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> String {
        self.path().join(name).to_str().expect("a path of ours is text").to_owned()
    }
}

/// Runs a closure when it is dropped, wherever that is.
pub(crate) struct OnDrop<F: FnOnce()>(Option<F>);

pub(crate) fn on_drop<F: FnOnce()>(then: F) -> OnDrop<F> {
    OnDrop(Some(then))
}

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(then) = self.0.take() {
            then();
        }
    }
}

/// A count that many may add to.
#[derive(Clone, Default, Debug)]
pub(crate) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds one when it is dropped.
    pub(crate) fn at_drop(&self) -> OnDrop<impl FnOnce() + Send + Sync + use<>> {
        let count = self.clone();
        on_drop(move || count.add())
    }

    /// A future that adds one whenever the one inside is polled.
    pub(crate) fn polls<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let count = self.clone();
        async move {
            let mut future = pin!(future);
            poll_fn(|cx| {
                count.add();
                future.as_mut().poll(cx)
            })
            .await
        }
    }
}

/// The things that happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Notes(Rc<RefCell<Vec<String>>>);

impl Notes {
    pub(crate) fn add(&self, note: &(impl ToString + ?Sized)) {
        self.0.borrow_mut().push(note.to_string());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }

    /// All of them as one text.
    pub(crate) fn text(&self) -> String {
        self.take().join(" ")
    }
}

type Hook = Box<dyn Fn() + Send + Sync>;

/// A waker that is not the runtime's. It does what it is told when it is woken, and when the last of
/// its clones is dropped.
pub(crate) struct Foreign {
    on_wake: Hook,
    on_drop: Hook,
}

impl Foreign {
    pub(crate) fn waker(
        on_wake: impl Fn() + Send + Sync + 'static,
        on_drop: impl Fn() + Send + Sync + 'static,
    ) -> Waker {
        Waker::from(Arc::new(Self { on_wake: Box::new(on_wake), on_drop: Box::new(on_drop) }))
    }
}

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {
        (self.on_wake)();
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        (self.on_drop)();
    }
}

/// Polls a future once with a waker of one's own.
pub(crate) fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Waits for all of these, and asks each that is not over whenever it is polled.
pub(crate) async fn join_all<F: Future + Unpin>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut asked: Vec<_> = futures.into_iter().map(|future| (future, None)).collect();
    poll_fn(|cx| {
        for (future, output) in asked.iter_mut().filter(|(_, output)| output.is_none()) {
            if let Poll::Ready(ready) = Pin::new(future).poll(cx) {
                *output = Some(ready);
            }
        }
        if asked.iter().all(|(_, output)| output.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    asked.into_iter().filter_map(|(_, output)| output).collect()
}

/// The waker of the task that awaits this.
pub(crate) async fn my_waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

/// Waits for one wake, by anybody.
pub(crate) async fn one_wake() {
    let mut waits = true;
    poll_fn(|_| if std::mem::take(&mut waits) { Poll::Pending } else { Poll::Ready(()) }).await;
}

/// Lets every task that is ready now run, some rounds of them.
pub(crate) async fn rounds(rounds: usize) {
    for _ in 0..rounds {
        yield_now().await;
    }
}

/// The text that a closure panics with.
pub(crate) fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => String::from("no panic"),
        Err(payload) => text_of(&*payload),
    }
}

/// A panic's payload as text.
pub(crate) fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| String::from(*text));
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| String::from("no text"))
}

/// How many file descriptors this process has open.
pub(crate) fn open_files() -> usize {
    std::fs::read_dir("/dev/fd").expect("/dev/fd lists the descriptors").count()
}

/// How much memory of this process is in use, in kilobytes.
pub(crate) fn resident_kb() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has this line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// How much of the processor this process uses while `f` runs, whatever else goes on in the system.
pub(crate) fn processor_time(f: impl FnOnce()) -> Duration {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a process may ask for its own usage");
        [usage.user_time(), usage.system_time()].map(|time| Duration::from_micros(time.num_microseconds() as u64))
    };
    let [before, after] = [used(), (f(), used()).1].map(|used| used.iter().sum::<Duration>());
    after - before
}

/// LeakSanitizer cannot look at a process that is traced, or that was forked from one with threads.
pub(crate) const UNSEEN_BY_LEAK_SANITIZER: (&str, &str) = ("ASAN_OPTIONS", "detect_leaks=0");

/// Numbers that look random and are the same in every run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// One below `limit`. (Marsaglia, "Xorshift RNGs", 2003.)
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
