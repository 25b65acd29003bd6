//! loom models of the inbox: `runtime/src/inbox.rs` itself, over primitives whose every interleaving
//! and every stale read loom tries, with up to three preemptions.
//!
//! A model is a few threads that do what senders and a loop do. It fails when the loop waits and
//! nobody is left to ring. That such models can fail, `mutants.rs` shows.
//!
//! One model can be looked at more deeply:
//!
//! ```text
//!     LOOM_MAX_PREEMPTIONS=5 cargo test -p oneloop-tests --test loom two_loops
//! ```

#[path = "../../runtime/src/inbox.rs"]
mod inbox;
mod models;
mod mutants;
mod sync;
#[path = "../models/watchdog.rs"]
mod watchdog;

/// Tries every interleaving of a model.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut checker = loom::model::Builder::new();
    checker.preemption_bound = checker.preemption_bound.or(Some(3));
    watchdog::watched(move || checker.check(model));
}
