//! The cost of an event while a ring keeps the last ones: instructions with it less those without, over
//! the events of a unit.

use std::collections::BTreeMap;

use crate::drive::{self, Ran, Under};
use crate::peers::oneloop::{Oneloop, WITH_RING};
use crate::shape::Runtime;
use crate::table::{COUNTED, Counted};

/// The rows of the table that make events of different kinds.
const ROWS: [&str; 4] = ["spawn_join", "yield", "baton", "sleep_drop"];

/// Measures and prints a table.
///
/// # Errors
///
/// A sentence when a run fails or its report cannot be read.
pub fn print() -> Result<(), String> {
    println!("| figure | without, instructions | with a ring | events | an event |\n|---|---:|---:|---:|---:|");
    for counted in COUNTED.iter().filter(|counted| ROWS.contains(&counted.name)) {
        let (without, with) = (counted.measure(Oneloop::NAME)?, counted.measure(WITH_RING)?);
        let events = events(counted)?;
        let each = (with - without) / events;
        println!("| {} | {without:.0} | {with:.0} | {events:.2} | {each:.0} |", counted.title);
    }
    Ok(())
}

/// How many events there are in a step.
fn events(counted: &Counted) -> Result<f64, String> {
    let [small, large] = counted.jobs();
    let count = |job| {
        let Ran { figures, .. }: Ran = drive::run(WITH_RING, job, Under::Nothing)?;
        figures.get("events").copied().ok_or_else(|| missing(&figures))
    };
    Ok((count(large)? - count(small)?) / (large.units - small.units) as f64 / counted.steps)
}

fn missing(figures: &BTreeMap<String, f64>) -> String {
    format!("the run printed no count of events, but {figures:?}")
}
