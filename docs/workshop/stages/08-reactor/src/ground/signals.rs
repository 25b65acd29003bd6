//! Given: whether this is still the process that it was.

/// A number of this process. A forked child has another, and must leave its parent's event queue alone.
pub(crate) fn forks() -> u32 {
    std::process::id()
}
