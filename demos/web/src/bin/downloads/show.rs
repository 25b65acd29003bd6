//! What is seen: bars on a terminal, a line a file for whoever reads the output, and the account.

use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use oneloop::time::Instant;
use oneloop_demos::{complain, print};

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
    bars: MultiProgress,
    total: ProgressBar,
    files: Cell<usize>,
    bytes: Cell<usize>,
}

/// The bar of one file. It goes when the file has come, or has failed.
pub(crate) struct Bar(ProgressBar);

impl Show {
    pub(crate) fn new(json: bool) -> Self {
        let bars = MultiProgress::new();
        let total = bars.add(ProgressBar::new(0));
        total.set_style(style("{msg:12} {wide_bar} {pos}/{len} files"));
        total.set_message("all");
        Self { json, start: Instant::now(), bars, total, files: Cell::new(0), bytes: Cell::new(0) }
    }

    /// So many files will come.
    pub(crate) fn expect(&self, files: usize) {
        self.total.set_length(files as u64);
    }

    pub(crate) fn begin(&self, name: &str) -> Bar {
        let bar = self.bars.insert_before(&self.total, ProgressBar::new(0));
        bar.set_style(style("{msg:12} {wide_bar} {bytes}/{total_bytes}"));
        bar.set_message(name.to_owned());
        Bar(bar)
    }

    pub(crate) fn file(&self, file: &File) {
        self.files.set(self.files.get() + 1);
        self.bytes.set(self.bytes.get() + file.length);
        self.total.inc(1);
        let File { name, length, sum, took } = file;
        let line = if self.json {
            format!(
                "{{\"file\":\"{name}\",\"bytes\":{length},\"sha256\":\"{sum}\",\"seconds\":{:.3}}}",
                took.as_secs_f64()
            )
        } else if io::stdout().is_terminal() {
            format!("{name:12} {length:>8} bytes {:5.1} s  {}...", took.as_secs_f64(), &sum[..16])
        } else {
            format!("{sum}  {name}")
        };
        self.bars.suspend(|| print(line));
    }

    pub(crate) fn account(&self, late: Duration) {
        self.bars.clear().unwrap_or(());
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

impl Bar {
    /// So much has come, of so much that was promised.
    pub(crate) fn at(&self, promised: Option<u64>, sofar: usize) {
        if let Some(promised) = promised {
            self.0.set_length(promised);
        }
        self.0.set_position(sofar as u64);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}
