//! The rules that keep `docs/tour.md` true: all that it names is there, and each link leads to the line.
//!
//! The tour leads through the code by the names of files and functions in backticks:
//!
//! - `` `timers.rs` `` or `` `time/sleep.rs` `` names a file, of the runtime if it has one of that name;
//! - `` `Type::function` `` names a function of any file of the runtime, also in a fenced block;
//! - `` `function` `` names a function of a file that is named under the same heading, up to there;
//! - a function in the text is a link, `` [`function`] ``, to the line of its `fn`. The list at the page's end has
//!   these lines. `ONELOOP_UPDATE=1 cargo test -p oneloop-tests --test tidy the_tour` writes it anew;
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

/// Opens the list of the functions' lines, which ends the page.
const LIST: &str = "<!-- written by ONELOOP_UPDATE=1 cargo test -p oneloop-tests --test tidy the_tour -->\n\n";

/// A function that the tour names.
struct Mention {
    /// The tour's line.
    line: usize,
    name: String,
    /// Not in a block of code, so it is to be a link.
    is_text: bool,
    is_link: bool,
    /// Its file and its line there, or what is wrong with the name.
    place: Result<(String, usize), String>,
}

/// The tour names no file and no function that does not exist.
pub(crate) fn tour(repo: &Repo) -> Vec<Finding> {
    let page = match repo.require(TOUR, "the life of one wake, by the names of its functions") {
        Ok(page) => page,
        Err(missing) => return vec![missing],
    };
    let (mentions, mut found) = mentions(repo, page);
    if mentions.is_empty() {
        found.push(Finding::new(
            TOUR,
            1,
            "the tour names no function; lead through the code by `Type::function` in `file.rs`",
        ));
    }
    found.extend(
        mentions.into_iter().filter_map(|mention| Some(Finding::new(TOUR, mention.line, mention.place.err()?))),
    );
    found
}

/// Each function in the tour's text is a link, and the list at the end leads it to the line of its `fn`.
pub(crate) fn lines_of_functions(repo: &Repo) -> Vec<Finding> {
    let Some(page) = repo.get(TOUR) else { return Vec::new() };
    let (mentions, _) = mentions(repo, page);
    let mut found = Vec::new();
    for Mention { line, name, .. } in mentions.iter().filter(|mention| mention.is_text && !mention.is_link) {
        found.push(Finding::new(TOUR, *line, format!("`{name}` is no link; write [`{name}`]")));
    }
    let list = list_of_lines(&mentions);
    for one in &mentions {
        let is_other = |other: &&Mention| other.name == one.name && other.line > one.line && other.place != one.place;
        if let Some(other) = mentions.iter().filter(|other| other.is_link && one.is_link).find(is_other) {
            let says = format!("`{}` is another function than in line {}; write `Type::{0}`", one.name, one.line);
            found.push(Finding::new(TOUR, other.line, says));
        }
    }
    let written = page.text.split_once(LIST).map_or("", |(_, list)| list);
    if list != written {
        let moved: Vec<&str> = list.lines().filter(|entry| !written.lines().any(|line| line == *entry)).collect();
        let now = |entry: &str| format!("{} now", entry.replacen("]: ", "] stands at ", 1));
        let says = match moved[..] {
            [] => "the list of lines at the end of the tour has entries too many, or another order".to_string(),
            [one] => now(one),
            [one, ..] => format!("{}, and {} more have moved", now(one), moved.len() - 1),
        };
        let label = moved.first().and_then(|entry| entry.split("]: ").next());
        let is_old = |text: &str| label.is_some_and(|label| text.starts_with(label) && text.contains("]: "));
        let line = page.lines().find(|(_, text)| is_old(text)).map_or(page.lines().count(), |(line, _)| line);
        found.push(Finding::new(
            TOUR,
            line,
            format!("{says}; to write all of them: ONELOOP_UPDATE=1 cargo test -p oneloop-tests --test tidy the_tour"),
        ));
    }
    found
}

/// Writes the list anew, if `ONELOOP_UPDATE` is set. Says whether it is.
pub(crate) fn update_if_asked() -> bool {
    let is_asked = std::env::var_os("ONELOOP_UPDATE").is_some();
    if is_asked {
        let repo = Repo::read();
        let page = repo.get(TOUR).unwrap_or_else(|| panic!("{TOUR} is missing"));
        let text = page.text.split_once(LIST).map_or(page.text.as_str(), |(text, _)| text).trim_end();
        let list = list_of_lines(&mentions(&repo, page).0);
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(TOUR);
        std::fs::write(path, format!("{text}\n\n{LIST}{list}"))
            .unwrap_or_else(|error| panic!("{TOUR} cannot be written: {error}"));
    }
    is_asked
}

/// An entry for each function that is a link, in the order of the page.
fn list_of_lines(mentions: &[Mention]) -> String {
    let mut entries: Vec<String> = Vec::new();
    for Mention { name, place, .. } in mentions.iter().filter(|mention| mention.is_link) {
        let Ok((path, line)) = place else { continue };
        let entry = format!("[`{name}`]: ../{path}#L{line}\n");
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries.concat()
}

/// The functions that the page names, and what is wrong with its names of files.
fn mentions(repo: &Repo, page: &File) -> (Vec<Mention>, Vec<Finding>) {
    let (mut mentions, mut found) = (Vec::new(), Vec::new());
    let everywhere: Vec<&File> = repo.runtime_files().collect();
    let mut files: Vec<&File> = Vec::new();
    let text = markdown::lines(page).into_iter().filter(|line| !is_entry(line));
    for paragraph in paragraphs(text.collect()) {
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
            let mut look_in = files.clone();
            look_in.reverse();
            if name.contains("::") {
                look_in.extend(&everywhere);
            }
            let place = look_in.iter().find_map(|file| Some((file.path.clone(), line_of_function(file, &name)?)));
            let looked = look_in.iter().map(|file| file.path.as_str()).filter(|_| !name.contains("::"));
            let place = place.ok_or_else(|| objection(&name, &looked.collect::<Vec<_>>()));
            let written = paragraph.iter().find(|text| text.number == line);
            let is_text = written.is_some_and(|text| !text.fenced);
            let is_link = is_text && written.is_some_and(|text| text.text.contains(&format!("[`{name}`]")));
            mentions.push(Mention { line, name, is_text, is_link, place });
        }
    }
    (mentions, found)
}

/// Whether a line is one of the list at the end of the tour.
fn is_entry(line: &Line<'_>) -> bool {
    !line.fenced && line.text.starts_with("[`") && line.text.contains("`]: ")
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

/// The texts in backticks in a paragraph, with a call's empty parentheses taken off.
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

/// The line of a function's `fn`.
fn line_of_function(file: &File, name: &str) -> Option<usize> {
    let (tokens, _) = lexer::without_tests(&file.tokens());
    let mut words = name.rsplit("::");
    let (last, owner) = (words.next(), words.next());
    let owner = owner.filter(|owner| owner.starts_with(|letter: char| letter.is_ascii_uppercase()));
    let functions = lexer::functions(&tokens);
    let is_meant = |function: &&lexer::Function<'_>| {
        Some(function.name) == last && owner.is_none_or(|owner| function.owners.contains(&owner))
    };
    functions.iter().find(is_meant).map(|function| function.first_line)
}

const CODE: [(&str, &str); 3] = [
    ("runtime/src/heart/waker.rs", "fn route() {} fn wake() {}\n#[cfg(test)]\nmod tests { fn only_a_test() {} }"),
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
    assert_eq!(lines_found("`sleep.rs`: `wake`"), ["docs/tour.md:1"]);
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

#[test]
fn a_line_of_the_tour_that_is_not_the_function_s_is_found() {
    let page = |rest: &str| format!("In `waker.rs`\n[`route`] calls [`Tasks::wake`].\n\n{LIST}{rest}");
    let of = |page: &str| {
        let files: Vec<_> = CODE.into_iter().chain([(TOUR, page)]).collect();
        findings(lines_of_functions, &files)
    };
    let list = "[`route`]: ../runtime/src/heart/waker.rs#L1\n[`Tasks::wake`]: ../runtime/src/heart/tasks.rs#L1\n";
    assert_eq!(of(&page(list)), [""; 0]);
    assert_eq!(of(&page(&list.replace("tasks.rs#L1", "tasks.rs#L2"))), ["docs/tour.md:7"]);
    assert_eq!(of(&page(&list.replace("heart/tasks.rs", "tasks.rs"))), ["docs/tour.md:7"]);
    assert_eq!(of(&page("")), ["docs/tour.md:5"]);
    assert_eq!(of(&page(&format!("{list}[`gone`]: ../gone.rs#L1\n"))), ["docs/tour.md:8"]);
    assert_eq!(of("In `waker.rs` there is `route`.\n"), ["docs/tour.md:1"]);
    let two = "# One\n`waker.rs`: [`wake`]\n# Two\n`tasks.rs`: [`wake`]\n";
    assert_eq!(of(two)[0], "docs/tour.md:4");
}
