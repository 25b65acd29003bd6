//! Hello by two runtimes, as its users meet it: both answer alike, and the ratio is printed. No ratio is asked for:
//! the machine may do much else.

use std::process::{Command, Output};

const BESIDE_TOKIO: &str = env!("CARGO_BIN_EXE_beside_tokio");

#[track_caller]
fn run(command: &mut Command, code: i32) -> (String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the demo starts");
    let [said, complained] = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert_eq!(status.code(), Some(code), "{said}{complained}");
    (said, complained)
}

#[test]
fn both_answer_alike_in_turns_and_the_ratio_is_printed() {
    let (said, _) = run(Command::new(BESIDE_TOKIO).args(["--rounds", "2", "--connections", "8"]), 0);
    print!("{said}");
    let rounds = said.lines().filter(|line| line.trim_start().starts_with(['1', '2'])).map(|line| {
        let figures: Vec<f64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
        assert!(figures.len() == 4 && figures.iter().all(|figure| *figure > 0.0), "{line}");
    });
    assert_eq!(rounds.count(), 2, "{said}");
    assert!(said.contains(" times the answers of tokio's current\nthread: the median of 2 rounds"), "{said}");
    assert!(said.lines().all(|line| line.len() <= 60), "{said}");
}

#[test]
fn where_there_is_no_wrk_another_client_asks_and_that_is_said() {
    let (said, _) = run(Command::new(BESIDE_TOKIO).args(["--rounds", "1", "--json"]).env("PATH", "/nowhere"), 0);
    assert!(said.contains("\"client\":\"a client of our own: no wrk is here"), "{said}");
    let ratio = said.split("\"ratio\":").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
    assert!(ratio.parse::<f64>().unwrap() > 0.0 && said.ends_with("}\n"), "{said}");
}

#[test]
fn a_number_out_of_range_is_a_usage_error_that_names_its_flag() {
    for args in [["--rounds", "0"], ["--seconds", "61"], ["--connections", "401"]] {
        let (_, complained) = run(Command::new(BESIDE_TOKIO).args(args), 2);
        assert!(complained.contains(args[0]), "{complained}");
    }
}
