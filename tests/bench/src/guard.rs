//! oneloop's instruction counts against the limits committed in `limits.txt`.

use crate::peers::oneloop::Oneloop;
use crate::shape::Runtime;
use crate::table::{COUNTED, Counted};

/// The committed limits: a name and the most instructions that one unit may take.
const LIMITS: &str = include_str!("../limits.txt");

/// Measures every row that has a limit and prints it.
///
/// # Errors
///
/// One line for each row above its limit, or why nothing could be measured.
pub fn check() -> Result<(), String> {
    let mut above = Vec::new();
    for (counted, limit) in limits()? {
        let count = counted.measure(Oneloop::NAME)?;
        println!("{}: {count:.0} instructions, limit {limit}", counted.name);
        if count > limit {
            above.push(format!("{}: {count:.0} instructions are above the limit of {limit}", counted.name));
        }
    }
    if above.is_empty() { Ok(()) } else { Err(above.join("\n")) }
}

/// The rows of `limits.txt`, each with what it measures.
fn limits() -> Result<Vec<(&'static Counted, f64)>, String> {
    let lines = LIMITS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| row(line).map_err(|error| format!("limits.txt: `{line}`: {error}"))).collect()
}

fn row(line: &str) -> Result<(&'static Counted, f64), String> {
    let (name, limit) = line.split_once(" = ").ok_or("a row is `name = limit`")?;
    let counted = COUNTED.iter().find(|counted| counted.name == name).ok_or_else(|| {
        let names: Vec<&str> = COUNTED.iter().map(|counted| counted.name).collect();
        format!("no such row; there are: {}", names.join(", "))
    })?;
    let limit = limit.parse().map_err(|_| "the limit is not a number")?;
    Ok((counted, limit))
}
