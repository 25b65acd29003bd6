//! Scopes: tasks that end before the block that spawned them, and may therefore borrow from it.
//!
//! A scope is one future. Its children live in a map inside it, so they are dropped with it. The compiler knows that,
//! so children may borrow without unsafe code. But each child must be woken, and shown, by itself. So each has a
//! *stand-in*: a task of the runtime that owns nothing.
//!
//! ```text
//!     wake the child's waker -> its stand-in is queued, and polled: it notes its own key, and wakes
//!     the scope -> the scope is polled: it polls the children whose keys are noted, and no others
//! ```
//!
//! While a child is polled, it is the current task, under its stand-in's id. Like every task, it has a budget of its
//! own for one poll. So has the body. Once the children of one poll have spent a budget together, the others wait
//! for the scope's next poll, where they come first.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::ground::event::{Cause, TaskId};
use crate::ground::span::Span;
use crate::heart::budget::OPERATIONS_PER_POLL;
use crate::heart::core::{Actor, Core};
use crate::heart::current::{at_home, current, expect_current, expect_home};
use crate::heart::key::{TaskKey, WakeWord};
use crate::heart::waker::waker_of;
use crate::task::scope_error::{Cancelled, Failure, Reason, ScopeError};
use crate::task::scoped_handle::{Output, ScopedJoinHandle};
use crate::time::{Sleep, sleep};

/// Runs `body` and waits for every task that it spawns on its [`Scope`]. Such tasks may borrow anything that was
/// declared before the scope.
///
/// The first child that fails cancels the body and the other children: they are dropped where they stand. A child fails
/// by a panic, or by an error given to [`Scope::try_spawn`]. They are dropped too when the scope itself is dropped at
/// any await point, as by a timeout around it.
///
/// # Errors
///
/// If a child failed, or the scope was cancelled. The error holds every failure, and the reason.
///
/// # Panics
///
/// If `body` panics; the children are dropped on the way. If no runtime runs on this thread, or another
/// than where the scope was first polled.
///
/// # Cancel safety
///
/// Dropping the future drops the children first, and loses what they would have returned.
///
/// ```
/// # oneloop::run(async {
/// let words = [String::from("one"), String::from("loop")];
/// let lengths = oneloop::task::scope(async |s| {
///     let one = s.spawn(async { words[0].len() });
///     let two = s.spawn(async { words[1].len() });
///     one.await + two.await
/// });
/// assert_eq!(lengths.await.unwrap(), 7);
/// # });
/// ```
#[doc(alias("JoinSet", "TaskGroup", "nursery", "open_nursery", "join_all"))]
#[track_caller]
pub fn scope<'env, T, F>(body: F) -> impl Future<Output = Result<T, ScopeError>> + use<'env, T, F>
where
    F: AsyncFnOnce(&Scope<'env>) -> T,
{
    scope_at(body, Location::caller())
}

async fn scope_at<'env, T, F>(body: F, at: &'static Location<'static>) -> Result<T, ScopeError>
where
    F: AsyncFnOnce(&Scope<'env>) -> T,
{
    let runtime = expect_current(format_args!("a scope, asked for at {at},")).number;
    let scope = Scope { runtime, children: Rc::default(), notes: Rc::default() };
    // Declared before the body, so dropped after it.
    let _ending = Ending(&scope);
    let (mut output, mut failures) = (None, Vec::new());
    {
        let mut body = pin!(body(&scope));
        poll_fn(|cx| {
            scope.notes.parent.replace(Some(cx.waker().clone()));
            let core = expect_home(scope.runtime, "a scope was polled");
            if output.is_none() {
                if let (Poll::Ready(value), _) = core.with_own_share(|| body.as_mut().poll(cx)) {
                    output = Some(value);
                }
            }
            scope.poll_noted(&core, cx, &mut failures);
            let complete = output.is_some() && scope.is_empty();
            let over = complete || !failures.is_empty() || scope.notes.is_cancelled(cx);
            if over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
    let complete = scope.is_empty() && failures.is_empty();
    scope.drop_children(&mut failures);
    match output {
        Some(output) if complete && failures.is_empty() => Ok(output),
        _ => Err(ScopeError::new(scope.notes.cancelled.take(), failures)),
    }
}

/// Spawns tasks that end with their [`scope`]. A clone spawns on the same scope, so that a child may
/// take one along and spawn siblings.
#[derive(Clone)]
pub struct Scope<'env> {
    /// The number of the runtime that has the stand-ins.
    runtime: u32,
    children: Rc<RefCell<BTreeMap<TaskKey, Child<'env>>>>,
    notes: Rc<Notes>,
}

type Body<'env> = Pin<Box<dyn Future<Output = Option<Reason>> + 'env>>;

struct Child<'env> {
    body: Body<'env>,
    at: &'static Location<'static>,
}

/// The part of a scope that it shares with stand-ins and cancellers, which borrow nothing.
#[derive(Default)]
struct Notes {
    /// The stand-ins of the children that are not over, by key. A stand-in that was woken leaves its waker here until
    /// the scope is polled. So a diagnosis, which counts wakers, sees that the child can still be woken.
    live: RefCell<BTreeMap<TaskKey, Option<Waker>>>,
    /// The children that are to be polled, in this order.
    woken: RefCell<VecDeque<TaskKey>>,
    /// The waker of the one who polls the scope.
    parent: RefCell<Option<Waker>>,
    cancelled: RefCell<Option<Cancelled>>,
    limit: RefCell<Option<(Sleep, Cancelled)>>,
    /// The scope is over, or about to be: nobody would poll another child.
    closed: Rc<Cell<bool>>,
}

impl<'env> Scope<'env> {
    /// Spawns a child. If it panics, the scope fails. The handle gives its output; when it is dropped,
    /// the output is lost, and the scope waits for the child all the same.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> ScopedJoinHandle<F::Output>
    where
        F: Future + 'env,
        F::Output: 'env,
    {
        self.spawn_as(None, future)
    }

    /// Spawns a child as [`spawn`](Self::spawn) does, with a name, by which dumps, findings and the page call it.
    /// Names need not be unique.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    ///
    /// ```
    /// # oneloop::run(async {
    /// oneloop::task::scope(async |s| {
    ///     s.spawn_named("reader", oneloop::task::yield_now());
    ///     # #[cfg(feature = "see")]
    ///     assert!(oneloop::see::dump().to_string().contains("reader"));
    /// })
    /// .await
    /// .unwrap();
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn_named<T: 'env>(&self, name: &str, future: impl Future<Output = T> + 'env) -> ScopedJoinHandle<T> {
        self.spawn_as(Some(name), future)
    }

    #[track_caller]
    fn spawn_as<T: 'env>(&self, name: Option<&str>, future: impl Future<Output = T> + 'env) -> ScopedJoinHandle<T> {
        let (output, handle) = Output::new(&self.notes.closed);
        let body = async move {
            output.give(future.await);
            None
        };
        self.add(Box::pin(body), name, Location::caller());
        handle
    }

    /// Spawns a child that may fail: its error fails the scope, as a panic does.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn try_spawn<F, T, E>(&self, future: F) -> ScopedJoinHandle<T>
    where
        F: Future<Output = Result<T, E>> + 'env,
        T: 'env,
        E: Into<Box<dyn std::error::Error>>,
    {
        let (output, handle) = Output::new(&self.notes.closed);
        let body = async move {
            let failed = future.await.map(|value| output.give(value)).err();
            failed.map(|error| Reason::Error(error.into()))
        };
        self.add(Box::pin(body), None, Location::caller());
        handle
    }

    /// Cancels the scope: the next time its task is polled, body and children are dropped. `why`
    /// reaches the error, and so do the caller's task and line. Only the first reason counts.
    #[track_caller]
    pub fn cancel(&self, why: impl Into<String>) {
        self.canceller().cancel(why);
    }

    /// Cancels the scope when `limit` has passed.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn cancel_after(&self, limit: Duration) {
        let why = format!("it took longer than {}", Span(limit));
        self.notes.limit.replace(Some((sleep(limit), Cancelled::here(why, Location::caller()))));
        self.notes.wake_parent();
    }

    /// A handle that cancels the scope from elsewhere on this thread. It borrows nothing.
    pub fn canceller(&self) -> Canceller {
        Canceller(Rc::clone(&self.notes))
    }

    fn add(&self, body: Body<'env>, name: Option<&str>, at: &'static Location<'static>) {
        let core = expect_home(self.runtime, "a scope's task was spawned");
        if self.notes.closed.get() {
            return;
        }
        let stand_in = core.spawn(Box::pin(StandIn(Rc::clone(&self.notes))), name, at);
        drop(core.tasks.detach(stand_in));
        self.notes.live.borrow_mut().insert(stand_in, None);
        self.children.borrow_mut().insert(stand_in, Child { body, at });
    }

    fn is_empty(&self) -> bool {
        self.notes.live.borrow().is_empty()
    }

    /// Polls the children that were woken, in order, until they have spent one budget together. Each child's poll has a
    /// whole budget of its own, and costs at least one operation.
    fn poll_noted(&self, core: &Core, cx: &Context<'_>, failures: &mut Vec<Failure>) {
        let mut left = OPERATIONS_PER_POLL;
        loop {
            let next = if left > 0 { self.notes.woken.borrow_mut().pop_front() } else { None };
            let Some(key) = next else { break };
            let child = self.children.borrow_mut().remove(&key);
            let Some(Child { mut body, at }) = child else { continue };
            // It is dropped after the poll: if it is the last waker, a diagnosis must not see it go before that.
            let _noted = self.notes.live.borrow_mut().get_mut(&key).and_then(Option::take);
            let waker = waker_of(core, WakeWord::new(key));
            let mut cx = Context::from_waker(&waker);
            let (polled, spent) = core.with_own_share(|| self.as_task(key, || body.as_mut().poll(&mut cx)));
            left = left.saturating_sub(spent.max(1));
            match polled {
                Ok(Poll::Pending) => drop(self.children.borrow_mut().insert(key, Child { body, at })),
                Ok(Poll::Ready(reason)) => self.end_child(key, body, at, reason, failures),
                Err(payload) => self.end_child(key, body, at, Some(Reason::Panic(payload)), failures),
            }
        }
        if !self.notes.woken.borrow().is_empty() {
            cx.waker().wake_by_ref();
        }
    }

    /// Drops a child's body, and reports how it ended if it failed.
    fn end_child(
        &self,
        key: TaskKey,
        body: Body<'env>,
        at: &'static Location<'static>,
        reason: Option<Reason>,
        failures: &mut Vec<Failure>,
    ) {
        let dropped = self.as_task(key, || drop(body));
        let failed = [reason, dropped.err().map(Reason::Panic)];
        failures.extend(failed.into_iter().flatten().map(|reason| Failure { task: TaskId(key), at, reason }));
        self.notes.live.borrow_mut().remove(&key);
        // The stand-in finds itself gone from the list, and ends.
        at_home(self.runtime, move |core| waker_of(core, WakeWord::new(key)).wake_by_ref());
    }

    fn drop_children(&self, failures: &mut Vec<Failure>) {
        self.notes.closed.set(true);
        loop {
            let child = self.children.borrow_mut().pop_first();
            let Some((key, Child { body, at })) = child else { break };
            self.end_child(key, body, at, None, failures);
        }
        // A canceller may stay for longer, but nobody waits here any more.
        drop((self.notes.parent.take(), self.notes.limit.take()));
    }

    /// Runs a child's code as the task that stands in for it, and catches its panic. The stand-in may be gone before
    /// the child is, at the end of the runtime, so it goes by its key. If the runtime does not run, for example because
    /// the scope outlives it, the code runs as no task.
    fn as_task<R>(&self, key: TaskKey, f: impl FnOnce() -> R) -> std::thread::Result<R> {
        let core = current().filter(|core| core.number == self.runtime);
        let before = core.as_ref().map(|core| core.actor.replace(Actor::Known(Cause::Task(TaskId(key)))));
        let result = catch_unwind(AssertUnwindSafe(f));
        if let (Some(core), Some(before)) = (core, before) {
            core.actor.set(before);
        }
        result
    }
}

impl Notes {
    fn wake_parent(&self) {
        let parent = self.parent.take();
        if let Some(parent) = parent {
            parent.wake();
        }
    }

    fn is_cancelled(&self, cx: &mut Context<'_>) -> bool {
        let limit = self.limit.take();
        if let Some((mut sleep, why)) = limit {
            match Pin::new(&mut sleep).poll(cx) {
                Poll::Ready(()) => drop(self.cancelled.borrow_mut().get_or_insert(why)),
                Poll::Pending => drop(self.limit.replace(Some((sleep, why)))),
            }
        }
        self.cancelled.borrow().is_some()
    }
}

/// The task by which a child is woken and seen.
struct StandIn(Rc<Notes>);

impl Future for StandIn {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let key = expect_current("a scope").current_task().expect("a stand-in is polled as a task");
        let noted = match self.0.live.borrow_mut().get_mut(&key) {
            None => return Poll::Ready(()),
            // A task's waker is always ours, so it may be cloned and dropped in a borrow.
            Some(noted) => noted.replace(cx.waker().clone()).is_some(),
        };
        if !noted {
            self.0.woken.borrow_mut().push_back(key);
        }
        self.0.wake_parent();
        Poll::Pending
    }
}

/// Drops what is left of a scope that is dropped before its end.
struct Ending<'a, 'env>(&'a Scope<'env>);

impl Drop for Ending<'_, '_> {
    fn drop(&mut self) {
        self.0.drop_children(&mut Vec::new());
    }
}

/// Cancels a scope from elsewhere on its thread. Made by [`Scope::canceller`]; harmless when the scope
/// is over.
#[doc(alias("CancellationToken", "CancelScope"))]
#[derive(Clone)]
pub struct Canceller(Rc<Notes>);

impl Canceller {
    /// As [`Scope::cancel`].
    #[track_caller]
    pub fn cancel(&self, why: impl Into<String>) {
        let why = Cancelled::here(why.into(), Location::caller());
        self.0.cancelled.borrow_mut().get_or_insert(why);
        self.0.wake_parent();
    }
}
