//! Takes the growth steps of the demos in: their text without the head, which no included file may have.

use std::path::Path;
use std::{env, fs};

fn main() {
    let out = env::var("OUT_DIR").expect("cargo sets it");
    for step in ["step2_arc_waker.rs", "step3_heap_timers.rs"] {
        let from = format!("../../demos/src/bin/{step}");
        println!("cargo::rerun-if-changed={from}");
        let text = fs::read_to_string(&from).unwrap_or_else(|error| panic!("{from}: {error}"));
        // Nor is the demos' package here, which answers `--help` in the step's main.
        let is_here = |line: &&str| !line.starts_with("//!") && !line.trim_start().starts_with("oneloop_demos::");
        let body: Vec<&str> = text.lines().filter(is_here).collect();
        fs::write(Path::new(&out).join(step), body.join("\n")).expect("OUT_DIR can be written");
    }
}
