//! The rule that keeps `docs/tour.md` true: what it names is there.
//!
//! The tour leads through the code by the names of files and functions in backticks:
//!
//! - `` `timers.rs` `` or `` `time/sleep.rs` `` names a file, of the runtime if it has one of that name;
//! - `` `Type::function` `` names a function of any file of the runtime, also in a fenced block;
//! - `` `function` `` names a function of a file that is named under the same heading, up to there;
//! - a name that opens with a library's (`std::mem::take`), that ends in a capital letter's word
//!   (`Poll::Pending`), or that is more than a name (`queued = true`, `epoll_wait(2)`, `.queued`) is not looked at.

use crate::house::DEPENDENCIES;
use crate::lexer;
use crate::markdown::{self, Line};
use crate::repo::{File, Finding, Repo, findings};

const TOUR: &str = "docs/tour.md";

/// Words that look like functions and are none.
const NO_FUNCTIONS: [&str; 27] = [
    "as", "async", "await", "break", "const", "crate", "else", "enum", "false", "fn", "for", "if", "impl", "let",
    "loop", "match", "move", "mut", "oneloop", "return", "self", "static", "struct", "super", "true", "usize", "while",
];

/// The tour names no file and no function that does not exist.
pub(crate) fn tour(repo: &Repo) -> Vec<Finding> {
    let page = match repo.require(TOUR, "the life of one wake, by the names of its functions") {
        Ok(page) => page,
        Err(missing) => return vec![missing],
    };
    let mut found = Vec::new();
    let mut functions = 0;
    let everywhere: Vec<&File> = repo.runtime_files().collect();
    let mut files: Vec<&File> = Vec::new();
    for paragraph in paragraphs(markdown::lines(page)) {
        if paragraph[0].text.starts_with('#') {
            files.clear();
        }
        for (line, name) in names(&paragraph).filter(|(_, name)| name.ends_with(".rs")) {
            match file_of_name(repo, name) {
                Ok(file) => files.push(file),
                Err(says) => found.push(Finding::new(TOUR, line, says)),
            }
        }
        for (line, name) in function_names(&paragraph) {
            functions += 1;
            let look_in = if name.contains("::") { &everywhere } else { &files };
            if !look_in.iter().any(|file| has_function(file, &name)) {
                let looked: Vec<&str> =
                    look_in.iter().map(|file| file.path.as_str()).filter(|_| !name.contains("::")).collect();
                found.push(Finding::new(TOUR, line, objection(&name, &looked)));
            }
        }
    }
    if functions == 0 {
        found.push(Finding::new(
            TOUR,
            1,
            "the tour names no function; lead through the code by `Type::function` in `file.rs`",
        ));
    }
    found
}

fn objection(name: &str, looked: &[&str]) -> String {
    let place = if looked.is_empty() { "any file of the runtime".to_string() } else { looked.join(" or ") };
    format!(
        "there is no function `{name}` in {place}; name the file in the same paragraph, or mend the name (a field is written `.{name}`, another crate's function with its crate's name)"
    )
}

/// Lines that belong together: up to an empty line, a list item, a table row, a heading or a fence.
fn paragraphs(lines: Vec<Line<'_>>) -> Vec<Vec<Line<'_>>> {
    let mut paragraphs: Vec<Vec<Line<'_>>> = Vec::new();
    for line in lines {
        let text = line.text.trim_start();
        let marker = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let item = text.starts_with(['|', '#'])
            || marker.starts_with(". ")
            || text.starts_with("- ")
            || text.starts_with("* ");
        match paragraphs.last_mut() {
            Some(last) if line.fenced && last[0].fenced => last.push(line),
            Some(last) if !line.fenced && !last[0].fenced && !item && !text.is_empty() => {
                last.push(line);
            }
            _ => paragraphs.push(vec![line]),
        }
    }
    paragraphs
}

/// What stands in backticks in a paragraph, with a call's empty parentheses taken off.
fn names<'a>(paragraph: &[Line<'a>]) -> impl Iterator<Item = (usize, &'a str)> {
    let prose = paragraph.iter().filter(|line| !line.fenced);
    prose.flat_map(|line| line.code_spans().map(|name| (line.number, name.trim_end_matches("()"))))
}

fn function_names(paragraph: &[Line<'_>]) -> Vec<(usize, String)> {
    let of_prose = names(paragraph).map(|(line, name)| (line, name.to_string()));
    let of_fences = paragraph.iter().filter(|line| line.fenced).flat_map(|line| {
        let words = line.text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != ':');
        let words = words.map(|word| word.trim_matches(':')).filter(|word| word.contains("::"));
        words.map(|word| (line.number, word.to_string()))
    });
    of_prose.chain(of_fences).filter(|(_, name)| names_a_function(name)).collect()
}

fn names_a_function(name: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let words: Vec<&str> = name.split("::").collect();
    let library =
        DEPENDENCIES.iter().any(|library| library.replace('-', "_") == words[0]) || ["std", "core"].contains(&words[0]);
    let last = words[words.len() - 1];
    words.iter().all(|word| is_word(word))
        && !library
        && last.starts_with(|letter: char| letter.is_ascii_lowercase())
        && !NO_FUNCTIONS.contains(&last)
        && !(words.len() == 1 && last.bytes().any(|byte| byte.is_ascii_digit()) && last.len() <= 4)
}

/// The file of that path from the top, of that path in the runtime, or the only one that ends so.
fn file_of_name<'a>(repo: &'a Repo, name: &str) -> Result<&'a File, String> {
    if let Some(file) = repo.get(&format!("runtime/src/{name}")).or_else(|| repo.get(name)) {
        return Ok(file);
    }
    let end = format!("/{name}");
    let mut files = repo.rust_files().filter(|file| file.path.ends_with(&end));
    match (files.next(), files.next()) {
        (Some(file), None) => Ok(file),
        (Some(one), Some(other)) => {
            Err(format!("`{name}` may be {} or {}; write more of its path", one.path, other.path))
        }
        (None, _) => Err(format!("there is no file `{name}`; mend the name")),
    }
}

fn has_function(file: &File, name: &str) -> bool {
    let (tokens, _) = lexer::without_tests(&file.tokens());
    let mut words = name.rsplit("::");
    let (last, owner) = (words.next(), words.next());
    let owner = owner.filter(|owner| owner.starts_with(|letter: char| letter.is_ascii_uppercase()));
    lexer::functions(&tokens)
        .iter()
        .any(|function| Some(function.name) == last && owner.is_none_or(|owner| function.owners.contains(&owner)))
}

const CODE: [(&str, &str); 3] = [
    ("runtime/src/heart/waker.rs", "fn route() {}\n#[cfg(test)]\nmod tests { fn only_a_test() {} }"),
    ("runtime/src/heart/tasks.rs", "impl Tasks { fn wake(&mut self) {} }"),
    ("runtime/src/time/sleep.rs", "impl Future for Sleep { fn poll(self) {} }"),
];

fn lines_found(page: &str) -> Vec<String> {
    let files: Vec<_> = CODE.into_iter().chain([(TOUR, page)]).collect();
    findings(tour, &files)
}

#[test]
fn a_function_that_is_not_in_the_named_file_is_found() {
    assert_eq!(lines_found("In `waker.rs`\nthere is `rout`."), ["docs/tour.md:2"]);
    assert_eq!(lines_found("`waker.rs`: `wake`"), ["docs/tour.md:1"]);
    assert_eq!(lines_found("`tasks.rs`: `Waker::wake()`"), ["docs/tour.md:1"]);
    assert_eq!(lines_found("`waker.rs`: `only_a_test`"), ["docs/tour.md:1"]);
    assert_eq!(lines_found("- `wake`\n- `tasks.rs`"), ["docs/tour.md:1"]);
    assert_eq!(lines_found("`tasks.rs` has `wake`.\n\n# Next\n\nIt has `wake`."), ["docs/tour.md:5"]);
    assert_eq!(lines_found("`route` in `waker.rs`\n```\nTasks::wake -> Tasks::gone\n```"), ["docs/tour.md:3"]);
}

#[test]
fn a_tour_of_nothing_is_found() {
    assert_eq!(lines_found("# Tour\nNo names."), ["docs/tour.md:1"]);
    assert_eq!(findings(tour, &[]), ["docs/tour.md:1"]);
    assert_eq!(lines_found("`gone.rs` and `waker.rs`: `route`"), ["docs/tour.md:1"]);
}

#[test]
fn functions_are_found_where_the_tour_says() {
    let page = "1. `route()` in `waker.rs` calls\n   `Tasks::wake` in `tasks.rs`.\n2. It sets `.queued`, after `std::mem::take` and `mio::Poll::poll`.\n\n\
                Still `Tasks::wake`; then `Sleep::poll`, also called `Future::poll`, of `time/sleep.rs` gives `Poll::Pending`.\n\
                | `sleep.rs` | `poll`, with `epoll_wait(2)`, `u64` and `async` |\n";
    assert_eq!(lines_found(page), [""; 0]);
}
