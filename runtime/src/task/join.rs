//! Joining: the end of a task, as seen by another.
//!
//! A [`JoinHandle`] is the task's key and nothing else. So it is `Send`, of any output: the output never leaves the
//! loop's thread, and a handle that is polled elsewhere panics.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use crate::ground::event::{Event, TaskId, WaitsFor};
use crate::ground::failure::{Abort, Asker, Failure};
use crate::heart::budget::ready_within_budget;
use crate::heart::current::{REGISTRY, at_home, current, expect_home, with_home};
use crate::heart::key::TaskKey;
use crate::heart::peek::waiter_of;
use crate::heart::tasks::{Answer, Info};
use crate::task::asker::{asker, describe};
use crate::task::heard::Heard;

/// Waits for a task and gives its output. Dropping it detaches the task, which goes on.
///
/// # Panics
///
/// When polled where its runtime is not running, or polled again after it gave the output.
///
/// # Cancel safety
///
/// Dropping the handle before it is ready loses the output, since nobody else can ask for it. To wait
/// for a while only, await `&mut handle`.
///
/// ```
/// # oneloop::run(async {
/// let task = oneloop::spawn(async { 6 * 7 });
/// assert_eq!(task.await.unwrap(), 42);
/// # });
/// ```
pub struct JoinHandle<T> {
    task: TaskKey,
    /// The line that spawned it.
    at: &'static Location<'static>,
    /// Whether the outcome was taken.
    taken: bool,
    output: PhantomData<fn() -> T>,
}

type Line = &'static Location<'static>;

impl<T> JoinHandle<T> {
    pub(crate) fn new(task: TaskKey, at: &'static Location<'static>) -> Self {
        Self { task, at, taken: false, output: PhantomData }
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        TaskId(self.task)
    }

    /// Asks for the task to end: it is not polled again, and dropped when its turn comes. The handle
    /// then gives an error that says who asked, and where. A task that is over stays as it is.
    ///
    /// May be called from any thread.
    #[track_caller]
    pub fn abort(&self) {
        self.abort_handle().abort();
    }

    /// A handle that can abort the task but not join it.
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle::new(self.task)
    }

    /// Whether the task is over. It is over, too, if its runtime has been dropped, or is about to be. Call this on the
    /// loop's thread while the loop runs: elsewhere it is false as long as the runtime lives.
    pub fn is_finished(&self) -> bool {
        self.taken || is_over(self.task)
    }
}

impl<T: 'static> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// The caller is the line of the `.await`, where the handle is awaited as it is.
    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.taken, "a JoinHandle was polled after it had given its task's output");
        let mut output = None::<T>;
        take_output(self.task, &mut output);
        if let Some(output) = output {
            self.taken = true;
            return Poll::Ready(Ok(output));
        }
        let error = std::task::ready!(poll_failure(self.task, self.at, Location::caller(), cx));
        // A task that awaits itself still has an outcome to come.
        self.taken = !matches!(error.0.reason, Reason::JoinsItself);
        Poll::Ready(Err(error))
    }
}

/// Moves the output into `place`, if it is there and the task that asks has something left of its share.
fn take_output(task: TaskKey, place: &mut dyn Any) {
    with_home(task.0.runtime, |core| {
        if core.may_complete() && core.tasks.take_output(task, place) {
            core.spend();
        }
    });
}

/// Why there is no output, if there never will be one; else leaves a waker.
fn poll_failure(task: TaskKey, spawned: Line, awaited: Line, cx: &Context<'_>) -> Poll<JoinError> {
    let joined = with_home(task.0.runtime, |core| {
        let joined = if core.may_complete() { core.tasks.take_failure(task) } else { Answer::Pending };
        if !matches!(joined, Answer::Pending) {
            core.spend();
        }
        joined
    });
    match joined {
        Some(Answer::Failed(failure, info)) => Poll::Ready(failed(task, *failure, info)),
        // An outcome stays in its slot until its only handle takes it, or the runtime ends.
        Some(Answer::Gone) => Poll::Ready(JoinError::new(task, None, Reason::Aborted(Abort::Shutdown))),
        Some(Answer::Pending) | None => wait(task, spawned, awaited, cx),
    }
}

/// Leaves a waker with a task that is not over, unless it would wait for ever.
fn wait(task: TaskKey, spawned: Line, awaited: Line, cx: &Context<'_>) -> Poll<JoinError> {
    let core = expect_home(task.0.runtime, "a JoinHandle was polled");
    if core.current_task() == Some(task) {
        std::task::ready!(ready_within_budget(cx));
        return Poll::Ready(JoinError::new(task, core.tasks.info(task), Reason::JoinsItself));
    }
    if !core.must_yield(cx) {
        drop(core.tasks.leave_joiner(task, cx.waker().clone()));
        if core.is_observed() {
            let at = if is_users(awaited) { awaited } else { spawned };
            core.observe_wait(waiter_of(&core, cx.waker()), WaitsFor::Join(TaskId(task)), at);
        }
    }
    Poll::Pending
}

/// Whether a line is the user's own. If a `&mut`, a box or a timeout polls the handle, that line is in the standard
/// library or in this one. Such a line does not help the user.
fn is_users(line: Line) -> bool {
    let here = file!().trim_end_matches("task/join.rs");
    !line.file().starts_with(here) && !["/rustc/", "/rustlib/src/rust/"].iter().any(|part| line.file().contains(part))
}

#[cold]
fn failed(task: TaskKey, failure: Failure, info: Info) -> JoinError {
    let reason = match failure {
        Failure::Panicked(payload) => {
            let heard = current().map(|core| core.annex.get::<Heard>());
            heard.iter().for_each(|heard| heard.note(TaskId(task)));
            Reason::Panicked(Mutex::new(payload))
        }
        Failure::Aborted(abort) => Reason::Aborted(abort),
    };
    JoinError::new(task, Some(info), reason)
}

impl<T> Drop for JoinHandle<T> {
    #[inline]
    fn drop(&mut self) {
        if !self.taken {
            detach(self.task);
        }
    }
}

fn detach(task: TaskKey) {
    at_home(task.0.runtime, move |core| {
        let left = core.tasks.detach(task);
        if let Some(joiner) = &left.joiner {
            if core.is_observed() {
                core.observe_wait_dropped(waiter_of(core, joiner), WaitsFor::Join(TaskId(task)));
            }
        }
        drop(left);
    });
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinHandle(task {})", self.id())
    }
}

/// Aborts a task, from any thread. Made by [`JoinHandle::abort_handle`].
#[derive(Clone)]
pub struct AbortHandle {
    task: TaskKey,
}

impl AbortHandle {
    pub(crate) fn new(task: TaskKey) -> Self {
        Self { task }
    }

    /// As [`JoinHandle::abort`].
    #[track_caller]
    pub fn abort(&self) {
        let (task, at) = (self.task, Location::caller());
        let here = current().filter(|core| core.number == task.0.runtime);
        let by = here.map_or(Asker::AnotherThread, |core| asker(&core));
        at_home(task.0.runtime, move |core| {
            if core.tasks.abort(task, Abort::Asked { by, at }) {
                core.observe(|| Event::Abort { task: TaskId(task), by: core.cause(), at: core.place(at) });
            }
        });
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        TaskId(self.task)
    }

    /// As [`JoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        is_over(self.task)
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AbortHandle(task {})", self.id())
    }
}

fn is_over(task: TaskKey) -> bool {
    let runtime = task.0.runtime;
    with_home(runtime, |core| core.tasks.is_over(task)).unwrap_or_else(|| REGISTRY.exact(runtime).is_none())
}

/// Why a task gave no output: it panicked, it was aborted, or it tried to join itself.
///
/// ```
/// # oneloop::run(async {
/// let task = oneloop::spawn(std::future::pending::<()>());
/// task.abort();
/// let error = task.await.unwrap_err();
/// assert!(error.is_cancelled());
/// // task 2 (spawned at src/main.rs:1:12) was aborted by task 1 at src/main.rs:2:6
/// println!("{error}");
/// # });
/// ```
pub struct JoinError(Box<Inner>);

struct Inner {
    task: TaskKey,
    info: Option<Info>,
    reason: Reason,
}

enum Reason {
    /// In a mutex, because a payload is `Send` but need not be `Sync`, while an error should be both.
    Panicked(Mutex<Box<dyn Any + Send>>),
    Aborted(Abort),
    JoinsItself,
}

impl JoinError {
    fn new(task: TaskKey, info: Option<Info>, reason: Reason) -> Self {
        Self(Box::new(Inner { task, info, reason }))
    }

    /// Whether the task was dropped before its end: aborted, dropped with its runtime, or refused.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.reason, Reason::Aborted(_))
    }

    /// Whether a job for [`spawn_blocking`](crate::task::spawn_blocking) was refused: there were too
    /// many, or no thread for it. It counts as cancelled too.
    pub fn is_refused(&self) -> bool {
        matches!(self.0.reason, Reason::Aborted(Abort::Refused(_)))
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.0.reason, Reason::Panicked(_))
    }

    /// The payload of the task's panic, for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    ///
    /// If the task did not panic.
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(error) => panic!("JoinError::into_panic was called on an error that is no panic: {error}"),
        }
    }

    /// The payload of the task's panic, or this error again if there was none.
    ///
    /// # Errors
    ///
    /// If the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match self.0.reason {
            Reason::Panicked(payload) => Ok(payload.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)),
            _ => Err(self),
        }
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        TaskId(self.0.task)
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { task, info, reason } = &*self.0;
        f.write_str(&describe(*task, info.as_ref().and_then(|info| info.name.as_deref())))?;
        if let Some(Info { at, .. }) = info {
            write!(f, " (spawned at {at})")?;
        }
        match reason {
            Reason::Panicked(payload) => {
                let payload = payload.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                write!(f, " panicked{}", panic_text(&**payload))
            }
            Reason::Aborted(Abort::Asked { by, at }) => write!(f, " was aborted by {by} at {at}"),
            Reason::Aborted(Abort::Shutdown) => f.write_str(" was dropped with its runtime"),
            Reason::Aborted(Abort::Refused(why)) => write!(f, " was refused by the blocking pool: {why}"),
            Reason::JoinsItself => f.write_str(" awaits its own JoinHandle, which can never be ready"),
        }
    }
}

/// The text of a panic, behind a colon; empty if it said nothing that can be shown.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.map_or_else(String::new, |text| format!(": {text}"))
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl std::error::Error for JoinError {}
