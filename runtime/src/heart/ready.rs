//! The ready queue: what comes next.
//!
//! Entries leave in the order in which they were queued. With a seed, each pop picks at random among all entries. The
//! same seed gives the same order. It is a pure data structure, and does not know what an entry is.
//!
//! Without a seed there are two lists: `pop` takes from one, and `push` adds to the other. When the first is used up,
//! they change places. So `pop` and `push` take constant time, and both lists keep their memory.
//!
//! ```text
//!     now    [ a b c d e ]          later  [ f g h ]
//!                  ^ taken: c is next                ^ the next push
//! ```

/// The queue.
pub(crate) struct Ready<T> {
    pub(super) now: Vec<T>,
    /// How many of `now` are gone.
    pub(super) taken: usize,
    pub(super) later: Vec<T>,
    /// Picks the next, if a seed was given.
    pub(super) random: Option<Random>,
}

/// The generator that picks among the entries. After `most_picks` picks, entries come in the order of the queue.
pub(super) struct Random {
    pub(super) seed: u64,
    state: u64,
    /// How many picks it has made. A pick needs two entries or more.
    pub(super) picks: u64,
    pub(super) most_picks: u64,
}

impl<T: Copy> Ready<T> {
    /// An empty queue.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let random = seed.map(|seed| Random { seed, state: seed, picks: 0, most_picks: u64::MAX });
        Self { now: Vec::new(), taken: 0, later: Vec::new(), random }
    }

    /// How many are queued.
    pub(crate) fn len(&self) -> usize {
        self.now.len() - self.taken + self.later.len()
    }

    #[inline]
    pub(crate) fn push(&mut self, last: T) {
        self.later.push(last);
    }

    /// Takes out the oldest entry or, with a seed, a random one.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        let Some(next) = self.now.get(self.taken) else { return self.begin_round() };
        self.taken += 1;
        Some(*next)
    }

    /// The first list is used up: begins a round with the second. Without a seed the lists change places. With a seed,
    /// one entry is picked, and the rest waits for the next round.
    #[inline(never)]
    fn begin_round(&mut self) -> Option<T> {
        if self.later.len() < 2 {
            return self.later.pop();
        }
        self.now.clear();
        match self.pick() {
            Some(chosen) => self.now.push(self.later.remove(chosen)),
            None => std::mem::swap(&mut self.now, &mut self.later),
        }
        self.taken = 1;
        self.now.first().copied()
    }

    /// The place in `later` of the entry that the generator picks. `None` without a seed, or after the last pick.
    fn pick(&mut self) -> Option<usize> {
        let random = self.random.as_mut().filter(|random| random.picks < random.most_picks)?;
        random.picks += 1;
        Some(((u128::from(splitmix(&mut random.state)) * self.later.len() as u128) >> 64) as usize)
    }
}

/// One step of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014): 64 well-mixed bits from a counter.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
