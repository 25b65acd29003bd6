//! The headers of the demos: each says how it is run, what to watch, and what it prints.

use std::fs;
use std::path::{Path, PathBuf};

/// The file of each demo that opens with its header, in all packages of demos.
fn mains() -> Vec<PathBuf> {
    let demos = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = ["", "api", "comparisons", "green", "names", "web"];
    let entries = packages.iter().flat_map(|package| fs::read_dir(demos.join(package).join("src/bin")).unwrap());
    let main = |path: PathBuf| if path.is_dir() { path.join("main.rs") } else { path };
    entries.map(|entry| main(entry.unwrap().path())).collect()
}

/// Each system of Python that the demos answer has its line in the index, whose demos exist.
#[test]
fn the_index_has_every_system_and_names_demos_that_exist() {
    let index = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let table = index.split("| from Python |").nth(1).unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).collect();
    let systems = [
        "asyncio", "Twisted", "Tornado", "gevent", "aiohttp", "Quart", "FastAPI", "Sanic", "uvloop", "curio", "asks",
        "httpx", "trio",
    ];
    for system in systems {
        assert!(rows.iter().any(|row| row.starts_with(&format!("| {system}"))), "{system} is not in the index");
    }
    let mains = mains();
    let exists = |name: &str| {
        mains.iter().any(|main| {
            main.components()
                .any(|part| part.as_os_str() == name || part.as_os_str().to_str() == Some(&format!("{name}.rs")))
        })
    };
    for row in rows {
        let named = row.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2);
        let mut demos = named.filter(|name| !name.contains([' ', '='])).peekable();
        assert!(demos.peek().is_some() && demos.all(exists), "{row}");
    }
}

/// The small ones to copy: what a reader takes along is these files, and a manifest of well-known names.
#[test]
fn those_to_copy_use_nothing_that_is_ours_but_the_runtime() {
    let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin");
    // These two lines of `hello` say of themselves that a copy leaves them out.
    let left_out = ["oneloop_demos::without_flags(", "oneloop_demos::while_shown("];
    let files = fs::read_dir(bin.join("echo")).unwrap().map(|file| file.unwrap().path());
    for file in files.chain([bin.join("hello.rs")]) {
        let (source, name) = (fs::read_to_string(&file).unwrap(), file.display());
        let uses: Vec<&str> = source.lines().filter_map(|line| line.trim().strip_prefix("use ")).collect();
        let known = ["std::", "clap::", "futures_lite::", "oneloop::", "house::", "terminal::", "crate::terminal::"];
        assert!(uses.iter().all(|path| known.iter().any(|known| path.starts_with(known))), "{name}: {uses:?}");
        let ours: Vec<&str> = source.lines().map(str::trim).filter(|line| line.contains("oneloop_demos")).collect();
        let is_hello = file.ends_with("hello.rs");
        let are_left_out = ours.iter().zip(left_out).all(|(line, start)| line.starts_with(start));
        assert!(are_left_out && ours.len() == if is_hello { 2 } else { 0 }, "{name}: {ours:?}");
    }
    let page = fs::read_to_string(bin.join("echo/main.rs")).unwrap();
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    assert!(page.lines().filter(is_code).count() <= 60);
}

#[test]
fn every_header_says_how_to_run_it_what_to_watch_and_what_it_prints() {
    let mains = mains();
    assert!(mains.len() >= 30, "{mains:?}");
    for main in mains {
        let source = fs::read_to_string(&main).unwrap();
        let header: Vec<&str> = source.lines().take_while(|line| line.starts_with("//!")).collect();
        // The idea is one sentence on the first line or two, and the whole fits on one screen.
        assert!((5..=28).contains(&header.len()), "{}: a header of {} lines", main.display(), header.len());
        for part in ["cargo run --release", "atch", "rints"] {
            assert!(header.iter().any(|line| line.contains(part)), "{}: {part:?} is not in its header", main.display());
        }
    }
}
