//! A green thread: a function with a stack of its own, which runs as a task of the loop.
//!
//! ```text
//!     the loop        poll ------> resume ------> the function goes on, on its own stack
//!                                                     calls read, which would block
//!                     Pending <--- suspend <----- wait: the future under the call is pending
//! ```
//!
//! [`Green::wait`] is the only bridge: it polls a future on the function's stack, and while that is pending it
//! switches back to the loop's stack. So a call blocks its green thread, and nothing else.
//!
//! An end from outside is a panic of a special kind: it starts in the call that waits, and so runs every
//! destructor on that stack. In a destructor nothing can be waited for; each call returns an error there.
//!
//! Absent: a stack that grows. A function that needs more than it was given runs into a guard page, and the
//! kernel ends the whole program.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread::panicking;
use std::time::Duration;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use oneloop::net::TcpStream;
use oneloop::time::{sleep, timeout};
use oneloop_demos::server::linger;

/// A function on its own stack. Each poll goes on with it; a drop ends it.
pub(crate) struct Thread<T> {
    function: Coroutine<Waker, (), T>,
    state: Rc<Cell<State>>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Running,
    /// The thread has been dropped, and the function has not heard of it.
    Killed,
    /// The function is on its way out.
    Ending,
}

/// With what a function that is killed unwinds. The panic hook is not told: nothing went wrong.
struct Kill;

impl<T: 'static> Thread<T> {
    /// A thread whose stack has so many bytes. The kernel backs the pages that are used, and no others.
    ///
    /// # Errors
    ///
    /// The error of `mmap`, if there is no room for the stack.
    pub(crate) fn new(stack: usize, function: impl FnOnce(&Green<'_>) -> T + 'static) -> io::Result<Self> {
        let state = Rc::new(Cell::new(State::Running));
        let seen = Rc::clone(&state);
        let whole = move |yielder: &Yielder<Waker, ()>, waker| {
            function(&Green { yielder, waker: Cell::new(waker), state: seen })
        };
        Ok(Self { function: Coroutine::with_stack(DefaultStack::new(stack)?, whole), state })
    }
}

impl<T> Future for Thread<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // A panic of the function comes out of here, and belongs to this task.
        match self.get_mut().function.resume(cx.waker().clone()) {
            CoroutineResult::Yield(()) => Poll::Pending,
            CoroutineResult::Return(output) => Poll::Ready(output),
        }
    }
}

impl<T> Drop for Thread<T> {
    fn drop(&mut self) {
        if self.function.started() && !self.function.done() {
            self.state.set(State::Killed);
            // It never suspends from here on, so it comes to its end: mostly by the panic below.
            let _ = catch_unwind(AssertUnwindSafe(|| self.function.resume(Waker::noop().clone())));
        }
    }
}

/// The means to wait, which a green thread's function is given.
pub(crate) struct Green<'stack> {
    yielder: &'stack Yielder<Waker, ()>,
    waker: Cell<Waker>,
    state: Rc<Cell<State>>,
}

impl Green<'_> {
    /// Waits for a future. Other tasks run meanwhile.
    ///
    /// # Errors
    ///
    /// If the thread is ending: a destructor cannot wait.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> io::Result<T> {
        if self.state.get() == State::Ending || panicking() {
            return Err(io::Error::other("this green thread ends, and waits for nothing more"));
        }
        let mut future = pin!(future);
        loop {
            let waker = self.waker.replace(Waker::noop().clone());
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                self.waker.set(waker);
                return Ok(output);
            }
            self.waker.set(self.yielder.suspend(()));
            if self.state.get() == State::Killed {
                self.state.set(State::Ending);
                resume_unwind(Box::new(Kill));
            }
        }
    }

    /// Sleeps, as `std::thread::sleep` does. A thread that ends does not sleep.
    pub(crate) fn sleep(&self, time: Duration) {
        let _ = self.wait(sleep(time));
    }
}

/// A connection with the blocking face of the standard library, so that `BufReader` and `writeln!` do.
pub(crate) struct Stream<'green> {
    pub(crate) green: &'green Green<'green>,
    pub(crate) stream: &'green TcpStream,
    /// How long one call may take.
    pub(crate) patience: Duration,
}

impl Stream<'_> {
    fn call<T>(&self, call: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let too_late = |_| Err(io::Error::new(io::ErrorKind::TimedOut, "idle for too long"));
        self.green.wait(timeout(self.patience, call))?.unwrap_or_else(too_late)
    }

    /// Ends what is written, and takes what is still on its way here.
    pub(crate) fn linger(&self) -> io::Result<()> {
        self.green.wait(linger(self.stream))
    }
}

impl Read for &Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.call(self.stream.read(buffer))
    }
}

impl Write for &Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.call(self.stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures_lite::future::yield_now;
    use oneloop::{Runtime, spawn};

    use super::*;

    const STACK: usize = 256 * 1024;

    type Story = Rc<RefCell<Vec<&'static str>>>;

    /// Writes its word into the story when it is dropped.
    struct AtEnd(Story, &'static str);

    impl Drop for AtEnd {
        fn drop(&mut self) {
            self.0.borrow_mut().push(self.1);
        }
    }

    fn thread<T: 'static>(function: impl FnOnce(&Green<'_>) -> T + 'static) -> Thread<T> {
        Thread::new(STACK, function).unwrap()
    }

    fn on_the_virtual_clock<T>(future: impl Future<Output = T>) -> T {
        Runtime::builder().virtual_clock().build().unwrap().block_on(future)
    }

    #[test]
    fn green_threads_sleep_beside_each_other_and_beside_tasks() {
        let start = on_the_virtual_clock(async {
            let start = oneloop::time::Instant::now();
            let hour = Duration::from_secs(3600);
            let threads: Vec<_> = (0..100).map(|_| spawn(thread(move |green| green.sleep(hour)))).collect();
            let task = spawn(sleep(hour));
            for thread in threads {
                thread.await.unwrap();
            }
            task.await.unwrap();
            start.elapsed()
        });
        assert_eq!(start, Duration::from_secs(3600));
    }

    #[test]
    fn a_kill_runs_the_destructors_from_the_inside_out() {
        let story = Story::default();
        let seen = Rc::clone(&story);
        on_the_virtual_clock(async {
            let victim = spawn(thread(move |green| {
                let _outer = AtEnd(Rc::clone(&seen), "outer");
                let inner = |green: &Green<'_>| {
                    let _inner = AtEnd(Rc::clone(&seen), "inner");
                    green.sleep(Duration::MAX);
                    seen.borrow_mut().push("never");
                };
                inner(green);
            }));
            yield_now().await;
            victim.abort();
            assert!(victim.await.unwrap_err().is_cancelled());
        });
        assert_eq!(*story.borrow(), ["inner", "outer"]);
    }

    #[test]
    fn a_thread_that_never_ran_drops_what_it_was_given() {
        let story = Story::default();
        let given = AtEnd(Rc::clone(&story), "given");
        drop(thread(move |_| drop(given)));
        assert_eq!(*story.borrow(), ["given"]);
    }

    #[test]
    fn the_end_of_the_runtime_ends_its_green_threads() {
        let story = Story::default();
        let end = AtEnd(Rc::clone(&story), "ended");
        on_the_virtual_clock(async {
            drop(spawn(thread(move |green| {
                let _end = end;
                green.sleep(Duration::MAX);
            })));
            yield_now().await;
        });
        assert_eq!(*story.borrow(), ["ended"]);
    }

    #[test]
    fn a_panic_reaches_whoever_joins_and_nobody_else() {
        on_the_virtual_clock(async {
            let other = spawn(thread(|green| {
                green.sleep(Duration::from_secs(2));
                "whole"
            }));
            let broken = spawn(thread(|green| {
                green.sleep(Duration::from_secs(1));
                panic!("on its own stack");
            }));
            let panic = broken.await.unwrap_err().into_panic();
            assert_eq!(panic.downcast_ref(), Some(&"on its own stack"));
            assert_eq!(other.await.unwrap(), "whole");
        });
    }

    /// Waits in its destructor.
    struct Polite<'green>(&'green Green<'green>, Story);

    impl Drop for Polite<'_> {
        fn drop(&mut self) {
            let waited = self.0.wait(sleep(Duration::from_secs(1)));
            self.1.borrow_mut().push(if waited.is_err() { "refused" } else { "waited" });
        }
    }

    #[test]
    fn a_destructor_waits_in_a_life_that_goes_on_and_not_in_one_that_ends() {
        let story = Story::default();
        on_the_virtual_clock(async {
            let [at_return, at_panic, at_kill] = [(); 3].map(|()| Rc::clone(&story));
            let life = |story: Story, end: fn(&Green<'_>)| {
                thread(move |green| {
                    let _polite = Polite(green, story);
                    end(green);
                })
            };
            spawn(life(at_return, |_| {})).await.unwrap();
            assert!(spawn(life(at_panic, |_| panic!("for the destructor"))).await.unwrap_err().is_panic());
            let victim = spawn(life(at_kill, |green| green.sleep(Duration::MAX)));
            yield_now().await;
            victim.abort();
            assert!(victim.await.unwrap_err().is_cancelled());
        });
        assert_eq!(*story.borrow(), ["waited", "refused", "refused"]);
    }

    #[test]
    fn who_catches_the_kill_gets_errors_and_comes_to_an_end() {
        let story = Story::default();
        let seen = Rc::clone(&story);
        on_the_virtual_clock(async {
            let victim = spawn(thread(move |green| {
                let caught = catch_unwind(AssertUnwindSafe(|| green.sleep(Duration::MAX)));
                assert!(caught.is_err() && green.wait(yield_now()).is_err());
                green.sleep(Duration::MAX);
                seen.borrow_mut().push("went on");
            }));
            yield_now().await;
            victim.abort();
            assert!(victim.await.unwrap_err().is_cancelled());
        });
        assert_eq!(*story.borrow(), ["went on"]);
    }
}
