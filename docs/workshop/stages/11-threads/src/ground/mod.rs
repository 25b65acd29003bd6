//! Given: what the heart stands on.

pub(crate) mod registry;
pub(crate) mod signals;
pub(crate) mod sync;
