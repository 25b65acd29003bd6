//! Wishes: what the environment asks of a program's own loops, by variables such as `ONELOOP_LOG`.
//!
//! The thousands of loops that a search builds are not the program's own, and neither are those that their programs
//! build inside. So a thread can be told not to hear the wishes.

use std::cell::Cell;
use std::ffi::OsString;

thread_local! {
    static IS_DEAF: Cell<bool> = const { Cell::new(false) };
}

/// The value of `variable`, if it has one and this thread hears the wishes.
pub(crate) fn wish(variable: &str) -> Option<OsString> {
    if is_deaf() { None } else { std::env::var_os(variable).filter(|value| !value.is_empty()) }
}

/// Whether `variable` is set to anything but `0` or nothing.
pub(crate) fn is_wished(variable: &str) -> bool {
    wish(variable).is_some_and(|value| value != "0")
}

/// Whether this thread does not hear the wishes. Once its locals are gone it hears them.
pub(crate) fn is_deaf() -> bool {
    IS_DEAF.try_with(Cell::get).unwrap_or(false)
}

/// A guard: while it lives, this thread hears no wishes, or hears them again. Its drop restores what was before.
pub(crate) struct Deaf {
    before: bool,
}

impl Deaf {
    pub(crate) fn new(is_deaf: bool) -> Self {
        Self { before: IS_DEAF.replace(is_deaf) }
    }
}

impl Drop for Deaf {
    fn drop(&mut self) {
        IS_DEAF.set(self.before);
    }
}
