//! The files of the project, read once, and what a rule has to say about them.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fmt, fs};

use crate::lexer;

/// One file. Its path is relative to the project's top folder, with `/` between the names.
pub(crate) struct File {
    pub(crate) path: String,
    /// Empty for a file that is not text.
    pub(crate) text: String,
    /// The words of the code and their lines; none for a file that is not Rust.
    words: Vec<(String, usize)>,
}

impl File {
    fn new(path: &str, text: String) -> Self {
        let words = if path.ends_with(".rs") { lexer::take_apart(&text) } else { Vec::new() };
        Self { path: path.to_string(), text, words }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The tokens of a Rust file, tests and all.
    pub(crate) fn tokens(&self) -> Vec<lexer::Token<'_>> {
        lexer::tokens(&self.words)
    }

    /// The lines of the text, numbered from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }
}

/// All files of the project, by path.
pub(crate) struct Repo {
    files: BTreeMap<String, File>,
}

impl Repo {
    /// Reads the project that this test belongs to.
    pub(crate) fn read() -> Self {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests live one folder below the top");
        let ignored = fs::read_to_string(top.join(".gitignore")).unwrap_or_default();
        let mut ignored: Vec<&str> = ignored.lines().map(|line| line.trim_matches('/')).collect();
        ignored.push(".git");
        let mut files = BTreeMap::new();
        read_folder(top, "", &ignored, &mut files);
        Self { files }
    }

    /// A project of a few files that exists only here, to see a rule fail.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|&(path, text)| (path.to_string(), File::new(path, text.to_string())));
        Self { files: files.collect() }
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.values()
    }

    pub(crate) fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// Whether the path is a file's, or a folder's that has a file.
    pub(crate) fn exists(&self, path: &str) -> bool {
        let folder = if path.is_empty() { String::new() } else { format!("{}/", path.trim_end_matches('/')) };
        self.files.contains_key(path) || self.files.keys().any(|file| file.starts_with(&folder))
    }

    /// The file, or the finding that it is not there.
    pub(crate) fn require(&self, path: &str, purpose: &str) -> Result<&File, Finding> {
        self.get(path).ok_or_else(|| Finding::new(path, 1, format!("the file is missing; write it: {purpose}")))
    }

    pub(crate) fn rust_files(&self) -> impl Iterator<Item = &File> {
        self.files().filter(|file| file.is_rust())
    }

    pub(crate) fn runtime_files(&self) -> impl Iterator<Item = &File> {
        self.rust_files().filter(|file| file.path.starts_with("runtime/src/"))
    }

    /// The pages a reader opens: those at the top, and those in `docs`.
    pub(crate) fn pages(&self) -> impl Iterator<Item = &File> {
        self.files()
            .filter(|file| file.path.ends_with(".md"))
            .filter(|file| file.path.starts_with("docs/") || !file.path.contains('/'))
    }
}

fn read_folder(top: &Path, folder: &str, ignored: &[&str], files: &mut BTreeMap<String, File>) {
    let entries = fs::read_dir(top.join(folder)).unwrap_or_else(|error| panic!("cannot list {folder}: {error}"));
    for entry in entries {
        let entry = entry.unwrap_or_else(|error| panic!("cannot list {folder}: {error}"));
        let name =
            entry.file_name().into_string().unwrap_or_else(|name| panic!("{folder}{name:?} is not UTF-8; rename it"));
        let path = format!("{folder}{name}");
        // A symbolic link is neither: what it points to is read where it is.
        let kind = entry.file_type().unwrap_or_else(|error| panic!("cannot look at {path}: {error}"));
        if ignored.contains(&name.as_str()) {
            continue;
        } else if kind.is_dir() {
            read_folder(top, &format!("{path}/"), ignored, files);
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
            files.insert(path.clone(), File::new(&path, String::from_utf8(bytes).unwrap_or_default()));
        }
    }
}

/// A place where a rule does not hold, and the way out.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) line: usize,
    says: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, says: impl Into<String>) -> Self {
        Self { path: path.to_string(), line, says: says.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.says)
    }
}

/// A rule looks at the whole project and says where it does not hold.
pub(crate) type Rule = fn(&Repo) -> Vec<Finding>;

/// The places where `rule` finds something in a project of these files, as `path:line`.
pub(crate) fn findings(rule: Rule, files: &[(&str, &str)]) -> Vec<String> {
    rule(&Repo::of(files)).into_iter().map(|finding| format!("{}:{}", finding.path, finding.line)).collect()
}

#[test]
fn a_folder_exists_while_a_file_is_in_it() {
    let repo = Repo::of(&[("docs/tour.md", "# Tour")]);
    for (path, exists) in
        [("docs/tour.md", true), ("docs", true), ("docs/", true), ("", true), ("doc", false), ("docs/x", false)]
    {
        assert_eq!(repo.exists(path), exists, "{path}");
    }
}

#[test]
fn the_project_is_found_and_read() {
    let repo = Repo::read();
    assert!(repo.get("tests/tidy/repo.rs").is_some_and(|file| file.text.starts_with("//!")));
    assert!(repo.files().all(|file| !file.path.starts_with("target/") && !file.path.starts_with(".git/")));
}
