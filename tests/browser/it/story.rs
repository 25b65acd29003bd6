//! The page for a newcomer: the tour, the pictures, what is in sight, and the card at the end.

use std::path::Path;

use serde_json::json;

use crate::chrome::in_a_browser;
use crate::model::RECORDINGS;
use crate::page::{FROM_DISK, Page};
use crate::program::Program;

/// Opens a kept recording.
fn replays(page: &mut Page<'_>, name: &str) {
    page.opens(FROM_DISK);
    page.is_given(&Path::new(RECORDINGS).join(name));
    page.waits_until(&format!("document.querySelector('#source').textContent === {}", json!(name)));
}

/// Goes to where something happens for the first time.
fn goes_to(page: &mut Page<'_>, is: &str) {
    page.value(&format!("app.jump(app.rec.events.find({is}).n)"));
    page.value("new Promise(requestAnimationFrame).then(() => new Promise(requestAnimationFrame))");
}

#[test]
fn thirty_that_stand_in_line_are_in_sight() {
    in_a_browser(|browser| {
        let mut page = browser.page();
        page.is_sized(1280, 800);
        replays(&mut page, "see_sleepers.ndjson");
        goes_to(&mut page, "({ e }) => e === 'poll_end'");
        let seen = "(() => { const frame = document.querySelector('#queue').getBoundingClientRect(); \
             return [...document.querySelectorAll('#queue-list .task')].filter((node) => { const box = node.getBoundingClientRect(); \
             return box.top >= frame.top && box.bottom <= frame.bottom && box.right <= frame.right && box.bottom <= innerHeight; }).length; })()";
        assert_eq!(page.value(seen), json!(30));
        let cut = "[...document.querySelectorAll('#queue-list .name, .cell .name span:first-child')].filter((node) => node.scrollWidth > node.clientWidth + 1).map((node) => node.textContent)";
        assert_eq!(page.value(cut), json!([]), "a name is cut");
        page.is_well();
    });
}

#[test]
fn long_names_are_shown_in_full_where_there_is_room() {
    in_a_browser(|browser| {
        let mut page = browser.page();
        page.is_sized(1280, 800);
        replays(&mut page, "forgotten_waker.ndjson");
        goes_to(&mut page, "({ e }) => e === 'poll_end'");
        assert_eq!(page.value("app.view.queue.length"), json!(2));
        let cut = "[...document.querySelectorAll('#queue-list .name, .cell .name span:first-child')].filter((node) => node.scrollWidth > node.clientWidth + 1).map((node) => node.textContent)";
        assert_eq!(page.value(cut), json!([]), "a name is cut");
        let lanes = "(() => { timeline.c.font = `500 12px ${colours.sans}`; return timeline.lanes.map((id) => app.rec.names.get(id).name)\
             .filter((name) => timeline.fitted(name, timeline.gutter - 44) !== name); })()";
        assert_eq!(page.value(lanes), json!([]), "a name is cut beside its lane");
        page.is_well();
    });
}

#[test]
fn the_signs_are_explained_in_sight_however_many_tasks_there_are() {
    in_a_browser(|browser| {
        let mut page = browser.page();
        let program = Program::start("crowd");
        for many in [false, true] {
            page.is_sized(1280, 800);
            if many {
                page.opens(&program.address);
                page.waits_until("app.view.tasks.size > 10000 && !document.querySelector('#mosaic').hidden");
            } else {
                replays(&mut page, "starvation.ndjson");
                goes_to(&mut page, "({ e, turn }) => e === 'turn_end' && turn === 4");
            }
            let seen = "(() => { const frame = document.querySelector('#slab').getBoundingClientRect(), { top, bottom } = document.querySelector('#legend').getBoundingClientRect(); \
                 return top > frame.top && bottom <= frame.bottom + 1; })()";
            page.waits_until(seen);
            // Squares without signs are explained by squares.
            assert_eq!(page.value("document.querySelector('#legend').classList.contains('tiles')"), json!(many));
        }
        page.is_well();
    });
}

#[test]
fn a_finding_has_the_room_of_an_empty_inspector() {
    in_a_browser(|browser| {
        let mut page = browser.page();
        page.is_sized(1280, 800);
        replays(&mut page, "hog.ndjson");
        goes_to(&mut page, "({ e }) => e === 'finding'");
        let hidden = "(() => { const body = document.querySelector('#findings .body'); return body.scrollHeight - body.clientHeight; })()";
        assert_eq!(page.value(hidden), json!(0), "the finding has to be scrolled");
        page.is_well();
    });
}

#[test]
fn a_long_stretch_is_drawn_behind_short_ones_that_begin_on_its_pixel() {
    in_a_browser(|browser| {
        let mut page = browser.page();
        let header = "{\"oneloop\":\"events\",\"version\":1,\"clock\":\"real\",\"first\":1,\"dropped\":0}\n";
        let (mut text, mut n) = (header.to_owned(), 0);
        let mut add = |t: u64, rest: &str| {
            n += 1;
            text.push_str(&format!("{{\"n\":{n},\"t\":{t},{rest}}}\n"));
        };
        add(0, r#""e":"spawn","task":1,"slot":0,"by":"outside","at":"a.rs:1:1""#);
        // Each second a short poll and a short park, and at once a long poll and a long park.
        for second in 0..30 {
            let at = second * 1_000_000_000;
            for (begin, end) in [(at, at + 1000), (at + 2000, at + 300_000_000)] {
                add(begin, r#""e":"poll_start","task":1"#);
                add(end, r#""e":"poll_end","task":1,"outcome":"pending""#);
            }
            for (begin, end) in [(at + 300_001_000, at + 300_002_000), (at + 300_003_000, at + 999_000_000)] {
                add(begin, r#""e":"park_start","timeout":null"#);
                add(end, r#""e":"park_end","events":0"#);
            }
        }
        page.opens(FROM_DISK);
        page.is_dropped("long.ndjson", &text);
        page.waits_until("app.rec.last > 200");
        page.value("app.jump(app.rec.last); timeline.setMode('time')");
        let drawn = "(() => { const wide = []; const draw = timeline.drawPoll; timeline.drawPoll = (poll, x, width, y) => { wide.push(width); draw.call(timeline, poll, x, width, y); }; \
             timeline.drawn = null; timeline.draw(); delete timeline.drawPoll; return [wide.filter((width) => width > 30).length, timeline.parked.filter(([, x, to]) => to - x > 60).length]; })()";
        let drawn = page.value(drawn);
        assert!(drawn[0].as_u64() >= Some(4) && drawn[1].as_u64() >= Some(3), "{drawn}");
        page.is_well();
    });
}

#[test]
fn what_a_newcomer_needs_first_is_in_view() {
    in_a_browser(|browser| {
        let mut page = browser.page();
        page.is_sized(1280, 800);
        page.opens(FROM_DISK);
        let below = |selector: &str| {
            format!(
                "[...document.querySelectorAll({})].filter((node) => {{ const {{ top, bottom }} = node.getBoundingClientRect(); return top < 0 || bottom > innerHeight; }}).length",
                json!(selector)
            )
        };
        assert_eq!(page.value("document.querySelectorAll('#watch button').length"), json!(6));
        assert_eq!(page.value(&below("#hero button, #hero-how")), json!(0));
        page.types("?");
        page.waits_until("document.querySelector('#about').open");
        assert_eq!(page.value(&below("#about-title, #about-close, #about-tour")), json!(0));
        page.is_well();
    });
}

#[test]
fn the_tour_stops_five_times_in_each_of_six_recordings() {
    in_a_browser(|browser| {
        let mut page = browser.page();
        page.is_sized(1280, 800);
        page.opens(FROM_DISK);
        page.presses("#hero-tour");
        let mut words = std::collections::BTreeSet::new();
        for recording in 0..6 {
            let mut before = 0;
            for stop in 0..5 {
                page.waits_until(&format!("tour.which === {recording} && tour.at === {stop}"));
                page.waits_until("!app.playing && app.cursor === tour.stops[tour.at][0](app.rec)");
                let at = page.value("app.cursor").as_u64().expect("a number");
                assert!(at > before, "stop {stop} of recording {recording} is at event {at}, after {before}");
                before = at;
                words.insert(page.text("#tour-words"));
                // The next frame draws what the stop looks at.
                page.waits_until("document.querySelectorAll('.looked-at:not([hidden])').length === 1");
                page.presses("#tour-next");
            }
        }
        assert_eq!(words.len(), 30, "each stop says something of its own");
        page.waits_until("document.querySelector('#tour').hidden");
        page.is_well();
    });
}

#[test]
fn the_tour_is_taken_by_keys_alone() {
    in_a_browser(|browser| {
        let mut page = browser.page();
        page.opens(FROM_DISK);
        page.value("document.querySelector('#hero-tour').focus()");
        for stop in 0..3 {
            page.types("Enter");
            page.waits_until(&format!("tour.at === {stop} && document.activeElement.id === 'tour-next'"));
        }
        page.types("Escape");
        page.waits_until("tour.at === null && document.querySelector('#tour').hidden");
        page.is_well();
    });
}

/// A recording of tasks of which each awaits the next, and of some beside that wait for something else.
fn ring(tasks: usize, beside: usize) -> String {
    let mut text = "{\"oneloop\":\"events\",\"version\":1,\"clock\":\"real\",\"first\":1,\"dropped\":0}\n".to_owned();
    let mut n = 0;
    let mut add = |rest: String| {
        n += 1;
        text.push_str(&format!("{{\"n\":{n},\"t\":0,{rest}}}\n"));
    };
    for task in 1..=tasks + beside {
        add(format!(
            "\"e\":\"spawn\",\"task\":{task},\"slot\":{task},\"by\":\"outside\",\"name\":\"thinker {task}\",\"at\":\"a.rs:{task}:1\""
        ));
    }
    for task in 1..=tasks + beside {
        add(format!("\"e\":\"poll_start\",\"task\":{task}"));
        if task <= tasks {
            let on = task % tasks + 1;
            add(format!("\"e\":\"wait\",\"task\":{task},\"on\":\"join {on}\",\"at\":\"a.rs:9:{task}\""));
        }
        add(format!("\"e\":\"poll_end\",\"task\":{task},\"outcome\":\"pending\""));
    }
    add("\"e\":\"finding\",\"kind\":\"everyone_waits\",\"task\":1,\"text\":\"a circle\"".to_owned());
    text
}

#[test]
fn the_words_of_a_ring_of_three_cover_neither_task_nor_arrow() {
    in_a_browser(|browser| {
        let text = ring(3, 0);
        let mut page = browser.page();
        for width in [390, 1280] {
            page.is_sized(width, 800);
            page.opens(FROM_DISK);
            page.is_dropped("ring.ndjson", &text);
            page.waits_until("app.rec.last === 13");
            page.types("End");
            page.waits_until(
                "!document.querySelector('#picture').hidden && document.querySelectorAll('#drawing .at').length === 3",
            );
            let covers = "(() => { const tasks = [...document.querySelectorAll('#drawing .node rect')].map((node) => node.getBoundingClientRect()); \
                 const points = [...document.querySelectorAll('#drawing .arrow')].flatMap((path) => Array.from({ length: 40 }, (_, i) => \
                 path.getPointAtLength((path.getTotalLength() * i) / 40).matrixTransform(path.getScreenCTM()))); \
                 const boxes = [...tasks, ...points.map(({ x, y }) => ({ left: x, right: x, top: y, bottom: y }))]; \
                 return [...document.querySelectorAll('#drawing > text')].filter((node) => { const b = node.getBoundingClientRect(); \
                 return b.height < 10 || b.left < 0 || b.right > innerWidth || boxes.some((a) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1); }) \
                 .map((node) => node.textContent); })()";
            assert_eq!(page.value(covers), json!([]), "at {width} pixels");
            // Beside the picture the tasks stay in sight, once the page has given the picture its room.
            let cells = "(() => { const legend = document.querySelector('#legend').getBoundingClientRect(); \
                 return [...document.querySelectorAll('.cell .name')].every((node) => node.getBoundingClientRect().bottom <= legend.top + 1); })()";
            page.waits_until(cells);
        }
        page.is_well();
    });
}

#[test]
fn a_deadlock_is_drawn_while_it_lasts() {
    in_a_browser(|browser| {
        let mut page = browser.page();
        replays(&mut page, "deadlock.ndjson");
        let hidden = "document.querySelector('#picture').hidden";
        goes_to(&mut page, "({ e, task }) => e === 'poll_end' && task === 2");
        assert_eq!(page.value(hidden), json!(true), "ben may still finish");
        goes_to(&mut page, "({ e }) => e === 'finding'");
        assert_eq!(page.value(hidden), json!(false));
        assert_eq!(page.text("#picture-title"), "ann and ben wait for each other");
        assert!(page.text("#picture-why").ends_with("The loop goes on with the other task."));
        assert_eq!(page.value("document.querySelectorAll('#drawing .arrow').length"), json!(2));
        let said = page.text("#drawing");
        let awaits = page
            .value("app.rec.events.filter(({ e, on }) => e === 'wait' && /^join/.test(on)).map(({ at }) => brief(at))");
        let lines = awaits.as_array().expect("an array").iter().filter_map(|at| at.as_str());
        for part in ["ann awaits ben", "ben awaits ann"].into_iter().chain(lines) {
            assert!(said.contains(part), "{part} is not in {said}");
        }
        let red = "[...document.querySelectorAll('.cell.lost .name')].map((name) => name.textContent)";
        assert_eq!(page.value(red), json!(["ann", "ben"]));
        goes_to(&mut page, "({ e, outcome }) => e === 'finish' && outcome === 'aborted'");
        assert_eq!(page.value(hidden), json!(true), "the circle is open");
        page.is_well();
    });
}

#[test]
fn a_ring_of_five_is_drawn_with_five_arrows() {
    in_a_browser(|browser| {
        let text = ring(5, 2);
        let mut page = browser.page();
        page.opens(FROM_DISK);
        page.is_dropped("ring.ndjson", &text);
        page.waits_until("app.rec.last > 20");
        page.types("End");
        page.waits_until("!document.querySelector('#picture').hidden");
        assert_eq!(page.text("#picture-title"), "5 tasks wait for each other");
        assert!(
            page.text("#picture-why").ends_with("The loop goes on with the other 2 tasks."),
            "{}",
            page.text("#picture-why")
        );
        assert_eq!(page.value("document.querySelectorAll('#drawing .arrow').length"), json!(5));
        page.is_well();
    });
}

#[test]
fn a_missing_waker_is_drawn_where_it_would_be() {
    in_a_browser(|browser| {
        let mut page = browser.page();
        replays(&mut page, "forgotten_waker.ndjson");
        goes_to(&mut page, "({ e }) => e === 'finding'");
        assert_eq!(page.text("#picture-title"), "Nobody can wake reader of the forgetful mailbox");
        assert_eq!(page.value("document.querySelectorAll('#drawing .missing').length"), json!(2));
        assert_eq!(page.value("document.querySelectorAll('.cell.lost').length"), json!(1));
        // A name that has no room is cut before its end, as everywhere.
        page.is_sized(390, 844);
        page.waits_until("document.querySelector('#drawing .node text').textContent === 'reader of t…box'");
        page.types("End");
        page.waits_until("document.querySelector('#picture').hidden");
        page.is_well();
    });
}

#[test]
fn a_page_follows_the_system_s_theme_until_one_is_chosen() {
    in_a_browser(|browser| {
        let mut page = browser.page();
        page.opens(FROM_DISK);
        let is_light = "document.documentElement.classList.contains('light')";
        for theme in ["light", "dark", "light"] {
            page.is_in_the_system_s(theme);
            page.waits_until(&format!("{is_light} === {}", theme == "light"));
        }
        page.presses("#theme");
        page.is_in_the_system_s("dark");
        page.is_in_the_system_s("light");
        assert_eq!(page.value(is_light), json!(false), "the choice stays");
        page.is_well();
    });
}

#[test]
fn an_ended_program_leaves_a_card_and_can_be_replayed() {
    in_a_browser(|browser| {
        let mut program = Program::start("steady");
        let mut page = browser.page();
        page.opens(&program.address);
        page.waits_until("app.rec.history.polls.length > 20");
        program.says_a_line();
        page.waits_until("!document.querySelector('#end').hidden");
        let facts = page.text("#end-facts");
        assert!(facts.contains("5 tasks in ") && facts.contains(" times"), "{facts}");
        page.presses("#end-again");
        assert_eq!(page.value("document.querySelector('#end-how').hidden"), json!(false));
        page.presses("#end-replay");
        page.waits_until("document.querySelector('#pill').textContent === 'Replay' && app.playing && app.cursor > 0");
        assert_eq!(page.value("document.querySelector('#end').hidden"), json!(true));
        page.is_well();
    });
}

#[test]
fn a_program_that_stays_when_its_work_is_done_has_the_card_too() {
    in_a_browser(|browser| {
        let program = Program::start("lingering");
        let mut page = browser.page();
        page.is_sized(1280, 800);
        page.opens(&program.address);
        page.waits_until("!document.querySelector('#end').hidden");
        assert_eq!(page.text("#pill"), "Live");
        assert_eq!(page.text("#end-title"), "The program has done its work");
        assert!(page.text("#story").starts_with("The program has done its work."), "{}", page.text("#story"));
        assert_eq!(page.value("document.activeElement.id"), json!("end-replay"));
        page.presses("#end-again");
        assert!(page.text("#end-how").starts_with("End the program with Ctrl-C"));

        // Closed, it stays away; the button to play has the run played, and at its end the card comes again.
        page.types("Escape");
        page.value("new Promise((done) => setTimeout(done, 1500))");
        assert_eq!(page.value("document.querySelector('#end').hidden"), json!(true));
        assert_eq!(page.value("document.querySelector('#play').title"), json!("Replay (space)"));
        page.presses("#play");
        page.waits_until("document.querySelector('#pill').textContent === 'Replay' && app.playing");
        page.value("$('speed').value = 1000");
        page.waits_until("app.cursor === app.rec.last && !document.querySelector('#end').hidden");
        page.is_well();
    });
}
