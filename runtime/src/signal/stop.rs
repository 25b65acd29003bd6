//! The request to stop, as servers understand it: the first one is a wish, the second an order.

use std::future::poll_fn;
use std::io;
use std::panic::Location;

use super::{Signal, SignalKind, signal};
use crate::ground::signals::{asked_to_stop, await_stop};
use crate::heart::budget::ready_within_budget;

/// Waits until the process is asked to stop, by SIGINT or SIGTERM, and says by which. A program that awaits this then
/// stops in order: accept nobody else, let those who are here finish for a while, report.
///
/// A SIGINT after that ends the process on the spot, with exit code 130: the signal's handler does it,
/// also when the loop is stuck. A further SIGTERM changes nothing.
///
/// The request is for the whole process and stays. Any number of tasks, in any number of runtimes, may
/// await it; those who do so only after it came are told at once.
///
/// The default dispositions are over as [`signal`](fn@crate::signal::signal) says. The page `docs/shutdown.md` shows the
/// pattern.
///
/// # Errors
///
/// If the system has no descriptors left for a pipe.
///
/// # Panics
///
/// If no runtime runs on this thread.
///
/// # Cancel safety
///
/// Dropping the future loses nothing: the next one is told.
///
/// ```no_run
/// # oneloop::run(async {
/// let by = oneloop::signal::stop_requested().await?;
/// println!("stopping, since {by} came; once more to stop at once");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn stop_requested() -> impl Future<Output = io::Result<SignalKind>> {
    let at = Location::caller();
    let mut listening = listen();
    poll_fn(move |cx| {
        let signals = match &mut listening {
            Ok(signals) => signals,
            Err(error) => return Err(std::mem::replace(error, io::ErrorKind::Other.into())).into(),
        };
        loop {
            if let Some(kind) = asked() {
                return ready_within_budget(cx).map(|()| Ok(kind));
            }
            // Both must be polled: either may come.
            let news = signals.each_mut().map(|signal| signal.poll_at(cx, at).is_ready());
            if news == [false, false] {
                return std::task::Poll::Pending;
            }
        }
    })
}

/// Listens to both, and only then lets the handler take notes.
#[track_caller]
fn listen() -> io::Result<[Signal; 2]> {
    let signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
    await_stop();
    Ok(signals)
}

/// The signal that asked.
fn asked() -> Option<SignalKind> {
    asked_to_stop().map(SignalKind::from_raw)
}
