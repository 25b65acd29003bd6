//! The clock: what the server's threads know of the time, whether it is real or virtual.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::see::model::state::State;

/// The time, as the server's threads know it.
pub(super) enum Clock {
    Real {
        started: Instant,
    },
    /// It stands still while nothing happens. So the server notes when an event last passed, to notice a stuck loop.
    Virtual {
        watched: Instant,
        last_told: AtomicU64,
    },
}

impl Clock {
    pub(super) fn passed(&self) {
        if let Self::Virtual { watched, last_told } = self {
            last_told.store(watched.elapsed().as_nanos() as u64, Ordering::Relaxed);
        }
    }

    /// The time, by the loop's clock.
    pub(super) fn now(&self, state: &State) -> Duration {
        match self {
            Self::Real { started } => started.elapsed(),
            Self::Virtual { .. } => state.at,
        }
    }

    /// How long nothing has happened, in real time.
    pub(super) fn silence(&self, state: &State) -> Duration {
        match self {
            Self::Real { started } => started.elapsed().saturating_sub(state.at),
            Self::Virtual { watched, last_told } => {
                watched.elapsed().saturating_sub(Duration::from_nanos(last_told.load(Ordering::Relaxed)))
            }
        }
    }
}
