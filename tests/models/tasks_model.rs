//! The task store against a naive executor.
//!
//! The naive executor is a list of all tasks that ever were and a queue of those that are ready, from
//! which a task that ends is taken out. The store is told the same things, some of them by numbers that
//! are stale or somebody else's, and must give the same answers.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use proptest::collection::vec;
use proptest::prelude::*;

use crate::check;
use crate::ground::failure::{Abort, Failure};
use crate::heart::key::{Key, MAX_SLOTS, TaskKey, WakeWord};
use crate::heart::tasks::peek::State;
use crate::heart::tasks::{Answer, Body, Left, Step, Tasks, Woken};

const RUNTIME: u32 = 3;

/// A task, by the order in which it was inserted.
type Id = usize;

/// An operation on a store. A task is named by a number, taken modulo how many there ever were.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Insert { named: bool },
    Wake(usize, Road),
    Next,
    PutBack,
    Finish { panics: bool },
    Join(usize),
    Detach(usize),
    Abort(usize),
    Take(usize),
    StartRoot,
    EndRoot,
}

/// How a wake comes by its word.
#[derive(Clone, Copy, Debug)]
enum Road {
    /// As the task's own waker has it.
    Straight,
    /// From a waker of another runtime, whose task has this slot and serial there.
    Foreign,
    /// From a waker of a task that is so much older or younger that the cut serial is the same.
    SameLowBits,
    /// From a waker of the slot's next tenant, or of one before.
    OtherSerial,
    /// From a waker of a slot that may not even exist.
    OtherSlot,
    /// From nowhere.
    Noise,
}

fn deed() -> impl Strategy<Value = Deed> {
    (0..24_u8, any::<usize>(), 0..12_u8).prop_map(|(kind, which, road)| match kind {
        0 | 1 => Deed::Insert { named: which % 4 == 0 },
        2..8 => Deed::Wake(
            which,
            match road {
                0 => Road::Foreign,
                1 => Road::SameLowBits,
                2 => Road::OtherSerial,
                3 => Road::OtherSlot,
                4 => Road::Noise,
                _ => Road::Straight,
            },
        ),
        8..11 => Deed::PutBack,
        11 | 12 => Deed::Finish { panics: which % 4 == 0 },
        13 | 14 => Deed::Join(which),
        15 => Deed::Detach(which),
        16 => Deed::Abort(which),
        17 if road == 0 => Deed::Take(which),
        18 if road < 3 => Deed::StartRoot,
        19 if road < 3 => Deed::EndRoot,
        _ => Deed::Next,
    })
}

/// The account of the bodies.
#[derive(Default)]
struct Ledger {
    /// Whether the body that is polled next is to end.
    ends: Cell<bool>,
    polled: Cell<Option<Id>>,
    dropped: Cell<Option<Id>>,
}

/// A future that knows whose it is, and ends when it is told to.
struct Probe(Id, Rc<Ledger>);

impl Future for Probe {
    type Output = Id;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Id> {
        self.1.polled.set(Some(self.0));
        if self.1.ends.get() { Poll::Ready(self.0) } else { Poll::Pending }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.1.dropped.set(Some(self.0));
    }
}

struct Joiner;

impl Wake for Joiner {
    fn wake(self: Arc<Self>) {}
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Stage {
    Idle,
    /// Its body was given out.
    Out,
    Over,
    Gone,
}

struct Naive {
    key: TaskKey,
    name: Option<String>,
    stage: Stage,
    is_root: bool,
    /// Somebody has asked for its end, and it has not been given out for that.
    noted: bool,
    detached: bool,
    joiner: Option<Waker>,
}

/// A store and the naive executor it is compared with.
struct Pair {
    store: Tasks,
    seeded: bool,
    ledger: Rc<Ledger>,
    tasks: Vec<Naive>,
    /// The tenant of each slot.
    tenants: BTreeMap<u32, Id>,
    queue: VecDeque<Id>,
    /// The last answer of `next`, and the note of an abort if it was to be dropped.
    out: Option<(Id, Body, Option<Box<Failure>>)>,
    /// The last answer of `take`.
    taken: Vec<(Id, Body)>,
    /// The tasks in the order in which they were given out.
    trace: Vec<Id>,
    last_serial: u64,
    /// The most tasks that ever had a slot at a time.
    most: usize,
}

impl Pair {
    fn new(seed: Option<u64>) -> Self {
        Self {
            store: Tasks::new(RUNTIME, seed),
            seeded: seed.is_some(),
            ledger: Rc::default(),
            tasks: Vec::new(),
            tenants: BTreeMap::new(),
            queue: VecDeque::new(),
            out: None,
            taken: Vec::new(),
            trace: Vec::new(),
            last_serial: 0,
            most: 0,
        }
    }

    fn act(&mut self, deed: Deed) {
        match deed {
            Deed::Insert { named } => self.insert(named),
            Deed::Wake(which, road) => self.wake(which, road),
            Deed::Next => self.next(),
            Deed::PutBack => self.put_back(),
            Deed::Finish { panics } => self.finish(panics),
            Deed::Join(which) => self.with_handle(which, Self::join),
            Deed::Detach(which) => self.with_handle(which, Self::detach),
            Deed::Abort(which) => self.abort(which),
            Deed::Take(which) => self.take(which),
            Deed::StartRoot => self.start_root(),
            Deed::EndRoot => self.end_root(),
        }
        self.compare();
    }

    fn insert(&mut self, named: bool) {
        let id = self.tasks.len();
        let name = named.then(|| format!("task {id}"));
        let key = self.store.insert(Probe(id, Rc::clone(&self.ledger)), Location::caller());
        self.store.give_name(key, name.as_deref(), None);
        self.admit(key, name, false);
    }

    fn admit(&mut self, key: TaskKey, name: Option<String>, is_root: bool) {
        assert_eq!(key.0.runtime, RUNTIME);
        assert!(key.0.serial > self.last_serial, "{key:?} may have been given out before");
        self.last_serial = key.0.serial;
        let id = self.tasks.len();
        let before = self.tenants.insert(key.0.slot, id);
        assert_eq!(before, None, "two tasks in slot {}", key.0.slot);
        self.most = self.most.max(self.tenants.len());
        assert!(key.0.slot as usize <= self.most, "a slot is vacant, but a new one was taken");
        let (noted, detached, joiner) = (false, false, None);
        self.tasks.push(Naive { key, name, stage: Stage::Idle, is_root, noted, detached, joiner });
        self.queue.push_back(id);
    }

    /// A task of old or, more often, of late.
    fn pick(&self, which: usize) -> Option<Id> {
        let count = self.tasks.len();
        let among = if which % 8 == 0 { count } else { count.min(12) };
        (count > 0).then(|| count - 1 - (which / 8) % among)
    }

    fn wake(&mut self, which: usize, road: Road) {
        let Some(id) = self.pick(which) else { return };
        let TaskKey(key) = self.tasks[id].key;
        let word = WakeWord::new(TaskKey(match road {
            Road::Straight => key,
            Road::Foreign => Key { runtime: RUNTIME + (1 << 16), ..key },
            Road::SameLowBits => Key { serial: key.serial + (1 << 24), ..key },
            Road::OtherSerial => Key { serial: key.serial - 1 + 2 * (which as u64 % 2), ..key },
            Road::OtherSlot => Key { slot: key.slot + 1 + which as u32 % 1000, ..key },
            Road::Noise => Key { runtime: RUNTIME, slot: which as u32 % 16, serial: which as u64 % 64 },
        }));
        let meant = self.tenants.get(&(word.slot() as u32)).copied();
        let meant = meant.filter(|&id| word.fits(self.tasks[id].key.0.serial));
        let expected = match meant.map(|id| (self.tasks[id].stage, self.queue.contains(&id))) {
            Some((Stage::Idle | Stage::Out, true)) => Woken::AlreadyQueued,
            Some((Stage::Idle | Stage::Out, false)) => Woken::Queued,
            _ => Woken::Stale,
        };
        assert_eq!(self.store.wake(word), expected, "by {word:?}");
        if expected == Woken::Queued {
            self.queue.extend(meant);
        }
        if expected != Woken::Stale {
            assert_eq!(self.store.named_by(word), meant.map(|id| self.tasks[id].key));
        }
    }

    /// As in a runtime, only one body at a time is given out to be polled.
    fn next(&mut self) {
        if self.out.is_some() {
            return;
        }
        let step = self.store.next();
        let given = match &step {
            Some(Step::Poll(word, _) | Step::Drop(word, ..)) => self.store.named_by(*word),
            Some(Step::PollRoot) => self.tenants.get(&0).map(|&id| self.tasks[id].key),
            None => None,
        };
        assert!(step.is_some() || self.store.ready() == 0);
        let expected = self.expect_next(given);
        assert_eq!(given, expected.map(|id| self.tasks[id].key));
        let Some(id) = expected else { return };
        self.trace.push(id);
        let task = &mut self.tasks[id];
        match step {
            Some(Step::Poll(_, body)) if !task.is_root && !task.noted => {
                task.stage = Stage::Out;
                self.out = Some((id, self.polled(id, body), None));
            }
            Some(Step::Drop(_, mut body, failure)) if task.noted => {
                (task.stage, task.noted) = (Stage::Out, false);
                assert_eq!(owner(&failure), id);
                body.as_mut().empty();
                assert_eq!(self.ledger.dropped.take(), Some(id));
                self.out = Some((id, body, Some(failure)));
            }
            Some(Step::PollRoot) if task.is_root => {}
            _ => panic!("task {id} was given out to be polled, not dropped, or the other way round"),
        }
    }

    /// The task that should come next: the first in the queue or, with a seed, the one who came, if he is in it.
    fn expect_next(&mut self, given: Option<TaskKey>) -> Option<Id> {
        if self.seeded {
            let at = self.queue.iter().position(|&id| Some(self.tasks[id].key) == given);
            return self.queue.remove(at.unwrap_or(0));
        }
        // A task whose body was taken is passed over.
        std::iter::from_fn(|| self.queue.pop_front()).find(|&id| self.tasks[id].stage == Stage::Idle)
    }

    /// Makes sure whose body this is.
    fn polled(&self, id: Id, mut body: Body) -> Body {
        let poll = body.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll.is_pending());
        assert_eq!(self.ledger.polled.take(), Some(id));
        body
    }

    fn put_back(&mut self) {
        match self.out.take() {
            Some((id, body, None)) => {
                self.store.put_back(WakeWord::new(self.tasks[id].key), body);
                self.tasks[id].stage = Stage::Idle;
            }
            dropped_or_nothing => self.out = dropped_or_nothing,
        }
    }

    /// Ends a task whose body is out.
    fn finish(&mut self, panics: bool) {
        let given = self.out.take().or_else(|| self.taken.pop().map(|(id, body)| (id, body, None)));
        let Some((id, mut body, mut failure)) = given else { return };
        if failure.is_none() && panics {
            body.as_mut().empty();
            failure = Some(Box::new(Failure::Panicked(Box::new(id))));
        } else if failure.is_none() {
            self.ledger.ends.set(true);
            assert!(body.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
            self.ledger.ends.set(false);
        }
        assert!(self.ledger.dropped.take().is_none_or(|dropped| dropped == id));
        let word = WakeWord::new(self.tasks[id].key);
        let mut left = self.store.finish(word, body, failure);
        self.queue.retain(|&queued| queued != id);
        let task = &mut self.tasks[id];
        let joiner = task.joiner.take();
        task.stage = Stage::Over;
        assert_eq!(left.body.is_some(), task.detached);
        assert_same(left.joiner.as_ref(), joiner.as_ref());
        if task.detached {
            assert_eq!(owner_of_left(&mut left), Some(id));
            self.store.forget(word, left.body.expect("a body comes back for the next task"));
            self.vacate(id);
        }
    }

    fn vacate(&mut self, id: Id) {
        self.tasks[id].stage = Stage::Gone;
        self.tenants.remove(&self.tasks[id].key.0.slot);
    }

    /// Does what the owner of a handle may do: he has not let go of it, and the root has none.
    fn with_handle(&mut self, which: usize, act: fn(&mut Self, Id)) {
        let with_handle = |id: &Id| self.tasks[*id].stage == Stage::Gone || !self.tasks[*id].detached;
        if let Some(id) = self.pick(which).filter(with_handle).filter(|&id| !self.tasks[id].is_root) {
            act(self, id);
        }
    }

    fn join(&mut self, id: Id) {
        let Naive { key, stage, .. } = self.tasks[id];
        let waker = Waker::from(Arc::new(Joiner));
        if matches!(stage, Stage::Idle | Stage::Out) {
            assert!(!self.store.take_output(key, &mut None::<Id>));
            assert!(matches!(self.store.take_failure(key), Answer::Pending));
            let replaced = self.store.leave_joiner(key, waker.clone());
            assert_same(replaced.as_ref(), self.tasks[id].joiner.replace(waker).as_ref());
            return;
        }
        assert_same(self.store.leave_joiner(key, waker.clone()).as_ref(), Some(&waker));
        let mut output = None::<Id>;
        if self.store.take_output(key, &mut output) {
            assert_eq!((output, stage), (Some(id), Stage::Over));
            self.vacate(id);
            return;
        }
        match self.store.take_failure(key) {
            Answer::Failed(failure, info) if stage == Stage::Over => {
                assert_eq!((owner(&failure), info.name.as_deref()), (id, self.tasks[id].name.as_deref()));
                self.vacate(id);
            }
            Answer::Gone if stage == Stage::Gone => {}
            _ => panic!("the end of task {id} is told wrongly"),
        }
    }

    fn detach(&mut self, id: Id) {
        let task = &mut self.tasks[id];
        let mut left = self.store.detach(task.key);
        assert_same(left.joiner.as_ref(), task.joiner.take().as_ref());
        assert_eq!(owner_of_left(&mut left), (task.stage == Stage::Over).then_some(id));
        match task.stage {
            Stage::Idle | Stage::Out => task.detached = true,
            Stage::Over => self.vacate(id),
            Stage::Gone => {}
        }
    }

    fn abort(&mut self, which: usize) {
        let Some(id) = self.pick(which).filter(|&id| !self.tasks[id].is_root) else { return };
        let task = &mut self.tasks[id];
        let abort = Abort::Refused(id.to_string());
        let expected = matches!(task.stage, Stage::Idle | Stage::Out) && !task.noted;
        assert_eq!(self.store.abort(task.key, abort), expected);
        task.noted |= expected;
        if expected && !self.queue.contains(&id) {
            self.queue.push_back(id);
        }
    }

    /// With a seed nobody can tell when the store passes over a task whose body was taken.
    fn take(&mut self, which: usize) {
        let Some(id) = self.pick(which).filter(|&id| !self.seeded && !self.tasks[id].is_root) else { return };
        let body = self.store.take(self.tasks[id].key);
        assert_eq!(body.is_some(), self.tasks[id].stage == Stage::Idle);
        if let Some(body) = body {
            self.tasks[id].stage = Stage::Out;
            self.taken.push((id, self.polled(id, body)));
        }
    }

    fn start_root(&mut self) {
        match self.tenants.get(&0) {
            Some(&id) if self.tasks[id].stage == Stage::Idle => return,
            Some(&id) => self.vacate(id),
            None => {}
        }
        let key = self.store.start_root(Location::caller());
        self.admit(key, None, true);
    }

    fn end_root(&mut self) {
        if let Some(&id) = self.tenants.get(&0) {
            self.store.end_root();
            self.tasks[id].stage = Stage::Over;
            self.queue.retain(|&queued| queued != id);
        }
    }

    /// The questions to a store that do not change it.
    fn compare(&self) {
        let living = |id: &&Id| matches!(self.tasks[**id].stage, Stage::Idle | Stage::Out);
        let roots = self.tenants.values().filter(living).filter(|id| self.tasks[**id].is_root).count();
        assert_eq!(self.store.live(), self.tenants.values().filter(living).count() - roots);
        assert_eq!(self.store.ready(), self.queue.len());
        assert!(self.store.ready() <= self.store.live() + roots);
    }

    fn compare_each(&self) {
        let keys: BTreeSet<_> = self.store.keys().collect();
        let expected = self.tenants.values().map(|&id| &self.tasks[id]);
        assert_eq!(keys, expected.filter(|task| !task.is_root).map(|task| task.key).collect());
        for task in &self.tasks {
            assert_eq!(self.store.is_over(task.key), matches!(task.stage, Stage::Over | Stage::Gone));
            let name = self.store.info(task.key).map(|info| info.name);
            assert_eq!(
                name.as_ref().map(Option::as_deref),
                (task.stage != Stage::Gone).then_some(task.name.as_deref())
            );
        }
        let states: BTreeMap<_, _> = self.store.rows(None).into_iter().map(|row| (row.key, row.state)).collect();
        for &id in self.tenants.values() {
            let Naive { key, stage, is_root, .. } = self.tasks[id];
            let expected = match stage {
                Stage::Over if is_root => None,
                Stage::Over => Some(State::Done),
                _ if self.queue.contains(&id) => Some(State::Ready),
                Stage::Idle => Some(State::Waiting),
                _ => Some(State::Running),
            };
            assert_eq!(states.get(&key).copied(), expected);
        }
    }

    /// Lets every ready task have its turn, and says who came when.
    fn run_dry(mut self) -> Vec<Id> {
        self.compare_each();
        while self.out.is_some() || !self.taken.is_empty() {
            self.finish(false);
        }
        let ready: BTreeSet<_> = self.queue.iter().copied().collect();
        let before = self.trace.len();
        for _ in 0..ready.len() {
            self.next();
            self.put_back();
            self.finish(false);
        }
        assert_eq!(ready, self.trace[before..].iter().copied().collect(), "each once, and nobody else");
        self.next();
        assert_eq!(self.trace.len(), before + ready.len(), "nobody is left");
        self.compare_each();
        self.trace
    }
}

/// The owner of this failure.
fn owner(failure: &Failure) -> Id {
    match failure {
        Failure::Panicked(id) => *id.downcast_ref().unwrap(),
        Failure::Aborted(Abort::Refused(id)) => id.parse().unwrap(),
        Failure::Aborted(_) => panic!("nobody has aborted a task like that"),
    }
}

/// The owner of a failure or output that is left, if either is. A note of an abort may be left beside an output.
fn owner_of_left(left: &mut Left) -> Option<Id> {
    let mut output = None::<Id>;
    if let Some(body) = &mut left.body {
        body.as_mut().give_output(&mut output);
    }
    output.or(left.failure.as_deref().map(owner))
}

fn assert_same(given: Option<&Waker>, expected: Option<&Waker>) {
    let same = given.zip(expected).map(|(given, expected)| given.will_wake(expected));
    assert!(same.unwrap_or(given.is_none() && expected.is_none()), "another waker than was left there");
}

fn live(seed: Option<u64>, deeds: &[Deed]) -> Vec<Id> {
    let mut pair = Pair::new(seed);
    for &deed in deeds {
        pair.act(deed);
    }
    pair.run_dry()
}

#[test]
fn the_store_does_what_a_naive_executor_does() {
    check(3000, vec(deed(), 1..300), |deeds| drop(live(None, &deeds)));
}

#[test]
fn a_seed_gives_one_order_and_loses_nobody() {
    check(700, (any::<u64>(), vec(deed(), 1..300)), |(seed, deeds)| {
        assert_eq!(live(Some(seed), &deeds), live(Some(seed), &deeds));
    });
}

/// A store with tasks that have nothing to do.
fn store_with(tasks: usize, seed: Option<u64>) -> (Tasks, Vec<TaskKey>) {
    let store = Tasks::new(RUNTIME, seed);
    let keys = (0..tasks).map(|_| store.insert(async {}, Location::caller()));
    let keys = keys.collect();
    (store, keys)
}

fn wake(store: &Tasks, key: TaskKey) -> Woken {
    store.wake(WakeWord::new(key))
}

/// Gives out the next body, does something during its poll, and puts it back.
fn poll_next(store: &Tasks, during: impl FnOnce(TaskKey)) -> Option<TaskKey> {
    let Some(Step::Poll(word, body)) = store.next() else { return None };
    let key = store.named_by(word).expect("a task that is polled has its slot");
    during(key);
    store.put_back(word, body);
    Some(key)
}

#[test]
fn a_wake_word_holds_24_bits_of_a_slot_24_of_a_serial_and_16_of_a_runtime() {
    check(1000, (any::<u32>(), 0..MAX_SLOTS as u32, any::<u64>()), |(runtime, slot, serial)| {
        let word = WakeWord::new(TaskKey(Key { runtime, slot, serial }));
        assert_eq!((word.runtime(), word.slot()), (runtime as u16, slot as usize));
        assert!(word.fits(serial) && word.fits(serial ^ (1 << 24)) && word.fits(serial ^ (1 << 63)));
        assert!((0..24).all(|bit| !word.fits(serial ^ (1 << bit))));
    });
}

#[test]
fn wakes_before_a_poll_are_one_poll_and_wakes_during_it_are_one_more() {
    let (store, keys) = store_with(2, None);
    for _ in 0..1000 {
        assert_eq!(wake(&store, keys[0]), Woken::AlreadyQueued);
    }
    let wakes = |key| assert!((0..1000).all(|_| wake(&store, key) != Woken::Stale));
    assert_eq!(poll_next(&store, wakes), Some(keys[0]));
    assert_eq!(store.ready(), 2);
    assert_eq!(poll_next(&store, drop), Some(keys[1]));
    assert_eq!(poll_next(&store, drop), Some(keys[0]));
    assert_eq!(poll_next(&store, drop), None);
}

#[test]
fn a_task_that_wakes_itself_comes_after_all_that_were_ready() {
    let (store, keys) = store_with(10, None);
    for round in 0..100 {
        let again = |key| assert_eq!(wake(&store, key), Woken::Queued);
        assert_eq!(poll_next(&store, again), Some(keys[round % 10]));
    }
}

#[test]
fn a_stale_wake_never_swallows_a_real_one() {
    let (store, keys) = store_with(1, None);
    let Some(Step::Poll(word, mut polled)) = store.next() else { panic!("the task is ready") };
    polled.as_mut().empty();
    let old = keys[0];
    drop(store.detach(old));
    assert_eq!(wake(&store, old), Woken::Queued);
    let Some(body) = store.finish(word, polled, None).body else { panic!("nobody wants it") };
    store.forget(word, body);
    let new = store.insert(async {}, Location::caller());
    assert_eq!((old, new.0.slot), (keys[0], old.0.slot), "the slot is used again");
    // The old task's last wake is still in the queue, in front.
    assert_eq!(poll_next(&store, drop), Some(new));
    assert_eq!(wake(&store, old), Woken::Stale);
    assert_eq!(wake(&store, new), Woken::Queued);
    assert_eq!(wake(&store, old), Woken::Stale);
    assert_eq!(poll_next(&store, drop), Some(new));
    assert_eq!(poll_next(&store, drop), None);
}

#[test]
fn empty_bodies_are_kept_for_the_next_tasks_but_not_those_of_a_peak() {
    let (store, keys) = store_with(1000, None);
    while let Some(Step::Poll(word, mut polled)) = store.next() {
        assert!(polled.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        assert!(matches!(store.finish(word, polled, None), Left { joiner: None, body: None, failure: None }));
    }
    assert!(keys.into_iter().all(|key| store.take_output(key, &mut None::<()>)));
    assert_eq!(store.spares(), 256);
    let newest = (0..1000).map(|_| store.insert(async {}, Location::caller()));
    assert_eq!(newest.count(), 1000);
    assert_eq!(store.spares(), 0);
}

#[test]
fn another_seed_gives_another_order() {
    let order = |seed| {
        let (store, keys) = store_with(8, seed);
        let order: Vec<_> = std::iter::from_fn(|| poll_next(&store, drop)).collect();
        assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), keys.iter().copied().collect());
        order
    };
    assert!(order(None).is_sorted());
    let orders: BTreeSet<_> = (0..100).map(|seed| order(Some(seed))).collect();
    assert!(orders.len() > 90, "100 seeds gave no more than {} orders", orders.len());
}

#[test]
fn a_limit_leaves_only_the_first_picks_to_the_seed() {
    let order = |limit| {
        let (store, _) = store_with(8, Some(5));
        store.with_queue(|ready| ready.limit_picks(limit));
        let order: Vec<_> = std::iter::from_fn(|| poll_next(&store, drop)).collect();
        assert_eq!(store.with_queue(|ready| ready.seed()), Some(5), "a seed is the one that was given");
        (store.with_queue(|ready| ready.picks()), order)
    };
    let (picks, seeds) = order(u64::MAX);
    assert_eq!(picks, 7, "the last one is no pick");
    assert!(!seeds.is_sorted());
    assert!(order(0).1.is_sorted());
    for limit in 0..=7 {
        let (picks, limited) = order(limit as u64);
        assert_eq!(picks, limit as u64);
        assert_eq!(limited[..limit], seeds[..limit]);
    }
    assert_ne!(order(1).1, seeds);
}
