//! A packed event: forty bytes of plain numbers.
//!
//! ```text
//!     at | it | other | more | place | tag and slot       8 + 8 + 8 + 8 + 4 + 4 bytes
//! ```
//!
//! `it` is what the event is about, `other` whoever did it or what is waited for, `more` depends on the kind.
//! Where a thing lives is kept of what the event is about, not of others: nobody who reads a ring asks for that.

use std::time::Duration;

use crate::ground::event::{Cause, Readiness, SourceId, TaskId, TimerId, WaitsFor};
use crate::heart::key::{Key, SourceKey, TaskKey, TimerKey};

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
    pub(super) fn at(at: Duration) -> Self {
        Self { at: nanos(at), it: 0, other: 0, more: 0, place: 0, tag: 0 }
    }

    pub(super) fn numbers(&mut self, kind: u32, it: u64, other: u64) {
        (self.it, self.other, self.tag) = (it, other, kind << 27);
    }

    pub(super) fn task(&mut self, kind: u32, TaskId(TaskKey(key)): TaskId) {
        self.about(kind, key);
    }

    pub(super) fn timer(&mut self, kind: u32, TimerId(TimerKey(key)): TimerId) {
        self.about(kind, key);
    }

    pub(super) fn source(&mut self, kind: u32, SourceId(SourceKey(key)): SourceId) {
        self.about(kind, key);
    }

    pub(super) fn about(&mut self, kind: u32, key: Key) {
        (self.it, self.tag) = (key.serial, kind << 27 | key.slot & SLOT);
    }

    pub(super) fn other(&mut self, which: u32, number: u64) {
        self.other = number;
        self.tag |= which << 24;
    }

    pub(super) fn cause(&mut self, cause: Cause) {
        match cause {
            Cause::Outside => self.other(0, 0),
            Cause::Task(task) => self.other(1, task.as_u64()),
            Cause::Timer(timer) => self.other(2, timer.as_u64()),
            Cause::Source(source) => self.other(3, source.as_u64()),
            Cause::Thread(number) => self.other(4, number),
        }
    }

    pub(super) fn on(&mut self, on: WaitsFor) {
        match on {
            WaitsFor::Join(task) => self.other(1, task.as_u64()),
            WaitsFor::Timer(timer) => self.other(2, timer.as_u64()),
            WaitsFor::Read(source) => self.other(3, source.as_u64()),
            WaitsFor::Write(source) => self.other(4, source.as_u64()),
            WaitsFor::Other(number) => self.other(5, number),
        }
    }

    pub(super) fn kind(&self) -> u32 {
        self.tag >> 27
    }

    /// The key of what the event is about. It belongs to no runtime: none has number 0.
    pub(super) fn key(&self) -> Key {
        Key { runtime: 0, slot: self.tag & SLOT, serial: self.it }
    }

    pub(super) fn other_key(&self) -> Key {
        Key { runtime: 0, slot: 0, serial: self.other }
    }

    pub(super) fn by(&self) -> Cause {
        match self.tag >> 24 & 7 {
            1 => Cause::Task(TaskId(TaskKey(self.other_key()))),
            2 => Cause::Timer(TimerId(TimerKey(self.other_key()))),
            3 => Cause::Source(SourceId(SourceKey(self.other_key()))),
            4 => Cause::Thread(self.other),
            _ => Cause::Outside,
        }
    }

    pub(super) fn waits_for(&self) -> WaitsFor {
        match self.tag >> 24 & 7 {
            1 => WaitsFor::Join(TaskId(TaskKey(self.other_key()))),
            2 => WaitsFor::Timer(TimerId(TimerKey(self.other_key()))),
            3 => WaitsFor::Read(SourceId(SourceKey(self.other_key()))),
            4 => WaitsFor::Write(SourceId(SourceKey(self.other_key()))),
            _ => WaitsFor::Other(self.other),
        }
    }
}

/// Nanoseconds: 584 years of them fit, and what is later is as late as that.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn latches(ready: Readiness) -> u64 {
    let Readiness { read, write, read_closed, write_closed } = ready;
    u64::from(read) | u64::from(write) << 1 | u64::from(read_closed) << 2 | u64::from(write_closed) << 3
}

pub(super) fn readiness(bits: u64) -> Readiness {
    let bit = |place: u32| bits >> place & 1 == 1;
    Readiness { read: bit(0), write: bit(1), read_closed: bit(2), write_closed: bit(3) }
}
