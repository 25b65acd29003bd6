//! The heart: a turn, and nothing but a turn.
//!
//! Read it in this order:
//!
//! ```text
//!     runtime.rs   READ FIRST: block_on is the loop, turn is one turn, and the end of a runtime
//!     turn.rs      the steps of a turn in their order: inbox, timers, polls, park
//!     core.rs      all that a loop has, in one place
//!     key.rs       keys, which are exact, and the 64-bit word inside a waker, which may name another task
//!     tasks/       the bodies of the tasks, and which of them are ready
//!     ready.rs     the ready queue: first in, first out, or in a random order drawn from a seed
//!     waker.rs     the waker: one word, and how a wake finds its loop
//!     current.rs   how code on this thread finds its loop: a thread-local
//!     inbox.rs     how another thread reaches a loop: a queue of messages, and a bell that ends a park
//!     timers.rs    the clock, real or virtual, and who waits for which deadline
//!     wheel.rs     the wheel that keeps the deadlines
//!     reactor/     the kernel's poll, and a slab of the sources registered with it
//!     budget.rs    how much a task may do in one poll
//!     tell.rs      how the observers are told; and spawn and wake, which also change a store
//!     peek.rs      what a dump, a diagnosis or an event asks of a waker and of the timers: skip it
//! ```
//!
//! A folder's own `peek.rs` holds what a dump or a diagnosis asks; no turn needs it.
//!
//! The story of a wake, by the functions that it passes:
//!
//! ```text
//!     Runtime::turn    takes the four steps, again and again
//!     poll_ready       takes a ready task's body out of its slot, and polls it with a waker: one word
//!     a leaf future    (a sleep, a read) is not ready, leaves the waker with Timers or the Reactor, and returns Pending
//!     Tasks::put_back  puts the body back into its slot: the task waits
//!     park             sleeps until the next deadline, an event of the kernel, or the inbox's bell
//!     fire_timers      wakes the waker of each timer that is due
//!     deliver_arrivals wakes the waker that an event of the kernel is for
//!     waker::wake      finds the loop that the word names: on this thread, or through its inbox on another
//!     Core::queue      calls Tasks::wake: it checks the word against the slot, and pushes it onto the ready queue
//!     poll_ready       polls the task again, and this time the leaf future is ready
//! ```
//!
//! If nobody observes and the waker is this loop's own, an event takes a shorter way: `deliver_at_once` queues the task
//! while the batch of events is being read.
//!
//! The modules are declared by layer: each uses only those above it.

pub(crate) mod key;
pub(crate) mod ready;
pub(crate) mod wheel;

pub(crate) mod timers;

pub(crate) mod inbox;
pub(crate) mod tasks;

pub(crate) mod reactor;

pub(crate) mod core;

pub(crate) mod current;
pub(crate) mod tell;

pub(crate) mod budget;
pub(crate) mod waker;

pub(crate) mod peek;

pub(crate) mod turn;

pub(crate) mod runtime;
