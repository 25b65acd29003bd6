//! Programs that must not compile, and programs that must.
//!
//! Each file in `fail/` is one thing that may not be done, with what the compiler says beside it.
//! The words change from one compiler to the next, so they are compared only where they were written;
//! elsewhere, each file still has to be refused, for an error with the same number. After a change:
//!
//! ```text
//!     TRYBUILD=overwrite cargo test -p oneloop-compile-fail
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The compiler whose words stand in `fail/`.
const WRITTEN_BY: &str = "rustc 1.95.";

/// Tells the copy of this program what to compile.
const CASES: &str = "ONELOOP_COMPILE_FAIL_CASES";

#[test]
fn what_must_compile_does_and_what_must_not_does_not() {
    let tests = trybuild::TestCases::new();
    if let Some(copies) = env::var_os(CASES) {
        return tests.compile_fail(PathBuf::from(copies).join("*.rs"));
    }
    tests.pass("pass/*.rs");
    let compiler = compiler();
    if compiler.starts_with(WRITTEN_BY) {
        return tests.compile_fail("fail/*.rs");
    }
    // Run the passing cases first: two trybuilds at a time would wait for each other.
    drop(tests);
    println!("{compiler} words errors in its own way, so their numbers alone are compared");
    refused_for_the_same_errors();
}

/// Has copies of the cases compiled, with the compiler's words written down beside them.
fn refused_for_the_same_errors() {
    let copies = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fail");
    let _ = fs::remove_dir_all(&copies);
    fs::create_dir_all(&copies).expect("cargo's directory for tests can be written");
    let cases = files_of("fail", "rs");
    assert!(!cases.is_empty(), "there are cases in fail/");
    for case in &cases {
        fs::copy(case, copies.join(case.file_name().expect("a file has a name"))).expect("a case can be copied");
    }
    let output = Command::new(env::current_exe().expect("this program knows its own path"))
        .args(["--exact", "what_must_compile_does_and_what_must_not_does_not", "--nocapture"])
        .env(CASES, &copies)
        .env("TRYBUILD", "overwrite")
        .output()
        .expect("this program can be started again");
    let [said, cried] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "a case is not refused:\n{said}\n{cried}");
    for case in cases {
        let expected = case.with_extension("stderr");
        let got = copies.join(expected.file_name().expect("a file has a name"));
        assert_eq!(numbers(&got), numbers(&expected), "errors in {}", case.display());
    }
}

fn compiler() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("there is a compiler");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn files_of(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("tests run in the folder of their package");
    let paths = entries.map(|entry| entry.expect("an entry can be read").path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// The numbers of the errors in what a compiler said, as E0597.
fn numbers(stderr: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(stderr).unwrap_or_else(|error| panic!("{}: {error}", stderr.display()));
    let errors = text.lines().filter_map(|line| line.strip_prefix("error["));
    errors.filter_map(|rest| rest.split(']').next()).map(String::from).collect()
}
