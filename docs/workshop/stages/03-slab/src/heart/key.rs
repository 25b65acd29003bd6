//! Keys: everything a user holds is a number.
//!
//! The runtime owns all state in slabs; a handle, a sleep or a socket holds only a key into one of
//! them. There are two kinds of number, and the difference between them is the safety argument of
//! the whole runtime:
//!
//! - a [`Key`] is *exact*. Slot and serial together are never used twice within a runtime, and a runtime's number is
//!   never used twice within a process. So a key that fits is the right one. All that would be wrong when mistaken
//!   takes a key: abort, join, cancel a timer, deregister.
//! - a [`WakeWord`] is a *hint*. It is a key cut down to the 64 bits that fit a `Waker`, so two tasks
//!   can in principle share one. A mistaken wake costs one spurious poll and nothing else.
//!
//! ```text
//!     Key       runtime u32 ............ slot u32 ............ serial u64        128 bits, exact
//!     WakeWord  runtime 16 bits | serial 24 bits | slot 24 bits                   64 bits, a hint
//! ```

use std::fmt;

const _: () = assert!(usize::BITS == 64, "oneloop needs a 64-bit target: a waker is packed into one usize");

/// How many low bits of a wake word hold the slot, and how many above them the serial.
const SLOT_BITS: u32 = 24;
const SERIAL_BITS: u32 = 24;

/// The most slots a store of wakeable things may have.
pub(crate) const MAX_SLOTS: usize = 1 << SLOT_BITS;

/// A slot, its tenant that is meant (`serial`), and the runtime that has them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct Key {
    pub(crate) runtime: u32,
    pub(crate) slot: u32,
    pub(crate) serial: u64,
}

/// The key of a task.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct TaskKey(pub(crate) Key);

impl TaskKey {
    /// No task: no runtime has number 0.
    pub(crate) const NOBODY: Self = Self(Key { runtime: 0, slot: 0, serial: 0 });
}

/// The key of a pending timer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct TimerKey(pub(crate) Key);

/// The key of a registered I/O source.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct SourceKey(pub(crate) Key);

/// The number inside a `Waker`, and the entry in the ready queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct WakeWord(pub(crate) usize);

impl WakeWord {
    /// Cuts a task's key down to one word.
    pub(crate) fn new(TaskKey(key): TaskKey) -> Self {
        // stage: hole "WakeWord::new"
        let serial = (key.serial as usize) & ((1 << SERIAL_BITS) - 1);
        let runtime = (key.runtime as usize) & 0xffff;
        Self(runtime << (SLOT_BITS + SERIAL_BITS) | serial << SLOT_BITS | key.slot as usize)
        // stage: end
    }

    /// The low 16 bits of the runtime's number.
    pub(crate) fn runtime(self) -> u16 {
        // stage: hole "WakeWord::runtime"
        (self.0 >> (SLOT_BITS + SERIAL_BITS)) as u16
        // stage: end
    }

    /// The slot the woken task lived in when the waker was made.
    pub(crate) fn slot(self) -> usize {
        // stage: hole "WakeWord::slot"
        self.0 & (MAX_SLOTS - 1)
        // stage: end
    }

    /// Whether the slot's tenant of today may be the one that was meant.
    pub(crate) fn fits(self, serial: u64) -> bool {
        // stage: hole "WakeWord::fits"
        (((self.0 as u64) >> SLOT_BITS) ^ serial) & ((1 << SERIAL_BITS) - 1) == 0
        // stage: end
    }
}

impl fmt::Debug for WakeWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WakeWord(runtime {}, slot {}, {:#x})", self.runtime(), self.slot(), self.0)
    }
}
