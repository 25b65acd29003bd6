//! A copy of the project, and the one line in it that is wrong for the time being.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::bugs::Bug;

/// The copy.
pub(crate) struct Tree {
    pub(crate) top: PathBuf,
    /// The folder that the copy is in, kept for a look at the last run.
    pub(crate) folder: PathBuf,
    /// The project's own target folder, in which the copy is built, too: the libraries of both are the same.
    pub(crate) target: PathBuf,
}

impl Tree {
    /// Copies the project that this program belongs to.
    pub(crate) fn copy() -> Result<Self, String> {
        let target = target();
        let folder = target.join("planted");
        let top = folder.join("tree");
        let copied = match fs::remove_dir_all(&top) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => copy_folder(&project(), &top),
        };
        copied.map_err(|error| format!("the project cannot be copied to {}: {error}", top.display()))?;
        Ok(Self { top, folder, target })
    }

    /// Does something while the bug is planted.
    pub(crate) fn with<R>(&self, bug: &Bug, f: impl FnOnce() -> R) -> Result<R, String> {
        let path = self.top.join(bug.path());
        let right = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let write = |text: &str| fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()));
        write(&bug.planted(&right)?)?;
        let result = f();
        write(&right)?;
        Ok(result)
    }
}

/// The project's top folder.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this package lives two folders down").into()
}

fn target() -> PathBuf {
    let of_cargo = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = of_cargo.unwrap_or_else(|| project().join("target"));
    std::path::absolute(&target).unwrap_or(target)
}

/// Copies a folder with all that belongs to the project: not what is hidden, and not what cargo made.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "target" || name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to.join(&name))?;
        } else {
            fs::copy(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}
