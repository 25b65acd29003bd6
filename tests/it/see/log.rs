//! The log: the lines that its page promises are those that it prints.

use std::time::Duration;

use oneloop::task::Builder;
use oneloop::time::sleep;

use crate::kit::support::child_with;

/// The lines in the head of the log's own source, of this very program.
fn promised() -> Vec<&'static str> {
    let page = include_str!("../../../runtime/src/see/asked/log.rs");
    let block = page.split("```text\n").nth(1).and_then(|rest| rest.split("//! ```").next()).unwrap();
    block.lines().map(|line| line.trim_start_matches("//!").trim()).collect()
}

#[test]
fn the_log_prints_the_lines_that_its_page_promises() {
    let output = child_with(&[("ONELOOP_LOG", "1")], || {
        let runtime = oneloop::Runtime::builder().virtual_clock().build().unwrap();
        runtime.block_on(async {
            let reader = Builder::new().name("reader").spawn(sleep(Duration::from_millis(10)));
            reader.await.unwrap();
        });
    });
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("turn ")).collect();
    assert_eq!(lines, promised(), "{said}");
}
