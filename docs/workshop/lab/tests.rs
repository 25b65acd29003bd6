//! The lab tells the truth: each program is short, its test tells, and its recording is that of the program.
//!
//! The clinic's cases are made from the same programs. After a change that is meant, make the recordings and the
//! cases anew, and look at the difference before you keep it:
//!
//! ```text
//! ONELOOP_UPDATE=1 cargo test -p oneloop-lab
//! ```

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use oneloop::see::Recording;

/// The programs that are listed as misconceptions. Those behind them are made for the clinic.
const LISTED: usize = 20;
const LONGEST: usize = 30;

struct Program {
    number: usize,
    /// The file's name without its ending.
    name: String,
    source: String,
}

impl Program {
    /// The sentence that somebody believed, and why it is wrong.
    fn belief_and_reason(&self) -> (&str, String) {
        let mut header = self.source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
        let belief = header.next().and_then(|line| line.split_once(". ")).map_or("", |(_, belief)| belief);
        (belief, header.collect::<Vec<_>>().join("\n").trim().to_owned())
    }

    /// The number and the code of the line in `broken!` or `mended!`.
    fn marked(&self, mark: &str) -> (usize, &str) {
        let marked = (1..).zip(self.source.lines()).filter_map(|(number, line)| {
            let code = line.trim().strip_prefix(mark)?.strip_prefix("! {")?.strip_suffix('}')?;
            Some((number, code.trim()))
        });
        let marked: Vec<_> = marked.collect();
        assert!(marked.len() == 1, "{} has {} lines with {mark}!, and not one", self.name, marked.len());
        marked[0]
    }
}

fn lab() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn programs() -> Vec<Program> {
    let files = fs::read_dir(lab()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<_> = files.filter_map(|name| name.strip_suffix(".rs").map(str::to_owned)).collect();
    let numbered = names.into_iter().filter(|name| name.starts_with(|first: char| first.is_ascii_digit()));
    let programs: Vec<_> = numbered
        .map(|name| {
            let number = name[..2].parse().unwrap();
            Program { number, source: read(&lab().join(&name).with_extension("rs")), name }
        })
        .collect();
    assert!(programs.iter().map(|program| program.number).eq(1..=programs.len()), "a number is missing");
    programs
}

/// Calls the lab with these words, and gives its exit code and what it printed.
fn call(words: &[&str], record: Option<&Path>) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    for (variable, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ONELOOP_")) {
        command.env_remove(variable);
    }
    command.args(words).env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    if let Some(path) = record {
        command.env("ONELOOP_RECORD", path);
    }
    let ran = command.output().unwrap_or_else(|error| panic!("the lab does not start: {error}"));
    let printed = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    (ran.status.code(), printed)
}

/// Runs a broken program, and gives its recording: as the program itself makes it, or without a diagnosis.
fn record(program: &Program, quietly: bool) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{quietly}.ndjson", program.name));
    let number = program.number.to_string();
    let (code, printed) = if quietly {
        call(&[&number, "--quietly", path.to_str().unwrap()], None)
    } else {
        call(&[&number], Some(&path))
    };
    assert_eq!(code, Some(1), "{}: {printed}", program.name);
    let recording = without_descriptor(&read(&path));
    let events = Recording::read(recording.as_bytes()).unwrap_or_else(|error| panic!("{}: {error}", program.name));
    assert_eq!(events.len() as usize, recording.lines().count() - 1, "{}", program.name);
    recording
}

/// The number of a descriptor is the system's choice, so a recording that is kept calls it 3.
fn without_descriptor(recording: &str) -> String {
    let mut parts = recording.split("\"address\":\"fd ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "\"address\":\"fd 3" + part.trim_start_matches(|letter: char| letter.is_ascii_digit())
    })
}

/// Compares files with what they should be, or writes them if that is asked for.
fn hold(files: Vec<(PathBuf, String)>) {
    let update = env::var_os("ONELOOP_UPDATE").is_some();
    let mut differ = Vec::new();
    for (path, now) in files {
        if update {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &now).unwrap();
        }
        let before = fs::read_to_string(&path).unwrap_or_default();
        if now != before {
            let line = now.lines().zip(before.lines()).take_while(|(now, before)| now == before).count() + 1;
            differ.push(format!("{}, from line {line} on", path.display()));
        }
    }
    assert!(
        differ.is_empty(),
        "these are no longer as the programs make them: {differ:#?}\n\
         if that is meant: ONELOOP_UPDATE=1 cargo test -p oneloop-lab"
    );
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn each_test_fails_the_broken_program_and_passes_the_mended_one() {
    for program in programs() {
        let number = program.number.to_string();
        let (broken, printed) = call(&[&number], None);
        // A panic of the program itself would end it with 101: then the test has told nothing.
        assert_eq!(broken, Some(1), "{} as broken: {printed}", program.name);
        assert!(printed.contains("the test fails"), "{} as broken: {printed}", program.name);
        let (mended, printed) = call(&[&number, "--mended"], None);
        assert_eq!(mended, Some(0), "{} as mended: {printed}", program.name);
    }
}

#[test]
fn a_program_has_thirty_lines_at_most_and_one_line_to_mend() {
    for program in programs() {
        let lines = program.source.lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines; {LONGEST} are enough", program.name);
        // Either the line is another one, or it stands elsewhere.
        let ((broken, was), (mended, is)) = (program.marked("broken"), program.marked("mended"));
        assert!(was != is || broken.abs_diff(mended) > 1, "{} is mended by the line it had", program.name);
        let (belief, reason) = program.belief_and_reason();
        assert!(belief.starts_with('"') && belief.ends_with("\""), "{} opens without a belief", program.name);
        assert!(!reason.is_empty(), "{} does not say why", program.name);
    }
}

#[test]
fn a_broken_program_leaves_the_recording_that_is_kept_of_it() {
    let kept = lab().join("recordings");
    let programs: Vec<_> = programs().into_iter().take(LISTED).collect();
    hold(programs.iter().map(|one| (kept.join(&one.name).with_extension("ndjson"), record(one, false))).collect());
    let expected: BTreeSet<_> = programs.iter().map(|one| format!("{}.ndjson", one.name)).collect();
    assert_eq!(names_in(&kept), expected);
}

/// Lines of a recording, in this order, that the table's column "you see on the page" tells of; and the number of all
/// lines that are like the last one.
const SEEN: [(&[&str], usize); LISTED] = [
    (&[r#""e":"spawn""#], 1),
    (&[r#""e":"timer_fired","timer":1"#, r#""e":"timer_set","timer":2"#], 1),
    (
        &[
            r#""name":"reader""#,
            r#""e":"poll_end","task":2,"outcome":"pending""#,
            r#""kind":"nobody_can_wake","task":2"#,
        ],
        1,
    ),
    (
        &[
            r#""name":"clerk""#,
            r#""e":"wake","task":2,"by":"task 1""#,
            r#""e":"finish","task":1"#,
            r#""e":"finish","task":2,"outcome":"aborted""#,
        ],
        1,
    ),
    (
        &[
            r#""e":"source_ready","source":1"#,
            r#""e":"source_drained","source":1"#,
            r#""e":"wait","task":2,"on":"read 1""#,
        ],
        2,
    ),
    (&[r#""e":"poll_start","task":2"#, r#""e":"timer_fired","timer":1"#, r#""e":"wake","task":1,"by":"task 1""#], 1),
    (
        &[
            r#""e":"wake","task":2,"by":"task 2""#,
            r#""e":"poll_start","task":1"#,
            r#""e":"poll_end","task":2,"outcome":"pending""#,
        ],
        2,
    ),
    (
        &[
            r#""slot":1,"by":"task 1","name":"ann""#,
            r#""slot":1,"by":"task 1","name":"ben""#,
            r#""e":"finish","task":3,"outcome":"aborted""#,
        ],
        1,
    ),
    (
        &[
            r#""e":"poll_start","task":3"#,
            r#""kind":"slow_poll","task":3"#,
            r#""e":"timer_fired","timer":1,"late":950000000"#,
        ],
        1,
    ),
    (&[r#""e":"poll_start","task":2"#, r#""e":"timer_fired","timer":1,"late":90000000"#], 1),
    (
        &[
            r#""e":"timer_set","timer":2,"slot":66,"by":"task 2""#,
            r#""e":"timer_set","timer":3,"slot":131,"by":"task 2""#,
            r#""e":"poll_end","task":2,"outcome":"panicked""#,
            r#""e":"timer_cancelled""#,
        ],
        1,
    ),
    (
        &[
            r#""e":"wake","task":1,"by":"task 2""#,
            r#""e":"timer_set","timer":3"#,
            r#""e":"wake","task":1,"by":"task 2""#,
        ],
        2,
    ),
    (
        &[
            r#""name":"ticker""#,
            r#""t":3500000000,"e":"poll_start","task":1"#,
            r#""e":"timer_set","timer":7,"slot":66,"by":"task 2""#,
        ],
        1,
    ),
    (&[r#""t":5000000000,"e":"timer_fired","timer":3"#, r#""t":5000000000,"e":"wake","task":2"#], 1),
    (&[r#""name":"slow""#, r#""name":"quick""#, r#""t":1000000000,"e":"poll_end","task":3,"outcome":"panicked""#], 1),
    (&[r#""t":2000000000,"e":"wait_dropped","task":1,"on":"join 2""#, r#""t":3000000000,"e":"finish","task":2"#], 1),
    (
        &[
            r#""e":"poll_start","task":2"#,
            r#""e":"poll_end","task":2"#,
            r#""e":"poll_start","task":3"#,
            r#""e":"poll_end","task":3"#,
        ],
        1,
    ),
    (
        &[
            r#""e":"wake","task":2,"by":"task 1""#,
            r#""e":"poll_start","task":2"#,
            r#""e":"poll_end","task":2,"outcome":"pending""#,
        ],
        2,
    ),
    (
        &[
            r#""e":"wake","task":1,"by":"task 1""#,
            r#""e":"poll_start","task":1"#,
            r#""e":"poll_end","task":1,"outcome":"pending""#,
        ],
        2,
    ),
    (&[r#""name":"asker""#, r#""e":"poll_start","task":2"#], 65),
];

#[test]
fn a_recording_shows_what_the_table_says_that_one_sees() {
    for (program, (lines, count)) in programs().iter().zip(SEEN) {
        let recording = read(&lab().join("recordings").join(&program.name).with_extension("ndjson"));
        let mut left = recording.lines();
        for line in lines {
            assert!(left.any(|there| there.contains(line)), "{}: the recording has no {line} there", program.name);
        }
        let last = lines.last().expect("each has one");
        let like = recording.lines().filter(|there| there.contains(last)).count();
        assert_eq!(like, count, "{}: so many lines have {last}", program.name);
    }
}

#[test]
fn the_table_of_the_lab_has_each_misconception_and_its_program() {
    let page = read(&lab().join("README.md"));
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| [")).collect();
    let programs = programs();
    assert_eq!(rows.len(), LISTED);
    for (row, program) in rows.iter().zip(&programs) {
        let (belief, _) = program.belief_and_reason();
        let belief = belief.trim_matches('"').trim_end_matches('.');
        let cell = format!("| [{}]({}.rs) | {belief} |", program.number, program.name);
        assert!(row.starts_with(&cell), "the row {row}\nbegins otherwise than {cell}");
    }
    let shown = call(&[], None).1;
    assert!(shown.lines().eq(programs.iter().map(|one| one.source.lines().next().unwrap().trim_start_matches("//! "))));
}

#[test]
fn a_number_that_is_none_is_a_usage_error() {
    for words in [&["0"][..], &["28"], &["x"], &["1", "--oops"]] {
        let (code, printed) = call(words, None);
        assert_eq!(code, Some(2), "{words:?}: {printed}");
    }
}

/// A program as the clinic deals it: without its header, and with the broken line in its place. Beside it, the
/// number that each line of the source has there.
fn disguise(program: &Program, number: usize, title: &str) -> (String, Vec<usize>) {
    let (broken, code) = program.marked("broken");
    let (mended, _) = program.marked("mended");
    let mut dealt = vec![format!("//! Case {number}: {title}.")];
    let mut places = vec![0];
    for (at, line) in (1..).zip(program.source.lines()) {
        if line.starts_with("//!") || at == mended {
            places.push(dealt.len());
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        dealt.push(if at == broken { format!("{indent}{code}") } else { line.to_owned() });
        places.push(dealt.len());
    }
    (dealt.join("\n") + "\n", places)
}

/// A recording whose places are those of the program as it is dealt.
fn move_places(recording: &str, program: &Program, places: &[usize]) -> String {
    let main = program.source.lines().position(|line| line.starts_with("pub async fn program")).unwrap() + 1;
    let mut parts = recording.split("\"at\":\"docs/workshop/lab/");
    let mut moved = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (place, rest) = part.split_once('"').unwrap();
        let mut place = place.rsplitn(3, ':');
        let (column, line, file) = (place.next().unwrap(), place.next().unwrap(), place.next().unwrap());
        let line = if file == "programs.rs" { main } else { line.parse().unwrap() };
        moved += &format!("\"at\":\"program.rs:{}:{column}\"{rest}", places[line]);
    }
    moved
}

/// So that nobody reads an answer by accident: base64, 76 letters a line.
fn seal(answer: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut sealed = String::new();
    for three in answer.as_bytes().chunks(3) {
        let bits = (0..3).fold(0u32, |bits, at| bits << 8 | u32::from(*three.get(at).unwrap_or(&0)));
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            sealed.push(if at <= three.len() { char::from(letter) } else { '=' });
        }
        if sealed.len() % 77 == 76 {
            sealed.push('\n');
        }
    }
    sealed.trim_end().to_owned() + "\n"
}

#[test]
fn a_seal_is_base64() {
    for (text, sealed) in [("", "\n"), ("f", "Zg==\n"), ("fo", "Zm8=\n"), ("foo", "Zm9v\n"), ("foobar", "Zm9vYmFy\n")] {
        assert_eq!(seal(text), sealed);
    }
    assert_eq!(seal(&"x".repeat(58)).lines().map(str::len).collect::<Vec<_>>(), [76, 4]);
}

#[test]
fn each_case_of_the_clinic_is_as_its_program_makes_it() {
    let (programs, clinic) = (programs(), lab().parent().unwrap().join("clinic"));
    let mut files = Vec::new();
    let mut folders = BTreeSet::from(["README.md".to_owned()]);
    let listed = call(&["--cases"], None).1;
    for case in listed.lines() {
        let [number, level, title, file] = case.split('\t').collect::<Vec<_>>()[..] else { panic!("{case}") };
        let program = programs.iter().find(|program| file == format!("{}.rs", program.name)).unwrap();
        let (dealt, places) = disguise(program, number.parse().unwrap(), title);
        let (line, code) = program.marked("broken");
        let (mended, mended_code) = program.marked("mended");
        let (belief, reason) = program.belief_and_reason();
        let place =
            if mended.abs_diff(line) == 1 { String::new() } else { format!(", behind line {}", places[mended]) };
        let answer = format!(
            "line {}\n\nThe belief: {belief}\n\nThe line:   {code}\nMended{place}: {mended_code}\n\n{reason}\n\nThe program stands in docs/workshop/lab/{file}.\n",
            places[line],
        );
        let minutes = 2 + 2 * level.parse::<u32>().unwrap();
        let name = format!("{number:0>2}");
        let folder = clinic.join(&name);
        files.extend([
            (folder.join("recording.ndjson"), move_places(&record(program, true), program, &places)),
            (folder.join("program.rs"), dealt),
            (folder.join("answer.b64"), seal(&answer)),
            (folder.join("case.toml"), format!("title = \"{title}\"\ndifficulty = {level}\nminutes = {minutes}\n")),
        ]);
        assert!(folders.insert(name), "case {number} is there twice");
    }
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with("recording.ndjson")) {
        assert!(!text.contains("\"finding\"") && !text.contains("docs/"), "{} tells too much", path.display());
    }
    hold(files);
    assert_eq!(names_in(&clinic), folders);
    assert!((1..).map(|number| format!("{number:02}")).take(folders.len() - 1).all(|name| folders.contains(&name)));
}

#[test]
fn a_program_that_is_shown_stays_with_its_page_until_a_signal() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(["2", "--mended"]).env("ONELOOP_SEE", "127.0.0.1:0").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut lab = command.spawn().unwrap();
    let mut said = BufReader::new(lab.stderr.take().unwrap()).lines();
    // A lab that ends at once says no such line.
    let stays = said.any(|line| line.unwrap().contains("the virtual clock is through"));
    let signal = Command::new("kill").args(["-INT", &lab.id().to_string()]).status();
    assert!(lab.wait().unwrap().success() && stays && signal.unwrap().success());
}
