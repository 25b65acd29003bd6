//! The demos that `ONELOOP_SEE` shows, and that are over at once.

use crate::support::shown::stays_until_ctrl_c;

#[test]
fn a_demo_that_is_over_at_once_stays_with_one_page_while_it_is_shown() {
    for (program, args) in [
        (env!("CARGO_BIN_EXE_fetch"), &[][..]),
        (env!("CARGO_BIN_EXE_fetch"), &["--blocking"]),
        (env!("CARGO_BIN_EXE_twins"), &["--requests", "2"]),
    ] {
        stays_until_ctrl_c(program, args);
    }
}
