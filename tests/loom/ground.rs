//! The pool, over the model checker's primitives.

#[path = "../../runtime/src/ground/pool.rs"]
#[allow(dead_code, unreachable_pub, reason = "the runtime shows some of it to its users")]
pub(crate) mod pool;
#[path = "sync.rs"]
pub(crate) mod sync;
