//! Allocations, counted: in the steady state a spawn and its join, a yield and a sleep make none.
//!
//! The counter is this program's allocator, so these tests have a program of their own. It counts by thread.

use std::time::Duration;

use oneloop::task::yield_now;
use oneloop::time::{sleep, timeout};
use oneloop::{Runtime, spawn};

/// How many allocations a thousand more units make, once the first have made room for them.
fn more(unit: impl AsyncFn()) -> u64 {
    let runtime = Runtime::builder().virtual_clock().build().expect("a runtime");
    let units = async |count: usize| {
        for _ in 0..count {
            unit().await;
        }
    };
    let allocations = |count| allocation_counter::measure(|| runtime.block_on(units(count))).count_total;
    allocations(100);
    allocations(1100) - allocations(100)
}

#[test]
fn a_spawn_and_its_join_allocate_nothing_after_a_task_of_that_type() {
    let crowd = async || {
        let tasks: [_; 100] = std::array::from_fn(|n| spawn(async move { n }));
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.expect("no task fails"), n);
        }
    };
    assert_eq!(more(async || spawn(async {}).await.expect("no task fails")), 0);
    assert_eq!(more(crowd), 0);
}

#[test]
fn a_task_of_another_type_than_the_last_in_its_slot_allocates_its_box() {
    let of_two_types = async || {
        spawn(async { 1 }).await.expect("no task fails");
        spawn(async { [1_u64; 9] }).await.expect("no task fails");
    };
    assert_eq!(more(of_two_types), 2000);
}

#[test]
fn a_runtime_takes_less_than_15_kb_of_the_heap_and_a_timer_no_more_than_5() {
    let mut runtime = None;
    let taken = allocation_counter::measure(|| runtime = Some(Runtime::new().expect("a runtime"))).bytes_current;
    let runtime = runtime.expect("it was built");
    let by_timer = allocation_counter::measure(|| {
        let in_time = runtime.block_on(async { timeout(Duration::from_secs(60), yield_now()).await });
        in_time.expect("a yield takes no minute");
    });
    assert!(taken < 15_000, "a runtime takes {taken} bytes");
    assert!(by_timer.bytes_current < 5_000, "the first timer takes {} bytes", by_timer.bytes_current);
}

#[test]
fn a_yield_and_a_sleep_allocate_nothing() {
    assert_eq!(more(yield_now), 0);
    assert_eq!(more(async || sleep(Duration::from_millis(3)).await), 0);
}
