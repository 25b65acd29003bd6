//! A rule about circles: no file of `see/` uses another that uses it, be it by way of others.

use std::collections::{BTreeMap, BTreeSet};

use crate::code_rules::paths_used;
use crate::lexer::{self, Token};
use crate::repo::{File, Finding, Repo, findings};

/// The files of a wing, by the modules that they stand for, and whom each uses at which line.
type Uses = BTreeMap<String, Vec<(String, usize)>>;

/// The files of `see/` can be read one after the other: none leads back to itself.
pub(crate) fn circles(repo: &Repo) -> Vec<Finding> {
    let files: BTreeMap<String, &File> = repo.runtime_files().filter_map(|file| Some((module(file)?, file))).collect();
    let uses: Uses = files.iter().map(|(own, file)| (own.clone(), used(own, file, &files))).collect();
    let mut found = Vec::new();
    for (own, targets) in &uses {
        // Each circle is told once, by the first of its files.
        for (target, line) in targets.iter().filter(|(target, _)| target > own) {
            if let Some(chain) = way(&uses, target, own) {
                let says = format!(
                    "{own} uses {}, so these files can be read in no order; move what both need to a file of its own",
                    chain.join(", which uses ")
                );
                found.push(Finding::new(&files[own].path, *line, says));
            }
        }
    }
    found
}

/// `see/serve/door` for the file of that module, `see/serve` for a map.
fn module(file: &File) -> Option<String> {
    let inside = file.path.strip_prefix("runtime/src/")?.strip_suffix(".rs")?;
    let module = inside.trim_end_matches("/mod");
    (module == "see" || module.starts_with("see/")).then(|| module.to_owned())
}

/// The other files that this one uses, each with the first line that does.
fn used(own: &str, file: &File, files: &BTreeMap<String, &File>) -> Vec<(String, usize)> {
    let own_path: Vec<&str> = own.split('/').collect();
    let all = file.tokens();
    let (tokens, _) = lexer::without_tests(&all);
    let mut lines = BTreeMap::new();
    let paths = paths_used(&own_path, &tokens).into_iter().chain(children_used(&own_path, &tokens));
    for (line, path) in paths {
        let owner = (1..=path.len()).rev().map(|end| path[..end].join("/")).find(|module| files.contains_key(module));
        if let Some(owner) = owner.filter(|owner| owner != own) {
            lines.entry(owner).or_insert(line);
        }
    }
    lines.into_iter().collect()
}

/// Paths that a map begins with one of its own modules, as in `use self::door::Door` and `pub use model::dump`.
fn children_used<'a>(own: &[&'a str], tokens: &[Token<'a>]) -> Vec<(usize, Vec<&'a str>)> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let begins = |at: usize| at == 0 || text(at - 1) != "::" || (at > 1 && text(at - 2) == "self");
    let mut paths = Vec::new();
    for at in (0..tokens.len()).filter(|at| text(at + 1) == "::" && begins(*at)) {
        let mut path = own.to_vec();
        let mut next = at;
        while text(next + 1) == "::" {
            path.push(text(next));
            next += 2;
        }
        paths.push((tokens[at].line, path));
    }
    paths
}

/// The files on a way from one to another.
fn way(uses: &Uses, from: &str, to: &str) -> Option<Vec<String>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let (mut met, mut next) = (BTreeSet::from([from]), vec![from]);
    while let Some(here) = next.pop() {
        for (target, _) in uses.get(here)? {
            if met.insert(target) {
                before.insert(target, here);
                next.push(target);
            }
        }
    }
    let mut chain = vec![to];
    while let Some(here) = before.get(chain.last()?) {
        chain.push(here);
    }
    chain.reverse();
    (chain.first() == Some(&from)).then(|| chain.iter().map(ToString::to_string).collect())
}

#[test]
fn a_circle_of_files_is_found_and_a_map_of_files_is_none() {
    let map = ("runtime/src/see/mod.rs", "mod a;\nmod b;\npub use a::A;\nuse self::b::B;\n");
    let b = ("runtime/src/see/b.rs", "use super::a::A;\n");
    let found = |a: &str| findings(circles, &[map, ("runtime/src/see/a.rs", a), b]);
    assert_eq!(found("struct A;\n"), [""; 0]);
    assert_eq!(found("\nuse crate::see::b::B;\n"), ["runtime/src/see/a.rs:2"]);
    assert_eq!(found("#[cfg(test)]\nuse crate::see::b::B;\n"), [""; 0], "tests may");
    // By way of the map, whose names are other files'.
    assert_eq!(found("use crate::see::B;\n"), ["runtime/src/see/mod.rs:3", "runtime/src/see/mod.rs:4"]);
}
