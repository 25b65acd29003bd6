//! Keys: everything a user holds is a number.
//!
//! The runtime owns all state in slabs; a handle, a sleep or a socket holds only a key into one of
//! them. There are two kinds of number, and the difference between them is the safety argument of
//! the whole runtime:
//!
//! - a [`Key`] is *exact*. Slot and serial together are never used twice within a runtime, and a runtime's number is
//!   never used twice within a process. So a key that fits is the right one. Operations that do harm to the wrong one
//!   take a key: abort, join, cancel a timer, deregister.
//! - a [`WakeWord`] is a *hint*. It is a key cut down to the 64 bits that fit a `Waker`. A slot's word comes again after
//!   2^24 serials, so a later task of the slot may have the word of an earlier one. A wake of the wrong task costs one
//!   spurious poll and nothing else.
//!
//! ```text
//!     Key       runtime u32 ............ slot u32 ............ serial u64        128 bits, exact
//!     WakeWord  runtime 16 bits | serial 24 bits | slot 24 bits                   64 bits, a hint
//! ```

use std::fmt;

const _: () = assert!(usize::BITS == 64, "oneloop needs a 64-bit target: a waker is packed into one usize");

/// The widths of a wake word's fields: the slot in the low bits, and the serial above it.
const SLOT_BITS: u32 = 24;
const SERIAL_BITS: u32 = 24;

/// The most slots that the task store may have, since a wake word has to hold the number of one.
pub(crate) const MAX_SLOTS: usize = 1 << SLOT_BITS;

/// Names one tenant of one slot of one runtime. A slot has many tenants, one after the other; each has a serial of its
/// own.
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
        let serial = (key.serial as usize) & ((1 << SERIAL_BITS) - 1);
        let runtime = (key.runtime as usize) & 0xffff;
        Self(runtime << (SLOT_BITS + SERIAL_BITS) | serial << SLOT_BITS | key.slot as usize)
    }

    /// The low 16 bits of the runtime's number.
    pub(crate) fn runtime(self) -> u16 {
        (self.0 >> (SLOT_BITS + SERIAL_BITS)) as u16
    }

    /// The slot the woken task lived in when the waker was made.
    pub(crate) fn slot(self) -> usize {
        self.0 & (MAX_SLOTS - 1)
    }

    /// Whether the slot's present tenant, which has this serial, may be the task that was meant.
    pub(crate) fn fits(self, serial: u64) -> bool {
        (((self.0 as u64) >> SLOT_BITS) ^ serial) & ((1 << SERIAL_BITS) - 1) == 0
    }
}

impl fmt::Debug for WakeWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WakeWord(runtime {}, slot {}, {:#x})", self.runtime(), self.slot(), self.0)
    }
}
