//! The demos of this package at a terminal, but for the servers: manners are among their promises.

use crate::support::manners::have_manners;

#[test]
fn every_demo_that_is_no_server_has_manners() {
    have_manners(&[
        (env!("CARGO_BIN_EXE_deadlock"), &[][..]),
        (env!("CARGO_BIN_EXE_forgotten_waker"), &[]),
        (env!("CARGO_BIN_EXE_happy_eyeballs"), &["--hours", "1"]),
        (env!("CARGO_BIN_EXE_hello"), &[]),
        (env!("CARGO_BIN_EXE_hog"), &[]),
        (env!("CARGO_BIN_EXE_multiplex"), &["--seconds", "0", "--connections", "10", "--timers", "10"]),
        (env!("CARGO_BIN_EXE_see_sleepers"), &[]),
        (env!("CARGO_BIN_EXE_self_wake"), &[]),
        (env!("CARGO_BIN_EXE_sleepers"), &["--seconds", "0"]),
        (env!("CARGO_BIN_EXE_starvation"), &[]),
        (env!("CARGO_BIN_EXE_step1_block_on"), &[]),
        (env!("CARGO_BIN_EXE_step2_arc_waker"), &[]),
        (env!("CARGO_BIN_EXE_step3_heap_timers"), &[]),
        (env!("CARGO_BIN_EXE_wedge"), &["--addr", "127.0.0.1:0", "--seconds", "0"]),
    ]);
}
