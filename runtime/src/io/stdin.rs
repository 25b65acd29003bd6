//! Reading the standard input without blocking the loop.
//!
//! It may be a terminal, a pipe or a file. Files cannot be registered with the kernel's event queue. A terminal must
//! not be made non-blocking: the shell and other programs share it, and would fail. So a thread reads, one read at a
//! time and only when a task has asked for it. Input that nobody asked for stays where it is, for a child process, say.
//! Input that was read and not yet taken is kept here, for the whole process, since there is one standard input.
//!
//! ```text
//!     asleep  --- a task asks: a thread is started ---->  reading
//!        ^                                                   |
//!        '------ bytes, the end or an error: all wake -------'
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use futures_io::AsyncRead;

use crate::heart::current::{at_home, expect_current};
use crate::io::Lines;
use crate::net::attempts::poll_nothing;
use crate::net::waiters::{Number, Waiters};

/// How much a thread reads at most: what a pipe holds.
const AT_ONCE: usize = 64 * 1024;

static DESK: Mutex<Desk> = Mutex::new(Desk {
    bytes: VecDeque::new(),
    searched: 0,
    end: None,
    reading: false,
    waiting: Waiters::new(),
    for_whom: Vec::new(),
});

/// The input that has been read, and those who wait for more.
pub(super) struct Desk {
    bytes: VecDeque<u8>,
    /// How many bytes at the front are known to hold no line's end.
    searched: usize,
    /// Why the last read gave no bytes: it met the end, or failed.
    end: Option<io::Result<()>>,
    reading: bool,
    waiting: Waiters,
    /// The runtimes that have asked for what is being read. Each counts it like a blocking job: until it is read,
    /// the loop may be woken from outside.
    for_whom: Vec<u32>,
}

/// A place among those who wait for input. A reader that leaves it takes its waker along.
pub(super) struct Seat {
    number: Option<Number>,
    /// The line that asked.
    at: &'static Location<'static>,
}

impl Seat {
    #[track_caller]
    pub(super) fn new() -> Self {
        Self { number: None, at: Location::caller() }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let waker = desk().waiting.forget(number);
            drop(waker);
        }
    }
}

/// This process's standard input.
///
/// All handles share it, and each byte goes to one of them.
///
/// ```no_run
/// # oneloop::run(async {
/// let mut lines = oneloop::io::stdin().lines();
/// while let Some(line) = lines.next_line().await? {
///     println!("{}", line.to_uppercase());
/// }
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn stdin() -> Stdin {
    Stdin(Seat::new())
}

/// A handle to the standard input. Made by [`stdin`].
///
/// It is read by a thread, and only when asked to. A read that has begun cannot be taken back, so the thread stays
/// until there is input, also beyond the end of the runtime. The input is kept for the next who asks. As a thread of
/// that kind does not hinder the process from ending, a program that is asked to stop simply ends.
///
/// With the virtual clock, time passes as it really does for every runtime that has asked while such a thread reads.
pub struct Stdin(Seat);

impl Stdin {
    /// Reads what there is, up to the buffer's length; waits if there is nothing. Zero means the end, or
    /// that the buffer is empty. On a terminal there may be more after an end.
    ///
    /// # Errors
    ///
    /// As read(2), save for `Interrupted`; or if the system refuses a thread.
    ///
    /// # Panics
    ///
    /// When polled where no runtime is running.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no byte.
    #[track_caller]
    pub fn read(&mut self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        let mut seat = Seat::new();
        std::future::poll_fn(move |cx| poll_read(cx, &mut seat, buffer))
    }

    /// The input as lines.
    #[track_caller]
    pub fn lines(self) -> Lines {
        Lines::new()
    }
}

impl AsyncRead for Stdin {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        poll_read(cx, &mut self.0, buffer)
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stdin")
    }
}

fn poll_read(cx: &mut Context<'_>, seat: &mut Seat, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
    if buffer.is_empty() {
        return poll_nothing(cx);
    }
    poll_take(cx, seat, |desk| match desk.end.take() {
        end if desk.bytes.is_empty() => end.map(|end| end.map(|()| 0)),
        end => {
            desk.end = end;
            desk.searched = 0;
            Some(desk.bytes.read(buffer))
        }
    })
}

/// Takes something from the desk, or asks for more to be read and waits.
pub(super) fn poll_take<T>(
    cx: &mut Context<'_>,
    seat: &mut Seat,
    mut take: impl FnMut(&mut Desk) -> Option<io::Result<T>>,
) -> Poll<io::Result<T>> {
    let core = expect_current(format_args!("the standard input, asked for at {},", seat.at));
    if core.must_yield(cx) {
        return Poll::Pending;
    }
    // Made before the desk is locked, and dropped after: a waker may be anybody's.
    let waker = cx.waker().clone();
    let mut desk = desk();
    if let Some(taken) = take(&mut desk) {
        drop(desk);
        core.spend();
        return Poll::Ready(taken);
    }
    if !desk.reading {
        start_thread()?;
        desk.reading = true;
    }
    if !desk.for_whom.contains(&core.number) {
        desk.for_whom.push(core.number);
        core.outside_waits.set(core.outside_waits.get() + 1);
    }
    let number = *seat.number.get_or_insert_with(|| desk.waiting.new_number());
    let left = desk.waiting.leave(Some(&core), number, waker);
    drop(desk);
    drop(left);
    Poll::Pending
}

fn start_thread() -> io::Result<()> {
    let started = thread::Builder::new().name("stdin".into()).spawn(read_once);
    started.map(drop).map_err(|error| {
        io::Error::new(error.kind(), format!("the system refused a thread to read the standard input: {error}"))
    })
}

/// The work of the thread.
fn read_once() {
    let mut buffer = vec![0; AT_ONCE];
    let read = loop {
        match io::stdin().read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read,
        }
    };
    let mut desk = desk();
    match read {
        Ok(0) => desk.end = Some(Ok(())),
        Ok(read) => desk.bytes.extend(&buffer[..read]),
        Err(error) => desk.end = Some(Err(error)),
    }
    desk.reading = false;
    let (waiting, for_whom) = (desk.waiting.take(), std::mem::take(&mut desk.for_whom));
    drop(desk);
    // The tasks are woken before the waits are counted down. In between, a virtual clock must not jump.
    waiting.for_each(Waker::wake);
    for runtime in for_whom {
        at_home(runtime, |core| core.outside_waits.set(core.outside_waits.get() - 1));
    }
}

fn desk() -> MutexGuard<'static, Desk> {
    DESK.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// The next line without its end; what is left before the end of the input is a line too.
    pub(super) fn take_line(&mut self) -> Option<io::Result<Option<Vec<u8>>>> {
        let end = self.bytes.iter().skip(self.searched).position(|byte| *byte == b'\n');
        if let Some(end) = end {
            let mut line: Vec<u8> = self.bytes.drain(..=self.searched + end).collect();
            self.searched = 0;
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Some(Ok(Some(line)));
        }
        self.searched = self.bytes.len();
        match self.end.take()? {
            Ok(()) if !self.bytes.is_empty() => {
                self.end = Some(Ok(()));
                self.searched = 0;
                Some(Ok(Some(self.bytes.drain(..).collect())))
            }
            end => Some(end.map(|()| None)),
        }
    }
}
