//! The ready queue: what comes next.
//!
//! Things come in the order in which they were queued or, with a seed, in another of the orders that they
//! might as well come in: the same seed, the same order. It is a pure data structure, and does not know
//! what is queued.

use std::collections::VecDeque;

/// The queue.
pub(crate) struct Ready<T> {
    queue: VecDeque<T>,
    /// What picks the next, where a seed was given.
    random: Option<Random>,
}

/// A generator that picks among what is queued, for so many picks; after them things come in order.
struct Random {
    seed: u64,
    state: u64,
    /// Only picks among two or more count.
    picks: u64,
    most_picks: u64,
}

impl<T> Ready<T> {
    /// An empty queue.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let random = seed.map(|seed| Random { seed, state: seed, picks: 0, most_picks: u64::MAX });
        Self { queue: VecDeque::new(), random }
    }

    /// Leaves only the first `most_picks` picks to the seed. Those that come later are in order.
    pub(crate) fn limit_picks(&mut self, most_picks: u64) {
        self.random.iter_mut().for_each(|random| random.most_picks = most_picks);
    }

    /// How many picks the seed has decided.
    pub(crate) fn picks(&self) -> u64 {
        self.random.as_ref().map_or(0, |random| random.picks)
    }

    /// The seed that it was given.
    pub(crate) fn seed(&self) -> Option<u64> {
        self.random.as_ref().map(|random| random.seed)
    }

    #[inline]
    pub(crate) fn push(&mut self, last: T) {
        self.queue.push_back(last);
    }

    /// Takes out the oldest, or with a seed any.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.random.is_some() {
            self.pick();
        }
        self.queue.pop_front()
    }

    /// All that is queued, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.queue.iter()
    }

    /// Puts one of them first. The others keep their order, so that whoever follows the events knows it.
    #[cold]
    fn pick(&mut self) {
        if let (Some(random), 2..) = (&mut self.random, self.queue.len()) {
            if random.picks < random.most_picks {
                random.picks += 1;
                let chosen = (u128::from(splitmix(&mut random.state)) * self.queue.len() as u128) >> 64;
                self.queue.make_contiguous()[..=chosen as usize].rotate_right(1);
            }
        }
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
