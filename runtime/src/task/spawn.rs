//! Spawning: how a future becomes a task.

use std::panic::Location;

use crate::ground::event::TaskId;
use crate::heart::current::expect_current;
use crate::task::join::JoinHandle;

/// Makes a future a task of the runtime that runs on this thread, and queues it. Its first poll comes with its turn,
/// not here.
///
/// The future need not be `Send`, as it never leaves the thread. Dropping the handle detaches the task;
/// it goes on by itself.
///
/// # Panics
///
/// If no runtime runs on this thread, or if the runtime holds 16,777,215 tasks.
///
/// ```
/// use std::rc::Rc;
///
/// oneloop::run(async {
///     let shared = Rc::new(5);
///     let task = oneloop::spawn({
///         let shared = Rc::clone(&shared);
///         async move { *shared + 1 }
///     });
///     assert_eq!(task.await.unwrap(), 6);
/// });
/// ```
#[doc(alias("spawn_local", "create_task", "start_soon", "LocalSet"))]
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let core = expect_current("oneloop::spawn");
    let at = Location::caller();
    JoinHandle::new(core.spawn(future, None, at), at)
}

/// Spawns a task with a name, which observers and errors show.
///
/// ```
/// # oneloop::run(async {
/// let task = oneloop::task::Builder::new().name("reader").spawn(std::future::pending::<()>());
/// task.abort();
/// assert!(task.await.unwrap_err().to_string().contains("\"reader\""));
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Builder {
    name: Option<String>,
}

impl Builder {
    /// A builder of a task without a name.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the task. Names need not be unique.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Spawns the task, as [`spawn`] does.
    ///
    /// # Panics
    ///
    /// As [`spawn`] does.
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let core = expect_current("oneloop::task::Builder::spawn");
        let at = Location::caller();
        JoinHandle::new(core.spawn(future, self.name.as_deref(), at), at)
    }
}

/// The task that is being polled. The future of `block_on` is a task too.
///
/// # Panics
///
/// If none is.
///
/// ```
/// # oneloop::run(async {
/// let task = oneloop::spawn(async { oneloop::task::id() });
/// assert_eq!(task.id(), task.await.unwrap());
/// # });
/// ```
#[track_caller]
pub fn id() -> TaskId {
    let task = expect_current("oneloop::task::id").current_task();
    TaskId(task.expect("oneloop::task::id was called where no task is being polled"))
}
