//! Models: the pure files of the runtime, compared step by step with naive ones that are easy to
//! trust. The files themselves are compiled in here; no runtime is.
//!
//! The steps come from proptest with a fixed seed, so a run is the same every time, and what fails is
//! shrunk to the few steps that matter. To try other and more cases:
//!
//! ```text
//!     PROPTEST_RNG_SEED=7 PROPTEST_CASES=10000 cargo test --release -p oneloop-tests --test models
//! ```

mod ground;
mod heart;
mod registry;
mod tasks_model;
mod watchdog;
mod wheel_model;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// Runs a property on `cases` generated values, unless the environment wants another number.
fn check<S: Strategy<Value: 'static> + Send + 'static>(cases: u32, values: S, property: fn(S::Value)) {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    watchdog::watched(move || {
        let outcome = TestRunner::new(config).run(&values, |value| {
            property(value);
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("{error}");
        }
    });
}
