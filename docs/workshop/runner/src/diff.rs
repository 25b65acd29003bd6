//! `cargo stage diff`: what the learner wrote in the holes of a stage, beside the solution.

use crate::Said;
use crate::holes::holes;
use crate::learner::Learner;
use crate::{stages, tree};

/// Two texts line by line: `(' ', both)`, `('-', only the first)`, `('+', only the second)`.
pub(crate) fn lines<'a>(one: &'a str, two: &'a str) -> Vec<(char, &'a str)> {
    let (one, two): (Vec<&str>, Vec<&str>) = (one.lines().collect(), two.lines().collect());
    // How long the longest common rest is, from each place on.
    let mut common = vec![vec![0usize; two.len() + 1]; one.len() + 1];
    for a in (0..one.len()).rev() {
        for b in (0..two.len()).rev() {
            let without = common[a + 1][b].max(common[a][b + 1]);
            common[a][b] = if one[a] == two[b] { common[a + 1][b + 1] + 1 } else { without };
        }
    }
    let (mut a, mut b, mut told) = (0, 0, Vec::new());
    while a < one.len() || b < two.len() {
        if a < one.len() && b < two.len() && one[a] == two[b] {
            told.push((' ', one[a]));
            (a, b) = (a + 1, b + 1);
        } else if b == two.len() || a < one.len() && common[a + 1][b] >= common[a][b + 1] {
            told.push(('-', one[a]));
            a += 1;
        } else {
            told.push(('+', two[b]));
            b += 1;
        }
    }
    told
}

/// `cargo stage diff`.
pub(crate) fn diff() -> Said<()> {
    let (learner, stages) = (Learner::find()?, stages::all()?);
    let (wrote, origins) = (learner.holes()?, tree::origins(&stages)?);
    for (path, text) in tree::solution(&stages, learner.stage())? {
        for (name, solved) in holes(&text)? {
            if origins.get(&name) != Some(&learner.stage()) {
                continue;
            }
            let mine = wrote.get(&name).map_or("", String::as_str);
            println!("{path}, \"{name}\": - yours, + the solution's{}", if mine == solved { ": the same" } else { "" });
            for (sign, line) in lines(mine, &solved) {
                println!("{sign} {line}");
            }
            println!();
        }
    }
    Ok(())
}

#[test]
fn lines_of_both_texts_are_told_once() {
    assert_eq!(lines("a\nb\nc", "a\nx\nc"), [(' ', "a"), ('-', "b"), ('+', "x"), (' ', "c")]);
    assert_eq!(lines("", "a"), [('+', "a")]);
}
