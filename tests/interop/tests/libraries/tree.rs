//! The libraries stand on no runtime but this one. hyper and h2 need parts of tokio that
//! come without its loop; none of the others may slip in, by whatever feature of whatever crate.

use std::process::Command;

use crate::support::Watch;

/// The features of tokio that bring its loop, its threads, its sockets or its clock.
const RUNTIME_FEATURES: [&str; 9] =
    ["rt", "rt-multi-thread", "net", "time", "fs", "process", "signal", "test-util", "full"];

/// Cargo's answer to who needs tokio, for the whole workspace. The lines of a tree, each behind its
/// depth: below each feature stands who asks for it. Nothing is downloaded: it has been, for this test.
fn who_needs_tokio() -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let args = ["--workspace", "--offline", "--locked", "--edges=features", "--invert=tokio"];
    let output = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("tree")
        .args(args)
        .args(["--prefix=depth", "--no-dedupe"])
        .output()
        .expect("cargo runs, as it runs this test");
    assert!(output.status.success(), "cargo tree fails:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

/// The way from each forbidden feature to the package that asks for it.
fn forbidden_paths(tree: &str) -> Vec<String> {
    let lines: Vec<(usize, &str)> = tree.lines().filter_map(depth_and_name).collect();
    let forbidden = |name: &str| RUNTIME_FEATURES.iter().any(|feature| name == format!("tokio feature \"{feature}\""));
    let starts = (0..lines.len()).filter(|&at| forbidden(lines[at].1));
    starts.map(|at| path_from(&lines[at..])).collect()
}

/// The first way down from the first line: each line that is deeper than the one before it.
fn path_from(lines: &[(usize, &str)]) -> String {
    let deeper = lines.windows(2).take_while(|two| two[1].0 > two[0].0).count();
    lines[..=deeper].iter().map(|(_, name)| *name).collect::<Vec<_>>().join(" <- ")
}

/// `12hyper v1.0` is hyper at depth 12. The headings between, such as `[dev-dependencies]`, have none.
fn depth_and_name(line: &str) -> Option<(usize, &str)> {
    let digits = line.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
    Some((line[..digits].parse().ok()?, &line[digits..]))
}

#[test]
fn no_part_of_tokios_runtime_is_in_the_tree_of_the_demos_and_tests() {
    let _watch = Watch::new();
    let tree = who_needs_tokio();
    assert!(tree.contains("tokio feature \"sync\""), "hyper needs it, so this looks at the wrong tree:\n{tree}");
    let found = forbidden_paths(&tree);
    assert!(
        found.is_empty(),
        "{} ways lead to tokio's runtime; turn the features off that ask for it:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn a_feature_that_slips_in_is_named_with_its_path() {
    let tree = "0tokio v1.0.0\n1tokio feature \"default\"\n2hyper v1.0.0\n1tokio feature \"rt\"\n\
                2axum feature \"tokio\"\n3axum feature \"default\"\n[dev-dependencies]\n4web v0.1.0\n\
                1tokio feature \"sync\"\n2tokio feature \"net\"\n3mini v0.1.0\n2tokio feature \"rtx\"\n";
    assert_eq!(
        forbidden_paths(tree),
        [
            "tokio feature \"rt\" <- axum feature \"tokio\" <- axum feature \"default\" <- web v0.1.0",
            "tokio feature \"net\" <- mini v0.1.0"
        ]
    );
}
