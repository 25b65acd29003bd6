//! The files of the ground that the heart's pure files stand on.

#[path = "../../runtime/src/ground/failure.rs"]
#[allow(dead_code, reason = "no model asks who aborted a task")]
pub(crate) mod failure;
#[path = "../../runtime/src/ground/place.rs"]
#[allow(dead_code, unreachable_pub, reason = "the runtime shows it to its users")]
pub(crate) mod place;
#[path = "../../runtime/src/ground/queue.rs"]
#[allow(dead_code, reason = "no model sends a message")]
pub(crate) mod queue;
#[path = "../../runtime/src/ground/registry.rs"]
pub(crate) mod registry;
#[path = "../../runtime/src/ground/sync.rs"]
#[allow(unused_imports, reason = "the pool's are not needed here")]
pub(crate) mod sync;
