//! Files by the environment: `ONELOOP_RECORD=path` writes down how any program's loop ran, and
//! `ONELOOP_TRACE=path` draws it.
//!
//! The file is opened when the runtime is built, so a path that cannot be written is reported at once. It is written
//! when the runtime or its process ends. A pipe whose reader takes nothing holds up the end for a moment, and no longer.

use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use crate::ground::event::{Event, Observer, Pen};
use crate::ground::wishes::wish;
use crate::see::asked::claim;
use crate::see::asked::ending::AtTheEnd;
use crate::see::chrome::ChromeTrace;
use crate::see::model::whole::Occasion;
use crate::see::record::ring::Ring;
use crate::see::stderr::say;

/// How many events of a run are kept.
const KEPT: usize = 1_000_000;

/// A reader that is written to a file when its runtime, which owns it, ends.
struct ToFile<R> {
    reader: R,
    _file: AtTheEnd,
}

/// A kind of file that can be asked for, and how it is written.
trait Written: Observer + Clone + Send {
    const VARIABLE: &'static str;
    /// Its work, as a verb.
    const DOES: &'static str;
    fn write(&self, occasion: Occasion, file: &mut dyn Write) -> io::Result<()>;
}

impl Written for Ring {
    const VARIABLE: &'static str = "ONELOOP_RECORD";
    const DOES: &'static str = "records";
    fn write(&self, occasion: Occasion, file: &mut dyn Write) -> io::Result<()> {
        self.write_on(occasion, file)
    }
}

impl Written for ChromeTrace {
    const VARIABLE: &'static str = "ONELOOP_TRACE";
    const DOES: &'static str = "draws";
    fn write(&self, _: Occasion, file: &mut dyn Write) -> io::Result<()> {
        self.write_to(file)
    }
}

/// Whether any file is asked for.
pub(crate) fn is_asked_for() -> bool {
    [Ring::VARIABLE, ChromeTrace::VARIABLE].into_iter().any(|variable| wish(variable).is_some())
}

/// Whether a recording is, which knows the state of its loop at any time.
pub(crate) fn is_recording_asked_for() -> bool {
    wish(Ring::VARIABLE).is_some()
}

/// Those that the environment asks this runtime for, in files of its own.
pub(crate) fn asked_for() -> [Option<Rc<dyn Observer>>; 2] {
    [ToFile::if_asked_for(|| Ring::new(KEPT)), ToFile::if_asked_for(ChromeTrace::new)]
}

impl<R: Written> ToFile<R> {
    fn if_asked_for(reader: impl FnOnce() -> R) -> Option<Rc<dyn Observer>> {
        let variable = R::VARIABLE;
        let path = PathBuf::from(wish(variable)?);
        match claim::open(variable, &path).and_then(|(its, file)| empty(&file).map(|()| (its, file))) {
            Ok((its, file)) => {
                if claim::is_beside(&its, &path) {
                    let (its, path) = (its.display(), path.display());
                    say(format!("oneloop: {variable} {} into {its}: another process has {path}\n", R::DOES));
                }
                let reader = reader();
                let written = reader.clone();
                let file = AtTheEnd::write(Box::new(move |occasion| write(&written, occasion, &file, &its)));
                Some(Rc::new(Self { reader, _file: file }))
            }
            Err(error) => {
                tell(&format!("{variable} {} nothing: cannot write to {}", R::DOES, path.display()), &error);
                None
            }
        }
    }
}

impl<R: Written> Observer for ToFile<R> {
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        self.reader.on_event(at, event);
    }

    fn pen(&self) -> Option<Box<dyn Pen>> {
        self.reader.pen()
    }
}

fn write<R: Written>(reader: &R, occasion: Occasion, file: &File, path: &Path) {
    // We may have written to it before, at a signal that ended nothing, and so may anybody.
    let written = empty(file).and_then(|()| {
        let mut file = BufWriter::new(Patient { file, waited: Duration::ZERO });
        reader.write(occasion, &mut file).and_then(|()| file.flush())
    });
    if let Err(error) = written {
        tell(&format!("{} is cut short: cannot write to {}", R::VARIABLE, path.display()), &error);
    }
}

/// Takes away what is in a file. A pipe or a device has no length to be set.
fn empty(mut file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.rewind()?;
        file.set_len(0)?;
    }
    Ok(())
}

/// How long a reader may take nothing.
const WITHOUT_A_BYTE: Duration = Duration::from_secs(1);
/// How long we wait for a reader in all.
const FOR_A_READER: Duration = Duration::from_secs(5);

/// Writes to what does not block: a pipe whose reader is behind is waited for, but not for long.
struct Patient<'a> {
    file: &'a File,
    waited: Duration,
}

impl Write for Patient<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let until = Instant::now() + WITHOUT_A_BYTE.min(FOR_A_READER.saturating_sub(self.waited));
        loop {
            match self.file.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return written,
            }
            if Instant::now() >= until {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "its reader takes nothing"));
            }
            let pause = Duration::from_millis(2);
            thread::sleep(pause);
            self.waited += pause;
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A program runs also where it cannot be written down, so that is said in a line, and all goes on.
fn tell(what: &str, error: &io::Error) {
    say(format!("oneloop: {what}: {error}\n"));
}
