//! Wall time of the same workloads, side by side: `cargo bench --manifest-path tests/bench/Cargo.toml`.
//!
//! An iteration builds a runtime and does a thousand units, so that building it weighs little; read
//! the throughput lines as units a second.

use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use oneloop_bench::client;
use oneloop_bench::peers::monoio::MonoioEpoll;
use oneloop_bench::peers::oneloop::Oneloop;
use oneloop_bench::peers::smol::Smol;
use oneloop_bench::peers::tokio::Tokio;
use oneloop_bench::shape::Runtime;
use oneloop_bench::work::{self, Job, Workload};

/// Units in an iteration.
const UNITS: u64 = 1_000;
/// Requests in an iteration of the echo bench: enough that connecting weighs little.
const REQUESTS: u64 = 10_000;
/// Connections that share the requests.
const CONNECTIONS: u64 = 100;

fn main() {
    divan::main();
}

#[divan::bench(types = [Oneloop, Tokio, Smol, MonoioEpoll])]
fn spawn_join<R: Runtime>(bencher: Bencher<'_, '_>) {
    repeat::<R>(bencher, Workload::SpawnJoin);
}

#[divan::bench(name = "yield", types = [Oneloop, Tokio, Smol, MonoioEpoll])]
fn give_way<R: Runtime>(bencher: Bencher<'_, '_>) {
    repeat::<R>(bencher, Workload::Yield);
}

#[divan::bench(types = [Oneloop, Tokio, Smol, MonoioEpoll])]
fn baton<R: Runtime>(bencher: Bencher<'_, '_>) {
    repeat::<R>(bencher, Workload::Baton);
}

#[divan::bench(types = [Oneloop, Tokio, Smol, MonoioEpoll])]
fn sleep_drop<R: Runtime>(bencher: Bencher<'_, '_>) {
    repeat::<R>(bencher, Workload::SleepDrop);
}

#[divan::bench(types = [Oneloop, Tokio, Smol, MonoioEpoll], sample_count = 20, sample_size = 1)]
fn echo<R: Runtime>(bencher: Bencher<'_, '_>) {
    let job = Job { workload: Workload::Echo, units: REQUESTS, extra: CONNECTIONS };
    let connect = |address| {
        std::thread::spawn(move || {
            client::echo(address, CONNECTIONS, REQUESTS, Duration::ZERO).expect("every reply is right");
        });
    };
    bencher.counter(ItemsCount::new(REQUESTS)).bench_local(|| work::run::<R>(job, &connect));
}

fn repeat<R: Runtime>(bencher: Bencher<'_, '_>, workload: Workload) {
    let job = Job { workload, units: UNITS, extra: 0 };
    bencher.counter(ItemsCount::new(UNITS)).bench_local(|| work::run::<R>(job, &|_| ()));
}
