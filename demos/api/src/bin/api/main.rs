//! An API whose handlers are typed, whose errors name the field, and whose state is in SQLite.
//!
//! ```text
//! cargo run --release -p oneloop-api-demo --bin api -- --db notes.sqlite     without --db, it forgets all at its end
//! curl -H 'content-type: application/json' -d '{"title":"milk","stars":9}' http://127.0.0.1:8080/notes
//! curl --http2-prior-knowledge http://127.0.0.1:8080/notes
//! ```
//!
//! Watch: the `curl` above is told which field is wrong, and why. The page http://127.0.0.1:8080/docs/ shows all
//! of it, and works without a network. Kill the server with -9 while others write: whatever was answered with 201 is
//! there afterwards. SQLite blocks, so each query runs on a thread of the blocking pool, and the loop goes on.
//!
//! It prints: a line a request. This answers FastAPI.

mod docs;
mod notes;
mod serve;
mod store;
mod valid;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use oneloop_demos::{end_of, flags, seconds};
use oneloop_web_demos::house::Limits;

/// An API over SQLite on one thread. Ctrl-C stops it gracefully, a second one at once.
#[derive(Parser, Clone)]
struct Args {
    #[command(flatten)]
    limits: Limits,
    /// Keep the notes in this file; without one, in memory
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// A host name, beside those of loopback, under which the API may be asked
    #[arg(long, value_name = "NAME", value_parser = oneloop_demos::host_name)]
    host: Vec<String>,
    /// The seconds that an answer may take; then it is 503, or 408 if the body has not come
    #[arg(long, value_name = "F", default_value = "10", value_parser = seconds)]
    answer: Duration,
}

fn main() -> ExitCode {
    end_of(serve::serve(flags()))
}
