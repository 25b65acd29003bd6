//! Stage 7: the timer wheel. The tests of stage 6 run on it as well.

use std::collections::BTreeMap;

use crate::heart::wheel::place;
use crate::stage_06::Told;

/// A generator of numbers: the same ones each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 20) % bound
    }

    fn below_one_of(&mut self, bounds: &[u64]) -> u64 {
        let bound = self.below(bounds.len() as u64);
        self.below(bounds[bound as usize])
    }
}

/// hint: place
#[test]
fn an_entry_hangs_where_its_deadline_first_differs_from_now() {
    assert_eq!(place(0, 0), (0, 0));
    assert_eq!(place(0, 63), (0, 63));
    assert_eq!(place(0, 64), (1, 1));
    assert_eq!(place(63, 64), (1, 1), "one tick away, and yet another digit of level 1");
    assert_eq!(place(64, 127), (0, 63));
    assert_eq!(place(64, 130), (1, 2));
    assert_eq!(place(0, 4096), (2, 1));
    assert_eq!(place(4095, 4096), (2, 1));
    assert_eq!(place(0, u64::MAX), (10, 15), "eleven digits hold every tick there is");
}

/// hint: Wheel::append
#[test]
fn entries_of_one_list_keep_their_order() {
    let mut wheel = Told::new();
    let keys: Vec<_> = (0..5).map(|value| wheel.insert(40, value)).collect();
    assert_eq!(wheel.remove(keys[2].0, keys[2].1), Some(2));
    assert_eq!(wheel.remove(keys[4].0, keys[4].1), Some(4));
    wheel.insert(40, 5);
    wheel.advance(40);
    assert_eq!(wheel.due(), [(40, 0), (40, 1), (40, 3), (40, 5)]);
}

/// hint: Wheel::hang
#[test]
fn a_deadline_across_the_next_round_comes_in_time() {
    let mut wheel = Told::new();
    wheel.advance(60);
    wheel.insert(70, 70);
    wheel.insert(62, 62);
    assert_eq!(wheel.next_deadline(), Some(62), "the one that is due in this round is first");
    for now in 61..=70 {
        wheel.advance(now);
        let expected = if now == 62 || now == 70 { vec![(now, now)] } else { Vec::new() };
        assert_eq!(wheel.due(), expected, "at tick {now}");
    }
}

/// hint: Wheel::hang
#[test]
fn a_deadline_that_has_passed_does_not_turn_the_wheel_back() {
    let mut wheel = Told::new();
    wheel.advance(100);
    wheel.insert(101, 101);
    wheel.insert(3, 3);
    assert_eq!(wheel.next_deadline().map(|tick| tick <= 100), Some(true), "it is due at once");
    wheel.advance(100);
    assert_eq!(wheel.due(), [(3, 3)], "and the one of the next tick waits");
    let mut wheel = Told::new();
    wheel.advance(128);
    for deadline in [127, 128, 130] {
        wheel.insert(deadline, deadline);
    }
    wheel.advance(140);
    assert_eq!(wheel.due(), [(127, 127), (128, 128), (130, 130)]);
}

/// hint: Wheel::cascade
#[test]
fn a_cascade_marks_the_lists_that_it_fills() {
    let mut wheel = Told::new();
    for deadline in [64 + 5, 64 + 9, 4096 + 7] {
        wheel.insert(deadline, deadline);
    }
    wheel.advance(64);
    assert_eq!((wheel.due(), wheel.next_deadline()), (vec![], Some(69)));
    wheel.advance(70);
    assert_eq!((wheel.due(), wheel.next_deadline()), (vec![(69, 69)], Some(73)));
    wheel.advance(4096);
    assert_eq!((wheel.due(), wheel.next_deadline()), (vec![(73, 73)], Some(4103)));
}

/// hint: Wheel::advance
#[test]
fn the_last_tick_of_all_is_reached_in_one_step() {
    let mut wheel = Told::new();
    wheel.insert(u64::MAX, 1);
    wheel.insert(u64::MAX - 1, 0);
    wheel.advance(u64::MAX - 2);
    assert_eq!((wheel.due(), wheel.next_deadline()), (vec![], Some(u64::MAX - 1)));
    wheel.advance(u64::MAX);
    assert_eq!(wheel.due(), [(u64::MAX - 1, 0), (u64::MAX, 1)]);
}

/// hint: Wheel::advance
#[test]
fn the_wheel_agrees_with_a_sorted_list() {
    for seed in 0..40 {
        let mut numbers = Numbers(seed);
        let mut wheel = Told::new();
        // By deadline and number: the value, and the key in the wheel.
        let mut list: BTreeMap<(u64, u64), (u32, u64)> = BTreeMap::new();
        let mut now = 0;
        for number in 0..300 {
            match numbers.below(4) {
                0 | 1 => {
                    let deadline = now + numbers.below_one_of(&[10, 100, 5_000, 1 << 20, 1 << 40]);
                    list.insert((deadline, number), wheel.insert(deadline, number));
                }
                2 => {
                    let place = numbers.below(list.len() as u64 + 1) as usize;
                    if let Some((deadline, key)) = list.iter().nth(place).map(|(d, k)| (*d, *k)) {
                        assert_eq!(wheel.remove(key.0, key.1), Some(deadline.1));
                        list.remove(&deadline);
                    }
                }
                _ => {
                    now += numbers.below_one_of(&[3, 70, 5_000, 1 << 21]);
                    wheel.advance(now);
                    let later = list.split_off(&(now + 1, 0));
                    let expected: Vec<(u64, u64)> = std::mem::replace(&mut list, later).into_keys().collect();
                    assert_eq!(wheel.due(), expected, "seed {seed}, at tick {now}");
                }
            }
            let first = list.keys().next().map(|(deadline, _)| *deadline);
            let told = wheel.next_deadline();
            assert!(told.is_some() == first.is_some(), "seed {seed}: {told:?} instead of {first:?}");
            assert!(told <= first, "seed {seed}: the wheel would sleep until {told:?}, and {first:?} is due");
        }
        assert_eq!(wheel.queue.len(), list.len());
    }
}
