//! Files by the environment: `ONELOOP_RECORD=path` writes down how any program's loop ran, and
//! `ONELOOP_TRACE=path` draws it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::event::{Event, Observer};
use crate::see::chrome::ChromeTrace;
use crate::see::ring::Ring;

/// How many events of a run are kept.
const KEPT: usize = 1_000_000;

/// A reader that is written to a file when its runtime, which owns it, ends.
struct ToFile<R: Written> {
    reader: R,
    path: PathBuf,
}

/// What can be asked for, and how it is written.
trait Written: Observer {
    const VARIABLE: &'static str;
    fn write(&self, file: &mut BufWriter<File>) -> io::Result<()>;
}

impl Written for Ring {
    const VARIABLE: &'static str = "ONELOOP_RECORD";
    fn write(&self, file: &mut BufWriter<File>) -> io::Result<()> {
        self.write_to(file)
    }
}

impl Written for ChromeTrace {
    const VARIABLE: &'static str = "ONELOOP_TRACE";
    fn write(&self, file: &mut BufWriter<File>) -> io::Result<()> {
        self.write_to(file)
    }
}

/// Whether any file is asked for.
pub(crate) fn is_asked_for() -> bool {
    [Ring::VARIABLE, ChromeTrace::VARIABLE]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|path| !path.is_empty()))
}

/// Those that the environment asks this runtime for. A second runtime of the process gets the same paths
/// with `.2` behind them, and so on.
pub(crate) fn asked_for() -> impl Iterator<Item = Rc<dyn Observer>> {
    static RUNTIMES: AtomicU64 = AtomicU64::new(0);
    let paths =
        [Ring::VARIABLE, ChromeTrace::VARIABLE].map(|name| std::env::var_os(name).filter(|path| !path.is_empty()));
    let runtime = if paths.iter().any(Option::is_some) { RUNTIMES.fetch_add(1, Ordering::Relaxed) + 1 } else { 1 };
    let [record, trace] = paths.map(|path| {
        let mut path = path?;
        if runtime > 1 {
            path.push(format!(".{runtime}"));
        }
        Some(PathBuf::from(path))
    });
    let record = record.map(|path| ToFile::observer(Ring::new(KEPT), path));
    record.into_iter().chain(trace.map(|path| ToFile::observer(ChromeTrace::new(), path)))
}

impl<R: Written> ToFile<R> {
    fn observer(reader: R, path: PathBuf) -> Rc<dyn Observer> {
        Rc::new(Self { reader, path })
    }
}

impl<R: Written> Observer for ToFile<R> {
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        self.reader.on_event(at, event);
    }
}

impl<R: Written> Drop for ToFile<R> {
    fn drop(&mut self) {
        if let Err(error) = write(&self.reader, &self.path) {
            let (path, variable) = (self.path.display(), R::VARIABLE);
            // Where stderr is closed or full there is nobody to tell.
            let _ = writeln!(
                io::stderr(),
                "oneloop: the file that {variable} asks for cannot be written to {path}: {error}"
            );
        }
    }
}

fn write(reader: &impl Written, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    reader.write(&mut file)?;
    file.flush()
}
