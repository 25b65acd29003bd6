//! A loop as the server's threads know it: its gate, its ring, its clock, and who holds it up.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::gate::Gate;
use super::seats::Seats;
use super::{report, why};
use crate::ground::event::{Event, Observer, Place};
use crate::heart::core::Core;
use crate::heart::current::current;
use crate::see::model::json::line;
use crate::see::model::state::State;
use crate::see::record::ring::Ring;

/// How many events a viewer who comes late can look back.
const KEPT: usize = 50_000;

/// A loop that has told nothing for so long rests.
const RESTS: Duration = Duration::from_millis(300);

/// A loop as the server's threads know it.
pub(super) struct Watched {
    /// No other run has this number, by all odds.
    pub(super) run: u64,
    /// The number of the runtime, as in the keys of its tasks.
    pub(super) runtime: u32,
    pub(super) gate: Gate,
    pub(super) seats: Seats,
    pub(super) ring: Ring,
    pub(super) clock: Clock,
    /// The descriptor of its epoll set, if it has one.
    pub(super) epoll: Option<RawFd>,
}

/// The one that holds up a loop.
pub(super) struct Culprit {
    pub(super) sentence: String,
    /// If it is a task, its number, and since when it is polled.
    poll: Option<(u64, Duration)>,
    /// The place where that task had waited.
    waited_at: Option<Place>,
}

/// Notes when an event last passed. A virtual clock does not tell.
pub(super) struct Passing(pub(super) Arc<Watched>);

impl Observer for Passing {
    fn on_event(&self, _: Duration, _: &Event<'_>) {
        self.0.clock.passed();
    }

    fn only_notes(&self) -> bool {
        true
    }
}

impl Watched {
    pub(super) fn new(core: &Core) -> Self {
        let clock = if core.timers.is_virtual() {
            Clock::Virtual { watched: Instant::now(), last_told: AtomicU64::new(0) }
        } else {
            Clock::Real { started: core.timers.started }
        };
        let run = RandomState::new().build_hasher().finish();
        Self {
            run,
            runtime: core.number,
            gate: Gate::new(),
            seats: Seats::default(),
            ring: Ring::new(KEPT),
            clock,
            epoll: core.reactor.epoll(),
        }
    }

    /// Called on the loop's thread, before each event while the gate is engaged.
    pub(super) fn pass(&self, event: &Event<'_>) {
        let held = self.gate.pass(event);
        // The virtual clock stood still.
        if let (Some(lasted), Clock::Real { .. }, Some(core)) = (held, &self.clock, current()) {
            core.tell(|| Event::Held { lasted });
        }
    }

    /// Calls `look` with what the loop looks like, and the time by its clock.
    pub(super) fn look<R>(&self, look: impl FnOnce(&State, Duration) -> R) -> R {
        let state = self.ring.state();
        let now = self.clock.now(&state);
        look(&state, now)
    }

    /// Whether nothing has happened for a while.
    pub(super) fn is_at_rest(&self) -> bool {
        self.ring.with_state(|state| self.clock.silence(state)) >= RESTS
    }

    /// The one that holds up the loop, if anything does and no viewer.
    pub(super) fn culprit(&self) -> Option<Culprit> {
        if self.gate.is_closed() {
            return None;
        }
        let quick_look = |state: &State| {
            let now = self.clock.now(state);
            let silence = self.clock.silence(state);
            report::culprit(state, now, silence, None).map(|_| state.running)
        };
        let running = self.ring.with_state(quick_look)?;
        let waited_at = running.and_then(|task| why::last_wait(&self.ring, task));
        self.look(|state, now| {
            let sentence = report::culprit(state, now, self.clock.silence(state), waited_at)?;
            let poll = state.running.and_then(|task| Some((task, state.tasks.get(&task)?.since)));
            Some(Culprit { sentence, poll, waited_at })
        })
    }

    /// The line that tells the time; and who holds up the loop, if anybody does.
    pub(super) fn clock_line(&self) -> String {
        let now = self.ring.with_state(|state| self.clock.now(state)).as_nanos();
        let culprit = self.culprit();
        line(|line| {
            line.text("status", "clock").number("t", now);
            if let Some(Culprit { sentence, poll, waited_at }) = culprit {
                line.text("culprit", sentence);
                // A viewer who is behind may still see another poll.
                poll.map(|(task, since)| line.number("task", task).number("since", since.as_nanos()));
                waited_at.map(|at| line.text("awaited", at));
            }
        })
    }
}
