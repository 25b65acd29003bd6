//! Takes the growth steps of the demos in: their text without the head, which no included file may have.

use std::path::Path;
use std::{env, fs};

fn main() {
    let out = env::var("OUT_DIR").expect("cargo sets it");
    for step in ["step2_arc_waker.rs", "step3_heap_timers.rs"] {
        let from = format!("../../demos/src/bin/{step}");
        println!("cargo::rerun-if-changed={from}");
        let text = fs::read_to_string(&from).unwrap_or_else(|error| panic!("{from}: {error}"));
        let body: Vec<&str> = text.lines().filter(|line| !line.starts_with("//!")).collect();
        fs::write(Path::new(&out).join(step), body.join("\n")).expect("OUT_DIR can be written");
    }
}
