//! Cancelling an operation at each of its await points, to see what that loses.

use std::pin::pin;
use std::task::Poll;

/// Runs an operation again and again, and drops it each time at another point where it may be dropped. The points are
/// before its first poll, after every poll that found it waiting, and when it has been woken but not polled again. It
/// ends with the run in which the operation comes to its end.
///
/// Each run has a world of its own, from `setup`. `operation` is what is dropped. `check` gets the world back, with
/// the operation's output if there is one. It should find in it what a dropped operation must not lose: it may run
/// the operation again, and assert that nothing is missing.
///
/// Returns in how many places the operation was dropped: at least one. Should it be only one, the
/// operation never waited, and the test shows little.
///
/// Between two polls the loop turns, as long as it takes until the operation's task is woken. So the operation must
/// be able to come to its end by what `setup` began. On the virtual clock, and without sockets, the same places are
/// found in every run.
///
/// ```
/// use oneloop::{net::duplex, task::{cancel_at_every_await, yield_now}};
///
/// let places = oneloop::run(cancel_at_every_await(
///     async || {
///         let (here, there) = duplex(16);
///         oneloop::spawn(async move {
///             yield_now().await;
///             there.write_all(b"word").await.unwrap();
///         });
///         (here, [0; 4])
///     },
///     async |(here, buffer)| here.read(buffer).await.unwrap(),
///     async |(here, mut buffer), read| {
///         if read.is_none() {
///             here.read(&mut buffer).await.unwrap(); // reading is cancel-safe: the word is still to come
///         }
///         assert_eq!(&buffer, b"word");
///     },
/// ));
/// assert!(places > 1);
/// ```
///
/// # Cancel safety
///
/// **Not** cancel-safe: dropping the future drops the operation, wherever it is, and nothing is checked.
pub async fn cancel_at_every_await<W, T>(
    mut setup: impl AsyncFnMut() -> W,
    mut operation: impl AsyncFnMut(&mut W) -> T,
    mut check: impl AsyncFnMut(W, Option<T>),
) -> usize {
    let mut place = Place { polls: 0, woken: false };
    let mut dropped = 0;
    loop {
        let mut world = setup().await;
        let output = drop_at(place, operation(&mut world)).await;
        let is_over = output.is_some();
        let naming = NameIfItPanics(place);
        check(world, output).await;
        drop(naming);
        if is_over {
            return dropped;
        }
        dropped += 1;
        place = place.next();
    }
}

/// The point at which to drop a future.
#[derive(Clone, Copy)]
struct Place {
    polls: usize,
    /// Not right after the last of the polls, but when there would be another.
    woken: bool,
}

impl Place {
    fn next(self) -> Self {
        match self {
            Self { polls: 1.., woken: false } => Self { woken: true, ..self },
            Self { polls, .. } => Self { polls: polls + 1, woken: false },
        }
    }
}

async fn drop_at<F: Future>(place: Place, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = place.polls;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 && !place.woken => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Says which place it was, if the check panics.
struct NameIfItPanics(Place);

impl Drop for NameIfItPanics {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Place { polls, woken } = self.0;
            let when = if woken { ", when it was woken" } else { "" };
            eprintln!("cancel_at_every_await: the operation was dropped after poll {polls}{when}, or had ended");
        }
    }
}
