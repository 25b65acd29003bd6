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
use crate::see::record::ring::Ring;
use crate::see::serve;

/// The readers, and the functions of the wakers, which are counted where one of these needs to know.
pub(crate) fn asked_for(diagnose: bool, slow_poll: Duration) -> (Vec<Rc<dyn Observer>>, &'static RawWakerVTable) {
    let log = Log::if_asked_for();
    let diagnosis = Diagnosis::if_asked_for(diagnose, slow_poll);
    let waker_table = if diagnosis.is_some() { counted::table() } else { &PLAIN };
    // Findings and task tables name past events, so a ring must follow the loop. A recording and a server have one. If
    // there is neither, this ring does. It keeps one event, but the state after all. It comes first in the list, so it
    // knows an event before the others report it.
    let others = to_file::is_recording_asked_for() || serve::is_asked_for();
    let follower =
        (!others && (log.is_some() || diagnosis.is_some())).then(|| Rc::new(Ring::new(1)) as Rc<dyn Observer>);
    let [record, trace] = to_file::asked_for();
    ([follower, log, record, trace, diagnosis].into_iter().flatten().collect(), waker_table)
}
