//! Why a scope failed: every failure of its children, and the reason it was cancelled for.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::Location;

use crate::ground::event::TaskId;
use crate::ground::failure::Asker;
use crate::heart::current::current;
use crate::task::asker::asker;
use crate::task::join::panic_text;

/// A [`scope`](crate::task::scope()) failed: children failed, or it was cancelled, or both.
#[derive(Debug)]
pub struct ScopeError {
    cancelled: Option<Cancelled>,
    failures: Vec<Failure>,
}

impl ScopeError {
    pub(crate) fn new(cancelled: Option<Cancelled>, failures: Vec<Failure>) -> Self {
        Self { cancelled, failures }
    }

    /// The one who cancelled the scope, where and why, if anybody did.
    pub fn cancelled(&self) -> Option<&Cancelled> {
        self.cancelled.as_ref()
    }

    /// The children that failed, the first first.
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// All failures, to be taken apart.
    pub fn into_failures(self) -> Vec<Failure> {
        self.failures
    }
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scope ")?;
        if let Some(cancelled) = &self.cancelled {
            write!(f, "was cancelled by {cancelled}")?;
        }
        match self.failures.len() {
            0 => return Ok(()),
            count if self.cancelled.is_some() => write!(f, "; {count} of its tasks failed: ")?,
            count => write!(f, "failed, {count} of its tasks did: ")?,
        }
        for (number, failure) in self.failures.iter().enumerate() {
            write!(f, "{}{failure}", if number == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl Error for ScopeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failures.first()?.error()
    }
}

/// The one who cancelled a scope, where and why. Displays as "task 3 at src/main.rs:7:9: the reason".
#[derive(Clone, Debug)]
pub struct Cancelled {
    /// `None` for code outside any runtime.
    by: Option<Asker>,
    at: &'static Location<'static>,
    why: String,
}

impl Cancelled {
    pub(crate) fn here(why: String, at: &'static Location<'static>) -> Self {
        Self { by: current().map(|core| asker(&core)), at, why }
    }

    /// The reason that was given.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The line that cancelled.
    pub fn location(&self) -> &'static Location<'static> {
        self.at
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            Some(by) => write!(f, "{by}")?,
            None => f.write_str("code outside any runtime")?,
        }
        write!(f, " at {}: {}", self.at, self.why)
    }
}

/// A child that failed.
#[derive(Debug)]
pub struct Failure {
    pub(crate) task: TaskId,
    pub(crate) at: &'static Location<'static>,
    pub(crate) reason: Reason,
}

pub(crate) enum Reason {
    Panic(Box<dyn Any + Send>),
    Error(Box<dyn Error>),
}

impl Failure {
    /// The child's id.
    pub fn id(&self) -> TaskId {
        self.task
    }

    /// The line that spawned it.
    pub fn location(&self) -> &'static Location<'static> {
        self.at
    }

    /// Whether it panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.reason, Reason::Panic(_))
    }

    /// The error that it returned, if it did.
    pub fn error(&self) -> Option<&(dyn Error + 'static)> {
        match &self.reason {
            Reason::Error(error) => Some(&**error),
            Reason::Panic(_) => None,
        }
    }

    /// The payload of its panic, or this failure again if there was none.
    ///
    /// # Errors
    ///
    /// If the child returned an error.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match self.reason {
            Reason::Panic(payload) => Ok(payload),
            Reason::Error(_) => Err(self),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} (spawned at {}) ", self.task, self.at)?;
        match &self.reason {
            Reason::Panic(payload) => write!(f, "panicked{}", panic_text(&**payload)),
            Reason::Error(error) => write!(f, "failed: {error}"),
        }
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic(payload) => write!(f, "Panic({:?})", panic_text(&**payload)),
            Self::Error(error) => write!(f, "Error({error:?})"),
        }
    }
}
