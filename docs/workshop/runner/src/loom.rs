//! `cargo stage loom`: the project's loom models, on the inbox that the learner wrote.
//!
//! A processor and a compiler may let one thread see another's steps in an order of their own. The test of stage 11
//! tries the orders of steps; loom tries those as well. The models are the project's own files, and `inbox.rs` is the
//! learner's: only a crate around them is made here.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::learner::Learner;
use crate::stages::{self, Stage, project, read, write};
use crate::{Said, patch, tree};

/// The stage that has an inbox.
const FROM: usize = 11;
const INBOX: &str = "src/heart/inbox.rs";

/// `cargo stage loom`.
pub(crate) fn loom(words: &[&str]) -> Said<()> {
    let learner = Learner::find()?;
    if learner.stage() < FROM {
        return Err(format!("the models need an inbox: they can be tried from stage {FROM} on"));
    }
    let folder = learner.folder.join(".stage/loom");
    prepare(&folder, &read(&learner.folder.join(INBOX))?)?;
    println!("Some ten models, each in every order; that takes a minute or two.");
    let (holds, said) = ask(&folder, words)?;
    if said.contains("running 0 tests") {
        return Err(format!(
            "no model has `{}` in its name; `cargo stage loom` alone tries all of them",
            words.join(" ")
        ));
    }
    print!("{said}");
    if holds { Ok(()) } else { Err("a model found an order in which a message is lost or rung for in vain".to_owned()) }
}

/// Rule 6: the models that kill hold on the solution, and they kill the wrong versions that stage 11 names under `loom`.
pub(crate) fn check() -> Said<()> {
    let stages = stages::all()?;
    let folder = project().join("target/workshop/loom");
    let solution = tree::solution(&stages, FROM)?;
    prepare(&folder, &solution[INBOX])?;
    let wrong = broken(&stages[FROM]);
    // All of them hold on the runtime's own file, which is the same one: `tests/loom`.
    let kills: Vec<&str> = wrong.iter().flat_map(|(_, kills)| kills).map(String::as_str).collect();
    let (holds, said) = ask(&folder, &kills)?;
    if !holds {
        return Err(format!("the models should hold on the solution:\n{said}"));
    }
    for (name, kills) in &wrong {
        let mut files = solution.clone();
        patch::apply(&mut files, &stages[FROM].patch(name)?)?;
        prepare(&folder, &files[INBOX])?;
        for kill in kills {
            let (lives, said) = ask(&folder, &[kill])?;
            if lives || !said.contains("1 failed") {
                return Err(format!("{kill} lets {name} live, or is no model:\n{said}"));
            }
        }
    }
    println!("the models hold on the solution, and kill {} wrong versions", wrong.len());
    Ok(())
}

/// The wrong versions that only the models kill, and the models that do.
pub(crate) fn broken(stage: &Stage) -> Vec<(String, Vec<String>)> {
    let names = stage.toml.sections("loom");
    names.into_iter().map(|name| (name.clone(), stage.toml.list(&format!("loom.{name}"), "kills"))).collect()
}

/// Makes the crate around the models and an inbox.
fn prepare(folder: &Path, inbox: &str) -> Said<()> {
    let models = project().join("tests/loom");
    let file = |name: &str| models.join(name).display().to_string();
    let ground = |name: &str| project().join("runtime/src/ground").join(name).display().to_string();
    let manifest = "[package]\nname = \"models-of-my-inbox\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
         [workspace]\n\n[dependencies]\nloom = \"0.7.3\"\n\n\
         [profile.dev]\nopt-level = 2\ndebug = false\n";
    let program = format!(
        "//! The project's models of the inbox, on this one.\n\n#![cfg(test)]\n#![allow(warnings)]\n\n\
         mod ground {{\n    #[path = {:?}]\n    pub(crate) mod queue;\n    #[path = {:?}]\n    pub(crate) mod registry;\n    \
         pub(crate) mod sync {{\n        #[path = {:?}]\n        mod primitives;\n        \
         pub(crate) use self::primitives::*;\n        \
         pub(crate) use super::queue::{{Consumer, Producer, queue}};\n    }}\n}}\n\
         mod heart {{\n    #[path = \"inbox.rs\"]\n    pub(crate) mod inbox;\n}}\n\
         #[path = {:?}]\nmod time;\n#[path = {:?}]\nmod models;\n\n\
         fn explore(model: impl Fn() + Send + Sync + 'static) {{\n    \
         let mut checker = loom::model::Builder::new();\n    checker.preemption_bound = Some(3);\n    checker.check(model);\n}}\n",
        ground("queue.rs"),
        ground("registry.rs"),
        file("sync.rs"),
        file("time.rs"),
        file("models.rs")
    );
    write(&folder.join("Cargo.toml"), manifest)?;
    write(&folder.join("Cargo.lock"), &read(&project().join("Cargo.lock"))?)?;
    write(&folder.join("src/lib.rs"), &program)?;
    write(&folder.join("src/heart/inbox.rs"), inbox)
}

/// Runs the models, or those with these words in their names. Returns whether they hold, and what is said of them.
fn ask(folder: &Path, words: &[&str]) -> Said<(bool, String)> {
    let output = Command::new("cargo")
        .args(["test", "--offline", "--quiet", "--lib", "--"])
        .args(words)
        .current_dir(folder)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let _ = fs::write(folder.join("said.txt"), &said);
    if said.contains("test result:") {
        Ok((output.status.success(), said))
    } else {
        Err(format!("the models do not build:\n{said}"))
    }
}
