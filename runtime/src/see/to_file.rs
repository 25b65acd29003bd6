//! Recording by the environment: `ONELOOP_RECORD=path` writes down how any program's loop ran.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::event::{Event, Observer};
use crate::see::ring::Ring;

/// How many events of a run are kept.
const KEPT: usize = 1_000_000;

/// A ring that is written to a file when its runtime, which owns it, ends.
pub(crate) struct ToFile {
    ring: Ring,
    path: PathBuf,
}

impl ToFile {
    /// One for the path in `ONELOOP_RECORD`, if there is any. A second runtime of the process gets the
    /// same path with `.2` behind it, and so on.
    pub(crate) fn if_asked_for() -> Option<Rc<dyn Observer>> {
        static RUNTIMES: AtomicU64 = AtomicU64::new(0);
        let mut path = std::env::var_os("ONELOOP_RECORD").filter(|path| !path.is_empty())?;
        let runtime = RUNTIMES.fetch_add(1, Ordering::Relaxed) + 1;
        if runtime > 1 {
            path.push(format!(".{runtime}"));
        }
        Some(Rc::new(Self { ring: Ring::new(KEPT), path: path.into() }))
    }
}

impl Observer for ToFile {
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        self.ring.on_event(at, event);
    }
}

impl Drop for ToFile {
    fn drop(&mut self) {
        if let Err(error) = write(&self.ring, &self.path) {
            use std::io::Write as _;
            let path = self.path.display();
            // Where stderr is closed or full there is nobody to tell.
            let _ = writeln!(
                io::stderr(),
                "oneloop: the recording that ONELOOP_RECORD asks for cannot be written to {path}: {error}"
            );
        }
    }
}

fn write(ring: &Ring, path: &Path) -> io::Result<()> {
    ring.write_to(File::create(path)?)
}
