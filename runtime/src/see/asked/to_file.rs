//! Files by the environment: `ONELOOP_RECORD=path` writes down how any program's loop ran, and
//! `ONELOOP_TRACE=path` draws it.
//!
//! The file is opened when the runtime is built, so that a path that does not do is told of at once, and
//! written when the runtime or its process ends.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::ground::event::{Event, Observer};
use crate::ground::wishes::wish;
use crate::see::asked::ending::AtTheEnd;
use crate::see::chrome::ChromeTrace;
use crate::see::record::ring::Ring;

/// How many events of a run are kept.
const KEPT: usize = 1_000_000;

/// A reader that is written to a file when its runtime, which owns it, ends.
struct ToFile<R> {
    reader: R,
    _file: AtTheEnd,
}

/// What can be asked for, and how it is written.
trait Written: Observer + Clone + Send {
    const VARIABLE: &'static str;
    /// What it does, as a verb.
    const DOES: &'static str;
    fn write(&self, file: &mut BufWriter<File>) -> io::Result<()>;
}

impl Written for Ring {
    const VARIABLE: &'static str = "ONELOOP_RECORD";
    const DOES: &'static str = "records";
    fn write(&self, file: &mut BufWriter<File>) -> io::Result<()> {
        self.write_to(file)
    }
}

impl Written for ChromeTrace {
    const VARIABLE: &'static str = "ONELOOP_TRACE";
    const DOES: &'static str = "draws";
    fn write(&self, file: &mut BufWriter<File>) -> io::Result<()> {
        self.write_to(file)
    }
}

/// Whether any file is asked for.
pub(crate) fn is_asked_for() -> bool {
    [Ring::VARIABLE, ChromeTrace::VARIABLE].into_iter().any(|variable| wish(variable).is_some())
}

/// Those that the environment asks this runtime for. A second runtime of the process gets the same paths
/// with `.2` behind them, and so on.
pub(crate) fn asked_for() -> impl Iterator<Item = Rc<dyn Observer>> {
    static RUNTIMES: AtomicU64 = AtomicU64::new(0);
    let runtime = if is_asked_for() { RUNTIMES.fetch_add(1, Ordering::Relaxed) + 1 } else { 1 };
    let record = ToFile::if_asked_for(Ring::VARIABLE, runtime, || Ring::new(KEPT));
    record.into_iter().chain(ToFile::if_asked_for(ChromeTrace::VARIABLE, runtime, ChromeTrace::new))
}

impl<R: Written> ToFile<R> {
    fn if_asked_for(variable: &str, runtime: u64, reader: impl FnOnce() -> R) -> Option<Rc<dyn Observer>> {
        let mut path = wish(variable)?;
        if runtime > 1 {
            path.push(format!(".{runtime}"));
        }
        let path = PathBuf::from(path);
        match File::create(&path) {
            Ok(file) => {
                let reader = reader();
                let written = reader.clone();
                let file = AtTheEnd::write(move || write(&written, file, &path));
                Some(Rc::new(Self { reader, _file: file }))
            }
            Err(error) => {
                tell(&format!("{} {} nothing: cannot write to {}", R::VARIABLE, R::DOES, path.display()), &error);
                None
            }
        }
    }
}

impl<R: Written> Observer for ToFile<R> {
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        self.reader.on_event(at, event);
    }
}

fn write<R: Written>(reader: &R, file: File, path: &Path) {
    // Another process may have written to it meanwhile. What is no file has no length to be set.
    let _ = file.set_len(0);
    let mut file = BufWriter::new(file);
    if let Err(error) = reader.write(&mut file).and_then(|()| file.flush()) {
        tell(&format!("{} is cut short: cannot write to {}", R::VARIABLE, path.display()), &error);
    }
}

/// A program runs also where it cannot be written down, so that is said in a line, and all goes on.
fn tell(what: &str, error: &io::Error) {
    // Where stderr is closed or full there is nobody to tell.
    let _ = writeln!(io::stderr(), "oneloop: {what}: {error}");
}
