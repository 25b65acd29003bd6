//! Rules about the code: headers, unsafe, layers, budgets, reading order, dependencies.

use std::collections::BTreeSet;

use crate::house::{
    self, DEPENDENCIES, FUNCTION_LINES, HEART_LINES, HOUSE, NAME_LETTERS, OPTIONAL_DEPENDENCIES, Room, UNSAFE_FILES,
    WINGS,
};
use crate::lexer::{self, Token};
use crate::repo::{File, Finding, Repo, findings};

/// The top folder holds what people expect there, and nothing that a build or a tool has left.
pub(crate) fn top_folder(repo: &Repo) -> Vec<Finding> {
    let names = repo.files().map(|file| file.path.split('/').next().unwrap_or_default());
    let names: BTreeSet<_> = names.filter(|name| !name.starts_with('.')).collect();
    let strangers = names.into_iter().filter(|name| !house::TOP.contains(name));
    let says = "stands in the top folder, where nobody expects it; move it, or name it in `TOP` of tests/tidy/house.rs";
    strangers.map(|name| Finding::new(name, 1, format!("`{name}` {says}"))).collect()
}

/// Every file of code opens with a comment that says what it is.
pub(crate) fn headers(repo: &Repo) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in repo.files() {
        let script = file.path.ends_with(".py") || file.text.starts_with("#!/");
        let mark = match file {
            file if file.is_rust() => "//!",
            file if script && file.text.contains("\"\"\"") => "\"\"\"",
            _ if script => "#",
            _ => continue,
        };
        let first = file.lines().find(|(_, line)| !line.starts_with("#!/"));
        let (line, text) = first.unwrap_or((1, ""));
        let says_something = text.strip_prefix(mark).is_some_and(|says| says.split_whitespace().count() >= 2);
        if !says_something {
            found.push(Finding::new(
                &file.path,
                line,
                format!("open the file with `{mark}` and a sentence that says what it is"),
            ));
        }
    }
    found
}

/// Unsafe code stands in two files.
pub(crate) fn unsafe_code(repo: &Repo) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in repo.rust_files().filter(|file| !UNSAFE_FILES.contains(&file.path.as_str())) {
        for token in file.tokens().iter().filter(|token| token.text == "unsafe") {
            let [waker, handler] = UNSAFE_FILES;
            let says =
                format!("unsafe code stands in {waker} and {handler} only; find a safe way, or a safe function there");
            found.push(Finding::new(&file.path, token.line, says));
        }
    }
    found
}

/// A file uses files of lower layers only, and every file has its place in the table.
pub(crate) fn layers(repo: &Repo) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in repo.runtime_files() {
        let Some(own_path) = house::path_of_file(&file.path) else {
            continue;
        };
        let Some(room) = house::room_of_path(&own_path) else {
            found.push(Finding::new(
                &file.path,
                1,
                "the file has no place in the house; give it a row in tests/tidy/house.rs",
            ));
            continue;
        };
        let (tokens, _) = lexer::without_tests(&file.tokens());
        for (line, used) in paths_used(&own_path, &tokens) {
            found.extend(objection(room, &used).map(|says| Finding::new(&file.path, line, says)));
        }
    }
    found
}

/// The fault of the path `used` in a file of `room`, if anything is.
fn objection(room: &Room, used: &[&str]) -> Option<String> {
    match house::room_of_path(used) {
        None => {
            Some(format!("`crate::{}` is no file of the house; name it through the file that owns it", used.join("::")))
        }
        Some(other) if other.name == room.name || other.layer < room.layer => None,
        Some(other) => Some(format!(
            "{} is on layer {} and cannot use {}, which is on layer {}; move what both need to a lower layer, or pass it in",
            room.name, room.layer, other.name, other.layer,
        )),
    }
}

/// Every path that leaves its file, by `crate::` or by enough `super::`, and its line. Each begins at the
/// crate's root.
pub(crate) fn paths_used<'a>(own_path: &[&'a str], tokens: &[Token<'a>]) -> Vec<(usize, Vec<&'a str>)> {
    let mut inline_modules: Vec<usize> = Vec::new();
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        inline_modules.retain(|&end| at < end);
        let text = |offset: usize| tokens.get(at + offset).map_or("", |token| token.text);
        if text(0) == "mod" && text(2) == "{" {
            inline_modules.push(lexer::matching_bracket(tokens, at + 2));
        }
        let mut up = 0;
        while text(2 * up) == "super" && text(2 * up + 1) == "::" {
            up += 1;
        }
        if text(0) == "crate" && text(1) == "::" {
            all_names(tokens, at + 2, &mut Vec::new(), &mut paths);
            at += 1;
        } else if let Some(left @ 1..) = up.checked_sub(inline_modules.len()) {
            let mut above = own_path[..own_path.len().saturating_sub(left)].to_vec();
            all_names(tokens, at + 2 * up, &mut above, &mut paths);
        }
        at += (2 * up).max(1);
    }
    paths
}

/// The path that goes on at `at` behind the names `before`; of a group in braces, each of its paths.
fn all_names<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    before: &mut Vec<&'a str>,
    paths: &mut Vec<(usize, Vec<&'a str>)>,
) {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let depth = before.len();
    while text(at) != "{" {
        let Some(name) = tokens.get(at) else { return };
        before.push(name.text);
        if text(at + 1) != "::" {
            paths.push((name.line, before.clone()));
            before.truncate(depth);
            return;
        }
        at += 2;
    }
    let end = lexer::matching_bracket(tokens, at);
    at += 1;
    while at < end {
        all_names(tokens, at, before, paths);
        while at < end && text(at) != "," {
            at = if text(at) == "{" { lexer::matching_bracket(tokens, at) } else { at } + 1;
        }
        at += 1;
    }
    before.truncate(depth);
}

/// Every file of the runtime, and the heart as a whole, stay within their budgets.
pub(crate) fn budgets(repo: &Repo) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut heart = 0;
    for file in repo.runtime_files() {
        let lines = lines_of_code(file);
        let is_map = house::path_of_file(&file.path).is_none();
        let (budget, holds) = match house::room_of_file(&file.path) {
            Some(room) => (room.lines, room.holds),
            None if is_map => (house::MAP_LINES, "a map"),
            None => continue,
        };
        // A peek is what only a dump asks for: a reader may skip it.
        if file.path.starts_with("runtime/src/heart/") && !file.path.ends_with("/peek.rs") {
            heart += lines;
        }
        if lines > budget {
            let says = format!(
                "{lines} lines of code, and {budget} are enough for {holds}; what in it can stand alone in a room of its own?"
            );
            found.push(Finding::new(&file.path, 1, says));
        }
    }
    if heart > HEART_LINES {
        let says =
            format!("the heart has {heart} lines of code; it is to be read in an afternoon and ends at {HEART_LINES}");
        found.push(Finding::new("runtime/src/lib.rs", 1, says));
    }
    found
}

/// The lines of a file that hold code which is no test.
fn lines_of_code(file: &File) -> usize {
    let (tokens, _) = lexer::without_tests(&file.tokens());
    tokens.iter().map(|token| token.line).collect::<BTreeSet<_>>().len()
}

/// `lib.rs` and the `mod.rs` of each wing declare every module, those of lower layers first.
pub(crate) fn reading_order(repo: &Repo) -> Vec<Finding> {
    let maps = std::iter::once(("", "runtime/src/lib.rs".to_string()))
        .chain(WINGS.map(|wing| (wing, format!("runtime/src/{wing}/mod.rs"))));
    maps.flat_map(|(wing, map)| out_of_order(repo, wing, &map)).collect()
}

/// The rooms that one map declares in another order than by layer, or not at all.
fn out_of_order(repo: &Repo, wing: &str, map: &str) -> Vec<Finding> {
    let map = match repo.require(map, "it is the map of what stands beside it") {
        Ok(map) => map,
        Err(missing) => return vec![missing],
    };
    let tokens = map.tokens();
    let path = |name| if wing.is_empty() { vec![name] } else { vec![wing, name] };
    let declared = tokens.windows(3).filter(|three| three[0].text == "mod" && three[2].text == ";");
    let rooms: Vec<(usize, &Room)> =
        declared.filter_map(|three| Some((three[0].line, house::room_of_path(&path(three[1].text))?))).collect();
    let mut found = Vec::new();
    for two in rooms.windows(2) {
        let ((_, above), (line, room)) = (two[0], two[1]);
        if room.layer < above.layer {
            let says = format!(
                "{} is on layer {}; declare it above {}, which is on layer {}",
                room.name, room.layer, above.name, above.layer
            );
            found.push(Finding::new(&map.path, line, says));
        }
    }
    let its_own = |room: &&Room| match room.name.split_once('/') {
        Some((first, _)) if WINGS.contains(&first) => first == wing,
        _ => wing.is_empty(),
    };
    for room in HOUSE.iter().filter(its_own) {
        let folder_or_file = format!("runtime/src/{}", room.name);
        if repo.exists(&folder_or_file) && rooms.iter().all(|(_, declared)| declared.name != room.name) {
            found.push(Finding::new(
                &map.path,
                1,
                format!("{} is declared nowhere, so nothing compiles it", room.name),
            ));
        }
    }
    found
}

/// The heart's own map names every file and folder beside it exactly once, at the beginning of a line: it is
/// the order in which they are to be read.
pub(crate) fn heart_map(repo: &Repo) -> Vec<Finding> {
    let map = match repo.require("runtime/src/heart/mod.rs", "it is the map of the heart") {
        Ok(map) => map,
        Err(missing) => return vec![missing],
    };
    let named: Vec<(usize, &str)> = map
        .lines()
        .filter_map(|(line, text)| Some((line, text.strip_prefix("//!")?.split_whitespace().next()?)))
        .filter(|(_, word)| word.ends_with(".rs") || word.ends_with('/'))
        .collect();
    let rooms = HOUSE.iter().filter_map(|room| room.name.strip_prefix("heart/"));
    let mut found = Vec::new();
    for (at, (line, name)) in named.iter().enumerate() {
        if !repo.exists(&format!("runtime/src/heart/{name}")) {
            found.push(Finding::new(&map.path, *line, format!("there is no {name} beside this file; mend the name")));
        } else if named[..at].iter().any(|(_, above)| above == name) {
            found.push(Finding::new(&map.path, *line, format!("{name} is there twice; name it once")));
        }
    }
    for name in rooms.filter(|name| repo.exists(&format!("runtime/src/heart/{name}"))) {
        if named.iter().all(|(_, there)| *there != name) {
            found.push(Finding::new(&map.path, 1, format!("{name} is not in the reading order; give it a line")));
        }
    }
    found
}

/// A function fits a screen.
pub(crate) fn functions_fit_a_screen(repo: &Repo) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in repo.rust_files() {
        for function in lexer::functions(&file.tokens()) {
            let lines = function.last_line + 1 - function.first_line;
            if lines > FUNCTION_LINES {
                let says = format!(
                    "`{}` has {lines} lines; give its parts names, until none has more than {FUNCTION_LINES}",
                    function.name
                );
                found.push(Finding::new(&file.path, function.first_line, says));
            }
        }
    }
    found
}

/// The runtime depends on seven crates, and on others only behind features. A crate that only its own tests need
/// does not count.
pub(crate) fn dependencies(repo: &Repo) -> Vec<Finding> {
    let manifest = match repo.require("runtime/Cargo.toml", "it names the seven dependencies") {
        Ok(manifest) => manifest,
        Err(missing) => return vec![missing],
    };
    let mut found = Vec::new();
    let mut in_dependencies = false;
    for (line, text) in manifest.lines() {
        let text = text.split('#').next().unwrap_or_default().trim();
        let name = if let Some(section) = text.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            let counts = !section.contains("dev-dependencies");
            in_dependencies = counts && section.ends_with("dependencies");
            section.rsplit_once("dependencies.").filter(|_| counts).map(|(_, name)| name)
        } else {
            text.split(['=', '.']).next().filter(|name| in_dependencies && !name.is_empty())
        };
        let name = name.map(|name| name.trim_matches([' ', '"']));
        let renamed = text.contains("package =") || text.contains("package=");
        let optional = text.replace(' ', "").contains("optional=true");
        let may = |name| DEPENDENCIES.contains(&name) || optional && OPTIONAL_DEPENDENCIES.contains(&name);
        if name.is_some_and(|name| renamed || !may(name)) {
            let says = format!(
                "the runtime depends on {}, on {} if that is optional, and on nothing else; do without it",
                DEPENDENCIES.join(", "),
                OPTIONAL_DEPENDENCIES.join(", ")
            );
            found.push(Finding::new(&manifest.path, line, says));
        }
    }
    found
}

/// A name is read at a glance, a test's too.
pub(crate) fn names_fit_a_glance(repo: &Repo) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in repo.rust_files() {
        for function in lexer::functions(&file.tokens()).iter().filter(|function| function.name.len() > NAME_LETTERS) {
            let says = format!(
                "`{}` has {} letters, and {NAME_LETTERS} are enough; the rest belongs into its comment",
                function.name,
                function.name.len()
            );
            found.push(Finding::new(&file.path, function.first_line, says));
        }
    }
    found
}

/// The runtime reads no clock that somebody can set.
pub(crate) fn wall_clock(repo: &Repo) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in repo.runtime_files() {
        for token in file.tokens().iter().filter(|token| ["SystemTime", "UNIX_EPOCH"].contains(&token.text)) {
            let says = format!("`{}` can be set back; the runtime counts by the monotonic clock alone", token.text);
            found.push(Finding::new(&file.path, token.line, says));
        }
    }
    found
}

#[test]
fn a_file_that_a_tool_left_in_the_top_folder_is_found() {
    let files = [("README.md", ""), ("docs/x.whl", ""), (".hidden", ""), ("left.whl", ""), ("made/by/a_tool.rs", "")];
    assert_eq!(findings(top_folder, &files), ["left.whl:1", "made:1"]);
}

#[test]
fn a_name_that_is_too_long_is_found() {
    let code =
        format!("//! Tests.\n\nfn {}() {{}}\nfn {}() {{}}\n", "a".repeat(NAME_LETTERS), "b".repeat(NAME_LETTERS + 1));
    assert_eq!(findings(names_fit_a_glance, &[("tests/it/a.rs", &code)]), ["tests/it/a.rs:4"]);
}

#[test]
fn a_look_at_the_wall_clock_is_found() {
    let code = "//! Timers: no SystemTime.\n\nuse std::time::{Instant, SystemTime};\n";
    assert_eq!(findings(wall_clock, &[("runtime/src/heart/timers.rs", code)]), ["runtime/src/heart/timers.rs:3"]);
    assert_eq!(findings(wall_clock, &[("demos/src/lib.rs", code)]), [""; 0]);
}

#[test]
fn a_file_without_a_header_is_found() {
    let files = [
        ("demos/src/bin/good.rs", "//! What this is.\n"),
        ("demos/src/bin/bad.rs", "\nfn main() {}\n"),
        ("demos/src/bin/curt.rs", "//! placeholder\n"),
        ("demos/src/bin/empty.rs", ""),
        ("demos/good.py", "#!/usr/bin/env python3\n\"\"\"What this is.\"\"\"\n"),
        ("demos/bad.py", "#!/usr/bin/env python3\nimport asyncio\n"),
        ("docs/tour.md", "no code"),
    ];
    assert_eq!(
        findings(headers, &files),
        ["demos/bad.py:2", "demos/src/bin/bad.rs:1", "demos/src/bin/curt.rs:1", "demos/src/bin/empty.rs:1"]
    );
}

#[test]
fn unsafe_code_outside_its_two_files_is_found() {
    let code = "// unsafe\n#[allow(unsafe_code)]\nfn f() {\n    \"unsafe\";\n    unsafe { g() }\n}\n";
    let files = [
        ("runtime/src/heart/waker.rs", code),
        ("runtime/src/ground/signals.rs", code),
        ("demos/src/bin/echo.rs", code),
    ];
    assert_eq!(findings(unsafe_code, &files), ["demos/src/bin/echo.rs:5"]);
}

#[test]
fn a_path_to_the_same_or_a_higher_layer_is_found() {
    let bad = |path, code| findings(layers, &[(path, code)]);
    let tasks = "runtime/src/heart/tasks/mod.rs";
    assert_eq!(bad("runtime/src/heart/key.rs", "use crate::heart::wheel::Wheel;"), ["runtime/src/heart/key.rs:1"]);
    assert_eq!(bad("runtime/src/heart/key.rs", "use super::wheel::Wheel;"), ["runtime/src/heart/key.rs:1"]);
    assert_eq!(bad(tasks, "fn f() {\n    crate::heart::runtime::turn();\n}"), [format!("{tasks}:2")]);
    assert_eq!(bad(tasks, "use crate::{\n    heart::{key::{Key, TaskKey},\n    waker},\n};"), [format!("{tasks}:3")]);
    assert_eq!(bad(tasks, "use super::reactor;"), [format!("{tasks}:1")]);
    assert_eq!(bad(tasks, "use super::super::see;"), [format!("{tasks}:1")]);
    assert_eq!(bad(tasks, "use crate::heart::Heart;"), [format!("{tasks}:1")]);
    assert_eq!(bad("runtime/src/net/tcp.rs", "use super::super::interop;"), ["runtime/src/net/tcp.rs:1"]);
    assert_eq!(bad("runtime/src/net/mod.rs", "use super::process;"), ["runtime/src/net/mod.rs:1"]);
    assert_eq!(bad("runtime/src/time/sleep.rs", "use crate::Runtime;"), ["runtime/src/time/sleep.rs:1"]);
    assert_eq!(
        bad("runtime/src/ground/sync.rs", "mod real {\n    use super::super::pool;\n}"),
        ["runtime/src/ground/sync.rs:2"]
    );
    assert_eq!(bad("runtime/src/cellar.rs", ""), ["runtime/src/cellar.rs:1"]);
}

#[test]
fn paths_downwards_and_within_a_room_are_fine() {
    let files = [
        ("runtime/src/lib.rs", "pub use crate::heart::runtime::Runtime;"),
        (
            "runtime/src/heart/tasks/mod.rs",
            "//! See [`crate::runtime`].\nuse crate::{heart::key::Key, heart::ready};\nfn f() { super::key::g() }",
        ),
        ("runtime/src/heart/tasks/peek.rs", "use super::Tasks; use super::super::key::Key;"),
        ("runtime/src/heart/timers.rs", "#[cfg(test)]\nmod tests { use crate::heart::runtime::Runtime; }"),
        ("runtime/src/net/tcp.rs", "use super::udp; use crate::net::unix; use crate::heart::core;"),
        ("runtime/src/ground/sync.rs", "mod real { use super::Flag; }"),
        ("tests/it/main.rs", "use crate::anything;"),
    ];
    assert_eq!(findings(layers, &files), [""; 0]);
}

#[test]
fn a_file_over_its_budget_is_found() {
    let code = |lines| format!("//! Docs.\n\n{}", "const A: u8 = 0;\n".repeat(lines));
    let budget = HOUSE[0].lines;
    let tested = code(budget) + "#[cfg(test)]\nmod tests {\n}\n";
    let key = "runtime/src/heart/key.rs";
    assert_eq!(findings(budgets, &[(key, &code(budget + 1))]), [format!("{key}:1")]);
    assert_eq!(findings(budgets, &[(key, &tested)]), [""; 0]);
    assert_eq!(findings(budgets, &[("runtime/src/lib.rs", &code(101))]), ["runtime/src/lib.rs:1"]);
}

#[test]
fn a_heart_over_its_limit_is_found() {
    let long = "const A: u8 = 0;\n".repeat(HEART_LINES + 1);
    let over = |path: &str| findings(budgets, &[(path, &long)]).contains(&"runtime/src/lib.rs:1".to_string());
    assert!(over("runtime/src/heart/runtime.rs"));
    assert!(over("runtime/src/heart/mod.rs"));
    assert!(!over("runtime/src/heart/tasks/peek.rs"));
    assert!(!over("runtime/src/ground/pool.rs"));
}

#[test]
fn modules_out_of_reading_order_or_forgotten_are_found() {
    let order = |lib, heart| {
        let maps =
            [("runtime/src/lib.rs", lib), ("runtime/src/heart/mod.rs", heart), ("runtime/src/ground/mod.rs", "")];
        let rooms = [("runtime/src/time/sleep.rs", ""), ("runtime/src/heart/key.rs", "")];
        findings(reading_order, &[&maps[..], &rooms].concat())
    };
    assert_eq!(order("pub mod task;\npub mod time;", "mod key;"), ["runtime/src/lib.rs:2"]);
    assert_eq!(order("pub mod time;", "mod tasks;\nmod key;"), ["runtime/src/heart/mod.rs:2"]);
    assert_eq!(order("mod heart;\n", "mod key;"), ["runtime/src/lib.rs:1"]);
    assert_eq!(order("pub mod time;", "mod wheel;"), ["runtime/src/heart/mod.rs:1"]);
    assert_eq!(order("mod heart;\npub mod time;", "mod key;\nmod tasks;"), [""; 0]);
    let missing = ["runtime/src/lib.rs:1", "runtime/src/ground/mod.rs:1", "runtime/src/heart/mod.rs:1"];
    assert_eq!(findings(reading_order, &[]), missing);
}

#[test]
fn a_file_that_the_heart_s_map_leaves_out_or_invents_is_found() {
    let map = |text| {
        let rooms = [("runtime/src/heart/key.rs", ""), ("runtime/src/heart/tasks/mod.rs", "")];
        findings(heart_map, &[&[("runtime/src/heart/mod.rs", text)][..], &rooms].concat())
    };
    let at = |line| format!("runtime/src/heart/mod.rs:{line}");
    assert_eq!(map("//!  tasks/  bodies\n//!  key.rs  keys"), [""; 0]);
    assert_eq!(map("//!  tasks/  bodies, by key.rs"), [at(1)]);
    assert_eq!(map("//!  tasks/  bodies\n//!  key.rs\n//!  key.rs"), [at(3)]);
    assert_eq!(map("//!  tasks/  bodies\n//!  key.rs\n//!  lock.rs"), [at(3)]);
    assert_eq!(findings(heart_map, &[]), [at(1)]);
}

#[test]
fn a_function_longer_than_a_screen_is_found() {
    let function = |lines: usize| format!("\nfn f() {{\n{}}}\n", "// }\n".repeat(lines - 2));
    let files = [("tests/fits.rs", function(FUNCTION_LINES)), ("tests/long.rs", function(FUNCTION_LINES + 1))];
    let files = files.each_ref().map(|(path, code)| (*path, code.as_str()));
    assert_eq!(findings(functions_fit_a_screen, &files), ["tests/long.rs:2"]);
}

#[test]
fn an_eighth_dependency_is_found() {
    let of = |manifest| findings(dependencies, &[("runtime/Cargo.toml", manifest)]);
    let bad = ["runtime/Cargo.toml:2"];
    assert_eq!(of("[dependencies]\ntokio = \"1\""), bad);
    assert_eq!(of("[dependencies]\nmio = { package = \"other\" }"), bad);
    assert_eq!(of("[target.'cfg(unix)'.dependencies]\nrand.workspace = true"), bad);
    assert_eq!(of("[build-dependencies]\n\"cc\" = \"1\""), bad);
    assert_eq!(of("\n[dependencies.rand]\nversion = \"1\""), bad);
    assert_eq!(of("[dependencies]\nhyper = \"1\""), bad);
    assert_eq!(of("[dependencies]\ntokio = { version = \"1\", optional = true }"), bad);
    assert_eq!(findings(dependencies, &[]), ["runtime/Cargo.toml:1"]);
    let good = "[dependencies]\nmio = \"1\" # for epoll\nlibc.workspace = true\n\
                hyper = { version = \"1\", optional = true }\n\n[dev-dependencies]\nproptest = \"1\"\n\
                [lints]\nworkspace = true";
    assert_eq!(of(good), [""; 0]);
}
