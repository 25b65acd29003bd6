//! The example of docs/events.md: a program, and the recording of its run.

use std::time::Duration;

use oneloop::Runtime;
use oneloop::see::Ring;
use oneloop::task::Builder;
use oneloop::time::sleep;

fn record_a_nap() -> std::io::Result<String> {
    let ring = Ring::new(1000);
    let runtime = Runtime::builder().virtual_clock().observer(ring.clone()).build()?;
    runtime.block_on(async {
        let nap = sleep(Duration::from_millis(10));
        let napper = Builder::new().name("napper").spawn(nap);
        napper.await.expect("a nap does not fail");
    });
    let mut text = Vec::new();
    ring.write_to(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn the_example_in_the_docs_is_the_recording_of_the_program_beside_it() {
    let docs = include_str!("../../../docs/events.md");
    let block = |language: &str| {
        let (_, rest) = docs.split_once(&format!("```{language}\n")).expect("there is such a block");
        rest.split_once("```").expect("it ends").0
    };
    assert!(include_str!("events_example.rs").contains(block("rust")));
    assert_eq!(record_a_nap().unwrap(), block("json"));
}
