//! A crate at a stage: all files of that stage and of those before it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Said;
use crate::holes::{holes, join, pieces, stub};
use crate::stages::{Stage, write};

/// Files by their path in the crate.
pub(crate) type Files = BTreeMap<String, String>;

/// From which stage on the crate needs libraries.
pub(crate) const LIBRARIES_FROM: usize = 8;
/// Those libraries: mio asks the kernel, and `slab` is the crate that the heart uses.
pub(crate) const LIBRARIES: [&str; 2] = ["mio", "slab"];

/// The files of the solution of a stage.
pub(crate) fn solution(stages: &[Stage], number: usize) -> Said<Files> {
    let mut files = Files::new();
    for stage in &stages[..=number] {
        for folder in ["src", "tests"] {
            files.extend(stage.files(folder)?);
        }
        for test in stage.toml.list("", "drops") {
            let (module, name) = test.split_once("::").unwrap_or(("", &test));
            let text = files.get_mut(&format!("tests/{module}.rs"));
            let rest = text.and_then(|text| Some((without_test(text, name)?, text)));
            let (rest, text) = rest.ok_or_else(|| format!("{}: there is no test {test} to drop", stage.folder))?;
            *text = rest;
        }
    }
    Ok(files)
}

/// A file of tests without one of them, which a later stage no longer holds to.
fn without_test(text: &str, name: &str) -> Option<String> {
    let (before, after) = text.split_once(&format!("\nfn {name}() {{\n"))?;
    let (before, after) = (before.rsplit_once("\n\n")?.0, after.split_once("\n}\n")?.1);
    Some(format!("{before}\n{after}"))
}

#[test]
fn a_test_is_dropped_with_what_stands_above_it() {
    let text = "use a;\n\n/// hint: a\n#[test]\nfn a() {\n    1\n}\n\n/// hint: b\n#[test]\nfn b() {\n    2\n}\n";
    assert_eq!(without_test(text, "a").as_deref(), Some("use a;\n\n/// hint: b\n#[test]\nfn b() {\n    2\n}\n"));
    assert_eq!(without_test(text, "c"), None);
}

/// Which stage each hole is from: the first that has it.
pub(crate) fn origins(stages: &[Stage]) -> Said<BTreeMap<String, usize>> {
    let mut origins = BTreeMap::new();
    for stage in stages {
        for (path, text) in stage.files("src")? {
            for (name, _) in holes(&text).map_err(|error| format!("{}/{path}: {error}", stage.folder))? {
                origins.entry(name).or_insert(stage.number);
            }
        }
    }
    Ok(origins)
}

/// The files with which a stage begins: its own holes are empty, and those before it as `carried` has them.
pub(crate) fn begin(
    stages: &[Stage],
    number: usize,
    carried: impl Fn(&str) -> Option<String>,
) -> Said<(Files, Vec<String>)> {
    let origins = origins(stages)?;
    let mut lost = Vec::new();
    let mut files = solution(stages, number)?;
    for text in files.values_mut() {
        let filled = join(&pieces(text)?, |name, indent, solved, is_last| {
            if origins.get(name) == Some(&number) {
                return stub(number, name, indent, is_last);
            }
            carried(name).unwrap_or_else(|| {
                lost.push(name.to_owned());
                solved.to_owned()
            })
        });
        *text = filled;
    }
    Ok((files, lost))
}

/// The stub of a stage, as somebody has it who took all solutions before.
pub(crate) fn stubbed(stages: &[Stage], number: usize) -> Said<Files> {
    Ok(begin(stages, number, |_| None)?.0)
}

/// Writes the files below a folder.
pub(crate) fn lay(folder: &Path, files: &Files) -> Said<()> {
    files.iter().try_for_each(|(path, text)| write(&folder.join(path), text))
}

/// The manifest of a crate at a stage.
pub(crate) fn manifest(number: usize) -> String {
    let libraries =
        "\n[dependencies]\nmio = { version = \"1.0.3\", features = [\"os-poll\", \"net\"] }\nslab = \"0.4.11\"\n";
    format!(
        "# Your runtime. `cargo stage` keeps this file; the rest below src/ is yours.\n\
         [package]\nname = \"my-loop\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\nautotests = false\n\n\
         [lib]\ndoctest = false\n\n[workspace]\n{}\n[profile.dev]\ndebug = \"line-tables-only\"\n",
        if number >= LIBRARIES_FROM { libraries } else { "" }
    )
}
