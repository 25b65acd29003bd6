//! Asked for: the readers that a new loop gets because its builder or the environment wants them.

mod claim;
mod ending;
mod log;
pub(crate) mod to_file;

use std::rc::Rc;
use std::task::RawWakerVTable;
use std::time::Duration;

use crate::ground::event::Observer;
use crate::heart::waker::PLAIN;
use crate::see::asked::log::Log;
use crate::see::diagnose::{Diagnosis, counted};
use crate::see::model::kept::Follower;

/// The readers, and the functions of the wakers, which are counted where one of these needs to know.
pub(crate) fn asked_for(diagnose: bool, slow_poll: Duration) -> (Vec<Rc<dyn Observer>>, &'static RawWakerVTable) {
    let log = Log::if_asked_for();
    let diagnosis = Diagnosis::if_asked_for(diagnose, slow_poll);
    let waker_table = if diagnosis.is_some() { counted::table() } else { &PLAIN };
    // The diagnosis follows the events itself; a log does not, and whoever asked for one may ask for a table.
    let follower = (log.is_some() && diagnosis.is_none()).then(|| Rc::new(Follower) as Rc<dyn Observer>);
    (log.into_iter().chain(to_file::asked_for()).chain(diagnosis).chain(follower).collect(), waker_table)
}
