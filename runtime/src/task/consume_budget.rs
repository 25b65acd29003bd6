//! Paying for work that this crate does not see.

use std::future::poll_fn;

use crate::heart::budget::ready_within_budget;

/// Counts one operation against what the task may do in this poll. If that is used up, the task goes to
/// the end of the ready queue first, and the others run.
///
/// Sockets, timers and joins of this crate count by themselves. Call this in a loop over something that may always be
/// ready and does not count. Examples are a channel of another library that always holds a message, and a parser that
/// awaits in memory only.
///
/// # Cancel safety
///
/// Dropping the future loses nothing.
///
/// ```
/// # oneloop::run(async {
/// let (sender, receiver) = std::sync::mpsc::channel();
/// # (0..1000).for_each(|n| sender.send(n).unwrap()); drop(sender);
/// while let Ok(_message) = receiver.try_recv() {
///     oneloop::task::consume_budget().await; // the others run after every 128 messages
/// }
/// # });
/// ```
pub async fn consume_budget() {
    poll_fn(|cx| ready_within_budget(cx)).await;
}
