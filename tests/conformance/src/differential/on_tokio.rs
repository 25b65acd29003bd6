//! The programs on tokio's current-thread runtime.

#![allow(clippy::duplicate_mod, reason = "the same programs, on another runtime")]

use std::future::Future;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::spawn_local as spawn;
use tokio::{net, process, task, time};

#[path = "programs.rs"]
pub(crate) mod programs;

/// Runs a program on a new runtime; `paused` on a clock that jumps.
fn run<F: Future>(paused: bool, program: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(paused);
    let options = tokio::runtime::LocalOptions::default();
    builder.build_local(options).expect("tokio can be built").block_on(program)
}

async fn end_writing(stream: &mut net::TcpStream) {
    stream.shutdown().await.expect("a writing side can be ended");
}

fn reset(sleep: &mut std::pin::Pin<&mut time::Sleep>, deadline: time::Instant) {
    sleep.as_mut().reset(deadline);
}

fn std_stream(stream: net::TcpStream) -> std::net::TcpStream {
    stream.into_std().expect("it can be given back")
}
