//! The pool, the queue and the registry, over the model checker's primitives.

#[path = "../../runtime/src/ground/pool.rs"]
#[allow(dead_code, unreachable_pub, reason = "the runtime shows some of it to its users")]
pub(crate) mod pool;
#[path = "../../runtime/src/ground/queue.rs"]
pub(crate) mod queue;
#[path = "../../runtime/src/ground/registry.rs"]
pub(crate) mod registry;
#[path = "sync.rs"]
pub(crate) mod sync;
