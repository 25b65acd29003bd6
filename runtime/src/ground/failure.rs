//! Failures: why a task has no output.

use std::any::Any;
use std::panic::Location;
use std::sync::Arc;

use crate::heart::key::TaskKey;

/// Why a task has no output.
pub(crate) enum Failure {
    Panicked(Box<dyn Any + Send>),
    Aborted(Abort),
}

/// Why a task was dropped before its end.
#[derive(Debug)]
pub(crate) enum Abort {
    /// Somebody asked for it, somewhere.
    Asked { by: Asker, at: &'static Location<'static> },
    /// Its runtime was dropped.
    Shutdown,
    /// The job that it was to wait for could not be begun.
    Refused(String),
}

/// The one who asked for an abort. The sentence is made when somebody reads it.
#[derive(Clone, Debug)]
pub(crate) enum Asker {
    Task(TaskKey, Option<Arc<str>>),
    NoTask,
    AnotherThread,
}
