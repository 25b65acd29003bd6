//! One source on three runtimes, as its users meet it: equal transcripts, and a table of the three.

use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_one_source")).args(args).output().expect("the demo starts")
}

#[test]
fn the_transcripts_are_equal_and_the_three_stand_side_by_side() {
    let output = run(&["--clients", "20", "--words", "30", "--rounds", "2", "--show"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[7], "client 7 has heard \"30 word 29 of 7\" last, and then 0 bytes");
    assert_eq!(lines[20], "the server has counted 600 words");
    assert_eq!(lines[22], "who comes now is told Some(ConnectionRefused)");
    assert_eq!(lines[23], "23 lines, equal on all three; the quickest of 2 runs:");
    for (line, name) in lines[24..].iter().zip(["oneloop", "tokio", "smol"]) {
        assert!(line.trim().starts_with(name) && line.ends_with(" times oneloop"), "{line}");
    }
}

#[test]
fn a_script_gets_one_line_of_json() {
    let output = run(&["--clients", "3", "--words", "2", "--rounds", "1", "--json"]);
    let said = String::from_utf8_lossy(&output.stdout);
    let rest = said.strip_prefix(r#"{"lines":6,"rounds":1,"quickest_ms":{"oneloop":"#).expect(&said);
    let times = rest.strip_suffix("}}\n").expect(&said).replace(r#""tokio":"#, "").replace(r#""smol":"#, "");
    assert!(times.split(',').filter(|time| time.parse::<f64>().is_ok_and(|time| time > 0.0)).count() == 3, "{said}");
}

#[test]
fn a_number_that_makes_no_sense_is_a_usage_error_that_names_its_flag() {
    for args in [["--clients", "0"], ["--clients", "401"], ["--words", "0"], ["--rounds", "many"]] {
        let output = run(&args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(args[0]), "{said}");
    }
}
