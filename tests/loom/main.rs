//! loom models of the inbox and of the pool: `runtime/src/heart/inbox.rs` and `runtime/src/ground/pool.rs` themselves, over
//! primitives whose every interleaving and every stale read loom tries, with up to three preemptions, or two.
//!
//! A model of the inbox is a few threads that do what senders and a loop do. It fails when the loop waits and
//! nobody is left to ring. `mutants.rs` shows that such models can fail. A model of the pool is a loop that
//! submits jobs while the pool's threads come and go.
//!
//! One model can be looked at more deeply:
//!
//! ```text
//!     LOOM_MAX_PREEMPTIONS=5 cargo test -p oneloop-tests --test loom two_loops
//! ```

mod ground;
mod heart;
mod models;
mod mutants;
mod pool_models;
mod time;
#[path = "../models/watchdog.rs"]
mod watchdog;

/// Tries every interleaving of a model, with up to three preemptions.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    explore_with(3, model);
}

/// The same for a model of many steps, with so many preemptions as there is time for.
fn explore_with(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut checker = loom::model::Builder::new();
    checker.preemption_bound = checker.preemption_bound.or(Some(preemptions));
    watchdog::watched(move || checker.check(model));
}
