//! The promises that every server keeps, kept by those of this package.

use crate::support::promises::Server;

#[test]
fn every_server_keeps_the_promises() {
    for (program, hurry) in [
        (env!("CARGO_BIN_EXE_echo"), ["--idle", "0.5", "--lifetime", "1"]),
        (env!("CARGO_BIN_EXE_graceful"), ["--idle", "0.5", "--lifetime", "1"]),
    ] {
        Server { program, args: &[], ports: &["--addr"], hurry: &hurry, http: None }.keeps_the_promises();
    }
}
