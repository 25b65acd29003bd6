//! The events that an observer sees: every step of the loop, as plain data.
//!
//! The runtime tells its story as a stream of [`Event`]s, in the order in which things happen. It tells each
//! [`Observer`] that was given to its builder. Everything that shows a running loop reads this one stream. While
//! nobody observes, an event costs one look at a flag, and a branch that is not taken.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::heart::key::{Key, SourceKey, TaskKey, TimerKey};

pub use crate::ground::place::Place;

/// Sees what the loop does, on the loop's own thread, at the moment it happens.
///
/// An observer may do what any code on that thread may do, and even spawn or wake: no internal borrow is alive while
/// it runs. All that it does is part of the run, though, so most observers only write down. If it panics, the loop
/// first finishes the step it is at, so that no task and no timer is lost. Then the panic leaves `block_on`, which
/// may be called again. At the end of the runtime it is only reported.
///
/// In a forked child the observers of its parent's runtimes are told of nothing more. They may share a lock with
/// threads that the child has not, and it may be locked for ever.
///
/// ```
/// use std::{cell::Cell, rc::Rc, time::Duration};
/// use oneloop::{Runtime, event::{Event, Observer}};
///
/// struct Polls(Rc<Cell<u32>>);
///
/// impl Observer for Polls {
///     fn on_event(&self, _at: Duration, event: &Event<'_>) {
///         if let Event::PollStart { .. } = event {
///             self.0.set(self.0.get() + 1);
///         }
///     }
/// }
///
/// let polls = Rc::new(Cell::new(0));
/// let runtime = Runtime::builder().observer(Polls(polls.clone())).build()?;
/// runtime.block_on(oneloop::task::yield_now());
/// assert_eq!(polls.get(), 2); // once to say "not yet", once to finish
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Observer: 'static {
    /// Called for each event. `at` is the time since the runtime was built, by its own clock.
    ///
    /// The clock is read where a turn, a poll or a look at the kernel begins and ends, and where a timer fires. An event
    /// in between has the time of the last reading: inside a poll, that at which the poll began.
    fn on_event(&self, at: Duration, event: &Event<'_>);

    /// Called when it is added to a loop that runs already, before its first event.
    fn on_attached(&self, _at: Duration) {}

    /// Whether it only notes what it is told, so that the time it takes is not worth a reading of the clock.
    #[doc(hidden)]
    fn only_notes(&self) -> bool {
        false
    }

    /// Whether it wants to be told of timers that are set or cancelled, and of sources that are drained. One that does not
    /// may be told all the same.
    #[doc(hidden)]
    fn wants_details(&self) -> bool {
        true
    }

    /// The pen that a loop writes its events with, in place of telling it. Asked for once, when it is added.
    #[doc(hidden)]
    fn pen(&self) -> Option<Box<dyn Pen>> {
        None
    }
}

/// Writes events down as words, on the loop's thread. It is none of a program's code, and it tells nobody.
///
/// A loop packs an event where it happens, as `packed.rs` says. No [`Event`] is made if nobody else is told.
#[doc(hidden)]
pub trait Pen {
    /// Writes an event's words. Five arguments are passed in registers, and an array of five is not.
    fn write(&self, at: u64, it: u64, other: u64, more: u64, last: u64);

    /// The number of a place, in parts for the same reason.
    fn place(&self, file: &'static str, line: u32, column: u32) -> u32;

    /// The number of a text, beginning with 1, for the event that is written next.
    fn text(&self, text: &str) -> u64;

    /// The number of a kind of source, for the event that is written next.
    fn resource(&self, resource: Resource) -> u64;
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $key:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub(crate) $key);

        impl $name {
            /// The number as shown: unique within the runtime, never used again, counting up.
            pub fn as_u64(self) -> u64 {
                let $key(Key { serial, .. }) = self.0;
                serial
            }

            /// The slot of the runtime's slab. Slots are used again; the number is not.
            pub fn slot(self) -> u32 {
                let $key(Key { slot, .. }) = self.0;
                slot
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.as_u64().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_u64())
            }
        }
    };
}

id! {
    /// Names a task. It displays as its number.
    TaskId, TaskKey
}
id! {
    /// Names a pending timer.
    TimerId, TimerKey
}
id! {
    /// Names a registered I/O source: a socket, for example.
    SourceId, SourceKey
}

/// One step of the loop.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum Event<'a> {
    /// A turn begins; `inbox` messages from other threads are waiting.
    TurnStart { turn: u64, inbox: usize },
    /// A task was born and queued. The root future of `block_on` is a task named "main".
    Spawn { task: TaskId, by: Cause, name: Option<&'a str>, at: Place },
    /// A task is about to be polled.
    PollStart { task: TaskId },
    /// The poll is over.
    PollEnd { task: TaskId, outcome: Polled },
    /// A task's leaf future left its waker and waits; `at` is the line that created the future. For a join it is the
    /// line that awaits it. If a library's code polls the handle, it is the line that spawned the other task.
    Wait { task: TaskId, on: WaitsFor, at: Place },
    /// A task no longer waits for this, though it has not come: the future that waited was dropped, or
    /// went to another task.
    WaitDropped { task: TaskId, on: WaitsFor },
    /// A task was woken. `queued` is false if it was in the ready queue already.
    Wake { task: TaskId, cause: Cause, queued: bool },
    /// A wake arrived for a task that is no more. Harmless, and normal.
    StaleWake { cause: Cause },
    /// Somebody asked for a task to end; it will be dropped when its turn comes.
    Abort { task: TaskId, by: Cause, at: Place },
    /// A task is over.
    Finish { task: TaskId, outcome: Finished },
    /// A timer was set. `deadline` is the time since the runtime was built.
    TimerSet { timer: TimerId, by: Cause, deadline: Duration, at: Place },
    /// A timer fired, `late` after its deadline.
    TimerFired { timer: TimerId, late: Duration },
    /// A timer was dropped before it fired.
    TimerCancelled { timer: TimerId },
    /// A source was registered with the kernel. `ready` says what is attempted without asking first.
    SourceOpened { source: SourceId, resource: Resource, ready: Readiness, by: Cause, at: Place },
    /// The kernel reported a source ready. It stays so until it is drained.
    SourceReady { source: SourceId, ready: Readiness },
    /// An attempt showed that there is nothing more to read, or no room to write, for now.
    SourceDrained { source: SourceId, read: bool, write: bool },
    /// A source was deregistered.
    SourceClosed { source: SourceId },
    /// The loop asks the kernel for events and sleeps for at most `timeout`: for ever if `None`, not
    /// at all if zero.
    ParkStart { timeout: Option<Duration> },
    /// The kernel answered; `events` sources are ready.
    ParkEnd { events: usize },
    /// A turn is over, after `polls` polls.
    TurnEnd { turn: u64, polls: usize },
    /// A viewer has held the loop for this long, and it goes on. No task is to blame for the delays that follow.
    Held { lasted: Duration },
    /// The diagnosis found something that keeps the program, or a task of it, from going on. `text` says
    /// it in a sentence.
    Finding { kind: Finding, task: Option<TaskId>, text: &'a str },
}

/// The one who acted when a wake, a spawn or an abort happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// A task, while it was polled or dropped.
    Task(TaskId),
    /// A timer that fired.
    Timer(TimerId),
    /// A source that became ready.
    Source(SourceId),
    /// Another thread. Threads are numbered in the order in which they first reached for a loop.
    Thread(u64),
    /// None of these: code outside the loop, or the runtime itself.
    Outside,
}

/// The outcome of a poll.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Polled {
    Pending,
    Ready,
    Panicked,
}

/// How a task ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Finished {
    Returned,
    Panicked,
    Aborted,
}

/// The thing that a task waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WaitsFor {
    /// A deadline.
    Timer(TimerId),
    /// A source to become readable.
    Read(SourceId),
    /// A source to become writable.
    Write(SourceId),
    /// Another task's end.
    Join(TaskId),
    /// Something that the loop does not know, by a number of the teller's choice: a lock of some library, say.
    Other(u64),
}

/// A kind of finding of the diagnosis.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Finding {
    /// A poll took so long that it held up all others.
    SlowPoll,
    /// A task wakes itself again and again, and does not wait for anything.
    SelfWakeStorm,
    /// A task waits, and no waker of it is left.
    NobodyCanWake,
    /// The loop sleeps, and nothing outside can wake it.
    EveryoneWaits,
    /// Many timers fired together, late.
    TimerPileUp,
}

/// The kind of thing that a source is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Resource {
    /// A listening TCP socket, with the address it is bound to.
    TcpListener(std::net::SocketAddr),
    /// A TCP connection, with its peer.
    TcpStream(std::net::SocketAddr),
    /// The pipe through which signals come.
    Signals,
    /// A pipe to or from a child process, with its id.
    ChildPipe(u32),
    /// A UDP socket, with the address it is bound to.
    UdpSocket(std::net::SocketAddr),
    /// A listening Unix socket.
    UnixListener,
    /// A Unix connection.
    UnixStream,
    /// A Unix socket for datagrams.
    UnixDatagram,
    /// A descriptor of any kind, with its number: an [`AsyncFd`](crate::io::AsyncFd).
    Descriptor(std::os::fd::RawFd),
}

/// The directions in which a source is ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Readiness {
    pub read: bool,
    pub write: bool,
    /// Nothing more will come, or the source failed.
    pub read_closed: bool,
    /// Nothing more can be sent, or the source failed.
    pub write_closed: bool,
}

/// A duration in nanoseconds. A longer one than 584 years, which is the most that fits, counts as that.
pub(crate) fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos().into())
}

/// This thread's number, for [`Cause::Thread`]. Threads are numbered when they first ask.
pub(crate) fn thread_number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static NUMBER: u64 = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    }
    NUMBER.with(|number| *number)
}
