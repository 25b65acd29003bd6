//! A packed event: forty bytes of plain numbers.
//!
//! ```text
//!     at | it | other | more | place | tag and slot       8 + 8 + 8 + 8 + 4 + 4 bytes
//! ```
//!
//! `it` is what the event is about, `other` who did it or what is waited for, `more` depends on the kind. A record
//! knows the slot of its own thing, and the slot of a thing waited for, in `more`. It knows a cause by number only.

use std::time::Duration;

use crate::ground::event::{Cause, Readiness, SourceId, TaskId, TimerId, WaitsFor};
use crate::heart::key::{Key, SourceKey, TaskKey, TimerKey};
use crate::see::model::things::Who;

#[derive(Clone, Copy, Debug)]
pub(super) struct Packed {
    pub(super) at: u64,
    pub(super) it: u64,
    pub(super) other: u64,
    pub(super) more: u64,
    pub(super) place: u32,
    /// The slot in the low 24 bits, then what kind `other` is (3 bits), then the kind of the event.
    tag: u32,
}

const _: () = assert!(size_of::<Packed>() == 40, "a ring of 50,000 events is to take 2 MB");

const SLOT: u32 = (1 << 24) - 1;

/// The kinds of events.
pub(super) mod kind {
    pub(in crate::see::record) const TURN_START: u32 = 0;
    pub(in crate::see::record) const SPAWN: u32 = 1;
    pub(in crate::see::record) const POLL_START: u32 = 2;
    pub(in crate::see::record) const POLL_END: u32 = 3;
    pub(in crate::see::record) const WAIT: u32 = 4;
    pub(in crate::see::record) const WAIT_DROPPED: u32 = 5;
    pub(in crate::see::record) const WAKE: u32 = 6;
    pub(in crate::see::record) const STALE_WAKE: u32 = 7;
    pub(in crate::see::record) const ABORT: u32 = 8;
    pub(in crate::see::record) const FINISH: u32 = 9;
    pub(in crate::see::record) const TIMER_SET: u32 = 10;
    pub(in crate::see::record) const TIMER_FIRED: u32 = 11;
    pub(in crate::see::record) const TIMER_CANCELLED: u32 = 12;
    pub(in crate::see::record) const SOURCE_OPENED: u32 = 13;
    pub(in crate::see::record) const SOURCE_READY: u32 = 14;
    pub(in crate::see::record) const SOURCE_DRAINED: u32 = 15;
    pub(in crate::see::record) const SOURCE_CLOSED: u32 = 16;
    pub(in crate::see::record) const PARK_START: u32 = 17;
    pub(in crate::see::record) const PARK_END: u32 = 18;
    pub(in crate::see::record) const TURN_END: u32 = 19;
    pub(in crate::see::record) const FINDING: u32 = 20;
    pub(in crate::see::record) const HELD: u32 = 21;
}

impl Packed {
    pub(super) fn numbers(at: u64, kind: u32, it: u64, other: u64) -> Self {
        Self { at, it, other, more: 0, place: 0, tag: kind << 27 }
    }

    pub(super) fn task(at: u64, kind: u32, TaskId(TaskKey(key)): TaskId) -> Self {
        Self::about(at, kind, key)
    }

    pub(super) fn timer(at: u64, kind: u32, TimerId(TimerKey(key)): TimerId) -> Self {
        Self::about(at, kind, key)
    }

    pub(super) fn source(at: u64, kind: u32, SourceId(SourceKey(key)): SourceId) -> Self {
        Self::about(at, kind, key)
    }

    fn about(at: u64, kind: u32, key: Key) -> Self {
        Self { at, it: key.serial, other: 0, more: 0, place: 0, tag: kind << 27 | key.slot & SLOT }
    }

    pub(super) fn more(self, more: u64) -> Self {
        Self { more, ..self }
    }

    pub(super) fn place(self, place: u32) -> Self {
        Self { place, ..self }
    }

    /// The kind of a finding, which is about a task.
    pub(super) fn found(self, other: u64) -> Self {
        Self { other, ..self }
    }

    fn other(self, which: u32, other: u64) -> Self {
        Self { other, tag: self.tag | which << 24, ..self }
    }

    pub(super) fn cause(self, cause: Cause) -> Self {
        match cause {
            Cause::Outside => self,
            Cause::Task(task) => self.other(1, task.as_u64()),
            Cause::Timer(timer) => self.other(2, timer.as_u64()),
            Cause::Source(source) => self.other(3, source.as_u64()),
            Cause::Thread(number) => self.other(4, number),
        }
    }

    pub(super) fn on(self, on: WaitsFor) -> Self {
        let (which, key) = match on {
            WaitsFor::Join(TaskId(TaskKey(key))) => (1, key),
            WaitsFor::Timer(TimerId(TimerKey(key))) => (2, key),
            WaitsFor::Read(SourceId(SourceKey(key))) => (3, key),
            WaitsFor::Write(SourceId(SourceKey(key))) => (4, key),
            WaitsFor::Other(serial) => (5, Key { runtime: 0, slot: 0, serial }),
        };
        self.other(which, key.serial).more(u64::from(key.slot))
    }

    pub(super) fn kind(&self) -> u32 {
        self.tag >> 27
    }

    /// The key of what the event is about. It belongs to no runtime: none has number 0.
    pub(super) fn key(&self) -> Key {
        Key { runtime: 0, slot: self.tag & SLOT, serial: self.it }
    }

    fn other_key(&self, slot: u32) -> Key {
        Key { runtime: 0, slot, serial: self.other }
    }

    pub(super) fn by(&self) -> Cause {
        match self.who() {
            Who::Task(_) => Cause::Task(TaskId(TaskKey(self.other_key(0)))),
            Who::Timer(_) => Cause::Timer(TimerId(TimerKey(self.other_key(0)))),
            Who::Source(_) => Cause::Source(SourceId(SourceKey(self.other_key(0)))),
            Who::Thread(number) => Cause::Thread(number),
            Who::Outside => Cause::Outside,
        }
    }

    /// The cause, by number.
    pub(super) fn who(&self) -> Who {
        match self.tag >> 24 & 7 {
            1 => Who::Task(self.other),
            2 => Who::Timer(self.other),
            3 => Who::Source(self.other),
            4 => Who::Thread(self.other),
            _ => Who::Outside,
        }
    }

    pub(super) fn waits_for(&self) -> WaitsFor {
        let key = self.other_key(self.more as u32);
        match self.tag >> 24 & 7 {
            1 => WaitsFor::Join(TaskId(TaskKey(key))),
            2 => WaitsFor::Timer(TimerId(TimerKey(key))),
            3 => WaitsFor::Read(SourceId(SourceKey(key))),
            4 => WaitsFor::Write(SourceId(SourceKey(key))),
            _ => WaitsFor::Other(self.other),
        }
    }
}

/// Nanoseconds: 584 years of them fit, and what is later is as late as that.
pub(super) fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos().into())
}

pub(super) fn latches(ready: Readiness) -> u64 {
    let Readiness { read, write, read_closed, write_closed } = ready;
    u64::from(read) | u64::from(write) << 1 | u64::from(read_closed) << 2 | u64::from(write_closed) << 3
}

pub(super) fn readiness(bits: u64) -> Readiness {
    let bit = |place: u32| bits >> place & 1 == 1;
    Readiness { read: bit(0), write: bit(1), read_closed: bit(2), write_closed: bit(3) }
}
