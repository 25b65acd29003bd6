//! The promises that every server keeps, kept by the API.

use crate::support::promises::Server;

#[test]
fn the_api_keeps_the_promises() {
    let hurry = ["--head", "0.5", "--patience", "0.5", "--lifetime", "1"];
    Server { program: env!("CARGO_BIN_EXE_api"), args: &[], ports: &["--addr"], hurry: &hurry, http: Some(0) }
        .keeps_the_promises();
}
