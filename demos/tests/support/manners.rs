//! The manners of every program at a terminal: what it says to a wrong word, to a reader that goes, and to a full disk.

use super::{Ended, run};

/// Values that no flag with such a name for its value takes.
fn wrong_values(name: &str) -> &'static [&'static str] {
    match name {
        "F" => &["", "-1", "NaN", "inf", "1e308", "99999999999999999999", "ünï😀"],
        "N" | "KIB" => &["", "-1", "1.5", "99999999999999999999", "ünï😀"],
        "ADDR" => &["", "-1", "nowhere", "127.0.0.1", "ünï😀:80", "127.0.0.1:99999", "[::1]:99999"],
        "URL" => &["", "ünï😀", "127.0.0.1:99999", "gopher://127.0.0.1/"],
        _ => &[],
    }
}

/// Holds programs to their manners, beside each other.
pub(crate) fn have_manners(programs: &[(&str, &[&str])]) {
    std::thread::scope(|threads| {
        for (program, brief) in programs {
            threads.spawn(|| has_manners(program, brief));
        }
    });
}

/// Holds a program to its manners. With the arguments in `brief` it is over soon by itself.
pub(crate) fn has_manners(program: &str, brief: &[&str]) {
    let help = run(program, &["--help"]);
    help.assert_code(0);
    assert!(help.stdout.contains("Usage:") && help.stderr.is_empty(), "{program}: {}{}", help.stdout, help.stderr);
    for wrong in ["--nonsense", "--ünï=😀"] {
        complains_in_one_line(&run(program, &[wrong]), 2, &format!("{program} {wrong}"));
    }
    let flags = help.stdout.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
    for (flag, value) in flags.filter_map(|line| line.split_once('>')?.0.split_once(" <")) {
        for wrong in wrong_values(value) {
            let given = format!("--{flag}={wrong}");
            let ended = run(program, &[&given]);
            complains_in_one_line(&ended, 2, &format!("{program} {given}"));
            assert!(ended.stderr.contains(&format!("--{flag}")), "{program} {given}: {}", ended.stderr);
            if wrong.ends_with(":99999") {
                assert!(ended.stderr.contains("99999 is too large"), "{program} {given}: {}", ended.stderr);
            }
        }
    }
    for (args, sinks) in [(&["--help"][..], &["| true"][..]), (brief, &["| head -1", "<&-"])] {
        let ended = into(program, args, "> /dev/full");
        complains_in_one_line(&ended, 1, &format!("{program} {args:?} > /dev/full"));
        assert!(ended.stderr.contains("cannot write the output"), "{program} {args:?}: {}", ended.stderr);
        for sink in sinks {
            let ended = into(program, args, sink);
            ended.assert_code(0);
            assert!(complaints(&ended).is_empty(), "{program} {args:?} {sink}: {}", ended.stderr);
        }
    }
    let whole = run(program, brief);
    let words = whole.stdout.split(|letter: char| !letter.is_alphanumeric());
    assert!(!words.clone().any(|word| ["NaN", "inf"].contains(&word)), "{program} {brief:?}: {}", whole.stdout);
    if brief.windows(2).any(|pair| pair == ["--seconds", "0"]) {
        for rate in [" a second", "/s", "% of one core"] {
            assert!(!whole.stdout.contains(rate), "{program} {brief:?} has a rate: {}", whole.stdout);
        }
    }
}

/// The lines on stderr beside the findings of its loop.
fn complaints(ended: &Ended) -> Vec<&str> {
    ended.stderr.lines().filter(|line| !line.starts_with("oneloop: ")).collect()
}

#[track_caller]
fn complains_in_one_line(ended: &Ended, code: i32, command: &str) {
    let Ended { status, stderr, .. } = ended;
    let said = complaints(ended);
    assert_eq!((status.code(), said.len()), (Some(code), 1), "{command}: {stderr}");
    assert!(said[0].starts_with("error: "), "{command}: {stderr}");
    if code == 2 {
        assert!(said[0].ends_with("--help says more"), "{command}: {stderr}");
    }
}

/// A program with its stdout or stdin led somewhere else, by a shell that says how it ended.
fn into(program: &str, args: &[&str], sink: &str) -> Ended {
    let quoted: Vec<_> = args.iter().map(|arg| format!("'{arg}'")).collect();
    run("bash", &["-c", &format!("{program} {} {sink}; exit ${{PIPESTATUS[0]}}", quoted.join(" "))])
}
