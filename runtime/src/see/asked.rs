//! Asked for: the readers that a new loop gets because its builder or the environment wants them.

use std::rc::Rc;
use std::time::Duration;

use crate::event::Observer;
use crate::see::diagnosis::Diagnosis;
use crate::see::kept::Follower;
use crate::see::log::Log;
use crate::see::to_file;

/// The readers, and whether one of them needs wakers to be counted.
pub(crate) fn asked_for(diagnose: bool, slow_poll: Duration) -> (Vec<Rc<dyn Observer>>, bool) {
    let log = Log::if_asked_for();
    let diagnosis = Diagnosis::if_asked_for(diagnose, slow_poll);
    let counts_wakers = diagnosis.is_some();
    // The diagnosis follows the events itself; a log does not, and whoever asked for one may ask for a table.
    let follower = (log.is_some() && !counts_wakers).then(|| Rc::new(Follower) as Rc<dyn Observer>);
    (log.into_iter().chain(to_file::asked_for()).chain(diagnosis).chain(follower).collect(), counts_wakers)
}
