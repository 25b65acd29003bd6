//! The programs on oneloop.

#![allow(clippy::duplicate_mod, reason = "the same programs, on another runtime")]

use std::future::Future;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use oneloop::{net, process, spawn, task, time};

#[path = "programs.rs"]
#[allow(unused_mut, reason = "tokio's streams are read and written by `&mut`, oneloop's by `&`")]
pub(crate) mod programs;

/// Runs a program on a new runtime; `paused` on a clock that jumps.
fn run<F: Future>(paused: bool, program: F) -> F::Output {
    let builder = oneloop::Runtime::builder();
    let runtime = if paused { builder.virtual_clock() } else { builder }.build();
    runtime.expect("oneloop can be built").block_on(program)
}

async fn end_writing(stream: &mut net::TcpStream) {
    stream.close().await.expect("a writing side can be ended");
}

fn reset(sleep: &mut std::pin::Pin<&mut time::Sleep>, deadline: time::Instant) {
    sleep.reset(deadline);
}

fn std_stream(stream: net::TcpStream) -> std::net::TcpStream {
    stream.into_std()
}
