//! The ready queue: what comes next.
//!
//! Things come in the order in which they were queued or, with a seed, in another of the orders that they
//! might as well come in: the same seed, the same order. It is a pure data structure, and does not know
//! what is queued.
//!
//! It goes by rounds: one list is taken from, another is added to, and when the first is through they
//! change places. So taking and adding are a step each, and both lists keep their memory.
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

/// A generator that picks among what is queued, for so many picks; after them things come in order.
pub(super) struct Random {
    pub(super) seed: u64,
    state: u64,
    /// Only picks among two or more count.
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

    /// Adds one behind all others.
    pub(crate) fn push(&mut self, last: T) {
        // stage: hole "Ready::push"
        self.later.push(last);
        // stage: end
    }

    /// Takes out the oldest, or with a seed any.
    pub(crate) fn pop(&mut self) -> Option<T> {
        // stage: hole "Ready::pop"
        let Some(next) = self.now.get(self.taken) else { return self.begin_round() };
        self.taken += 1;
        Some(*next)
        // stage: end
    }

    /// Takes the first of all that were added since the last round began; with a seed, any of them.
    fn begin_round(&mut self) -> Option<T> {
        // stage: hole "Ready::begin_round"
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
        // stage: end
    }

    /// Which of `later` the seed has come first, if that is for the seed to say.
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
