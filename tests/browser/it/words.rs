//! The page's words are those of the written form, of the monitor and of the glossary.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::chrome::in_a_browser;
use crate::model::RECORDINGS;
use crate::page::FROM_DISK;
use crate::program::record;

const GLOSSARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/glossary.md");

/// All that the page says of the recording that is open: each event with its written words for waits and causes, each
/// state that a slot shows, and the text and titles of all panels.
const SAID: &str = "(() => { const told = [], looks = new Set(); let panels = ''; \
    for (let n = app.rec.start.n + 1; n <= app.rec.last; n++) { app.jump(n); const event = app.rec.event(n); \
    told.push([tell(event, app.view), event.on ?? '', event.by ?? '']); \
    for (const id of app.view.tasks.keys()) looks.add(look(id)[2].split(/[ :,]/)[0]); \
    if (n % 7 === 0) { app.selected = event.task ?? app.selected; paint(n * 1000, false); panels += document.querySelector('#app').innerText; } } \
    return { told, looks: [...looks], panels }; })()";

#[test]
fn waits_causes_and_states_are_named_as_in_the_monitor() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let varied = folder.path().join("varied");
    record("varied", &varied);
    let glossary = fs::read_to_string(GLOSSARY).expect("the glossary is there");
    in_a_browser(|browser| {
        let mut page = browser.page();
        page.is_sized(1280, 800);
        for file in [varied.clone(), Path::new(RECORDINGS).join("deadlock.ndjson")] {
            page.opens(FROM_DISK);
            page.is_given(&file);
            page.waits_until("document.querySelector('#pill').textContent === 'Replay'");
            let said = page.value(SAID);
            for told in said["told"].as_array().expect("an array") {
                let [text, on, by] = [0, 1, 2].map(|part| told[part].as_str().unwrap_or_default());
                assert!(on.is_empty() || text.contains(&format!("for {on}")), "{text} does not name {on}");
                let by = if by == "outside" { "code outside the loop" } else { by };
                // A sentence begins with a capital letter.
                assert!(text.to_lowercase().contains(by), "{text} does not name {by}");
            }
            for state in said["looks"].as_array().expect("an array") {
                let state = state.as_str().expect("a word");
                assert!(
                    glossary.contains(&format!("\n| {state} | The state of")),
                    "{state} is no state of the glossary"
                );
            }
            let panels = said["panels"].as_str().expect("text").to_lowercase();
            for word in ["socket ", "in line", "to finish", "asleep", "handle "] {
                assert!(!panels.contains(word), "the page says {word:?}, which is no word of the glossary");
            }
        }
        assert_eq!(page.value("waiting('join 2')"), json!("for join 2 (the end of task 2 “\u{2068}ann\u{2069}”)"));
        page.is_well();
    });
}
