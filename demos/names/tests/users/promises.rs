//! The promises that every server keeps, kept at each of the four doors.

use crate::support::promises::Server;

#[test]
fn every_door_keeps_the_promises() {
    let hurry = ["--patience", "0.5", "--idle", "0.5", "--lifetime", "1"];
    let program = env!("CARGO_BIN_EXE_protocols");
    Server { program, args: &[], ports: &["--dns", "--lines", "--smtp", "--http"], hurry: &hurry, http: Some(3) }
        .keeps_the_promises();
}
