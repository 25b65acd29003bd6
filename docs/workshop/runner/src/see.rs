//! `cargo stage see`: the project's page with a recording in it, as one file that the browser opens.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Said;
use crate::events;
use crate::learner::Learner;
use crate::stages::{project, read, write};

/// The path of the page with the recording.
fn page(folder: &Path) -> PathBuf {
    folder.join(".stage/see.html")
}

/// `cargo stage see`.
pub(crate) fn see(test: Option<&str>) -> Said<()> {
    let learner = Learner::find()?;
    let recording = match test {
        None => learner.recall("failed").filter(|test| !test.is_empty()).map(|test| learner.recording(&test)),
        Some(_) => None,
    };
    let recording = match recording {
        Some(recording) => recording,
        None => newest(&learner.folder.join(".stage/recordings"), test.unwrap_or_default())?,
    };
    println!("The recording: {}", recording.display());
    show(&recording, &page(&learner.folder))
}

/// The newest recording with this word in its name.
fn newest(folder: &Path, word: &str) -> Said<PathBuf> {
    let entries = fs::read_dir(folder).map_err(|_| "no test has run yet; run `cargo stage test`".to_owned())?;
    let word = word.replace("::", ".");
    let all = entries.flatten().filter(|entry| {
        // A recording without a task is shown to those alone who ask for it.
        entry.file_name().to_string_lossy().contains(&word) && (!word.is_empty() || events::has_tasks(&entry.path()))
    });
    let newest = all.max_by_key(|entry| entry.metadata().and_then(|data| data.modified()).ok());
    let path = newest.map(|entry| entry.path());
    path.ok_or_else(|| format!("no test with `{word}` in its name has left a recording"))
}

/// Writes the page with a recording, and opens it.
pub(crate) fn show(recording: &Path, page: &Path) -> Said<()> {
    let html = read(&project().join("docs/see.html"))?;
    let name = recording.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let text = read(recording)?;
    write(page, &with_recording(&html, &name, &text)?)?;
    println!("The page:      {}", page.display());
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let browser = std::env::var("BROWSER").unwrap_or_else(|_| opener.to_owned());
    let opened = Command::new(browser).arg(page).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if opened.is_err() {
        println!("Open it in a browser; none could be started from here.");
    }
    Ok(())
}

/// The workshop's own two kinds of events as sentences, for the page.
const OWN_EVENTS: &str = "STORY.seen = ({ text }) => `the test saw: ${text}.`; \
                          STORY.event_set = ({ event }) => `event ${event} is set.`; ";

/// The page, with a recording that it opens by itself.
fn with_recording(html: &str, name: &str, text: &str) -> Said<String> {
    let (before, after) = html.rsplit_once("</body>").ok_or("docs/see.html has no end of its body")?;
    // Nothing in it may end the script.
    let text = text.replace('\\', "\\\\").replace('`', "\\`").replace("${", "\\${").replace('<', "\\u003c");
    let name = name.replace(['\\', '"', '<'], "");
    Ok(format!("{before}<script>{OWN_EVENTS}open(`{text}`, \"{name}\");</script>\n</body>{after}"))
}

#[test]
fn a_recording_cannot_end_the_script_that_it_stands_in() {
    let page = with_recording("<body></body></html>", "a", "</script>`${1}").expect("it has a body");
    let page = page.replace(OWN_EVENTS, "");
    assert_eq!(page, "<body><script>open(`\\u003c/script>\\`\\${1}`, \"a\");</script>\n</body></html>");
}
