//! An echo server to talk to with `nc`: what goes in comes back. The page to copy for a server of your own.
//!
//! ```text
//! cargo run --release --bin echo        in one terminal,
//! nc 127.0.0.1 7000                     in as many others as you like
//! ```
//!
//! Watch: one line a connection, when it is over; all of them on one thread. Ctrl-C stops it in order:
//! nobody new is let in, the clients that are connected may finish for a while, and the last line is the account.
//! The clients are children of a scope. They borrow the house from it, and it ends when the last of them has:
//! no list of handles, no counter, nobody forgotten. In Python these are asyncio's streams in trio's nursery.
//! `ONELOOP_LOG=1` before the command shows the loop turning for each byte.
//!
//! It prints a line a connection, and at last `stopped: 3 connections, 42 bytes echoed, 0 cut off`.
//! To copy: this folder, and three lines of a manifest: clap with `derive`, futures-lite and oneloop.

use std::io;
use std::net::Shutdown;
use std::process::ExitCode;

use futures_lite::future::or;
use oneloop::net::TcpListener;
use oneloop::task::{Scope, scope};
use oneloop::time::timeout;

mod house;
mod terminal;
use house::{Guest, House, within};
use terminal::{Args, listen, run, stop_asked_for};

/// The server's whole life: listen, serve until the stop, let the rest finish, account.
async fn serve(args: Args) -> Result<(), String> {
    let listener = listen(args.addr).await?;
    let stop = stop_asked_for(args.seconds); // from here on it is heard
    let house = House::open(args, listener.local_addr().unwrap_or(args.addr))?;
    let mut result = Ok(());
    let all = scope(async |clients| {
        result = or(accept(&listener, clients, &house), stop).await;
        drop(listener); // from here on the kernel refuses newcomers
        house.is_stopping();
        clients.cancel_after(args.grace);
    });
    // Cancelled is how it ends for those who have not finished in time. The account says how many.
    let _ = all.await;
    house.account();
    result.map_err(|error| format!("cannot go on: {error}"))
}

/// Lets people in, for ever; returns only if accepting has become impossible.
async fn accept<'house>(listener: &TcpListener, clients: &Scope<'house>, house: &'house House) -> io::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await?;
        let guest = house.welcome(stream, peer);
        clients.spawn_named(&format!("client {peer}"), async move {
            let end = timeout(house.args.lifetime, echo(&guest)).await;
            guest.goodbye(end);
        });
    }
}

/// Sends back what comes in until the client has no more to say.
async fn echo(guest: &Guest<'_>) -> io::Result<()> {
    let (stream, idle) = (&*guest.stream, guest.house.args.idle);
    let mut buffer = vec![0; 4096]; // in the future itself, it would lie there more than once
    loop {
        let length = within(idle, stream.read(&mut buffer)).await?;
        if length == 0 {
            // The client sends no more, but may well be reading still, as `nc -N` does. One that has gone for
            // good does not hear this, which is no error.
            let _ = stream.shutdown(Shutdown::Write);
            return Ok(());
        }
        within(idle, stream.write_all(&buffer[..length])).await?;
        guest.has_spoken(length);
    }
}

fn main() -> ExitCode {
    run(serve)
}
