//! Libraries of the ecosystem on the loop: each row of docs/ecosystem.md is a small program here that runs the library.
//!
//! ```text
//! cargo run --manifest-path tests/ecosystem/Cargo.toml              runs all, and compares them with the table
//! cargo run --manifest-path tests/ecosystem/Cargo.toml --features all              and those that compile for long
//! cargo run --manifest-path tests/ecosystem/Cargo.toml --features all -- --write   runs all, and writes the table
//! cargo run --manifest-path tests/ecosystem/Cargo.toml -- hyper     runs those with that in their name
//! ```
//!
//! A row is a function that panics if the library does not do what it is said to do. A row is skipped, and says so,
//! if it needs a program that is not here. A line of a row that ends in `// glue` is one that another runtime would not need; the
//! table has their number.

mod as_they_are;
mod beside;
mod in_the_pool;
mod not_at_all;
mod services;
#[cfg(feature = "all")]
mod slow;
mod under_the_guard;

use std::panic::catch_unwind;
use std::process::{Command, ExitCode};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// How long one row may take.
const LIMIT: Duration = Duration::from_secs(60);
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ecosystem.md");
const LOCK: &str = include_str!("../Cargo.lock");
const BEGIN: &str = "<!-- The table is written by tests/ecosystem. -->\n";
const END: &str = "<!-- The table ends here. -->\n";

/// A library, and a program that uses it on the loop.
pub(crate) struct Row {
    /// The library's name, and what of it is meant, where that is not all.
    pub(crate) library: &'static str,
    /// The program's use of it.
    pub(crate) does: &'static str,
    pub(crate) run: fn() -> Ran,
}

/// How a row ended that did not panic.
pub(crate) enum Ran {
    Ran,
    /// A program that it talks to is not here.
    Skipped(&'static str),
}

/// A way to run libraries, with those that run in it.
struct Group {
    how: &'static str,
    rows: &'static [Row],
    source: &'static str,
    /// Lines that every row of it needs.
    lines: usize,
}

/// Rows of the table that this build leaves out.
#[cfg(not(feature = "all"))]
const LEFT_OUT: &[&str] = &["async-imap", "lapin", "tonic", "zbus"];
#[cfg(feature = "all")]
const LEFT_OUT: &[&str] = &[];

const GROUPS: &[Group] = &[
    Group { how: "as it is", rows: as_they_are::ROWS, source: include_str!("as_they_are.rs"), lines: 0 },
    Group { how: "as it is", rows: services::ROWS, source: include_str!("services.rs"), lines: 0 },
    #[cfg(feature = "all")]
    Group { how: "as it is", rows: slow::AS_THEY_ARE, source: include_str!("slow.rs"), lines: 0 },
    Group { how: "in the pool", rows: in_the_pool::ROWS, source: include_str!("in_the_pool.rs"), lines: 0 },
    Group { how: "beside", rows: beside::ROWS, source: include_str!("beside.rs"), lines: 0 },
    #[cfg(feature = "all")]
    Group { how: "beside", rows: slow::BESIDE, source: include_str!("slow.rs"), lines: 0 },
    Group { how: "under the guard", rows: under_the_guard::ROWS, source: include_str!("under_the_guard.rs"), lines: 2 },
    Group { how: "does not run", rows: not_at_all::ROWS, source: include_str!("not_at_all.rs"), lines: 0 },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let writes = words.iter().any(|word| word == "--write");
    let wanted: Vec<&String> = words.iter().filter(|word| *word != "--write").collect();
    let (mut table, mut failed, mut ran, mut skipped) = (String::new(), 0, 0, Vec::new());
    for (group, row) in GROUPS.iter().flat_map(|group| group.rows.iter().map(move |row| (group, row))) {
        if !wanted.is_empty() && !wanted.iter().any(|word| row.library.contains(word.as_str())) {
            continue;
        }
        let start = Instant::now();
        match watched(row) {
            Ok(Ran::Ran) => {
                println!("{:16} {:32} ran in {:.2} s", group.how, row.library, start.elapsed().as_secs_f64());
                table += &line(group, row);
                ran += 1;
            }
            Ok(Ran::Skipped(why)) => {
                println!("{:16} {:32} skipped: {why}", group.how, row.library);
                skipped.push(row.library);
            }
            Err(why) => {
                println!("{:16} {:32} FAILED: {why}", group.how, row.library);
                failed += 1;
            }
        }
    }
    println!("{ran} passed, {failed} failed, {} skipped", skipped.len());
    let kept = if wanted.is_empty() && failed == 0 { keep(&table, writes, &skipped) } else { Ok(()) };
    match kept {
        Ok(()) if failed == 0 => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a row on a thread of its own, for a bounded time.
fn watched(row: &'static Row) -> Result<Ran, String> {
    let (over, is_over) = channel();
    thread::spawn(move || {
        let end = catch_unwind(row.run).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
        });
        let _ = over.send(end);
    });
    is_over.recv_timeout(LIMIT).unwrap_or_else(|_| Err(format!("it takes longer than {LIMIT:?}")))
}

/// A line of the table.
fn line(group: &Group, row: &Row) -> String {
    let name = row.library.split([' ', ':']).next().unwrap_or_default();
    let lines = group.lines + glue(group.source, row);
    format!("| `{}` | {} | {} | {lines} | {} |\n", row.library, version(name), group.how, row.does)
}

/// How many lines of a row's function are glue.
fn glue(source: &str, row: &Row) -> usize {
    let entry = source.split_once(&format!("library: \"{}\"", row.library)).map_or("", |(_, rest)| rest);
    let function = entry.split_once("run: ").and_then(|(_, rest)| rest.split([' ', ',']).next()).unwrap_or_default();
    let body = source.split_once(&format!("fn {function}() -> Ran {{")).map_or("", |(_, rest)| rest);
    body.split("\n}\n").next().unwrap_or_default().matches("// glue").count()
}

/// The version that the lock file has. It names one among our own dependencies only where it has several.
fn version(name: &str) -> &'static str {
    let ours = LOCK.split_once("name = \"oneloop-ecosystem\"").map_or("", |(_, rest)| rest);
    let ours = ours.split("\n]").next().unwrap_or_default().split_once(&format!("\n \"{name} "));
    let entry = ours.or_else(|| LOCK.split_once(&format!("name = \"{name}\"\nversion = \"")));
    entry.and_then(|(_, rest)| rest.split('"').next()).unwrap_or("?")
}

/// Writes the table into the page, or compares it with what is there.
fn keep(table: &str, writes: bool, skipped: &[&str]) -> Result<(), String> {
    let page = std::fs::read_to_string(PAGE).map_err(|error| format!("cannot read docs/ecosystem.md: {error}"))?;
    let places = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?)));
    let (before, (there, after)) = places.ok_or("docs/ecosystem.md has no place for the table")?;
    if writes && !(LEFT_OUT.is_empty() && skipped.is_empty()) {
        let missing = [LEFT_OUT, skipped].concat().join(", ");
        return Err(format!("the table is written by a run of all rows; these did not run: {missing}"));
    }
    let head = "\n| library | version | how | lines | seen to |\n|---|---|---|---|---|\n";
    if writes {
        let today =
            Command::new("date").arg("+%F").output().map_err(|error| format!("cannot ask for the date: {error}"))?;
        let (count, today) = (table.lines().count(), String::from_utf8_lossy(&today.stdout).trim().to_owned());
        let page = format!("{before}{BEGIN}\nAll {count} ran on {today}.\n{head}{table}\n{END}{after}");
        return std::fs::write(PAGE, page).map_err(|error| format!("cannot write docs/ecosystem.md: {error}"));
    }
    // A row that is skipped here, or is not in this build, has run elsewhere.
    let is_skipped =
        |line: &&str| skipped.iter().chain(LEFT_OUT).any(|library| line.starts_with(&format!("| `{library}` ")));
    let there: Vec<&str> = there.lines().filter(|line| line.starts_with("| `") && !is_skipped(line)).collect();
    let here: Vec<&str> = table.lines().collect();
    match here.iter().zip(&there).find(|(here, there)| here != there) {
        Some((here, there)) => {
            Err(format!("docs/ecosystem.md says\n  {there}\nand what ran is\n  {here}\nrun it with --write"))
        }
        None if here.len() != there.len() => {
            Err("docs/ecosystem.md has other rows than ran; run it with --write".to_owned())
        }
        None => Ok(()),
    }
}

/// A server of ours on a free port, for a client of somebody's: says "hello from PATH" to every request.
pub(crate) mod served {
    use std::convert::Infallible;
    use std::net::SocketAddr;

    use http_body_util::Full;
    use hyper::body::{Bytes, Incoming};
    use hyper::service::service_fn;
    use hyper::{Request, Response};
    use oneloop::interop::hyper::Io;
    use oneloop::net::TcpListener;

    pub(crate) async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        Ok(Response::new(Full::new(format!("hello from {}", request.uri().path()).into())))
    }

    /// Starts it. It ends with the loop.
    pub(crate) async fn start() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        drop(oneloop::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let served =
                    hyper::server::conn::http1::Builder::new().serve_connection(Io::new(stream), service_fn(hello));
                drop(oneloop::spawn(async move { drop(served.await) }));
            }
        }));
        addr
    }
}
