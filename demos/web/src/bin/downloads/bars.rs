//! The bars, drawn by a thread of their own: a terminal that is stopped by Ctrl-S holds up that thread alone.
//!
//! The loop notes on a board how far each file is. The thread looks at the board ten times a second and draws what it
//! finds. So nothing piles up while the terminal takes nothing, and what is drawn next is true.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use oneloop_demos::print;

/// How long a picture is shown before the next.
const PICTURE: Duration = Duration::from_millis(100);
/// How long the end of the program waits for the terminal.
const AT_THE_END: Duration = Duration::from_secs(1);

/// How far all is.
#[derive(Default)]
struct Board {
    expected: u64,
    come: u64,
    /// The files on their way, by the order in which they began.
    files: BTreeMap<u64, Progress>,
    begun: u64,
    /// Lines to be printed above the bars: one a file that has come.
    lines: VecDeque<String>,
    is_over: bool,
}

#[derive(Clone, Default)]
struct Progress {
    name: String,
    promised: u64,
    sofar: u64,
}

#[derive(Default)]
struct Shared {
    board: Mutex<Board>,
    is_over: Condvar,
}

impl Shared {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bars on the terminal.
#[derive(Clone)]
pub(crate) struct Bars(Arc<Shared>);

/// Ends when the last picture is drawn.
pub(crate) type Drawn = Receiver<()>;

/// The bar of one file. It goes when the file has come, or has failed.
pub(crate) struct Bar {
    shared: Arc<Shared>,
    number: u64,
}

impl Bars {
    pub(crate) fn draw() -> (Self, Drawn) {
        let (shared, (drawing, drawn)) = (Arc::<Shared>::default(), channel());
        let board = Arc::clone(&shared);
        thread::spawn(move || {
            draw(&board);
            drop(drawing);
        });
        (Self(shared), drawn)
    }

    /// So many files will come.
    pub(crate) fn expect(&self, files: usize) {
        self.0.board().expected = files as u64;
    }

    pub(crate) fn begin(&self, name: &str) -> Bar {
        let mut board = self.0.board();
        board.begun += 1;
        let number = board.begun;
        board.files.insert(number, Progress { name: name.to_owned(), ..Progress::default() });
        Bar { shared: Arc::clone(&self.0), number }
    }

    /// A file has come, and this line tells of it.
    pub(crate) fn come(&self, line: String) {
        let mut board = self.0.board();
        board.come += 1;
        board.lines.push_back(line);
    }

    /// Takes the bars away, and waits until they are gone and all lines are printed: but for a second at most.
    pub(crate) fn end(&self, drawn: &Drawn) {
        self.0.board().is_over = true;
        self.0.is_over.notify_all();
        let _ = drawn.recv_timeout(AT_THE_END);
    }
}

impl Bar {
    /// So much has come, of so much that was promised.
    pub(crate) fn at(&self, promised: Option<u64>, sofar: usize) {
        if let Some(progress) = self.shared.board().files.get_mut(&self.number) {
            progress.promised = promised.unwrap_or(progress.promised);
            progress.sofar = sofar as u64;
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.shared.board().files.remove(&self.number);
    }
}

/// Draws until all is over. The board is free while the terminal is written to.
fn draw(shared: &Shared) {
    let all = MultiProgress::new();
    let total = all.add(bar("all", "{msg:12} {wide_bar} {pos}/{len} files"));
    let mut bars: BTreeMap<u64, ProgressBar> = BTreeMap::new();
    loop {
        let board = shared.board();
        let waited = shared.is_over.wait_timeout_while(board, PICTURE, |board| !board.is_over);
        let (mut board, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let (files, lines) = (board.files.clone(), std::mem::take(&mut board.lines));
        let (expected, come, is_over) = (board.expected, board.come, board.is_over);
        drop(board);
        if !lines.is_empty() {
            all.suspend(|| lines.iter().for_each(print));
        }
        bars.retain(|number, bar| {
            let is_on_its_way = files.contains_key(number);
            if !is_on_its_way {
                bar.finish_and_clear();
            }
            is_on_its_way
        });
        for (number, file) in &files {
            let began = || all.insert_before(&total, bar(&file.name, "{msg:12} {wide_bar} {bytes}/{total_bytes}"));
            let bar = bars.entry(*number).or_insert_with(began);
            bar.set_length(file.promised);
            bar.set_position(file.sofar);
        }
        total.set_length(expected);
        total.set_position(come);
        if is_over {
            all.clear().unwrap_or(());
            return;
        }
    }
}

fn bar(name: &str, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(0).with_message(name.to_owned());
    bar.set_style(style.progress_chars("=> "));
    bar
}
