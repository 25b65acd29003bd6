//! The model of the loop equals the loop: after every event, of programs that do a bit of everything; and a
//! recording of them says the same at each of its events.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs::File;
use std::future::{pending, poll_fn};
use std::io::BufReader;
use std::pin::Pin;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_lite::AsyncRead;
use futures_lite::future::{or, poll_once};
use oneloop::event::{Event, Observer, Readiness};
use oneloop::net::UnixStream;
use oneloop::see::{Numbered, Occasion, On, Recording, Ring, State, TaskState, Who, attach};
use oneloop::spawn;
use oneloop::task::{Builder, JoinHandle, scope, yield_now};
use oneloop::time::{Instant, advance, sleep, timeout};

use crate::kit::support::{Folder, Numbers, my_waker, on_drop, panic_of, rounds};
use crate::kit::watch::{builder, spawn_thread, watch};

const MILLISECOND: Duration = Duration::from_millis(1);

/// The state that the tasks of a program share.
#[derive(Clone)]
struct Game {
    dice: Rc<RefCell<Numbers>>,
    wakers: Rc<RefCell<Vec<Waker>>>,
    sockets: Rc<(UnixStream, UnixStream)>,
    /// The referee that comes in the middle of it, and after how many rolls of the dice.
    late: Rc<RefCell<Option<Referee>>>,
    rolls: Rc<Cell<usize>>,
}

impl Game {
    fn new(dice: u64) -> Self {
        let sockets = Rc::new(UnixStream::pair().unwrap());
        Self {
            dice: Rc::new(RefCell::new(Numbers(dice))),
            wakers: Rc::default(),
            sockets,
            late: Rc::default(),
            rolls: Rc::default(),
        }
    }

    fn roll(&self, sides: u64) -> u64 {
        self.rolls.set(self.rolls.get().wrapping_sub(1));
        if self.rolls.get() == 0 {
            self.late.take().into_iter().for_each(attach);
        }
        self.dice.borrow_mut().below(sides)
    }

    fn soon(&self) -> Duration {
        Duration::from_micros(self.roll(3000))
    }

    /// Spawns, sleeps, waits, gives up, aborts, joins, writes and reads as the dice fall.
    async fn play(self, depth: u64) {
        let waker = my_waker().await;
        self.wakers.borrow_mut().push(waker);
        let mut children: Vec<JoinHandle<()>> = Vec::new();
        for _ in 0..10 {
            match self.roll(15) {
                0 => sleep(self.soon()).await,
                1 => rounds(self.roll(3) as usize).await,
                2 | 3 if depth < 3 => {
                    let child = Builder::new().name(format!("at depth {depth}"));
                    children.push(child.spawn(Box::pin(self.clone().play(depth + 1))));
                }
                4 => children.iter().take(1).for_each(JoinHandle::abort),
                5 if !children.is_empty() => drop(timeout(self.soon(), children.remove(0)).await),
                6 => children.truncate(2),
                7 => self.talk(self.soon()).await,
                8 => or(sleep(self.soon()), sleep(self.soon())).await,
                9 => self.wake_somebody(),
                10 => self.clone().scope().await,
                11 => self.move_a_sleep().await,
                12 => advance(self.soon()),
                13 => self.resets_a_sleep_of_another().await,
                _ => self.wakes_when_aborted(),
            }
        }
        if let Some(child) = children.pop() {
            let _ = child.await;
        }
    }

    fn wake_somebody(&self) {
        let somebody = self.roll(self.wakers.borrow().len() as u64);
        let waker = self.wakers.borrow()[somebody as usize].clone();
        waker.wake();
    }

    /// Writes a byte or waits for one, but not for long. Two wait for the same thing now and then.
    async fn talk(&self, limit: Duration) {
        let (one, other) = &*self.sockets;
        let (reads, writes) = if self.roll(2) == 0 { (one, other) } else { (other, one) };
        if self.roll(2) == 0 {
            let _ = timeout(limit, writes.write(&vec![0; self.few_or_more_than_there_is_room_for()])).await;
        }
        let mut buffer = vec![0; self.few_or_more_than_there_is_room_for()];
        let _ =
            timeout(limit, or(async { drop(reads.read(&mut buffer).await) }, async { drop(reads.readable().await) }))
                .await;
    }

    fn few_or_more_than_there_is_room_for(&self) -> usize {
        if self.roll(3) == 0 { 1 << 20 } else { 3 + self.roll(3) as usize }
    }

    /// Children that borrow, one of which fails if the dice say so.
    async fn scope(self) {
        let game = &self;
        let fails = self.roll(2) == 0;
        let _ = scope(async |s| {
            for _ in 0..3 {
                s.spawn(async { or(sleep(game.soon()), async { game.talk(game.soon()).await }).await });
            }
            s.try_spawn(async move {
                yield_now().await;
                if fails { Err("the dice say so") } else { Ok(()) }
            });
        })
        .await;
    }

    /// A sleep, and a join, that one task begins to wait for and another goes on with.
    async fn move_a_sleep(&self) {
        let mut nap = Box::pin(sleep(self.soon()));
        let mut naps = spawn(sleep(self.soon()));
        let _ = poll_once(&mut nap).await;
        let _ = poll_once(Pin::new(&mut naps)).await;
        let moved = spawn(async move {
            nap.await;
            let _ = naps.await;
        });
        if self.roll(2) == 0 {
            let _ = moved.await;
        }
    }

    /// A sleep that one task waits for, and another puts off.
    async fn resets_a_sleep_of_another(&self) {
        let nap = Rc::new(RefCell::new(sleep(MILLISECOND)));
        let theirs = Rc::clone(&nap);
        let sleeper = spawn(poll_fn(move |cx| Pin::new(&mut *theirs.borrow_mut()).poll(cx)));
        yield_now().await;
        let deadline = Instant::now() + self.soon();
        nap.borrow_mut().reset(deadline);
        if self.roll(2) == 0 {
            let _ = sleeper.await;
        }
    }

    fn wakes_when_aborted(&self) {
        let (first, game) = (self.wakers.borrow()[0].clone(), self.clone());
        let dropped = on_drop(move || {
            game.roll(2);
            first.wake();
        });
        let victim = spawn(async move {
            let _dropped = dropped;
            sleep(MILLISECOND).await;
        });
        victim.abort();
    }
}

/// Applies every event to a state, and compares it with the stores'.
#[derive(Clone, Default)]
struct Referee(Rc<Inner>);

#[derive(Default)]
struct Inner {
    model: RefCell<State>,
    /// The model after each event.
    history: RefCell<Vec<State>>,
    /// Tasks that are, or may be, in the middle of being dropped.
    aborted: RefCell<BTreeSet<u64>>,
    /// The first difference. To panic in an observer would be a different test.
    found: RefCell<Option<String>>,
    /// How many sources the kernel named that are not told of yet, and which are.
    to_be_told: Cell<usize>,
    told: RefCell<BTreeSet<u64>>,
    /// It came in the middle, perhaps while a scope's child ran as a task of its own.
    came_late: Cell<bool>,
}

impl Observer for Referee {
    fn on_attached(&self, _at: Duration) {
        let now = State::now();
        // Nobody told it whom of these somebody had aborted.
        self.0.aborted.borrow_mut().extend(now.ready.iter().chain(&now.running));
        self.0.model.replace(now);
        self.0.came_late.set(true);
    }

    fn on_event(&self, at: Duration, event: &Event<'_>) {
        let this = &self.0;
        this.model.borrow_mut().apply(at, event);
        let model = this.model.borrow().clone();
        this.history.borrow_mut().push(model.clone());
        match *event {
            Event::Abort { task, .. } => drop(this.aborted.borrow_mut().insert(task.as_u64())),
            Event::ParkEnd { events } => {
                this.to_be_told.set(events);
                this.told.take();
            }
            Event::SourceReady { source, .. } => {
                this.to_be_told.set(this.to_be_told.get() - 1);
                this.told.borrow_mut().insert(source.as_u64());
            }
            _ => {}
        }
        let mut live = State::now();
        let runs = |id| live.tasks.get(id).is_some_and(|task| task.state == TaskState::Running || task.queued);
        let runs = this.came_late.get() || model.running.iter().all(runs);
        let over = matches!(event, Event::TurnEnd { .. });
        let runs = runs && !(over && model.running.is_some());
        if let Event::TimerSet { timer, .. } = *event {
            forget_waits(&mut live, |on| on == On::Timer(timer.as_u64()));
        }
        let difference = difference(&this.bare(model), &this.bare(live));
        if let Some(difference) = difference.or((!runs).then(|| String::from("who runs"))) {
            let n = this.history.borrow().len();
            this.found.borrow_mut().get_or_insert_with(|| format!("event {n}, {event:?}: {difference}"));
        }
    }
}

/// Takes waits out of a state, on both sides.
fn forget_waits(state: &mut State, is_one: impl Fn(On) -> bool) {
    state.tasks.values_mut().for_each(|task| task.waits.retain(|wait| !is_one(wait.on)));
    for (id, timer) in state.timers.iter_mut() {
        timer.waiter = timer.waiter.filter(|_| !is_one(On::Timer(*id)));
    }
    for (id, source) in state.sources.iter_mut() {
        [(On::Read(*id), &mut source.readers), (On::Write(*id), &mut source.writers)]
            .into_iter()
            .filter(|(on, _)| is_one(*on))
            .for_each(|(_, waiters)| waiters.clear());
    }
}

/// The first difference between the model and the stores.
fn difference(model: &State, live: &State) -> Option<String> {
    fn entries<T: PartialEq + Debug>(model: &Numbered<T>, live: &Numbered<T>) -> Option<String> {
        let ids: BTreeSet<_> = model.keys().chain(live.keys()).collect();
        let id = ids.into_iter().find(|id| model.get(id) != live.get(id))?;
        Some(format!("{id}:\n  model {:?}\n  live  {:?}", model.get(id), live.get(id)))
    }
    let queue = || Some(format!("the queue:\n  model {:?}\n  live  {:?}", model.ready, live.ready));
    let queue = || queue().filter(|_| model.ready != live.ready);
    let tasks = || entries(&model.tasks, &live.tasks);
    let timers = || entries(&model.timers, &live.timers);
    tasks().or_else(timers).or_else(|| entries(&model.sources, &live.sources)).or_else(queue)
}

impl Inner {
    /// The facts that stores and events both know, in an order that is the same for both.
    fn bare(&self, mut state: State) -> State {
        let unknown = State::default();
        (state.at, state.turn, state.phase, state.running) = (unknown.at, unknown.turn, unknown.phase, None);
        let aborted = self.aborted.borrow();
        state.ready.retain(|id| !aborted.contains(id));
        // The stores have the whole batch, of which each source is told after the other.
        if self.to_be_told.get() > 0 {
            let told = self.told.borrow();
            let is_ahead = |id: u64| !told.contains(&id);
            state.sources.iter_mut().filter(|(id, _)| is_ahead(**id)).for_each(|(_, source)| {
                source.ready = Readiness::default();
            });
            forget_waits(&mut state, |on| matches!(on, On::Read(id) | On::Write(id) if is_ahead(id)));
        }
        for (id, task) in state.tasks.iter_mut() {
            task.queued &= !aborted.contains(id);
            task.state = if task.queued { TaskState::Ready } else { TaskState::Waiting };
            (task.polls, task.longest, task.woken, task.since) = (0, Duration::ZERO, None, Duration::ZERO);
            task.by = Who::Outside;
            task.waits.sort_by_key(|wait| wait.on);
            for wait in &mut task.waits {
                wait.since = Duration::ZERO;
                // Two futures of a task may wait for the same, each on a line of its own. The stores know of a join
                // no line.
                if matches!(wait.on, On::Read(_) | On::Write(_) | On::Join(_)) {
                    wait.at = task.at;
                }
            }
        }
        for timer in state.timers.values_mut() {
            timer.by = Who::Outside;
            timer.deadline = Duration::from_millis(timer.deadline.as_nanos().div_ceil(1_000_000) as u64);
        }
        for source in state.sources.values_mut() {
            (source.by, source.resource) = (Who::Outside, None);
        }
        state
    }
}

/// Runs a game, and gives the states after each event, all that was recorded, and a ring that forgot.
fn run(dice: u64, seed: Option<u64>, kept: usize) -> (Vec<State>, Ring, Ring) {
    let (referee, all, last) = (Referee::default(), Ring::new(usize::MAX), Ring::new(kept));
    let builder = builder().virtual_clock().polls_per_turn(5);
    let builder = builder.observer(referee.clone()).observer(all.clone()).observer(last.clone());
    let runtime = seed.into_iter().fold(builder, oneloop::Builder::seed).build().unwrap();
    runtime.block_on(async {
        let players: Vec<_> = (0..3).map(|_| spawn(Game::new(dice).play(0))).collect();
        for player in players {
            let _ = player.await;
        }
    });
    // From here on tasks are dropped that nobody aborted.
    referee.0.aborted.borrow_mut().extend(referee.0.model.borrow().tasks.keys());
    drop(runtime);
    assert_eq!(referee.0.found.take(), None, "dice {dice}, seed {seed:?}");
    let history = referee.0.history.take();
    (history, all, last)
}

fn written(ring: &Ring) -> Vec<u8> {
    let mut text = Vec::new();
    ring.write_to(&mut text).unwrap();
    text
}

#[test]
fn after_every_event_the_model_equals_the_stores() {
    for dice in 1..9 {
        // Each game takes its time.
        watch(|| {
            let seed = (dice % 2 == 0).then_some(dice);
            let (history, _, _) = run(dice, seed, 1);
            assert!(history.len() > 100, "{}", history.len());
        });
    }
}

#[test]
fn a_late_models_state_equals_the_stores_from_there_on() {
    for dice in 1..4 {
        watch(|| {
            for rolls in [1, 30, 77, 123] {
                let referee = Referee::default();
                let builder = oneloop::Runtime::builder().virtual_clock().polls_per_turn(5);
                let runtime = (dice == 2).then_some(dice).into_iter().fold(builder, oneloop::Builder::seed).build();
                let runtime = runtime.unwrap();
                runtime.block_on(async {
                    let game = Game::new(dice);
                    game.rolls.set(rolls);
                    game.late.replace(Some(referee.clone()));
                    let players: Vec<_> = (0..3).map(|_| spawn(game.clone().play(0))).collect();
                    for player in players {
                        let _ = player.await;
                    }
                });
                referee.0.aborted.borrow_mut().extend(referee.0.model.borrow().tasks.keys());
                drop(runtime);
                assert_eq!(referee.0.found.take(), None, "dice {dice}, after {rolls} rolls");
                assert!(referee.0.history.take().len() > 50, "dice {dice}, after {rolls} rolls");
            }
        });
    }
}

#[test]
fn a_recording_replays_each_state_even_without_its_beginning() {
    watch(|| {
        for dice in 40..42 {
            let (history, all, last) = run(dice, None, 100);
            let whole = Recording::read(&*written(&all)).unwrap();
            assert_eq!((whole.len(), whole.dropped(), whole.is_virtual()), (history.len(), 0, true));
            assert_eq!(whole.state_after(0), State::default());
            let again = Referee::default();
            let replayed = Replayed(again.clone());
            whole.replay(&replayed);
            assert_eq!(again.0.history.take(), history);
            let end = Recording::read(&*written(&last)).unwrap();
            let before = history.len() - end.len();
            assert_eq!((end.len(), end.dropped() as usize), (100, before));
            for n in 0..=end.len() {
                assert_eq!(end.state_after(n), history[before + n - 1], "after {n}");
                assert_eq!(whole.state_after(before + n), history[before + n - 1], "after {n}");
            }
            assert_eq!(last.state(), history[history.len() - 1]);
        }
    });
}

/// A referee without a game to look at.
struct Replayed(Referee);

impl Observer for Replayed {
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        let Referee(inner) = &self.0;
        inner.model.borrow_mut().apply(at, event);
        inner.history.borrow_mut().push(inner.model.borrow().clone());
    }
}

#[test]
fn the_header_says_which_seed_picks_who_is_next() {
    watch(|| {
        for seed in [None, Some(0), Some(u64::MAX)] {
            let (ring, late) = (Ring::new(1000), Ring::new(1000));
            let builder = seed.into_iter().fold(builder().virtual_clock(), oneloop::Builder::seed);
            builder.observer(ring.clone()).build().unwrap().block_on(async {
                attach(late.clone());
                assert_eq!(Recording::read(&*written(&late)).unwrap().seed(), seed);
            });
            for ring in [&ring, &late] {
                let recording = Recording::read(&*written(ring)).unwrap();
                assert_eq!((recording.seed(), recording.is_virtual()), (seed, true));
            }
        }
    });
}

#[test]
fn a_ring_that_joins_a_running_loop_begins_with_what_is_there() {
    watch(|| {
        let (ring, late) = (Ring::new(1000), Ring::new(1000));
        builder().virtual_clock().build().unwrap().block_on(async {
            let slow = Builder::new().name("slow").spawn(sleep(MILLISECOND));
            yield_now().await;
            attach(ring.clone());
            let before = State::now();
            assert_eq!(Recording::read(&*written(&ring)).unwrap().state_after(0), before);
            assert!(before.tasks.values().any(|task| task.name.as_deref() == Some("slow") && task.waits.len() == 1));
            slow.await.unwrap();
            attach(late.clone());
        });
        let (first, state) = (Recording::read(&*written(&ring)).unwrap(), ring.state());
        assert_eq!(first.state_after(first.len()), state);
        assert!(state.tasks.is_empty() && state.timers.is_empty(), "{state:?}");
        assert!(late.len() < ring.len());
    });
}

/// A state that begins with the stores, and takes each event at once; and how many turns began with a message.
#[derive(Clone, Default)]
struct Follower(Rc<RefCell<State>>, Rc<Cell<usize>>);

impl Observer for Follower {
    fn on_attached(&self, _at: Duration) {
        self.0.replace(State::now());
    }

    fn on_event(&self, at: Duration, event: &Event<'_>) {
        self.0.borrow_mut().apply(at, event);
        if let Event::TurnStart { inbox: 1.., .. } = event {
            self.1.set(self.1.get() + 1);
        }
    }
}

/// Tasks that sleep, wait for each other, for a socket or for nothing, are ready, or over.
fn crowd(sockets: &Rc<(UnixStream, UnixStream)>) -> Vec<JoinHandle<()>> {
    let mut handles: Vec<JoinHandle<()>> = Vec::new();
    for number in 0..1500 {
        let last = (number % 5 == 1).then(|| handles.pop()).flatten();
        let sockets = Rc::clone(sockets);
        let body = async move {
            match (number % 5, last) {
                (_, Some(last)) => drop(last.await),
                (0, _) => sleep(Duration::from_secs(number)).await,
                (2, _) => drop(sockets.0.readable().await),
                (3, _) => std::future::pending().await,
                _ => {}
            }
        };
        // A name for some.
        let named = Builder::new().name(format!("number {number}"));
        handles.push(if number % 2 == 0 { named.spawn(body) } else { spawn(body) });
    }
    handles
}

#[test]
fn a_late_ring_tells_the_same_while_it_still_reads_the_stores() {
    watch(|| {
        // The first is asked before it has read anything, the last after it has read all.
        for asked_after in [0, 700, 2000, 4000, 30_000] {
            builder().virtual_clock().build().unwrap().block_on(async {
                let sockets = Rc::new(UnixStream::pair().unwrap());
                let handles = crowd(&sockets);
                yield_now().await;
                yield_now().await;
                let mut fresh = crowd(&sockets);
                handles[7].abort();
                let (ring, kept, model) = (Ring::new(100), Ring::new(100_000), Follower::default());
                attach(ring.clone());
                attach(kept.clone());
                attach(model.clone());
                let before = model.0.borrow().clone();
                let mut dice = Numbers(asked_after);
                while ring.last() < asked_after {
                    let one = dice.below(handles.len() as u64) as usize;
                    match dice.below(4) {
                        0 => handles[one].abort(),
                        1 => fresh.push(spawn(sleep(Duration::from_secs(one as u64)))),
                        2 => drop(fresh.swap_remove(one.min(fresh.len() - 1))),
                        _ => advance(MILLISECOND * 50),
                    }
                    yield_now().await;
                }
                assert_eq!(ring.state(), *model.0.borrow(), "asked after {asked_after} events");
                assert_eq!(Recording::read(&*written(&kept)).unwrap().state_after(0), before);
                let told = Recording::read(&*written(&ring)).unwrap();
                assert_eq!(told.state_after(told.len()), *model.0.borrow(), "asked after {asked_after} events");
            });
        }
    });
}

#[test]
fn a_ring_that_comes_late_copies_so_many_things_a_turn_and_no_more() {
    watch(|| {
        const MOST: usize = 4_096;
        const SLEEPERS: u64 = 40_000;
        builder().virtual_clock().build().unwrap().block_on(async {
            let mut sleepers: Vec<_> = (0..SLEEPERS).map(|n| spawn(sleep(Duration::from_secs(1 + n)))).collect();
            yield_now().await;
            yield_now().await;
            let (ring, model) = (Ring::new(100), Follower::default());
            attach(ring.clone());
            attach(model.clone());
            // The loop does not sleep before the copy is whole. Meanwhile tasks begin and end, copied and not.
            for n in 0..20 {
                sleepers.push(spawn(sleep(Duration::from_secs(n))));
                sleepers.swap_remove(7).abort();
                sleepers.pop().unwrap().abort();
                yield_now().await;
            }
            sleep(MILLISECOND).await;
            let shares = model.1.get();
            assert!(shares >= 2 * SLEEPERS as usize / MOST, "80,000 things were copied in {shares} turns and one more");
            assert_eq!(ring.state(), *model.0.borrow());
        });
    });
}

#[test]
fn a_looker_waits_until_a_late_ring_has_copied_all() {
    watch(|| {
        builder().virtual_clock().build().unwrap().block_on(async {
            let sleepers: Vec<_> = (0..40_000).map(|_| spawn(sleep(Duration::from_secs(1)))).collect();
            yield_now().await;
            let ring = Ring::new(100);
            attach(ring.clone());
            let looker = spawn_thread(move || ring.with_state(|state| state.tasks.len()));
            while !looker.is_finished() {
                yield_now().await;
            }
            assert_eq!(looker.join().unwrap(), 1 + sleepers.len());
        });
    });
}

#[test]
fn a_returning_reader_hears_the_news_and_a_late_one_begins_anew() {
    watch(|| {
        let ring = Ring::new(8);
        let runtime = builder().virtual_clock().observer(ring.clone()).build().unwrap();
        assert_eq!(ring.since(0, 10).text.lines().count(), 1);
        runtime.block_on(async {});
        let events = ring.last();
        let all = ring.since(0, 100);
        assert!(all.anew && all.cursor == events && all.text.starts_with(r#"{"oneloop":"events""#), "{all:?}");
        assert_eq!(all.text.lines().count() as u64, 1 + events);
        let (some, rest) = (ring.since(2, 2), ring.since(4, 100));
        assert!(!some.anew && some.cursor == 4 && some.text.starts_with(r#"{"n":3,"#), "{some:?}");
        assert!(!rest.anew && rest.text.starts_with(r#"{"n":5,"#) && rest.cursor == events);
        let nothing = ring.since(events, 100);
        assert_eq!((nothing.text.as_str(), nothing.anew, nothing.cursor), ("", false, events));
        runtime.block_on(rounds(20));
        let (late, now) = (ring.since(events, 3), ring.last());
        assert!(late.anew && late.cursor == now, "{late:?}");
        let first = format!(r#""first":{},"dropped":{now}"#, now + 1);
        assert!(late.text.lines().next().unwrap().contains(&first), "{}", late.text);
        assert!(ring.since(now + 1, 100).anew && ring.len() == 8 && ring.dropped() == now - 8);
    });
}

/// Runs a busy loop on a thread of its own, with a ring, while `look` does what it does to the ring.
fn beside_a_busy_loop(look: impl FnOnce(&Ring)) {
    beside(&Ring::new(100), 0, yield_now, look);
}

/// Runs a loop of so many sleepers, and one task that takes a `step` again and again, while `look` looks.
fn beside<F: Future<Output = ()> + 'static>(ring: &Ring, sleepers: usize, step: fn() -> F, look: impl FnOnce(&Ring)) {
    let over = Arc::new(AtomicBool::new(false));
    let (observer, is_over, (tell, told)) = (ring.clone(), Arc::clone(&over), channel());
    let busy = spawn_thread(move || {
        let runtime = builder().observer(observer).build().unwrap();
        runtime.block_on(async {
            (0..sleepers).for_each(|_| drop(spawn(sleep(MILLISECOND * 1_000_000))));
            yield_now().await;
            tell.send(()).unwrap();
            while !is_over.load(Ordering::SeqCst) {
                step().await;
            }
        });
    });
    told.recv().unwrap();
    look(ring);
    over.store(true, Ordering::SeqCst);
    busy.join().unwrap();
}

/// Returns when the ring's loop has told of some thousands of events more.
fn until_it_went_on(ring: &Ring) {
    let before = ring.last();
    while ring.last() < before + 5000 {
        std::thread::yield_now();
    }
}

#[test]
fn a_loop_goes_on_for_as_long_as_somebody_looks_at_its_state() {
    watch(|| {
        beside_a_busy_loop(|ring| {
            until_it_went_on(ring);
            let turns = ring.with_state(|state| {
                until_it_went_on(ring);
                let meanwhile = ring.state();
                assert!(meanwhile.turn > state.turn && meanwhile.tasks.len() == 1, "{meanwhile:?}");
                until_it_went_on(ring);
                state.turn
            });
            assert!(ring.state().turn > turns);
        });
    });
}

/// A file on a slow disk: it takes what it is given when the loop has gone on meanwhile.
struct Slow<'a>(&'a Ring, Vec<u8>);

impl std::io::Write for Slow<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        until_it_went_on(self.0);
        self.1.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_loop_goes_on_while_its_events_are_written_to_something_slow() {
    watch(|| {
        beside_a_busy_loop(|ring| {
            until_it_went_on(ring);
            let mut slow = Slow(ring, Vec::new());
            ring.write_to(&mut slow).unwrap();
            let recording = Recording::read(&*slow.1).unwrap();
            assert_eq!(recording.len(), 100);
            assert_eq!(recording.state_after(100).tasks.len(), 1);
        });
    });
}

#[test]
fn a_look_at_thousands_of_tasks_lets_the_loop_go_on_meanwhile() {
    /// So many that a look takes far longer than the loop takes to fill the segment that it has.
    const SLEEPERS: usize = 20_000;
    const LOOKS: u64 = 2;
    watch(|| {
        beside(
            &Ring::new(10_000),
            SLEEPERS,
            || sleep(MILLISECOND),
            |ring| {
                let facts = || assert!(ring.since(0, 1).text.lines().count() > SLEEPERS);
                let lines = || ring.write_to(std::io::sink()).unwrap();
                // How many turns are to come within a look. Beside a ring that stays locked the loop goes on until two
                // segments are full, which takes some 50 turns.
                let looks: [(&str, u64, &dyn Fn()); 2] = [("what there is", 70, &facts), ("what happened", 5, &lines)];
                for (name, turns, look) in looks {
                    // A busy machine may take a while for it.
                    let goes_on = (0..5).any(|_| {
                        let before = ring.state().turn;
                        (0..LOOKS).for_each(|_| look());
                        ring.state().turn >= before + turns * LOOKS
                    });
                    assert!(goes_on, "the loop stood still while it was told {name}");
                }
            },
        );
    });
}

/// Tells a ring, and looks at it now and then.
struct Looks {
    ring: Ring,
    every: usize,
    history: Rc<Vec<State>>,
    told: Cell<usize>,
}

impl Observer for Looks {
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        self.ring.on_event(at, event);
        let n = self.told.replace(self.told.get() + 1);
        if (n + 1) % self.every == 0 {
            assert_eq!(self.ring.state(), self.history[n], "after {n}, a look every {}", self.every);
        }
    }
}

#[test]
fn a_ring_says_the_same_however_seldom_somebody_looks() {
    watch(|| {
        let (history, all, _) = run(5, None, 1);
        let (history, whole) = (Rc::new(history), Recording::read(&*written(&all)).unwrap());
        assert!(history.len() > 520, "{}", history.len());
        for kept in [1, 7, 511, 512] {
            for every in [1, 300, usize::MAX] {
                let looks = Looks { ring: Ring::new(kept), every, history: Rc::clone(&history), told: Cell::new(0) };
                whole.replay(&looks);
                let ring = looks.ring;
                let end = Recording::read(&*written(&ring)).unwrap();
                let before = history.len().saturating_sub(kept);
                assert_eq!((end.len(), end.dropped() as usize), (history.len() - before, before));
                let first = before.checked_sub(1).map_or_else(State::default, |last| history[last].clone());
                assert_eq!(
                    (end.state_after(0), end.state_after(end.len())),
                    (first, history[history.len() - 1].clone())
                );
            }
        }
    });
}

/// Tells a ring of the first so many events.
struct First(Ring, Cell<usize>);

impl Observer for First {
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        if let Some(left) = self.1.get().checked_sub(1) {
            self.1.set(left);
            self.0.on_event(at, event);
        }
    }
}

#[test]
fn a_ring_nobody_looks_at_keeps_up_over_many_segments() {
    watch(|| {
        let (history, all, _) = run(5, None, 1);
        let whole = Recording::read(&*written(&all)).unwrap();
        for part in 1..8 {
            // The same game again and again, as one long one that nobody looks at, and then a part of it.
            let ring = Ring::new(1);
            (0..3000 / history.len() + 1).for_each(|_| whole.replay(&ring));
            let events = history.len() * part / 8;
            whole.replay(&First(ring.clone(), Cell::new(events)));
            assert!(ring.last() > 2560, "{}", ring.last());
            assert_eq!(ring.state(), history[events - 1], "after {events}");
        }
    });
}

#[test]
fn a_ring_that_forgot_shows_no_wait_of_a_task_that_has_ended() {
    watch(|| {
        let (all, last) = (Ring::new(1000), Ring::new(1));
        let observed = builder().virtual_clock().observer(all.clone()).observer(last.clone());
        observed.build().unwrap().block_on(async {
            let (sockets, other) = (UnixStream::pair().unwrap(), spawn(pending::<()>()));
            // These leaves are of a task that ends, and live on. So do what they wait for, and the task's wakers.
            let leaves: [Pin<Box<dyn Future<Output = ()>>>; 3] = [
                Box::pin(sleep(100 * MILLISECOND)),
                Box::pin(async move { drop(poll_fn(|cx| Pin::new(&mut &sockets.0).poll_read(cx, &mut [0])).await) }),
                Box::pin(async move { drop(other.await) }),
            ];
            let leaves = Rc::new(RefCell::new(leaves));
            let lent = Rc::clone(&leaves);
            let poll_each = move |cx: &mut Context<'_>| lent.borrow_mut().each_mut().map(|leaf| leaf.as_mut().poll(cx));
            let polled = spawn(poll_fn(move |cx| Poll::Ready(poll_each(cx)))).await.unwrap();
            assert_eq!(polled, [Poll::Pending; 3]);
            let (whole, cut) = (all.state(), last.state());
            assert_eq!((whole.timers.len(), whole.sources.len(), whole.tasks.len()), (1, 2, 2), "{whole:?}");
            assert_eq!(cut, whole);
        });
    });
}

#[test]
fn no_recording_makes_its_reader_panic_and_errors_name_the_line() {
    watch(|| {
        let (_, all, last) = run(7, None, 60);
        let texts = [written(&all).into_iter().take(20_000).collect(), written(&last)];
        let mut dice = Numbers(11);
        for round in 0..400 {
            let mut text: Vec<u8> = texts[round % 2].clone();
            for _ in 0..=dice.below(3) {
                mutate(&mut text, &mut dice);
            }
            match Recording::read(&*text) {
                Ok(recording) => {
                    let again = Ring::new(100);
                    recording.replay(&again);
                    let _ = (written(&again), recording.state_after(usize::MAX));
                }
                Err(error) => {
                    let said = error.to_string();
                    assert!(said.starts_with("line ") || said.starts_with("the recording is empty"), "{said}");
                }
            }
        }
    });
}

/// Changes, moves, doubles or drops some of the text.
fn mutate(text: &mut Vec<u8>, dice: &mut Numbers) {
    let length = text.len() as u64;
    let at = dice.below(length.max(1)) as usize;
    let piece = (dice.below(40) as usize).min(text.len().saturating_sub(at));
    match dice.below(6) {
        0 => text.truncate(at),
        1 => drop(text.drain(at..at + piece)),
        2 => {
            let copy = text[at..at + piece].to_vec();
            let to = dice.below(length.max(1)) as usize;
            text.splice(to..to, copy);
        }
        3 => {
            // Another digit: the line still fits, and means something else.
            if let Some(digit) = text.iter_mut().skip(at).find(|byte| byte.is_ascii_digit()) {
                *digit = b'0' + dice.below(10) as u8;
            }
        }
        4 => {
            if let Some(byte) = text.get_mut(at) {
                *byte = dice.below(256) as u8;
            }
        }
        _ => {
            let tokens: [&[u8]; 8] =
                [b"\"", b"{", b"99999999999999999999999", b"-1", b"null", b"\\u d800", b"\n", b"\"task 9\""];
            text.splice(at..at, tokens[dice.below(8) as usize].iter().copied());
        }
    }
}

#[test]
fn a_line_that_does_not_fit_is_named_with_what_is_wrong_about_it() {
    let header = r#"{"oneloop":"events","version":1,"clock":"real","first":1,"dropped":0}"#;
    for (text, says) in [
        (String::new(), "the recording is empty: the program that writes it runs still, or was killed"),
        (String::from("{}"), "line 1 of the recording: it is neither a header"),
        (String::from("hello"), "line 1 of the recording: at byte 1 comes 'h' instead of \"{\""),
        (header.replace(":1,", ":2,"), "line 1 of the recording: it is of version 2, and this reads version 1"),
        (
            header.replace("events", "pictures"),
            "line 1 of the recording: it holds \"pictures\", and this reads \"events\"",
        ),
        (header.replace("real", "sun"), "\"clock\": \"sun\" is none of real, virtual"),
        (format!("{header}\n{header}"), "line 2 of the recording: there is a header already"),
        (String::from(r#"{"n":1,"t":0,"e":"turn_start"}"#), "line 1 of the recording: the header is missing"),
        (format!("{header}\n{{\"n\":2}}"), "line 2 of the recording: event 2 comes where event 1 was to come"),
        (format!("{header}\n{{\"n\":1,\"t\":0}}"), "\"e\" is missing"),
        (
            format!(r#"{header}{}{{"n":1,"t":0,"e":"wait","task":1,"on":"tea","at":"a:1:1"}}"#, '\n'),
            "\"on\": \"tea\" is nothing to wait for",
        ),
        (format!(r#"{header}{}{{"n":1,"t":"now","e":"turn_end"}}"#, '\n'), "\"t\" is not a number of nanoseconds"),
        (
            format!(r#"{header}{}{{"n":1,"t":0,"e":"abort","task":1,"by":"outside","at":"here"}}"#, '\n'),
            "\"here\" is no place",
        ),
        (format!("{header}\n\n{{\"n\":1,\"t\":[]}}"), "line 3 of the recording: at byte 12 comes '[' instead of"),
    ] {
        // A last line without its end would be one that was cut off.
        let error = Recording::read((text + "\n").as_bytes()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let bytes = [header.as_bytes(), b"\n\xff\n"].concat();
    assert!(Recording::read(&*bytes).unwrap_err().to_string().contains("line 2 of the recording: it is not UTF-8"));
}

/// A line of each kind of event, as a ring writes it.
const EVERY_KIND: &str = r#"{"oneloop":"events","version":1,"clock":"real","first":1,"dropped":0,"lines":25,"written":"asked"}
{"n":1,"t":0,"e":"spawn","task":1,"slot":3,"by":"thread 4","name":"main","at":"a.rs:1:2"}
{"n":2,"t":1,"e":"turn_start","turn":1,"inbox":2}
{"n":3,"t":2,"e":"poll_start","task":1}
{"n":4,"t":3,"e":"source_opened","source":7,"slot":5,"kind":"unix stream","read":true,"write":false,"by":"task 1","at":"a.rs:3:4"}
{"n":5,"t":4,"e":"source_ready","source":7,"read":true,"write":false,"read_closed":true,"write_closed":false}
{"n":6,"t":5,"e":"source_drained","source":7,"read":false,"write":true}
{"n":7,"t":6,"e":"wait","task":1,"on":"write 7","at":"a.rs:5:6"}
{"n":8,"t":7,"e":"wait_dropped","task":1,"on":"write 7"}
{"n":9,"t":8,"e":"source_closed","source":7}
{"n":10,"t":9,"e":"timer_set","timer":8,"slot":9,"by":"outside","deadline":18446744073709551615,"at":"a.rs:7:8"}
{"n":11,"t":10,"e":"timer_cancelled","timer":8}
{"n":12,"t":11,"e":"timer_set","timer":9,"slot":9,"by":"source 7","deadline":12,"at":"a.rs:7:8"}
{"n":13,"t":12,"e":"timer_fired","timer":9,"late":13}
{"n":14,"t":13,"e":"wake","task":1,"by":"timer 9","queued":true}
{"n":15,"t":14,"e":"stale_wake","by":"thread 1"}
{"n":16,"t":15,"e":"abort","task":1,"by":"task 1","at":"a.rs:9:10"}
{"n":17,"t":16,"e":"poll_end","task":1,"outcome":"panicked"}
{"n":18,"t":17,"e":"finish","task":1,"outcome":"aborted"}
{"n":19,"t":18,"e":"finding","kind":"slow_poll","task":1,"text":"it is slow"}
{"n":20,"t":19,"e":"finding","kind":"everyone_waits","text":"all wait"}
{"n":21,"t":20,"e":"held","lasted":21}
{"n":22,"t":21,"e":"park_start","timeout":null}
{"n":23,"t":22,"e":"park_start","timeout":0}
{"n":24,"t":23,"e":"park_end","events":2}
{"n":25,"t":24,"e":"turn_end","turn":1,"polls":3}
"#;

#[test]
fn a_ring_keeps_every_kind_of_event_as_it_was_told() {
    let (_, table) =
        include_str!("../../../docs/events.md").split_once("| `e` | keys | |").expect("a table of the kinds");
    let rows = table.lines().skip(2).take_while(|row| row.starts_with('|'));
    let kinds: Vec<_> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    assert!(kinds.len() > 20, "{kinds:?}");
    for kind in kinds {
        assert!(EVERY_KIND.contains(&format!(r#""e":"{kind}""#)), "no line of the kind {kind}");
    }
    let ring = Ring::new(1000);
    Recording::read(EVERY_KIND.as_bytes()).unwrap().replay(&ring);
    assert_eq!(String::from_utf8(written(&ring)).unwrap(), EVERY_KIND);
}

/// The events of a ring that has forgotten none, without their numbers.
fn events_of(ring: &Ring) -> Vec<String> {
    let text = String::from_utf8(written(ring)).unwrap();
    let without_number = |line: &str| line.split_once(',').map(|(_, event)| event.to_owned()).unwrap();
    text.lines().skip(1).map(without_number).collect()
}

/// Each has a pen, and fills segments that the other has begun.
#[test]
fn two_loops_that_share_a_ring_by_turns_lose_no_event_and_mix_none() {
    watch(|| {
        let (shared, mut told) = (Ring::new(100_000), Vec::new());
        let with_own = || {
            let own = Ring::new(100_000);
            let builder = builder().virtual_clock().observer(shared.clone()).observer(own.clone());
            (builder.build().unwrap(), own)
        };
        let loops = [with_own(), with_own()];
        let mut known = [0, 0];
        for turn in 0..40 {
            let (runtime, own) = &loops[turn % 2];
            runtime.block_on(async {
                for n in 0..7 + turn {
                    let sleeper = Builder::new().name(format!("{n} of turn {turn}"));
                    sleeper.spawn(sleep(MILLISECOND)).await.unwrap();
                }
            });
            let events = events_of(own);
            told.extend_from_slice(&events[known[turn % 2]..]);
            known[turn % 2] = events.len();
        }
        assert!(told.len() > 10_000, "{}", told.len());
        assert_eq!(events_of(&shared), told);
    });
}

#[test]
fn a_loop_on_another_thread_is_refused_a_ring_that_is_written() {
    watch(|| {
        let ring = Ring::new(100_000);
        let build = |ring: &Ring| builder().virtual_clock().observer(ring.clone()).build().unwrap();
        let runtime = build(&ring);
        let here = [build(&ring), build(&ring)];
        let other = ring.clone();
        let refused = move || panic_of(|| drop(build(&other)));
        let said = spawn_thread(refused.clone()).join().unwrap();
        assert!(said.contains("give this thread's loop a Ring of its own"), "{said}");
        drop(here);
        runtime.block_on(rounds(3));
        assert!(spawn_thread(refused).join().unwrap().contains("a loop on another thread writes into this one"));
        drop(runtime);
        let before = ring.last();
        let other = ring.clone();
        spawn_thread(move || build(&other).block_on(rounds(3))).join().unwrap();
        assert!(ring.last() > before, "the ring is free");
    });
}

#[test]
fn threads_that_tell_a_ring_do_so_by_turns() {
    watch(|| {
        let ring = Ring::new(100_000);
        let tellers: Vec<_> = (0..4)
            .map(|_| {
                let ring = ring.clone();
                let recording = Recording::read(EVERY_KIND.as_bytes()).unwrap();
                spawn_thread(move || (0..500).for_each(|_| recording.replay(&ring)))
            })
            .collect();
        tellers.into_iter().for_each(|teller| teller.join().unwrap());
        let (mut told, once) = (events_of(&ring), Ring::new(100));
        Recording::read(EVERY_KIND.as_bytes()).unwrap().replay(&once);
        let mut expected: Vec<_> = std::iter::repeat_n(events_of(&once), 4 * 500).flatten().collect();
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected);
    });
}

#[test]
fn what_a_later_writer_may_add_is_skipped() {
    let text = concat!(
        r#"{"oneloop":"events","version":1,"clock":"real","first":7,"dropped":6,"host":"here"}"#,
        "\n",
        r#"{"fact":"weather","sun":true}"#,
        "\n",
        r#"{"n":7,"t":1,"e":"teatime","cups":-1.5e3}"#,
        "\n",
        r#"{"n":8,"t":2,"e":"turn_start","turn":3,"inbox":0,"mood":null}"#,
        "\r\n",
    );
    let recording = Recording::read(text.as_bytes()).unwrap();
    assert_eq!((recording.len(), recording.dropped()), (1, 6));
    assert_eq!(recording.state_after(1).turn, 3);
}

#[test]
fn whatever_a_task_is_called_its_line_is_json_and_reads_back() {
    watch(|| {
        let names = ["\"", "\\", "\n\r\t\u{0}\u{7f}\u{85}", "</script><b>", "🦀 ünï", "\u{2028}", "{\"n\":1}", ""];
        let ring = Ring::new(1000);
        builder().observer(ring.clone()).build().unwrap().block_on(async {
            for name in names {
                Builder::new().name(name).spawn(async {}).await.unwrap();
            }
        });
        let text = String::from_utf8(written(&ring)).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told: Vec<_> = lines.iter().filter_map(|line| line.get("name")?.as_str()).collect();
        assert_eq!(told[0], "main");
        assert_eq!(told[1..], names);
        #[derive(Default)]
        struct Names(RefCell<Vec<String>>);
        impl Observer for Names {
            fn on_event(&self, _: Duration, event: &Event<'_>) {
                if let Event::Spawn { name: Some(name), .. } = event {
                    self.0.borrow_mut().push(String::from(*name));
                }
            }
        }
        let read = Names::default();
        Recording::read(text.as_bytes()).unwrap().replay(&read);
        assert_eq!(read.0.borrow()[1..], names);
    });
}

#[test]
fn a_program_that_is_asked_to_records_each_of_its_runtimes_when_that_ends() {
    const INSIDE: &str = "ONELOOP_TEST_RECORDED";
    watch(|| {
        if std::env::var_os(INSIDE).is_some() {
            oneloop::run(async { spawn(async {}).await.unwrap() });
            oneloop::run(rounds(2));
            return;
        }
        let folder = Folder::new();
        let (path, second) = (folder.file("recording"), folder.file("recording.2"));
        let record = |to: &str| {
            let name = "see::recordings::a_program_that_is_asked_to_records_each_of_its_runtimes_when_that_ends";
            let mut program = Command::new(std::env::current_exe().unwrap());
            program.args(["--exact", name, "--nocapture"]).env(INSIDE, "1").env("ONELOOP_RECORD", to).output().unwrap()
        };
        let recorded = record(&path);
        assert!(recorded.status.success(), "{}", String::from_utf8_lossy(&recorded.stderr));
        let read = |path: &str| Recording::read(BufReader::new(File::open(path).unwrap())).unwrap();
        let (first, other) = (read(&path), read(&second));
        let polls = |recording: &Recording| {
            let most = (0..=recording.len()).filter_map(|n| Some(recording.state_after(n).tasks.get(&1)?.polls)).max();
            most.unwrap_or(0)
        };
        assert_eq!((polls(&first), polls(&other)), (2, 3));
    });
}

/// A written run with a name that is more than ASCII, so that a cut may fall inside a letter.
fn a_written_run() -> Vec<u8> {
    let ring = Ring::new(1000);
    let runtime = builder().virtual_clock().observer(ring.clone()).build().unwrap();
    runtime.block_on(async {
        for name in ["früh", "spät"] {
            let napper = Builder::new().name(name).spawn(sleep(MILLISECOND));
            attach(Ring::new(1));
            napper.await.unwrap();
        }
    });
    let mut text = Vec::new();
    ring.write_to(&mut text).unwrap();
    text
}

#[test]
fn a_recording_cut_off_anywhere_is_read_as_far_as_it_goes() {
    watch(|| {
        let whole = a_written_run();
        let all = Recording::read(&*whole).unwrap();
        assert_eq!((all.cut_short(), all.len() > 20), (None, true));
        let header = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for length in header..whole.len() {
            let cut = Recording::read(&whole[..length]).unwrap();
            let lines = whole[..length].iter().filter(|byte| **byte == b'\n').count();
            // A line that lacks nothing but its end is whole.
            let is_broken = whole[length - 1] != b'\n' && whole[length] != b'\n';
            assert_eq!(cut.len(), lines - 1 + usize::from(whole[length - 1] != b'\n' && !is_broken), "{length} bytes");
            assert_eq!(cut.state_after(cut.len()), all.state_after(cut.len()), "{length} bytes");
            let whole_lines = cut.len();
            let said = if is_broken {
                Some(format!("the recording is cut short: line {} of it has no end", lines + 1))
            } else {
                (whole_lines < all.len()).then(|| {
                    format!(
                        "the recording is cut short: {whole_lines} of the {} lines behind its header are here",
                        all.len()
                    )
                })
            };
            assert_eq!(cut.cut_short(), said.as_deref(), "{length} bytes");
        }
        // A line that is broken in the middle is no cut.
        let broken = [&whole[..header + 20], b"\n", &whole[header..]].concat();
        assert!(Recording::read(&*broken).unwrap_err().to_string().starts_with("line 2 of the recording: "));
    });
}

#[test]
fn a_recording_that_lacks_facts_or_events_between_two_lines_says_so() {
    watch(|| {
        let ring = Ring::new(5);
        let runtime = builder().virtual_clock().build().unwrap();
        runtime.block_on(async {
            let _naps = [spawn(sleep(MILLISECOND)), spawn(sleep(MILLISECOND))];
            yield_now().await;
            attach(ring.clone());
            let mut early = Vec::new();
            ring.write_to(&mut early).unwrap();
            each_line_is_missed(&early);
            sleep(MILLISECOND).await;
        });
        let mut late = Vec::new();
        ring.write_to(&mut late).unwrap();
        each_line_is_missed(&late);
    });
}

/// A text that ends behind any of its lines but the last is cut short.
fn each_line_is_missed(text: &[u8]) {
    let text = std::str::from_utf8(text).unwrap();
    let ends: Vec<_> = text.match_indices('\n').map(|(end, _)| end + 1).collect();
    assert!(ends.len() > 4, "{text}");
    for (lines, end) in ends.iter().enumerate() {
        let read = Recording::read(&text.as_bytes()[..*end]).unwrap();
        let said =
            format!("the recording is cut short: {lines} of the {} lines behind its header are here", ends.len() - 1);
        assert_eq!(read.cut_short(), (*end < text.len()).then_some(&*said), "{text}");
        assert_eq!(read.occasion(), Some(Occasion::Asked));
    }
}

#[test]
fn a_recording_of_before_it_said_its_length_is_read_as_ever() {
    watch(|| {
        let text = String::from_utf8(a_written_run()).unwrap();
        let (said, _) = text.split_once('\n').unwrap();
        let older = text.replacen(&said[said.find(",\"lines\"").unwrap()..], "}", 1);
        let read = Recording::read(older.as_bytes()).unwrap();
        assert_eq!((read.cut_short(), read.occasion()), (None, None));
        assert_eq!(read.len(), text.lines().count() - 1);
        let later = text.replacen("\"asked\"", "\"signal of a kind that came later\"", 1);
        assert_eq!(Recording::read(later.as_bytes()).unwrap().occasion(), None);
    });
}
