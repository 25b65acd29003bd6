//! Scopes: children that end before the block that spawned them, and may therefore borrow from before it.
//!
//! A scope is one future, and its children live inside of it. Dropping the scope drops them first, and the
//! compiler knows it: so they may borrow, in safe code. Each child has a waker of its own, which says which child it is
//! and wakes the scope.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::heart::current::current;

type Body<'env, E> = Pin<Box<dyn Future<Output = Result<(), E>> + 'env>>;

/// The place where the children of a scope are spawned.
pub struct Scope<'env, E> {
    spawned: RefCell<Vec<Body<'env, E>>>,
}

impl<'env, E> Scope<'env, E> {
    /// Starts a child. It may borrow whatever was declared before the scope.
    pub fn spawn(&self, future: impl Future<Output = Result<(), E>> + 'env) {
        self.spawned.borrow_mut().push(Box::pin(future));
    }
}

/// Whether a child was woken, and who is to be woken then.
struct Bell {
    rung: AtomicBool,
    scope: Mutex<Waker>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::SeqCst);
        let scope = self.scope.lock().unwrap_or_else(PoisonError::into_inner).clone();
        scope.wake();
    }
}

struct Child<'env, E> {
    body: Body<'env, E>,
    bell: Arc<Bell>,
}

impl<'env, E> Child<'env, E> {
    /// A child that was never polled counts as woken.
    fn new(body: Body<'env, E>) -> Self {
        Self { body, bell: Arc::new(Bell { rung: AtomicBool::new(true), scope: Mutex::new(Waker::noop().clone()) }) }
    }

    /// Polls the child, if it was woken. It has a share of its own, so a greedy sibling takes nothing from it.
    fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<(), E>> {
        // Each poll leaves the scope's newest waker. The one before it is foreign code, and is dropped without the lock.
        let newest = cx.waker().clone();
        let before = std::mem::replace(&mut *self.bell.scope.lock().unwrap_or_else(PoisonError::into_inner), newest);
        drop(before);
        match current() {
            Some(core) => core.with_own_share(|| self.poll_if_woken()).0,
            None => self.poll_if_woken(),
        }
    }

    fn poll_if_woken(&mut self) -> Poll<Result<(), E>> {
        // stage: hole "Child::poll"
        if !self.bell.rung.swap(false, Ordering::SeqCst) {
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(&self.bell));
        self.body.as_mut().poll(&mut Context::from_waker(&waker))
        // stage: end
    }
}

/// Runs `body`, and waits for every child that it spawns. The first child that fails cancels the body and the other
/// children: they are dropped where they stand.
pub async fn scope<'env, T, E, F>(body: F) -> Result<T, E>
where
    F: AsyncFnOnce(&Scope<'env, E>) -> T,
{
    let scope = Scope { spawned: RefCell::default() };
    let mut children: Vec<Child<'env, E>> = Vec::new();
    let mut output = None;
    let mut body = pin!(body(&scope));
    poll_fn(|cx| {
        if output.is_none() {
            if let Poll::Ready(value) = body.as_mut().poll(cx) {
                output = Some(value);
            }
        }
        children.extend(scope.spawned.take().into_iter().map(Child::new));
        // stage: hole "scope"
        let mut at = 0;
        while at < children.len() {
            match children[at].poll(cx) {
                Poll::Pending => at += 1,
                Poll::Ready(Ok(())) => drop(children.remove(at)),
                // The body and the siblings are dropped when this future ends, which is now.
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
        match output.take() {
            Some(value) if children.is_empty() => Poll::Ready(Ok(value)),
            waits => {
                output = waits;
                Poll::Pending
            }
        }
        // stage: end
    })
    .await
}
