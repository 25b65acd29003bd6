//! The promises that every server keeps, kept by those that speak HTTP.

use crate::support::promises::Server;

const WEB: [&str; 6] = ["--head", "0.5", "--patience", "0.5", "--lifetime", "1"];

#[test]
fn every_server_of_the_house_keeps_the_promises() {
    for program in [env!("CARGO_BIN_EXE_hello_http"), env!("CARGO_BIN_EXE_gateway"), env!("CARGO_BIN_EXE_fast")] {
        Server { program, args: &[], ports: &["--addr"], hurry: &WEB, http: Some(0) }.keeps_the_promises();
    }
}

#[test]
fn both_twins_keep_the_promises() {
    for twin in ["loop", "threads"] {
        let program = env!("CARGO_BIN_EXE_twins");
        Server { program, args: &["--serve", twin], ports: &["--addr"], hurry: &WEB, http: Some(0) }
            .keeps_the_promises();
    }
}

#[test]
fn a_chat_and_a_game_keep_the_promises() {
    let hurry = ["--patience", "0.5", "--lifetime", "1"];
    let chat = env!("CARGO_BIN_EXE_chat");
    Server { program: chat, args: &[], ports: &["--addr", "--tcp"], hurry: &hurry, http: Some(0) }.keeps_the_promises();
    let game = env!("CARGO_BIN_EXE_game");
    Server { program: game, args: &[], ports: &["--addr"], hurry: &hurry, http: Some(0) }.keeps_the_promises();
}
