//! The promises that every server keeps, kept by green threads and by tasks.

use crate::support::promises::Server;

#[test]
fn both_ports_keep_the_promises() {
    let program = env!("CARGO_BIN_EXE_green");
    Server {
        program,
        args: &[],
        ports: &["--green", "--tasks"],
        hurry: &["--patience", "0.5", "--lifetime", "1"],
        http: None,
    }
    .keeps_the_promises();
}
