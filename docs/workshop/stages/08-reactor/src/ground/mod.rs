//! Given: what the heart stands on.

pub(crate) mod signals;
