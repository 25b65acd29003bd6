//! The runtimes under test, one file each, written as their users would.

pub mod monoio;
pub mod oneloop;
pub mod smol;
pub mod tokio;

use crate::raw;
use crate::shape::Runtime;
use crate::work::{self, Announce, Figures, Job, Workload};

/// The names for the command line, in the order of the table's columns.
pub const NAMES: [&str; 6] = [
    oneloop::Oneloop::NAME,
    tokio::Tokio::NAME,
    smol::Smol::NAME,
    monoio::MonoioEpoll::NAME,
    monoio::MonoioUring::NAME,
    raw::NAME,
];

/// Runs one job on the runtime of that name.
///
/// # Errors
///
/// A sentence when there is no such runtime, or when its sockets fail.
pub fn run(name: &str, job: Job, announce: Announce<'_>) -> Result<Figures, String> {
    if name == oneloop::WITH_RING {
        oneloop::keep_events();
    }
    let figures = match name {
        oneloop::Oneloop::NAME | oneloop::WITH_RING => work::run::<oneloop::Oneloop>(job, announce),
        tokio::Tokio::NAME => work::run::<tokio::Tokio>(job, announce),
        smol::Smol::NAME => work::run::<smol::Smol>(job, announce),
        monoio::MonoioEpoll::NAME => work::run::<monoio::MonoioEpoll>(job, announce),
        monoio::MonoioUring::NAME => work::run::<monoio::MonoioUring>(job, announce),
        raw::NAME => {
            return raw::run(job, announce).map_err(|error| format!("{} on {name}: {error}", job.workload));
        }
        _ => return Err(unknown(name)),
    };
    Ok(figures)
}

/// Whether the workload has a meaning on that runtime.
#[must_use]
pub fn can_run(name: &str, workload: Workload) -> bool {
    name != raw::NAME || !raw::LACKS.contains(&workload)
}

/// The sentence for a name that is not in [`NAMES`].
#[must_use]
pub fn unknown(name: &str) -> String {
    format!("there is no runtime `{name}`; there are: {}", NAMES.join(", "))
}
