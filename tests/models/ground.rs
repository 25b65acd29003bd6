//! The file of the ground that the heart's pure files stand on.

#[path = "../../runtime/src/ground/sync.rs"]
#[allow(unused_imports, reason = "the pool's are not needed here")]
pub(crate) mod sync;
