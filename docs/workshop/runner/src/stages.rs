//! The stages, as they are on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Said;
use crate::toml::Toml;

/// One stage.
pub(crate) struct Stage {
    pub(crate) number: usize,
    /// The name of its folder.
    pub(crate) folder: String,
    pub(crate) path: PathBuf,
    pub(crate) title: String,
    pub(crate) minutes: u64,
    pub(crate) toml: Toml,
}

impl Stage {
    /// The wrong versions: name, and the tests that must kill it.
    pub(crate) fn broken(&self) -> Vec<(String, Vec<String>)> {
        let names = self.toml.sections("broken");
        names.into_iter().map(|name| (name.clone(), self.toml.list(&format!("broken.{name}"), "kills"))).collect()
    }

    /// The text of a wrong version's patch.
    pub(crate) fn patch(&self, name: &str) -> Said<String> {
        read(&self.path.join(format!("broken/{name}.patch")))
    }

    /// The stage's own files below `folder`, by their path there.
    pub(crate) fn files(&self, folder: &str) -> Said<Vec<(String, String)>> {
        let mut files = Vec::new();
        collect(&self.path.join(folder), folder, &mut files)?;
        Ok(files)
    }

    pub(crate) fn readme(&self) -> PathBuf {
        self.path.join("README.md")
    }

    /// Modules of earlier tests that go through a hole of this stage, which replaces a step of the machine.
    pub(crate) fn passes_through(&self) -> Vec<String> {
        self.toml.list("", "passes_through")
    }

    /// The module of its tests.
    pub(crate) fn module(&self) -> String {
        format!("stage_{:02}", self.number)
    }
}

/// The files below a folder, with `name` in front of their path there.
pub(crate) fn collect(folder: &Path, name: &str, files: &mut Vec<(String, String)>) -> Said<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        let name = format!("{name}/{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            collect(&path, &name, files)?;
        } else {
            files.push((name, read(&path)?));
        }
    }
    Ok(())
}

/// A file's text, or a sentence that names it.
pub(crate) fn read(path: &Path) -> Said<String> {
    fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

/// Writes a file, and the folders above it.
pub(crate) fn write(path: &Path, text: &str) -> Said<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| refused(folder, "made", &error))?;
    }
    fs::write(path, text).map_err(|error| refused(path, "written", &error))
}

/// The sentence about a path that the system refuses, with the way out.
fn refused(path: &Path, what: &str, error: &io::Error) -> String {
    let way_out = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; make its folder yours to write, or begin in another with `cargo stage start DIR`"
        }
        _ => "",
    };
    format!("{} cannot be {what}: {error}{way_out}", path.display())
}

/// The project that this program was built from.
pub(crate) fn project() -> PathBuf {
    let runner = Path::new(env!("CARGO_MANIFEST_DIR"));
    runner.ancestors().nth(3).unwrap_or(runner).to_owned()
}

/// The workshop's folder.
pub(crate) fn workshop() -> PathBuf {
    project().join("docs/workshop")
}

/// All stages, in order. Their numbers have no gap.
pub(crate) fn all() -> Said<Vec<Stage>> {
    let folder = workshop().join("stages");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{} cannot be read: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let mut stages = Vec::new();
    for path in paths.into_iter().filter(|path| path.is_dir()) {
        let folder = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = path.join("stage.toml");
        let toml = Toml::parse(&read(&file)?).map_err(|error| format!("{}: {error}", file.display()))?;
        let number = stages.len();
        if folder.get(..2).and_then(|digits| digits.parse().ok()) != Some(number) {
            return Err(format!("the stage {folder} should have the number {number:02}"));
        }
        let title = toml.text("", "title").unwrap_or_default().to_owned();
        let minutes = toml.number("minutes").ok_or_else(|| format!("{}: name its minutes", file.display()))?;
        stages.push(Stage { number, folder, path, title, minutes, toml });
    }
    Ok(stages)
}
