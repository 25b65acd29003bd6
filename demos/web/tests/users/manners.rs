//! The demos of this package at a terminal, but for the servers: manners are among their promises.

use crate::support::manners::have_manners;

#[test]
fn every_demo_that_is_no_server_has_manners() {
    have_manners(&[
        (env!("CARGO_BIN_EXE_crawl"), &["--seconds", "0"]),
        (env!("CARGO_BIN_EXE_downloads"), &["--json"]),
        (env!("CARGO_BIN_EXE_fetch"), &[]),
        (env!("CARGO_BIN_EXE_twins"), &["--requests", "1"]),
    ]);
}
