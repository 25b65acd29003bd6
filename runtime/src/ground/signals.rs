//! The handler of POSIX signals, and the pipes into which it writes. All unsafe calls of libc stand here. So this file
//! also has the hooks that libc calls at a fork and at the exit of the process. It has the lock that gives a file to
//! one process, too.
//!
//! A signal handler interrupts a thread anywhere, in the middle of an allocation or with a lock held. Ours counts the
//! signal and writes one byte into the pipe of everyone who listens. A listener is a runtime, or the thread that
//! shows a stuck loop. Each reads the count after the byte.
//!
//! The handler must never take a lock, allocate or panic. A pipe must never be closed while a handler on another thread
//! may still write to it. Sources: signal-safety(7), sigaction(2).
#![allow(unsafe_code, reason = "handlers are installed by sigaction(2) and may call next to nothing")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::thread;

use libc::{c_int, c_void, siginfo_t};

/// Signals are numbered from 1. Linux has 64, FreeBSD 128.
pub(crate) const SIGNALS: usize = 128;

/// How often each signal was handled in this process.
static COUNTS: [AtomicUsize; SIGNALS] = [const { AtomicUsize::new(0) }; SIGNALS];

/// The handler that a signal had before ours. It is never freed, because a handler may be looking at it at any time.
static PREVIOUS: [AtomicPtr<libc::sigaction>; SIGNALS] = [const { AtomicPtr::new(std::ptr::null_mut()) }; SIGNALS];

/// For whom we handle each signal.
static HOLDERS: Mutex<[Holders; SIGNALS]> = Mutex::new([Holders { for_good: false, borrowers: 0 }; SIGNALS]);

#[derive(Clone, Copy, Default)]
struct Holders {
    /// Our handler stays for the rest of the process's life. Either a listener was promised that, or other code has set
    /// a handler after ours, and may call ours.
    for_good: bool,
    /// How many want it for a while.
    borrowers: usize,
}

/// The signal that asked this process to stop: `NOBODY_ASKS` while nobody would hear it, `NOT_YET`
/// while it is awaited.
static STOP: AtomicI32 = AtomicI32::new(NOBODY_ASKS);
const NOBODY_ASKS: i32 = -1;
const NOT_YET: i32 = 0;

/// The code that a shell reports for a process that SIGINT has ended.
const INTERRUPTED: c_int = 128 + libc::SIGINT;

type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
type PlainHandler = extern "C" fn(c_int);

/// The handler of every signal that anybody has asked for. Async-signal-safe: atomics, write(2),
/// _exit(2), and `errno` as it was.
extern "C" fn handle(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: errno_place returns this thread's errno, which lives as long as the thread.
    let errno = unsafe { *errno_place() };
    note_stop(signal);
    COUNTS[signal as usize].fetch_add(1, Ordering::SeqCst);
    for doorbell in doorbells() {
        doorbell.ring();
    }
    // SAFETY: as above.
    unsafe { *errno_place() = errno };
    pass_on(signal, info, context);
}

/// The first SIGINT or SIGTERM asks for a stop; a SIGINT after that does not ask. SIGTERM may well come
/// twice without anybody being impatient: timeout(1), for one, sends it to the process and to its group.
fn note_stop(signal: c_int) {
    if signal == libc::SIGINT || signal == libc::SIGTERM {
        let asked = STOP.compare_exchange(NOT_YET, signal, Ordering::SeqCst, Ordering::SeqCst);
        if signal == libc::SIGINT && asked.is_err_and(|before| before != NOBODY_ASKS) {
            // SAFETY: _exit is async-signal-safe and does not return.
            unsafe { libc::_exit(INTERRUPTED) };
        }
    }
}

/// Calls the handler that the signal had before ours.
fn pass_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(previous) = previous(signal) else { return };
    let address = previous.sa_sigaction;
    if address == libc::SIG_DFL || address == libc::SIG_IGN {
        return;
    }
    let address = std::ptr::with_exposed_provenance::<()>(address);
    if previous.sa_flags & libc::SA_SIGINFO == 0 {
        // SAFETY: the kernel gave this address as a handler's, neither of the two that are none, and its
        // flags say that it takes one argument. Data and function pointers are of one size on POSIX.
        let handler = unsafe { std::mem::transmute::<*const (), PlainHandler>(address) };
        handler(signal);
    } else {
        // SAFETY: as above, but the flags say that it takes three.
        let handler = unsafe { std::mem::transmute::<*const (), Handler>(address) };
        handler(signal, info, context);
    }
}

/// How often a signal that is listened to has been handled in this process.
pub(crate) fn count(signal: c_int) -> usize {
    COUNTS[signal as usize].load(Ordering::SeqCst)
}

/// From here on the handler takes note of who asks for a stop, if it has not done so before.
pub(crate) fn await_stop() {
    // Fails if another has done it before, or if the request is here already.
    let _ = STOP.compare_exchange(NOBODY_ASKS, NOT_YET, Ordering::SeqCst, Ordering::SeqCst);
}

/// The signal that asked this process to stop.
pub(crate) fn asked_to_stop() -> Option<c_int> {
    Some(STOP.load(Ordering::SeqCst)).filter(|signal| *signal > NOT_YET)
}

/// Makes us the handler of a signal, which must be one that can be handled, for the rest of the process's
/// life.
pub(crate) fn install(signal: c_int) -> io::Result<()> {
    let holders = &mut holders()[signal as usize];
    holders.take(signal)?;
    holders.for_good = true;
    Ok(())
}

/// Makes us the handler of a signal until this is dropped. Then what handled it before does so again,
/// unless somebody else needs us.
pub(crate) struct Borrowed(c_int);

impl Borrowed {
    pub(crate) fn new(signal: c_int) -> io::Result<Self> {
        let holders = &mut holders()[signal as usize];
        holders.take(signal)?;
        holders.borrowers += 1;
        Ok(Self(signal))
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        let holders = &mut holders()[self.0 as usize];
        holders.borrowers -= 1;
        if !holders.for_good && holders.borrowers == 0 {
            holders.for_good = !give_back(self.0);
        }
    }
}

fn holders() -> MutexGuard<'static, [Holders; SIGNALS]> {
    HOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Holders {
    fn take(self, signal: c_int) -> io::Result<()> {
        if self.for_good || self.borrowers > 0 {
            return Ok(());
        }
        // The handler needs to know whom to pass the signal on to when it is called for the first time.
        let before = sigaction(signal, None)?;
        let is_known =
            |known: &libc::sigaction| (known.sa_sigaction, known.sa_flags) == (before.sa_sigaction, before.sa_flags);
        if !previous(signal).is_some_and(is_known) {
            PREVIOUS[signal as usize].store(Box::into_raw(Box::new(before)), Ordering::SeqCst);
        }
        let mut action = before;
        action.sa_sigaction = handle as Handler as *const () as usize;
        // Calls that a signal interrupts go on by themselves, and foreign code's small stacks are spared.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        // SAFETY: sigemptyset writes the mask of a sigaction that is ours.
        unsafe { libc::sigemptyset(&raw mut action.sa_mask) };
        sigaction(signal, Some(&action)).map(drop)
    }
}

/// The handler that a signal had before ours, if ours was ever set.
fn previous(signal: c_int) -> Option<&'static libc::sigaction> {
    // SAFETY: what is put there is a box that was given away for good.
    unsafe { PREVIOUS[signal as usize].load(Ordering::SeqCst).as_ref() }
}

/// Gives a signal back to the handler that it had before ours. False if another has taken it from us.
fn give_back(signal: c_int) -> bool {
    previous(signal).is_some_and(|previous| {
        let is_given_back = || sigaction(signal, None).is_ok_and(|now| now.sa_sigaction == previous.sa_sigaction);
        if is_ours(signal) { sigaction(signal, Some(previous)).is_ok() } else { is_given_back() }
    })
}

fn is_ours(signal: c_int) -> bool {
    sigaction(signal, None).is_ok_and(|now| now.sa_sigaction == handle as Handler as *const () as usize)
}

/// Whether what the system does by default is what happens at this signal.
pub(crate) fn is_default(signal: c_int) -> bool {
    sigaction(signal, None).is_ok_and(|now| now.sa_sigaction == libc::SIG_DFL)
}

/// Whether a signal is ignored; of SIGCHLD, whether the system keeps no child's end.
pub(crate) fn is_ignored(signal: c_int) -> bool {
    let is_ignored = |now: libc::sigaction| now.sa_sigaction == libc::SIG_IGN || now.sa_flags & libc::SA_NOCLDWAIT != 0;
    sigaction(signal, None).is_ok_and(is_ignored)
}

/// Whether a signal that we have borrowed would have ended the process had we not: nobody else handles it.
pub(crate) fn would_have_ended(signal: c_int) -> bool {
    let is_borrowed = !holders()[signal as usize].for_good;
    is_borrowed && is_ours(signal) && previous(signal).is_some_and(|before| before.sa_sigaction == libc::SIG_DFL)
}

/// Lets a signal that we have borrowed do what it would have done, which ends the process as a rule. The kernel
/// spares the first process of a container; there this returns, and the signal is borrowed again.
pub(crate) fn let_end(signal: c_int) {
    if give_back(signal) {
        raise_here(signal);
        // Other code that has taken the signal meanwhile keeps it.
        let holders = &mut holders()[signal as usize];
        if !holders.for_good && holders.borrowers > 0 && is_default(signal) {
            let _ = Holders::default().take(signal);
        }
    }
}

/// Has the signals that are sent to the process delivered to other threads than this one. Those that a fault
/// of this thread raises come as ever.
pub(crate) fn block_signals() {
    let faults = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT, libc::SIGTRAP, libc::SIGSYS];
    // SAFETY: a set of signals is plain data, which sigfillset makes whole; a thread's mask is its own.
    unsafe {
        let mut signals = std::mem::zeroed();
        libc::sigfillset(&raw mut signals);
        for fault in faults {
            libc::sigdelset(&raw mut signals, fault);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, std::ptr::null_mut());
    }
}

/// Sends this thread a signal, which has come when this returns.
fn raise_here(signal: c_int) {
    // SAFETY: as above; raise(3) touches no memory of ours.
    unsafe {
        let (mut signals, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigemptyset(&raw mut signals);
        libc::sigaddset(&raw mut signals, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const signals, &raw mut before);
        libc::raise(signal);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
    }
}

/// Locks a file for this process, until it and its copies are closed. False if another process has locked it. True if
/// the system cannot lock files.
pub(crate) fn lock_file(file: &File) -> bool {
    // SAFETY: flock(2) takes a descriptor, which is open as long as the file is there.
    let locked = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    locked == 0 || io::Error::last_os_error().kind() != io::ErrorKind::WouldBlock
}

/// Has `last` called when the process exits in order: by exit(3), or because `main` has returned.
pub(crate) fn at_exit(last: extern "C" fn()) {
    // SAFETY: a function lives for ever. If there is no room for it, it is not called.
    unsafe { libc::atexit(last) };
}

/// How many forks lie between the first process that asked and this one. An object that a forked child must leave to
/// its parent keeps the count of the process that made it. If the count of today is another, this is a child. Unlike a
/// process id, the count needs no system call.
pub(crate) fn forks() -> u32 {
    static IS_WATCHED: Once = Once::new();
    extern "C" fn forked() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    IS_WATCHED.call_once(|| {
        // SAFETY: it is called in the child, and does nothing there but to count.
        unsafe { libc::pthread_atfork(None, None, Some(forked)) };
    });
    FORKS.load(Ordering::Relaxed)
}

/// The count that [`forks`] gives.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// The count of [`forks`] for a caller that holds an earlier one. By that call forks are watched, so this only reads.
#[inline(always)]
pub(crate) fn forks_since() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// sigaction(2): sets what handles a signal, if there is something to set, and returns what did.
fn sigaction(signal: c_int, action: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    // SAFETY: a sigaction is plain data, and all zeros are a valid one.
    let mut previous = unsafe { std::mem::zeroed::<libc::sigaction>() };
    let action = action.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: both pointers are null or lead to a sigaction of ours. The only handlers that are ever set are `handle`,
    // which is async-signal-safe, and the handler that was there before it.
    match unsafe { libc::sigaction(signal, action, &raw mut previous) } {
        0 => Ok(previous),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The place of this thread's `errno`.
fn errno_place() -> *mut c_int {
    #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
    use libc::__errno as place;
    #[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "redox"))]
    use libc::__errno_location as place;
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    use libc::__error as place;
    // SAFETY: it only computes an address.
    unsafe { place() }
}

/// One listener's way to be reached by a handler. Doorbells are never freed, because a handler may be
/// looking at one at any time; listeners that end leave theirs to others.
struct Doorbell {
    /// The pipe's writing end; -1 while nobody listens here.
    pipe: AtomicI32,
    /// How many handlers may be using `pipe` right now.
    ringing: AtomicUsize,
    taken: AtomicBool,
    next: OnceLock<Box<Doorbell>>,
}

static DOORBELLS: Doorbell = Doorbell::new();

/// All doorbells. Fit for a handler: it only follows pointers that never change once they are set.
fn doorbells() -> impl Iterator<Item = &'static Doorbell> {
    std::iter::successors(Some(&DOORBELLS), |doorbell| doorbell.next.get().map(Box::as_ref))
}

impl Doorbell {
    const fn new() -> Self {
        Self {
            pipe: AtomicI32::new(-1),
            ringing: AtomicUsize::new(0),
            taken: AtomicBool::new(false),
            next: OnceLock::new(),
        }
    }

    /// Called by the handler.
    fn ring(&self) {
        self.ringing.fetch_add(1, Ordering::SeqCst);
        let pipe = self.pipe.load(Ordering::SeqCst);
        if pipe >= 0 {
            // SAFETY: the byte is there, and the pipe is open: its closer has set `pipe` to -1
            // before, and then waited until nobody was ringing. It does not block.
            unsafe { libc::write(pipe, [b'!'].as_ptr().cast(), 1) };
        }
        self.ringing.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A listener's hold on a doorbell. While it lives, every signal that is handled writes a byte into its
/// pipe.
pub(crate) struct Reached {
    doorbell: &'static Doorbell,
    /// The process that took the doorbell, by its count of forks.
    forks: u32,
    /// Closed after the doorbell was given back.
    _pipe: OwnedFd,
}

impl Reached {
    /// Takes the writing end of a pipe, or of a pair of sockets, that must not block.
    pub(crate) fn by(pipe: impl Into<OwnedFd>) -> Self {
        let pipe = pipe.into();
        let free = |doorbell: &&Doorbell| !doorbell.taken.swap(true, Ordering::SeqCst);
        let doorbell = loop {
            // The end of the chain may be another's by the time it is looked at again.
            let Some(doorbell) = doorbells().find(free) else {
                let last = doorbells().last().unwrap_or(&DOORBELLS);
                last.next.get_or_init(|| Box::new(Doorbell::new()));
                continue;
            };
            break doorbell;
        };
        doorbell.pipe.store(pipe.as_raw_fd(), Ordering::SeqCst);
        Self { doorbell, forks: forks(), _pipe: pipe }
    }
}

impl Drop for Reached {
    fn drop(&mut self) {
        self.doorbell.pipe.store(-1, Ordering::SeqCst);
        // A forked child has no other threads; had one of them been ringing, it would seem to for ever.
        if self.forks == forks() {
            while self.doorbell.ringing.load(Ordering::SeqCst) > 0 {
                thread::yield_now();
            }
            self.doorbell.taken.store(false, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    fn raise(signal: c_int) {
        // SAFETY: every signal that is raised here has been installed before.
        unsafe { libc::raise(signal) };
    }

    #[test]
    fn a_full_pipe_neither_blocks_the_handler_nor_changes_errno() {
        let (sender, mut receiver) = mio::unix::pipe::new().unwrap();
        let _reached = Reached::by(sender);
        install(libc::SIGWINCH).unwrap();
        let before = count(libc::SIGWINCH);
        // SAFETY: errno_place returns this thread's errno.
        unsafe { *errno_place() = 1234 };
        for _ in 0..100_000 {
            raise(libc::SIGWINCH);
        }
        // SAFETY: as above.
        assert_eq!(unsafe { *errno_place() }, 1234);
        assert_eq!(count(libc::SIGWINCH) - before, 100_000);
        let mut bytes = vec![0; 1 << 20];
        let full = receiver.read(&mut bytes).unwrap();
        assert!((1..100_000).contains(&full), "the pipe holds {full} bytes and was never full");
    }

    #[test]
    fn whoever_handled_a_signal_before_is_still_called() {
        static SEEN: AtomicI32 = AtomicI32::new(0);
        extern "C" fn plain(signal: c_int) {
            SEEN.fetch_add(signal, Ordering::SeqCst);
        }
        extern "C" fn informed(signal: c_int, info: *mut siginfo_t, _: *mut c_void) {
            // SAFETY: the kernel gives a handler with SA_SIGINFO a valid one.
            let by_kernel = unsafe { (*info).si_signo };
            SEEN.fetch_add(if by_kernel == signal { signal } else { 1000 }, Ordering::SeqCst);
        }
        for (signal, address, flags) in [
            (libc::SIGUSR1, plain as PlainHandler as *const () as usize, 0),
            (libc::SIGUSR2, informed as Handler as *const () as usize, libc::SA_SIGINFO),
        ] {
            let mut action = sigaction(signal, None).unwrap();
            (action.sa_sigaction, action.sa_flags) = (address, flags);
            sigaction(signal, Some(&action)).unwrap();
            install(signal).unwrap();
            SEEN.store(0, Ordering::SeqCst);
            let before = count(signal);
            raise(signal);
            assert_eq!((SEEN.load(Ordering::SeqCst), count(signal) - before), (signal, 1));
        }
    }

    #[test]
    fn a_signal_that_is_ignored_and_children_that_are_forgotten_are_known() {
        let before = sigaction(libc::SIGURG, None).unwrap();
        assert!(!is_ignored(libc::SIGURG));
        for (address, flags) in [(libc::SIG_IGN, 0), (libc::SIG_DFL, libc::SA_NOCLDWAIT)] {
            let mut action = before;
            (action.sa_sigaction, action.sa_flags) = (address, flags);
            sigaction(libc::SIGURG, Some(&action)).unwrap();
            assert!(is_ignored(libc::SIGURG));
        }
        sigaction(libc::SIGURG, Some(&before)).unwrap();
    }

    #[test]
    fn a_forked_child_counts_for_itself() {
        install(libc::SIGALRM).unwrap();
        let before = count(libc::SIGALRM);
        // SAFETY: the child calls nothing but raise and _exit, and counts.
        let child = unsafe { libc::fork() };
        if child == 0 {
            raise(libc::SIGALRM);
            // SAFETY: it does not return.
            unsafe { libc::_exit(count(libc::SIGALRM).abs_diff(before) as c_int) };
        }
        let mut status = 0;
        // SAFETY: `status` is ours.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!((libc::WEXITSTATUS(status), count(libc::SIGALRM) - before), (1, 0));
    }

    #[test]
    fn a_pipe_stays_open_while_a_handler_may_write_to_it() {
        let (sender, _receiver) = mio::unix::pipe::new().unwrap();
        let reached = Reached::by(sender);
        let doorbell = reached.doorbell;
        doorbell.ringing.fetch_add(1, Ordering::SeqCst);
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                drop(reached);
                tell.send(()).unwrap();
            });
            assert_eq!(told.recv_timeout(Duration::from_millis(50)), Err(mpsc::RecvTimeoutError::Timeout));
            doorbell.ringing.fetch_sub(1, Ordering::SeqCst);
            told.recv_timeout(Duration::from_secs(10)).unwrap();
        });
    }

    #[test]
    fn listeners_that_end_leave_their_doorbells_to_others() {
        for _ in 0..1000 {
            let (sender, _receiver) = mio::unix::pipe::new().unwrap();
            drop(Reached::by(sender));
        }
        assert!(doorbells().count() < 10);
    }
}
