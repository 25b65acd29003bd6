//! Telling the observers of sockets: that one is drained, that a task waits, or waits no more.

use std::panic::Location;
use std::task::Waker;

use crate::ground::event::{Event, SourceId, WaitsFor};
use crate::heart::core::Core;
use crate::heart::current::expect_home;
use crate::heart::key::SourceKey;
use crate::heart::peek::waiter_of;
use crate::heart::reactor::Direction;

fn waits_for(key: SourceKey, direction: Direction) -> WaitsFor {
    match direction {
        Direction::Read => WaitsFor::Read(SourceId(key)),
        Direction::Write => WaitsFor::Write(SourceId(key)),
    }
}

/// Tells the observers that a source's latch was cleared.
#[cold]
pub(super) fn tell_drained(key: SourceKey, direction: Direction) {
    let core = expect_home(key.0.runtime, "a socket was used");
    let (read, write) = (direction == Direction::Read, direction == Direction::Write);
    core.observe(|| Event::SourceDrained { source: SourceId(key), read, write });
}

/// Tells the observers that a waker was left, and that the one it replaced was taken back.
#[cold]
pub(super) fn left_beside(
    core: &Core,
    waker: &Waker,
    key: SourceKey,
    direction: Direction,
    replaced: Option<Waker>,
    at: &'static Location<'static>,
) {
    taken_back(core, key, direction, replaced);
    core.observe_wait(waiter_of(core, waker), waits_for(key, direction), at);
}

/// Tells the observers that a waker was taken back unwoken, unless its task has left another here and still waits.
#[inline]
pub(super) fn taken_back(core: &Core, key: SourceKey, direction: Direction, waker: Option<Waker>) {
    if let Some(waker) = waker {
        tell_taken_back(core, key, direction, &waker);
    }
}

#[cold]
fn tell_taken_back(core: &Core, key: SourceKey, direction: Direction, waker: &Waker) {
    if core.is_observed() && !core.reactor.waits(key, direction, |other| other.will_wake(waker)) {
        core.observe_wait_dropped(waiter_of(core, waker), waits_for(key, direction));
    }
}
