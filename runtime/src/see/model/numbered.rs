//! Numbered: things by a number that is never used twice, in the order of their numbers.
//!
//! A program has many kinds of them, and a map of its own for each kind would be 12 kB of code each. Here only the
//! places are found in a map, which is the same for all kinds.

use std::collections::{BTreeMap, btree_map};
use std::fmt::{self, Debug, Formatter};
use std::ops::Index;

use slab::Slab;

/// Things by number. It is used as a `BTreeMap<u64, T>` is.
#[derive(Clone)]
pub struct Numbered<T> {
    places: BTreeMap<u64, u32>,
    things: Slab<T>,
}

/// The numbers and the things, by number.
pub struct Iter<'a, T> {
    places: btree_map::Iter<'a, u64, u32>,
    things: &'a Slab<T>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { places: BTreeMap::new(), things: Slab::new() }
    }
}

impl<T> Numbered<T> {
    /// The thing with this number.
    pub fn get(&self, number: &u64) -> Option<&T> {
        self.things.get(*self.places.get(number)? as usize)
    }

    /// The thing with this number, to be changed.
    pub fn get_mut(&mut self, number: &u64) -> Option<&mut T> {
        self.things.get_mut(*self.places.get(number)? as usize)
    }

    /// Whether there is a thing with this number.
    pub fn contains_key(&self, number: &u64) -> bool {
        self.places.contains_key(number)
    }

    /// Puts a thing in, and returns the one that had the number before.
    pub fn insert(&mut self, number: u64, thing: T) -> Option<T> {
        if let Some(before) = self.get_mut(&number) {
            return Some(std::mem::replace(before, thing));
        }
        let place = self.things.insert(thing);
        self.places.insert(number, place as u32);
        None
    }

    pub(crate) fn get_or_insert_with(&mut self, number: u64, thing: impl FnOnce() -> T) -> &mut T {
        let place = *self.places.entry(number).or_insert_with(|| self.things.insert(thing()) as u32);
        &mut self.things[place as usize]
    }

    /// Takes a thing out.
    pub fn remove(&mut self, number: &u64) -> Option<T> {
        self.things.try_remove(self.places.remove(number)? as usize)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// All of them, by number.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { places: self.places.iter(), things: &self.things }
    }

    /// All of them, by number, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&u64, &mut T)> {
        let mut things: Vec<_> = std::iter::repeat_with(|| None).take(self.things.capacity()).collect();
        self.things.iter_mut().for_each(|(place, thing)| things[place] = Some(thing));
        self.places.iter().filter_map(move |(number, place)| Some((number, things[*place as usize].take()?)))
    }

    /// The numbers of all of them.
    pub fn keys(&self) -> impl Iterator<Item = &u64> {
        self.places.keys()
    }

    /// The things, to be changed, in no order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.things.iter_mut().map(|(_, thing)| thing)
    }

    /// The things, by number.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.iter().map(|(_, thing)| thing)
    }
}

/// A map of these pairs, made at once.
pub(super) fn places(pairs: Vec<(u64, u32)>) -> BTreeMap<u64, u32> {
    pairs.into_iter().collect()
}

impl<T> FromIterator<(u64, T)> for Numbered<T> {
    fn from_iter<I: IntoIterator<Item = (u64, T)>>(pairs: I) -> Self {
        let mut things = Slab::new();
        let pairs = pairs.into_iter().map(|(number, thing)| (number, things.insert(thing) as u32)).collect();
        Self { places: places(pairs), things }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (&'a u64, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        let (number, place) = self.places.next()?;
        Some((number, self.things.get(*place as usize)?))
    }
}

impl<'a, T> IntoIterator for &'a Numbered<T> {
    type Item = (&'a u64, &'a T);
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> Index<&u64> for Numbered<T> {
    type Output = T;

    /// # Panics
    ///
    /// If nothing has this number.
    fn index(&self, number: &u64) -> &T {
        self.get(number).unwrap_or_else(|| panic!("nothing has number {number}"))
    }
}

impl<T: PartialEq> PartialEq for Numbered<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<T: Eq> Eq for Numbered<T> {}

impl<T: Debug> Debug for Numbered<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<T> Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}
