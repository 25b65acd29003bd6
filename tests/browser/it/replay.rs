//! The page from the disk, with a recording.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use oneloop::see::Recording;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chrome::in_a_browser;
use crate::model::{RECORDINGS, facts_after, sorted};
use crate::page::{FROM_DISK, Page};
use crate::program::record;
use crate::strangers::site;

/// Opens the page from the disk and gives it a recording of six sleepers. Returns the recording's text.
fn replays(page: &mut Page<'_>, folder: &TempDir) -> String {
    replays_a(page, folder, "recorded")
}

/// The same with another program.
fn replays_a(page: &mut Page<'_>, folder: &TempDir, program: &str) -> String {
    let file = folder.path().join(program);
    record(program, &file);
    page.opens(FROM_DISK);
    page.waits_until("document.querySelector('#hero-title').textContent.length > 0");
    page.is_given(&file);
    page.waits_until("document.querySelector('#pill').textContent === 'Replay'");
    fs::read_to_string(&file).expect("the recording is there")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder can be made")
}

/// The events of a recording's text.
fn events(text: &str) -> Vec<Value> {
    let lines = text.lines().skip(1).map(|line| serde_json::from_str(line).expect("a line is JSON"));
    lines.filter(|line: &Value| line["e"].is_string()).collect()
}

#[test]
fn a_recording_is_replayed_event_by_event() {
    in_a_browser(|browser| {
        let folder = folder();
        let mut page = browser.page();
        let events = events(&replays(&mut page, &folder));
        assert_eq!(page.value("app.rec.last"), json!(events.len()));
        page.types("Home");
        page.waits_until("app.cursor === 0");
        for _ in 0..3 {
            page.presses("#ahead");
        }
        page.waits_until("app.cursor === 3");
        page.presses("#back");
        page.waits_until("app.cursor === 2 && document.querySelector('#where').textContent.startsWith('event 2 of')");
        page.types("End");
        page.waits_until("app.view.tasks.size === 0 || app.view.running !== null");
        page.is_well();
    });
}

#[test]
fn a_step_is_one_poll_and_a_turn_is_one_turn() {
    in_a_browser(|browser| {
        let folder = folder();
        let mut page = browser.page();
        let events = events(&replays(&mut page, &folder));
        page.types("Home");
        page.types("t");
        let polls: Vec<u64> =
            events.iter().filter(|event| event["e"] == "poll_start").filter_map(|event| event["n"].as_u64()).collect();
        // A recorded loop is held where a running one is: before a poll.
        page.waits_until(&format!("app.cursor === {}", polls[0] - 1));
        for poll in &polls[1..5] {
            page.presses("#step-poll");
            page.waits_until(&format!("app.cursor === {}", poll - 1));
        }
        page.is_well();
    });
}

#[test]
fn playing_comes_to_the_end() {
    in_a_browser(|browser| {
        let folder = folder();
        let mut page = browser.page();
        replays(&mut page, &folder);
        page.value("document.querySelector('#speed').value = '1000'");
        page.presses("#play");
        page.waits_until("app.cursor === app.rec.last && !app.playing");
        page.is_well();
    });
}

#[test]
fn going_back_and_forth_leads_to_the_same_states() {
    in_a_browser(|browser| {
        let folder = folder();
        let mut page = browser.page();
        replays(&mut page, &folder);
        let same = "(() => { const fresh = app.rec.start.clone(), facts = []; \
             while (fresh.n < app.rec.last) { fresh.apply(app.rec.event(fresh.n + 1)); facts.push(JSON.stringify(Recording.factsOf(fresh))); } \
             let wrong = 0; \
             for (let i = 0; i < 300; i++) { const n = 1 + (i * 7919) % app.rec.last; app.jump(n); \
             if (JSON.stringify(Recording.factsOf(app.view)) !== facts[n - 1]) wrong += 1; } return wrong; })()";
        assert_eq!(page.value(same), json!(0));
        page.is_well();
    });
}

#[test]
fn whoever_is_selected_is_shown_in_the_timeline_with_its_last_poll() {
    in_a_browser(|browser| {
        let sleepers = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/recordings/see_sleepers.ndjson");
        let mut page = browser.page();
        page.opens(FROM_DISK);
        page.is_given(Path::new(sleepers));
        page.waits_until("document.querySelector('#pill').textContent === 'Replay'");
        // All wait here, and a few events fill the timeline.
        page.value("app.jump(app.rec.events.find(({ e }) => e === 'park_start').n); timeline.scale = 40");
        let there = |page: &mut Page<'_>, selector: &str| {
            page.waits_until(&format!("document.querySelector({})", json!(selector)));
            page.presses(selector);
        };
        let shown = |page: &mut Page<'_>, task: u32, by: &str| {
            let _ = by;
            page.waits_until(&format!(
                "(() => {{ timeline.draw(); const poll = app.rec.history.polls.findLast(({{ task, n }}) => task === {task} && n <= app.cursor); \
                 const x = timeline.x(poll.n), y = timeline.y({task}); \
                 return app.selected === {task} && x >= timeline.gutter && x <= timeline.w && y > AXIS + LOOP && y < timeline.h }})()"
            ));
        };
        there(&mut page, ".cell[data-task='2']");
        shown(&mut page, 2, "in a slot");
        there(&mut page, ".cell[data-task='31']");
        shown(&mut page, 31, "in another slot");
        there(&mut page, "#facts [data-task='1']");
        shown(&mut page, 1, "in the inspector");
        page.types("/");
        page.types("9");
        shown(&mut page, 9, "by its number");
        page.types("Escape");
        page.value("app.jump(app.rec.events.find(({ e }) => e === 'poll_start').n + 31); timeline.scale = 40");
        there(&mut page, "#queue-list [data-task='2']");
        page.value("app.jump(app.rec.events.find(({ e, task }) => e === 'poll_end' && task === 25).n)");
        page.value("document.querySelector(\".cell[data-task='3']\").focus()");
        page.types("Enter");
        shown(&mut page, 3, "by the keyboard");
        page.is_well();
    });
}

#[test]
fn a_file_that_is_dropped_is_replayed() {
    in_a_browser(|browser| {
        let folder = folder();
        let file = folder.path().join("run");
        record("recorded", &file);
        let recording = fs::read_to_string(&file).expect("the recording is there");
        let mut page = browser.page();
        page.opens(FROM_DISK);
        page.is_dropped("dropped.ndjson", &recording);
        page.waits_until("document.querySelector('#source').textContent === 'dropped.ndjson'");
        assert_eq!(page.value("app.rec.last"), json!(events(&recording).len()));
        assert_eq!(page.value("document.body.classList.contains('dropping')"), json!(false));
        // A folder can be dropped, too; the browser then says no when one reads it.
        page.value("openFile({ name: 'runs', text: () => Promise.reject(new Error('no')) })");
        page.waits_until("document.querySelector('#hero-text').textContent.includes('it is a folder')");
        page.is_well();
    });
}

#[test]
fn a_recording_beside_the_page_is_replayed_by_its_address_and_no_other() {
    in_a_browser(|browser| {
        let folder = folder();
        let file = folder.path().join("run");
        record("recorded", &file);
        let recording = fs::read_to_string(&file).expect("the recording is there");
        let address = site(move |target| match target {
            "/runs/run.ndjson" => recording.clone(),
            _ => fs::read_to_string(&FROM_DISK["file://".len()..]).expect("the page is there"),
        });
        let mut page = browser.page();
        page.opens(&format!("http://{address}/?recording=runs/run.ndjson"));
        page.waits_until("document.querySelector('#pill').textContent === 'Replay'");
        page.waits_until("document.querySelector('#source').textContent === 'run.ndjson'");
        for other in ["http://example.invalid/run.ndjson", "//example.invalid/run.ndjson", "file:///etc/passwd"] {
            page.opens(&format!("http://{address}/?recording={other}"));
            page.waits_until("document.querySelector('#hero-text').textContent.includes('only from the place')");
        }
        let ours = format!("http://{address}/");
        let elsewhere: Vec<_> = page.asked().into_iter().filter(|asked| !asked.starts_with(&ours)).collect();
        assert!(elsewhere.iter().all(|asked| asked.starts_with("data:")), "{elsewhere:?}");
        page.is_well();
    });
}

#[test]
fn a_wrong_guess_is_told_why() {
    in_a_browser(|browser| {
        let folder = folder();
        let mut page = browser.page();
        let events = events(&replays(&mut page, &folder));
        // All six were spawned, in the first poll: they stand in line in the order of their numbers.
        let first = events.iter().find(|event| event["e"] == "poll_end").and_then(|event| event["n"].as_u64());
        page.value(&format!("app.jump({})", first.expect("a poll ends")));
        page.presses("#predict");
        page.waits_until("app.asking()");
        let ready = page.value("app.view.queue");
        page.value(&format!("app.choose({})", ready[3]));
        page.waits_until("document.querySelector('#verdict').className === 'wrong'");
        let verdict = page.text("#verdict");
        assert!(verdict.contains("with 3 tasks before it: first woken, first polled"), "{verdict}");
        assert_eq!(page.text("#score"), "0 of 1 right");

        page.types("n");
        page.waits_until("app.asking()");
        page.value("app.choose(app.view.queue[0])");
        page.waits_until("document.querySelector('#verdict').className === 'right'");
        assert_eq!(page.text("#score"), "1 of 2 right");
        page.is_well();
    });
}

#[test]
fn a_recorded_name_is_text_too() {
    in_a_browser(|browser| {
        let folder = folder();
        let mut page = browser.page();
        replays(&mut page, &folder);
        page.value("for (let n = 0; n <= app.rec.last; n++) { app.jump(n); app.selected = 1 + n % 7; paint(n * 1000, false); }");
        let made = "document.querySelectorAll('img, #app script, #app [onload], #app [onerror]').length";
        assert_eq!(page.value(made), json!(0), "a name became markup");
        page.is_well();
    });
}

#[test]
fn the_page_on_the_disk_and_the_packed_one_are_its_rooms() {
    #[path = "../../../runtime/src/see/serve/page/mod.rs"]
    mod page;
    let on_disk = fs::read_to_string(&FROM_DISK["file://".len()..]).expect("the page is there");
    let mut packed = String::new();
    flate2::read::GzDecoder::new(page::PACKED).read_to_string(&mut packed).expect("it is packed by gzip");
    let is_same = on_disk == page::PAGE && packed == page::PAGE;
    assert!(is_same, "write the page anew: cargo run -p oneloop-browser-tests --bin page");
}

#[test]
fn a_recording_that_is_cut_short_is_shown_as_far_as_it_goes() {
    in_a_browser(|browser| {
        let sleepers = fs::read_to_string(Path::new(RECORDINGS).join("see_sleepers.ndjson")).expect("it is kept");
        let lines: Vec<_> = sleepers.lines().collect();
        let mut page = browser.page();
        page.opens(FROM_DISK);
        let forged = lines[..100].join("\n") + "\n" + &lines[101..].join("\n");
        for (text, events, says) in [
            (&sleepers[..sleepers.len() - 10], lines.len() - 2, format!("line {} is not JSON", lines.len())),
            (
                &(lines[..50].join("\n") + "\n"),
                49,
                format!("{} of the {} lines behind its header are missing", lines.len() - 50, lines.len() - 1),
            ),
            (&forged, 99, "line 101 is event 101, where event 100 was expected".to_owned()),
        ] {
            page.is_dropped("cut.ndjson", text);
            page.waits_until(&format!("app.rec.last === {events}"));
            page.waits_until(&format!("document.querySelector('#alarm').textContent.includes({})", json!(says)));
            assert_eq!(page.value("document.querySelector('#banner').hidden"), json!(false));
        }
        page.presses("#banner-close");
        page.is_dropped("whole.ndjson", &sleepers);
        page.waits_until(&format!("app.rec.last === {}", lines.len() - 1));
        assert_eq!(page.value("document.querySelector('#banner').hidden"), json!(true));
        page.value("app.jump(app.rec.last)");
        let says = "The recording ends here: it was written when its runtime ended.";
        page.waits_until(&format!("document.querySelector('#story').textContent.includes({})", json!(says)));
        page.is_well();
    });
}

#[test]
fn a_name_reorders_no_words_beside_it() {
    in_a_browser(|browser| {
        let event = |n: u32, rest: &str| format!("{{\"n\":{n},\"t\":0,{rest}}}\n");
        let name = "\u{202e}gnp.exe\u{2069}\u{2066}";
        let at = "\u{202e}sr.x:1:1";
        let text = "{\"oneloop\":\"events\",\"version\":1,\"clock\":\"real\",\"first\":1,\"dropped\":0}\n".to_owned()
            + &event(
                1,
                &format!(r#""e":"spawn","task":1,"slot":0,"by":"outside","name":{},"at":{}"#, json!(name), json!(at)),
            )
            + &event(2, r#""e":"poll_start","task":1"#)
            + &event(
                3,
                &format!(
                    r#""e":"finding","kind":"slow_poll","task":1,"text":{}"#,
                    json!(format!("task 1 \"{name}\" ran"))
                ),
            )
            + &event(
                4,
                &format!(
                    r#""e":"source_opened","source":1,"slot":0,"kind":"unix stream","address":{},"read":true,"write":true,"by":"task 1","at":{}"#,
                    json!(name),
                    json!(at)
                ),
            );
        let mut page = browser.page();
        page.opens(FROM_DISK);
        page.is_dropped("\u{202e}nosj.txt", &text);
        page.waits_until("app.rec.last === 4");
        // Everything that the page writes: its text, its titles and its labels.
        let said = "(() => { let said = ''; for (let n = 0; n <= 4; n++) { app.jump(n); app.selected = 1; paint(n * 1000, false); \
             for (const node of document.querySelectorAll('*')) said += [...node.attributes].map(({ value }) => value).join(' '); \
             said += document.body.textContent; } return said; })()";
        let said = page.value(said);
        let said = said.as_str().expect("text");
        assert!(
            !said.contains(|sign| matches!(sign, '\u{202a}'..='\u{202e}' | '\u{2066}' | '\u{2067}')),
            "a control is shown as it is"
        );
        assert!(
            said.contains("\u{2068}\\u{202e}gnp.exe\\u{2069}\\u{2066}\u{2069}"),
            "a name stands alone in its sentence"
        );
        assert_eq!(said.matches('\u{2068}').count(), said.matches('\u{2069}').count());
        page.is_well();
    });
}

#[test]
fn what_is_no_recording_is_refused_in_words() {
    in_a_browser(|browser| {
        let folder = folder();
        let file = folder.path().join("notes.txt");
        let mut page = browser.page();
        page.opens(FROM_DISK);
        let header = r#"{"oneloop":"events","version":1,"clock":"real","first":1,"dropped":0}"#;
        for (text, says) in [
            (String::new(), "it is empty: the program that writes it runs still, or was killed"),
            ("buy milk\n".to_owned(), "not the header"),
            (header.replace(":1,\"clock", ":2,\"clock"), "version 2"),
            (format!("{header}\nmilk\n"), "line 2 is not JSON"),
            (
                format!("{header}\n{{\"n\":7,\"t\":0,\"e\":\"turn_start\",\"turn\":1,\"inbox\":0}}\n"),
                "line 2 is event 7",
            ),
        ] {
            fs::write(&file, text).expect("a file can be written");
            page.is_given(&file);
            page.waits_until(&format!("document.querySelector('#hero-text').textContent.includes({})", json!(says)));
            assert_eq!(page.value("document.querySelector('#banner').hidden"), json!(false), "a bad file is an alarm");
        }
        page.is_well();
    });
}

#[test]
fn a_line_that_lacks_a_part_ends_the_recording_there() {
    in_a_browser(|browser| {
        let header = r#"{"oneloop":"events","version":1,"clock":"real","first":1,"dropped":0}"#;
        let spawn = r#"{"n":1,"t":0,"e":"spawn","task":1,"slot":0,"by":"outside","at":"a.rs:1:1"}"#;
        let mut page = browser.page();
        page.opens(FROM_DISK);
        page.is_dropped("part.ndjson", &format!("{header}\n{spawn}\n{{\"n\":2,\"t\":0,\"e\":\"wait\",\"task\":1}}\n"));
        page.waits_until("document.querySelector('#alarm').textContent.includes('line 3 lacks a part that it needs')");
        assert_eq!(page.value("[app.rec.last, app.view.n, app.view.tasks.size]"), json!([1, 1, 1]));
        // An event that came later than this page is told as one, also where an object of the script has that name.
        let later = |n: u32, e: &str| format!("{{\"n\":{n},\"t\":0,\"e\":\"{e}\"}}\n");
        page.is_dropped(
            "later.ndjson",
            &format!("{header}\n{spawn}\n{}{}", later(2, "clone"), later(3, "constructor")),
        );
        page.waits_until("app.rec.last === 3");
        page.types("End");
        page.waits_until("document.querySelector('#story').textContent.includes('does not know: constructor')");
        page.is_dropped("first.ndjson", &header.replace("\"first\":1", "\"first\":\"x\""));
        page.waits_until("document.querySelector('#alarm').textContent.includes('which event is the \"first\"')");
        page.is_well();
    });
}

#[test]
fn a_name_of_any_length_or_script_leaves_its_sentence_readable() {
    in_a_browser(|browser| {
        let header = r#"{"oneloop":"events","version":1,"clock":"real","first":1,"dropped":0}"#;
        let mut text = format!("{header}\n");
        let names = [
            "x".repeat(10_000),
            "\u{5de}\u{5e9}\u{5d9}\u{5de}\u{5d4} \u{5d0}\u{5e8}\u{5d5}\u{5db}\u{5d4}".to_owned(),
            "  ".to_owned(),
        ];
        for (n, name) in (1..).zip(&names) {
            let name = json!(name);
            text.push_str(&format!("{{\"n\":{n},\"t\":0,\"e\":\"spawn\",\"task\":{n},\"slot\":{n},\"by\":\"outside\",\"name\":{name},\"at\":\"a.rs:1:1\"}}\n"));
        }
        let mut page = browser.page();
        page.opens(FROM_DISK);
        page.is_dropped("names.ndjson", &text);
        page.waits_until("app.rec.last === 3");
        page.value("app.jump(1)");
        page.waits_until("document.querySelector('#story').textContent.includes('joins the end of the ready queue')");
        assert!(page.text("#story").chars().count() < 200, "{}", page.text("#story"));
        page.value("app.jump(3)");
        page.waits_until("document.querySelectorAll('#queue-list .name').length === 3");
        // It begins on the side of its script, so that its end, which is never cut, stands at its end.
        let sides =
            "[...document.querySelectorAll('#queue-list .name')].map((name) => getComputedStyle(name).direction)";
        assert_eq!(page.value(sides), json!(["ltr", "rtl", "ltr"]));
        // A name of blanks is none.
        assert_eq!(page.value("title(3)"), json!("task 3"));
        page.is_well();
    });
}

#[test]
fn no_width_needs_sideways_scrolling() {
    in_a_browser(|browser| {
        let folder = folder();
        let mut page = browser.page();
        let fits = "document.documentElement.scrollWidth <= window.innerWidth";
        for width in [390, 768, 1280, 1920] {
            page.is_sized(width, 844);
            replays(&mut page, &folder);
            for state in ["app.jump(5)", "app.jump(app.rec.last - 2); app.choose(3)", "app.jump(12); togglePredict()"] {
                page.value(state);
                page.value("new Promise(requestAnimationFrame).then(() => new Promise(requestAnimationFrame))");
                assert_eq!(page.value(fits), json!(true), "{state} at {width} pixels");
            }
        }
        page.is_sized(390, 844);
        page.opens(FROM_DISK);
        assert_eq!(page.value(fits), json!(true), "with nothing open");
        page.presses("#help");
        page.waits_until("document.querySelector('#about').open");
        assert_eq!(page.value(fits), json!(true), "with the words for newcomers");
        page.is_well();
    });
}

#[test]
fn on_a_phone_the_controls_are_small_for_the_eye_and_large_for_the_finger() {
    in_a_browser(|browser| {
        let folder = folder();
        let mut page = browser.page();
        page.is_sized(390, 844);
        replays(&mut page, &folder);
        page.value("app.jump(30)");
        let height =
            page.value("document.querySelector('#bar').offsetHeight / innerHeight").as_f64().expect("a number");
        assert!(height < 0.16, "the controls take {height} of the height");
        let small = "[...document.querySelectorAll('#controls > :not(.sep), #top button')].filter((node) => node.offsetParent)\
             .filter((node) => node.offsetWidth < 36 || node.offsetHeight < 36).map((node) => node.id)";
        assert_eq!(page.value(small), json!([]));
        for id in ["play", "back", "ahead", "step-poll", "step-turn", "to-wake", "scrub", "speed", "predict", "open"] {
            assert_eq!(
                page.value(&format!("document.querySelector('#{id}').offsetParent !== null")),
                json!(true),
                "{id}"
            );
        }
        page.is_well();
    });
}

#[test]
fn every_control_has_a_name() {
    in_a_browser(|browser| {
        let folder = folder();
        let mut page = browser.page();
        replays(&mut page, &folder);
        let nameless = "[...document.querySelectorAll('button, input, select, [role=img], section')]\
             .filter((node) => !(node.getAttribute('aria-label') || node.textContent.trim() || node.title)).map((node) => node.outerHTML)";
        assert_eq!(page.value(nameless), json!([]));
        page.types("?");
        page.waits_until("document.querySelector('#about').open");
        page.is_well();
    });
}

#[test]
fn the_page_and_the_runtime_agree_on_every_state() {
    in_a_browser(|browser| {
        let folder = folder();
        let mut page = browser.page();
        let text = replays_a(&mut page, &folder, "varied");
        agree(&mut page, &text, 1);
    });
}

#[test]
fn the_kept_recordings_are_replayed() {
    in_a_browser(|browser| {
        let mut page = browser.page();
        page.opens(FROM_DISK);
        for file in fs::read_dir(RECORDINGS).expect("the recordings are there") {
            let file = file.expect("a folder can be listed").path();
            if file.extension().is_none_or(|end| end != "ndjson") {
                continue;
            }
            let text = fs::read_to_string(&file).expect("a recording is text");
            let name = file.file_name().and_then(|name| name.to_str()).expect("it has a name");
            page.is_given(&file);
            page.waits_until(&format!("document.querySelector('#source').textContent === {}", json!(name)));
            agree(&mut page, &text, 97);
            // The page has it built in, too, as it is.
            let stem = name.trim_end_matches(".ndjson");
            assert_eq!(page.value(&format!("builtIn({})", json!(stem))), json!(text), "{name}");
        }
    });
}

#[test]
fn the_example_shows_a_slow_poll_and_whose_it_was() {
    in_a_browser(|browser| {
        let mut page = browser.page();
        page.opens(FROM_DISK);
        page.presses("#watch-hog");
        page.waits_until("document.querySelector('#pill').textContent === 'Replay'");
        page.types("End");
        page.waits_until(
            "/\"\u{2068}hog\u{2069}\".* ran for 2 s in one poll/.test(document.querySelector('#finding-list').textContent)",
        );
        // The link leads there each time, and from the end of a small page, too.
        page.is_sized(390, 844);
        for _ in 0..2 {
            page.presses("#finding-list .link");
            page.waits_until("document.querySelector('#inspected h3')?.textContent === 'hog'");
            let top = page.value("document.querySelector('#inspector').getBoundingClientRect().top");
            assert!(top.as_f64().is_some_and(|top| (-1.0..400.0).contains(&top)), "{top}");
        }
        page.is_well();
    });
}

/// The page's state is the runtime's, after every `step` events.
fn agree(page: &mut Page<'_>, text: &str, step: usize) {
    let recording = Recording::read(text.as_bytes()).expect("it is a recording");
    for n in (1..recording.len()).step_by(step) {
        let page_says = page.value(&format!("Recording.factsOf(app.rec.at({n}))"));
        let page_says = page_says.as_array().expect("an array").iter().cloned();
        assert_eq!(sorted(page_says), sorted(facts_after(&recording, n)), "after event {n}");
    }
    page.is_well();
}
