//! The view: bars on a terminal, a line a file where the output is no terminal, and the account.

use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::time::Duration;

use oneloop::time::Instant;
use oneloop_demos::{complain, print};

use crate::bars::{Bar, Bars, Drawn};

/// A file that has come.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) length: usize,
    pub(crate) sum: String,
    pub(crate) took: Duration,
}

/// Bars go to stderr, and only where that is a terminal; lines to stdout.
pub(crate) struct Show {
    json: bool,
    start: Instant,
    bars: Option<(Bars, Drawn)>,
    files: Cell<usize>,
    bytes: Cell<usize>,
}

impl Show {
    pub(crate) fn new(json: bool) -> Self {
        let bars = io::stderr().is_terminal().then(Bars::draw);
        Self { json, start: Instant::now(), bars, files: Cell::new(0), bytes: Cell::new(0) }
    }

    /// So many files will come.
    pub(crate) fn expect(&self, files: usize) {
        if let Some(bars) = self.bars() {
            bars.expect(files);
        }
    }

    /// The bar of this file, if there is one.
    pub(crate) fn begin(&self, name: &str) -> Option<Bar> {
        self.bars().map(|bars| bars.begin(name))
    }

    fn bars(&self) -> Option<&Bars> {
        self.bars.as_ref().map(|(bars, _)| bars)
    }

    pub(crate) fn file(&self, file: &File) {
        self.files.set(self.files.get() + 1);
        self.bytes.set(self.bytes.get() + file.length);
        let File { name, length, sum, took } = file;
        let line = if self.json {
            // Names come from the server.
            let name = serde_json::Value::from(name.as_str());
            format!("{{\"file\":{name},\"bytes\":{length},\"sha256\":\"{sum}\",\"seconds\":{:.3}}}", took.as_secs_f64())
        } else if io::stdout().is_terminal() {
            format!("{name:12} {length:>8} bytes {:5.1} s  {}...", took.as_secs_f64(), &sum[..16])
        } else {
            format!("{sum}  {name}")
        };
        match self.bars() {
            Some(bars) => bars.come(line),
            None => print(line),
        }
    }

    pub(crate) fn account(&self, late: Duration) {
        if let Some((bars, drawn)) = &self.bars {
            bars.end(drawn);
        }
        let (files, bytes, took) = (self.files.get(), self.bytes.get(), self.start.elapsed().as_secs_f64());
        let late = late.as_secs_f64() * 1000.0;
        if self.json {
            print(format_args!(
                "{{\"files\":{files},\"bytes\":{bytes},\"seconds\":{took:.3},\"late_ms_max\":{late:.3}}}"
            ));
        } else {
            complain(format_args!(
                "{files} files, {bytes} bytes in {took:.1} s; a ticker beside them was {late:.1} ms late at most"
            ));
        }
    }
}
