//! The context: what a running loop consists of, and how the code that runs on it finds it.
//!
//! [`Core`] is the stores and nothing but the stores. The runtime owns it; while it runs, one
//! thread-local, `CURRENT`, points at it too, and every key that a user holds is turned into something
//! through that pointer. No future, socket or handle keeps a core alive.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::panic::{Location, resume_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::RawWakerVTable;

use crate::ground::event::{Cause, Event, Observer, TaskId, WaitsFor};
use crate::ground::metrics::Counters;
use crate::ground::observers::Observers;
use crate::ground::pool::Pool;
use crate::ground::sync::Consumer;
use crate::heart::inbox::{Inbox, Registry};
use crate::heart::key::{TaskKey, WakeWord};
use crate::heart::reactor::Reactor;
use crate::heart::tasks::{Body, Tasks, Woken};
use crate::heart::timers::Timers;

/// All inboxes of this process.
pub(crate) static REGISTRY: LazyLock<Registry<Message>> = LazyLock::new(Registry::new);

/// What other threads send to a loop.
pub(crate) enum Message {
    /// A wake, and the number of the thread it came from.
    Wake(WakeWord, u64),
    /// Everything else: something to be done on the loop's thread, and who asks for it.
    Run(Box<dyn FnOnce(&Core) + Send>, u64),
}

/// The running loop.
pub(crate) struct Core {
    /// The runtime's number, as in every key of its stores.
    pub(crate) number: u32,
    pub(crate) tasks: Tasks,
    pub(crate) timers: Timers,
    pub(crate) reactor: Reactor,
    pub(crate) pool: Pool,
    pub(crate) inbox: Arc<Inbox<Message>>,
    pub(crate) incoming: Consumer<Message>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) observers: Observers,
    /// The functions of this runtime's wakers.
    pub(crate) waker_table: &'static RawWakerVTable,
    pub(crate) busy: Cell<Busy>,
    /// What is awaited from outside and is no source: blocking jobs whose threads have not reported back, the
    /// standard input, and attempts that pause.
    pub(crate) jobs_away: Cell<usize>,
    /// How much the task may still do in this poll.
    pub(crate) operations_left: Cell<u32>,
    /// How many polls this turn may make, and how many of them are left.
    pub(crate) polls_planned: Cell<usize>,
    pub(crate) polls_left: Cell<usize>,
    /// Whether tasks are polled and nobody is told.
    pub(crate) polls_in_silence: Cell<bool>,
    /// The runtime's number while nobody observes it; else 0, which is no runtime's. So the quick roads ask
    /// with one comparison whether a key is this runtime's and nobody is to be told.
    quiet: Cell<u32>,
    extensions: RefCell<Vec<Rc<dyn Any>>>,
}

/// What the loop is busy with, which is the cause of all that happens meanwhile.
#[derive(Clone, Copy)]
pub(crate) enum Busy {
    /// The task that this word names is polled or dropped, and keeps its slot meanwhile.
    Task(WakeWord),
    With(Cause),
}

impl Core {
    pub(crate) fn new(
        number: u32,
        (tasks, timers, reactor, pool): (Tasks, Timers, Reactor, Pool),
        (inbox, incoming): (Arc<Inbox<Message>>, Consumer<Message>),
        observers: Observers,
        waker_table: &'static RawWakerVTable,
    ) -> Self {
        let quiet = if observers.any() { 0 } else { number };
        Self {
            number,
            tasks,
            timers,
            reactor,
            pool,
            inbox,
            incoming,
            counters: Arc::default(),
            observers,
            waker_table,
            busy: Cell::new(Busy::With(Cause::Outside)),
            jobs_away: Cell::new(0),
            operations_left: Cell::new(0),
            polls_planned: Cell::new(0),
            polls_left: Cell::new(0),
            polls_in_silence: Cell::new(false),
            quiet: Cell::new(quiet),
            extensions: RefCell::default(),
        }
    }

    /// What a later layer keeps with the loop: its one value of this type, made when first asked for.
    pub(crate) fn extension<T: Default + 'static>(&self) -> Rc<T> {
        let mut extensions = self.extensions.borrow_mut();
        if let Some(found) = extensions.iter().find_map(|value| Rc::clone(value).downcast().ok()) {
            return found;
        }
        let made = Rc::<T>::default();
        extensions.push(Rc::clone(&made) as Rc<dyn Any>);
        made
    }

    /// Whether anybody observes. Observers are foreign code: where they are, no borrow may be alive.
    #[inline]
    pub(crate) fn is_observed(&self) -> bool {
        // The bench compiles the events out, to count what they cost where nobody observes.
        cfg!(not(oneloop_unobserved)) && self.quiet.get() == 0
    }

    /// Adds an observer, who is told from here on. In a poll of which nobody was told, that is from its end on,
    /// and the turn ends with it.
    pub(crate) fn attach(&self, observer: Rc<dyn Observer>) {
        self.observers.announce(observer);
        if self.polls_in_silence.get() {
            self.polls_planned.set(self.polls_planned.get() - self.polls_left.take());
        } else {
            self.admit_observers();
        }
    }

    /// Adds the observers who have come meanwhile.
    pub(crate) fn admit_observers(&self) {
        for newcomer in self.observers.take_newcomers() {
            self.observers.add(newcomer, self.timers.uptime());
            self.quiet.set(0);
        }
    }

    /// Tells nobody any more: see [`Observers::abandon`].
    pub(crate) fn abandon_observers(&self) {
        self.quiet.set(self.number);
        self.observers.abandon();
    }

    /// Tells the observers, if there are any. The event is made only then.
    #[inline]
    pub(crate) fn observe<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        if self.is_observed() {
            self.tell(&event());
        }
    }

    #[cold]
    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.observers.tell(|| self.timers.uptime(), event);
    }

    /// Tells of a moment at which nothing is out of its place. So an observer's panic goes on from here.
    #[inline]
    pub(crate) fn observe_between_steps<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        if self.is_observed() {
            self.tell(&event());
            self.let_observers_panic();
        }
    }

    /// Lets the panic of an observer go on, if there was one.
    pub(crate) fn let_observers_panic(&self) {
        if let Some(payload) = self.observers.take_panic() {
            // It was perhaps about to park, and does not.
            self.inbox.unparked();
            resume_unwind(payload);
        }
    }

    /// Takes a task in.
    #[inline]
    pub(crate) fn spawn(&self, body: Body, name: Option<&str>, at: &'static Location<'static>) -> TaskKey {
        let key = self.tasks.insert(body, at);
        if name.is_some() || self.is_observed() {
            self.introduce(key, name, at);
        }
        key
    }

    #[cold]
    fn introduce(&self, key: TaskKey, name: Option<&str>, at: &'static Location<'static>) {
        self.tasks.set_name(key, name);
        self.observe(|| Event::Spawn { task: TaskId(key), by: self.cause(), name, at: at.into() });
    }

    /// Wakes a task by its word, where nobody is to be told.
    #[inline(always)]
    pub(crate) fn wake_quietly(&self, word: WakeWord) {
        if self.tasks.wake(word) == Woken::Stale {
            self.counters.wakes_stale.add(1);
        }
    }

    /// Wakes a task by its word.
    pub(crate) fn wake(&self, word: WakeWord, cause: impl FnOnce() -> Cause) {
        if self.is_observed() { self.wake_observed(word, cause()) } else { self.wake_quietly(word) }
    }

    #[cold]
    fn wake_observed(&self, word: WakeWord, cause: Cause) {
        let woken = self.tasks.wake(word);
        match self.tasks.named_by(word).map(TaskId) {
            Some(task) if woken != Woken::Stale => {
                self.tell(&Event::Wake { task, cause, queued: woken == Woken::Queued });
            }
            _ => {
                self.counters.wakes_stale.add(1);
                self.tell(&Event::StaleWake { cause });
            }
        }
    }

    /// Writes down the stores' sizes for whoever asks from another thread.
    pub(crate) fn publish_sizes(&self) {
        let sizes = &self.counters;
        sizes.tasks.set(self.tasks.live() as u64);
        sizes.ready.set(self.tasks.ready() as u64);
        sizes.timers.set(self.timers.len() as u64);
        sizes.sources.set(self.reactor.len() as u64);
        if self.jobs_away.get() > 0 || sizes.blocking_threads.get() > 0 {
            sizes.blocking_jobs.set(self.pool.jobs() as u64);
            sizes.blocking_threads.set(self.pool.threads() as u64);
        }
    }

    /// Whatever happens now happens because of this.
    pub(crate) fn cause(&self) -> Cause {
        match self.busy.get() {
            Busy::Task(word) => self.tasks.named_by(word).map_or(Cause::Outside, |key| Cause::Task(TaskId(key))),
            Busy::With(cause) => cause,
        }
    }

    /// The key of the task that is being polled or dropped.
    pub(crate) fn current_task(&self) -> Option<TaskKey> {
        match self.cause() {
            Cause::Task(TaskId(key)) => Some(key),
            _ => None,
        }
    }

    /// A leaf future has left this task's waker.
    pub(crate) fn observe_wait(&self, task: Option<TaskKey>, on: WaitsFor, at: &'static Location<'static>) {
        if let (true, Some(task)) = (self.is_observed(), task) {
            self.tell(&Event::Wait { task: TaskId(task), on, at: at.into() });
        }
    }

    /// A waker that a leaf future had left was taken back, unwoken: tells whose it was.
    #[cold]
    pub(crate) fn observe_wait_dropped(&self, task: Option<TaskKey>, on: WaitsFor) {
        if let Some(task) = task.or_else(|| self.current_task()) {
            self.observe(|| Event::WaitDropped { task: TaskId(task), on });
        }
    }
}

thread_local! {
    /// What an [`Entered`] puts here it takes out again. So there is nothing to drop when the thread
    /// ends, and a look need not ask first whether that has happened.
    static CURRENT: Cell<Option<ManuallyDrop<Rc<Core>>>> = const { Cell::new(None) };
    static THREAD: Cell<u64> = const { Cell::new(0) };
}

/// Makes a core the current one until the guard is dropped.
pub(crate) struct Entered {
    before: Option<ManuallyDrop<Rc<Core>>>,
}

impl Entered {
    pub(crate) fn new(core: &Rc<Core>) -> Self {
        Self { before: CURRENT.replace(Some(ManuallyDrop::new(Rc::clone(core)))) }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // Bound to a name: it may be the last owner of a core, whose end must not happen in a borrow.
        let _left = CURRENT.replace(self.before.take()).map(ManuallyDrop::into_inner);
    }
}

/// The core of the loop that runs on this thread, if one does.
#[inline]
pub(crate) fn current() -> Option<Rc<Core>> {
    with_current(Rc::clone)
}

/// The same, for code that cannot do without: `what` is the sentence's subject.
///
/// # Panics
///
/// If no loop runs on this thread.
#[inline]
#[track_caller]
pub(crate) fn expect_current(what: &str) -> Rc<Core> {
    current().unwrap_or_else(|| no_loop(what))
}

#[cold]
#[track_caller]
pub(crate) fn no_loop(what: &str) -> ! {
    panic!("{what} needs a running oneloop runtime on this thread: call it inside oneloop::run or Runtime::block_on")
}

/// The core with this number, which must be the one that runs on this thread.
///
/// # Panics
///
/// If it is not.
#[inline(always)]
#[track_caller]
pub(crate) fn expect_home(number: u32, did: &str) -> Rc<Core> {
    let Some(core) = current().filter(|core| core.number == number) else { not_at_home(number, did) };
    core
}

#[cold]
#[track_caller]
pub(crate) fn not_at_home(number: u32, did: &str) -> ! {
    let here = if current().is_some() { "inside another runtime" } else { "where no runtime is running" };
    let gone = if REGISTRY.exact(number).is_none() { " (which has been dropped)" } else { "" };
    panic!(
        "{did} {here}: it belongs to the oneloop runtime it was created in{gone}, \
         so use it on that runtime's thread, inside its block_on"
    )
}

/// Looks at the current core without taking a share in it, which is the cheaper way. Nothing foreign may
/// run in `look`: the pointer is in its hands meanwhile, and whoever came back here would find none.
#[inline(always)]
pub(crate) fn with_current<R>(look: impl FnOnce(&Rc<Core>) -> R) -> Option<R> {
    let core = InHand(CURRENT.take());
    core.0.as_deref().map(look)
}

/// The pointer, taken out of its place to be looked at. It goes back there, come what may.
struct InHand(Option<ManuallyDrop<Rc<Core>>>);

impl Drop for InHand {
    #[inline(always)]
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// The same for the core with this number, if it is the current one. Otherwise what `look` owns, which
/// may be foreign, is dropped when no borrow is alive.
#[inline(always)]
pub(crate) fn with_home<R>(number: u32, look: impl FnOnce(&Core) -> R) -> Option<R> {
    let mut look = Some(look);
    with_current(|core| if core.number == number { look.take().map(|look| look(core)) } else { None }).flatten()
}

/// The same, if besides nobody observes that core; but `look` may own nothing foreign.
#[inline(always)]
pub(crate) fn with_quiet_home<R>(number: u32, look: impl FnOnce(&Core) -> R) -> Option<R> {
    with_current(|core| if core.quiet.get() == number { Some(look(core)) } else { None }).flatten()
}

/// The same, for a waker, which knows the low 16 bits of the number only; and only if nobody observes.
#[inline(always)]
pub(crate) fn with_quiet_hint(low_bits: u16, look: impl FnOnce(&Core)) -> bool {
    with_current(|core| (core.quiet.get() as u16 == low_bits).then(|| look(core))).flatten().is_some()
}

/// Does something on the thread of the runtime with this number: at once if that is running here,
/// else by its inbox. If the runtime is gone, `f` is dropped.
#[inline]
pub(crate) fn at_home(number: u32, f: impl FnOnce(&Core) + Send + 'static) {
    match current() {
        Some(core) if core.number == number => f(&core),
        _ => send_home(number, f),
    }
}

#[cold]
fn send_home(number: u32, f: impl FnOnce(&Core) + Send + 'static) {
    if let Some(inbox) = REGISTRY.exact(number) {
        // A runtime that is gone meanwhile has nothing left to do it to.
        let _ = inbox.send(Message::Run(Box::new(f), thread_number()));
    }
}

/// This thread's number, for events. Threads are numbered when they first ask.
pub(crate) fn thread_number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    THREAD.with(|number| {
        if number.get() == 0 {
            number.set(LAST.fetch_add(1, Ordering::Relaxed) + 1);
        }
        number.get()
    })
}
