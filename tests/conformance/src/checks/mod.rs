//! The checks, in the order of the table. Each is a small program and the sentence that it holds a
//! runtime to; it panics where the runtime does not.

mod sleeping;
mod sockets;
mod tasks;
mod tools;
mod wakers;

use crate::adapter::{Part, Runtime};

/// A check, for one runtime.
pub(crate) struct Check {
    /// The property, as a name.
    pub(crate) name: &'static str,
    /// The things that the runtime must have besides tasks and wakers.
    pub(crate) needs: Option<Part>,
    /// The program.
    pub(crate) run: fn(),
}

macro_rules! list {
    ($($module:ident($needs:expr): $($check:ident)*;)*) => {
        /// All checks, for one runtime.
        pub(crate) fn all<R: Runtime>() -> Vec<Check> {
            vec![$($(Check {
                name: stringify!($check),
                needs: $needs,
                run: $module::$check::<R>,
            },)*)*]
        }
    };
}

list! {
    tasks(None):
        a_future_that_is_ready_is_polled_once
        whatever_is_spawned_runs
        spawning_does_not_poll
        tasks_run_in_the_order_in_which_they_were_spawned
        a_task_may_spawn_tasks_that_spawn_tasks
        a_hundred_thousand_tasks_end
        tasks_that_yield_take_turns
        a_task_that_never_rests_does_not_starve_the_others
        a_future_is_dropped_when_it_is_over
        a_future_may_spawn_when_it_is_dropped
        the_end_of_the_root_is_the_end_though_a_task_waits
        a_task_that_waits_is_dropped_at_the_end
        a_task_that_keeps_its_own_waker_is_dropped_at_the_end
        a_panic_in_a_task_leaves_the_others_running
        a_panic_in_the_root_reaches_the_caller
        runtimes_follow_each_other_on_one_thread
        a_runtime_runs_on_each_of_several_threads;
    wakers(None):
        a_task_that_is_not_woken_is_not_polled
        a_wake_during_the_poll_is_kept
        wakes_before_a_poll_are_one_poll
        woken_tasks_run_in_the_order_of_their_wakes
        wakes_by_value_by_reference_and_by_a_clone_all_count
        clones_of_a_waker_are_known_as_the_same_and_those_of_two_tasks_are_not
        a_waker_that_is_dropped_wakes_nobody
        a_waker_that_outlives_its_task_is_harmless
        a_waker_that_outlives_its_runtime_is_harmless
        a_wake_from_another_thread_reaches_a_loop_that_sleeps
        a_wake_while_the_loop_is_busy_is_kept
        of_a_hundred_thousand_wakes_from_four_threads_the_last_is_not_lost
        two_loops_wake_each_other
        a_task_may_wake_another_when_it_is_dropped;
    sleeping(Some(Part::Sleep)):
        a_sleep_is_never_too_short
        sleeps_end_in_the_order_of_their_deadlines
        a_hundred_sleeps_take_the_time_of_one
        a_sleep_of_zero_ends
        a_sleep_counts_from_the_call
        a_sleep_that_is_dropped_keeps_nobody_waiting
        a_sleep_that_moves_to_another_task_wakes_that_task
        a_sleep_too_long_for_the_clock_does_not_end
        sleeping_takes_few_polls
        sleeping_takes_no_processor_time
        a_loop_that_was_busy_ends_all_overdue_sleeps
        a_task_that_never_rests_does_not_delay_a_sleep
        a_wake_from_another_thread_does_not_wait_for_the_next_deadline
        ten_thousand_sleeps_end;
    sockets(Some(Part::Sockets)):
        what_is_sent_comes_back
        a_megabyte_goes_each_way_at_once
        a_small_buffer_leaves_the_rest_for_the_next_read
        the_end_comes_after_the_data
        ending_the_writing_side_leaves_the_reading_side
        dropping_a_connection_ends_it
        a_refused_connection_is_an_error_of_that_kind
        a_reset_is_an_error_of_that_kind
        writing_to_a_peer_that_is_gone_is_an_error_and_no_signal
        a_read_that_is_given_up_loses_no_byte
        an_accept_that_is_given_up_loses_no_connection
        a_full_connection_makes_its_writer_wait_and_nobody_else
        a_connection_that_always_has_data_does_not_starve_the_others
        two_hundred_connections_at_once_are_served
        a_thousand_connections_leave_no_descriptor;
}
