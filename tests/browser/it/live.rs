//! The page beside a program that runs.

use serde_json::json;

use crate::chrome::in_a_browser;
use crate::page::Page;
use crate::program::Program;

/// Opens the page of a program, and waits until it shows something.
fn watches(page: &mut Page<'_>, program: &Program) {
    page.opens(&program.address);
    page.waits_until("document.querySelector('#pill').textContent === 'Live' && app.rec.events.length > 0");
}

/// Pauses the program.
fn pauses(page: &mut Page<'_>) {
    page.presses("#play");
    page.waits_until("document.querySelector('#pill').textContent === 'Paused'");
}

/// How many events of this kind came so far.
fn count(kind: &str) -> String {
    format!("app.rec.events.filter(({{ e }}) => e === '{kind}').length")
}

#[test]
fn a_running_program_is_shown_as_it_runs() {
    in_a_browser(|browser| {
        let program = Program::start("steady");
        let mut page = browser.page();
        watches(&mut page, &program);
        for name in ["main", "quick", "steady", "slow"] {
            page.waits_until(&format!(
                "[...document.querySelectorAll('.cell .name')].some((cell) => cell.textContent === '{name}')"
            ));
        }
        let seen = page.value("app.cursor").as_u64().expect("a number");
        page.waits_until(&format!("app.cursor > {seen} + 50 && app.view.timers.size === 3"));
        page.waits_until("document.querySelector('#story').textContent.length > 10");
        page.is_well();
    });
}

#[test]
fn a_program_can_be_held_stepped_and_let_go() {
    in_a_browser(|browser| {
        let program = Program::start("steady");
        let mut page = browser.page();
        watches(&mut page, &program);
        pauses(&mut page);

        // It is held: the server's clock goes on, and no event comes.
        let before = page.value("app.rec.last");
        page.value("window.seenClock = app.server.t");
        page.waits_until("app.server.t > window.seenClock + 1e9");
        assert_eq!(page.value("app.rec.last"), before);

        for polls in 1..=3 {
            let before = page.value(&count("poll_start")).as_u64().expect("a number");
            page.presses("#step-poll");
            page.waits_until(&format!("{} === {} && app.held", count("poll_end"), before + 1));
            assert_eq!(page.value(&count("poll_start")), json!(before + 1), "after {polls} steps");
        }

        let turn = page.value("app.view.turn").as_u64().expect("a number");
        page.presses("#step-turn");
        page.waits_until(&format!("app.held && app.view.turn > {turn} || app.held?.at === 'turn'"));

        page.presses("#play");
        page.waits_until(&format!(
            "document.querySelector('#pill').textContent === 'Live' && {} > 100",
            count("poll_end")
        ));
        page.is_well();
    });
}

#[test]
fn slow_motion_slows_a_program_down_and_lets_it_go_again() {
    in_a_browser(|browser| {
        let program = Program::start("steady");
        let mut page = browser.page();
        watches(&mut page, &program);
        let chooses = |page: &mut Page<'_>, delay: u32| {
            page.value(&format!(
                "(() => {{ const speed = document.querySelector('#speed'); speed.value = '{delay}'; \
                 speed.dispatchEvent(new Event('change')); window.chosen = app.rec.last; }})()"
            ));
        };
        let since = "app.rec.events.filter(({ n, e }) => n > chosen && e === 'poll_start')";
        chooses(&mut page, 500);
        // The last three, for the first may have begun before the program heard of it.
        let gaps = format!("{since}.slice(-3).map(({{ t }}, at, all) => at ? t - all[at - 1].t : 5e8)");
        page.waits_until(&format!("{since}.length >= 4 && {gaps}.every((gap) => gap >= 5e8)"));
        chooses(&mut page, 0);
        page.waits_until(&format!("{since}.length > 100"));
        page.is_well();
    });
}

#[test]
fn who_knows_the_token_sees_a_guarded_program_and_may_hold_it() {
    in_a_browser(|browser| {
        let program = Program::start_guarded();
        let mut page = browser.page();
        page.opens(&program.address);
        let refused = page.text("body");
        assert!(refused.contains("add ?token="), "{refused}");
        page.opens(&format!("{}?token=open-sesame", program.address));
        page.waits_until("document.querySelector('#pill').textContent === 'Live' && app.rec.events.length > 0");
        pauses(&mut page);
        let before = page.value(&count("poll_start")).as_u64().expect("a number");
        page.presses("#step-poll");
        page.waits_until(&format!("{} === {} && app.held", count("poll_end"), before + 1));
        page.is_well();
    });
}

#[test]
fn a_program_runs_to_the_next_wake_of_the_chosen_task() {
    in_a_browser(|browser| {
        let program = Program::start("steady");
        let mut page = browser.page();
        watches(&mut page, &program);
        pauses(&mut page);
        let slow = "[...app.rec.names].find(([, { name }]) => name === 'slow')[0]";
        page.value(&format!("app.selected = {slow}; app.touch()"));
        page.waits_until("!document.querySelector('#to-wake').disabled");
        page.value(&format!("window.from = app.rec.last; window.slow = {slow}"));
        page.presses("#to-wake");
        page.waits_until("app.held?.at === 'wake' && app.held.task === slow");
        // Its wake is the last of what came.
        let wakes = "app.rec.events.filter(({ n, e, task }) => n > from && e === 'wake' && task === slow).length";
        page.waits_until(&format!("{wakes} === 1"));
        page.is_well();
    });
}

#[test]
fn the_next_poll_of_a_program_can_be_predicted() {
    in_a_browser(|browser| {
        let program = Program::start("steady");
        let mut page = browser.page();
        watches(&mut page, &program);
        page.types("p");
        page.waits_until("app.asking() && document.querySelectorAll('#choices .task').length > 1");
        let next = page.value("app.view.queue[0]").as_u64().expect("somebody is ready");
        let shown = page.value("[...document.querySelectorAll('#queue-list .name')].length");
        assert_eq!(shown, json!(0), "the queue gives it away");
        page.presses(&format!("#choices [data-task='{next}']"));
        page.waits_until("document.querySelector('#verdict').className === 'right'");
        assert_eq!(page.text("#score"), "1 of 1 right");
        page.is_well();
    });
}

#[test]
fn the_right_answer_is_always_offered_and_its_key_picks_it() {
    in_a_browser(|browser| {
        let program = Program::start("nappers");
        let mut page = browser.page();
        watches(&mut page, &program);
        page.types("p");
        for round in 1..=6 {
            page.waits_until("app.asking()");
            let offered =
                page.value("[...document.querySelectorAll('#choices .task')].map((node) => Number(node.dataset.task))");
            let offered = offered.as_array().expect("an array").clone();
            assert!((2..=4).contains(&offered.len()), "{offered:?}");
            assert_eq!(page.value("document.activeElement.id"), json!("ask"), "the question has the focus");
            let answer = offered.iter().position(|id| *id == page.value("app.held.next"));
            let answer = answer.unwrap_or_else(|| panic!("question {round}: the answer is not among {offered:?}"));
            page.types(&(answer + 1).to_string());
            page.waits_until("document.querySelector('#verdict').className === 'right'");
            let streak = if round > 1 { format!(", {round} in a row") } else { String::new() };
            assert_eq!(page.text("#score"), format!("{round} of {round} right{streak}"));
            page.types("n");
        }
        page.is_well();
    });
}

#[test]
fn while_held_a_program_is_drawn_by_order_and_who_is_next_has_a_lane() {
    in_a_browser(|browser| {
        let program = Program::start("nappers");
        let mut page = browser.page();
        watches(&mut page, &program);
        assert_eq!(page.value("timeline.mode"), json!("time"));
        pauses(&mut page);
        page.waits_until("app.held?.next > 0");
        for _ in 0..5 {
            page.value("timeline.draw(); window.next = app.held.next; window.last = app.rec.last");
            let lanes =
                "[...app.view.tasks.keys()].every((id) => timeline.places.has(id)) && timeline.mode === 'order'";
            assert_eq!(page.value(lanes), json!(true), "every living task has a lane");
            let seen = "timeline.y(next) > AXIS + LOOP && timeline.y(next) < timeline.h";
            assert_eq!(page.value(seen), json!(true), "who is next is in sight");
            page.presses("#step-poll");
            page.waits_until("app.held && app.rec.last > last");
            assert_eq!(
                page.value("app.rec.events.find(({ n, e }) => n > last && e === 'poll_start').task === next"),
                json!(true)
            );
        }
        page.presses("#play");
        page.waits_until("!app.held && timeline.mode === 'time'");
        page.is_well();
    });
}

#[test]
fn held_time_takes_no_room_and_nobody_is_blamed_for_it() {
    in_a_browser(|browser| {
        let program = Program::start("staggered");
        let mut page = browser.page();
        watches(&mut page, &program);
        pauses(&mut page);
        page.value("window.from = app.server.t");
        page.waits_until("app.server.t > from + 1.5e9");
        page.presses("#play");
        page.waits_until(
            "app.rec.events.filter(({ n, e }) => e === 'timer_fired' && n > app.rec.history.holds[0]?.n).length > 60",
        );
        let hold = "app.rec.history.holds[0]";
        // The clock is told four times a second, so the hold may have begun a little after what was told last.
        assert_eq!(page.value(&format!("{hold}.t1 - {hold}.t > 1.1e9")), json!(true));
        let wide = page.value(&format!("timeline.draw(); timeline.x({hold}.t1) - timeline.x({hold}.t)"));
        assert!(wide.as_f64().is_some_and(|wide| wide.abs() < 1.0), "it is {wide} pixels wide");
        // There and back again is the same moment, before it and after it.
        let back = format!(
            "[{hold}.t - 1e6, {hold}.t1 + 1e6].every((t) => Math.abs(app.rec.unfold(app.rec.fold(t)) - t) < 10)"
        );
        assert_eq!(page.value(&back), json!(true));
        // On a busy machine a poll may be slow all the same: others had the processor.
        assert_eq!(page.value("app.rec.findings.filter(({ kind }) => kind !== 'slow_poll')"), json!([]));
        let late = "app.rec.events.find(({ e, late }) => e === 'timer_fired' && late > 1e9)";
        let says = page.value(&format!("tell({late}, app.view)"));
        assert!(says.as_str().is_some_and(|says| says.contains("because the loop was held")), "{says}");
        page.is_well();
    });
}

#[test]
fn a_wedged_program_is_shown_with_its_task_and_line() {
    in_a_browser(|browser| {
        let mut program = Program::start("wedged");
        let mut page = browser.page();
        watches(&mut page, &program);
        page.waits_until("!document.querySelector('#banner').hidden");
        page.waits_until(
            "/“\u{2068}hog\u{2069}” has been in one poll for [2-9]/.test(document.querySelector('#alarm').textContent)",
        );
        let alarm = page.text("#alarm");
        let known = ["It last waited at tests/browser/watched.rs:", ", and was spawned at tests/browser/watched.rs:"];
        assert!(known.iter().all(|words| alarm.contains(words)), "{alarm}");
        // The findings do not say otherwise meanwhile.
        page.waits_until("!/no slow poll/.test(document.querySelector('#finding-list').textContent)");
        // The program is told to go on, and the alarm is over.
        program.says_a_line();
        page.waits_until("document.querySelector('#banner').hidden");
        page.waits_until("document.querySelector('#finding-list').textContent.includes('hog')");
        page.is_well();
    });
}

#[test]
fn when_a_long_poll_is_over_nothing_says_any_more_that_it_goes_on() {
    in_a_browser(|browser| {
        let mut program = Program::start("wedged");
        let mut page = browser.page();
        watches(&mut page, &program);
        page.waits_until("app.server?.culprit && !document.querySelector('#banner').hidden");
        // The page has heard of the end, and draws.
        page.value(
            "window.drawn = []; const drawBanner = paintBanner; paintBanner = () => { drawBanner(); \
             if (app.view.running === null) drawn.push(document.querySelector('#banner').hidden ? '' : document.querySelector('#alarm').textContent) }; 0",
        );
        program.says_a_line();
        page.waits_until("drawn.length > 3");
        assert_eq!(page.value("drawn.filter((alarm) => alarm.includes('hog'))"), json!([]));
        page.is_well();
    });
}

#[test]
fn a_page_that_is_behind_blames_no_poll_but_the_one_that_is_named() {
    in_a_browser(|browser| {
        let program = Program::start("resting");
        let mut page = browser.page();
        watches(&mut page, &program);
        // The page still sees a poll of long ago, and the program has gone on to another, which is too long.
        let mut banner = |task: u32, since: &str| {
            page.value(&format!(
                "(() => {{ const {{ view }} = app, t = view.t + 6e9; Object.assign(view, {{ running: 5, since: view.t }}); \
                 received(JSON.stringify({{ status: 'clock', t, culprit: 'task {task} has been in one poll for 150 ms', \
                 task: {task}, since: {since} }})); paintBanner(); return $('alarm').textContent; }})()"
            ))
        };
        assert_eq!(banner(9, "view.t + 5e9"), json!("Task 9 has been in one poll for 150 ms."));
        assert_eq!(banner(5, "view.t + 5e9"), json!("Task 5 has been in one poll for 150 ms."), "the same task, later");
        let now = banner(5, "view.t");
        let now = now.as_str().expect("a sentence");
        assert!(now.starts_with("Task 5 ") && now.contains(" has been in one poll for 6"), "{now}");
    });
}

#[test]
fn a_page_that_falls_behind_keeps_its_past_and_says_what_it_missed() {
    in_a_browser(|browser| {
        let mut program = Program::start("flood");
        let mut page = browser.page();
        watches(&mut page, &program);
        page.waits_until("app.rec.history.polls.length > 20");
        page.value("timeline.setMode('order'); window.past = app.rec.history.polls.map(({ n }) => n)");
        program.says_a_line();
        page.waits_until("app.rec.history.gaps.length > 0 && app.rec.events.length > 50");
        let kept = "past.every((n) => app.rec.history.polls.some((poll) => poll.n === n) && app.rec.at(n).n === n)";
        assert_eq!(page.value(kept), json!(true));
        let missed = "app.rec.history.gaps.reduce((sum, { n, n1 }) => sum + n1 - n, 0)";
        let seen = "app.rec.pieces.reduce((sum, { events }) => sum + events.length, 0)";
        assert_eq!(page.value(&format!("app.rec.start.n + {missed} + {seen} === app.rec.last")), json!(true));
        page.waits_until(
            "/; [1-9][0-9\\u202f]* events not seen/.test(document.querySelector('#line-note').textContent)",
        );
        // It can be looked at: in the timeline, and step by step, over what is missing.
        page.value("timeline.fit(); app.jump(app.rec.history.gaps[0].n)");
        page.value("timeline.draw()");
        assert_eq!(page.value("app.cursor === app.rec.history.gaps[0].n && timeline.mode === 'order'"), json!(true));
        page.presses("#ahead");
        page.waits_until("app.cursor === app.rec.history.gaps[0].n1");
        page.waits_until(
            "/events not seen: the program was quicker/.test(document.querySelector('#story').textContent)",
        );
        page.value("timeline.draw()");
        assert_eq!(page.value("timeline.unseen.length"), json!(1), "drawn as a gap");
        page.presses("#back");
        page.waits_until("app.cursor === app.rec.history.gaps[0].n");
        page.is_well();
    });
}

#[test]
fn who_comes_back_to_the_same_run_goes_on_and_to_another_begins_anew() {
    in_a_browser(|browser| {
        let program = Program::start("steady");
        let mut page = browser.page();
        watches(&mut page, &program);
        pauses(&mut page);
        page.value("window.rec = app.rec; window.last = app.rec.last; window.polls = app.rec.history.polls.length");
        // A server greets a viewer who is back with all that it still knows.
        let back = |run: &str| {
            format!(
                "received(JSON.stringify({{ status: 'run', run: {run} }})); \
                 received(rec.text().join('')); app.rec === rec && rec.last === last && rec.history.polls.length === polls"
            )
        };
        assert_eq!(page.value(&back("app.run")), json!(true), "the same run");
        assert_eq!(page.value(&back("'another'")), json!(false), "another run");
        assert_eq!(page.value("app.rec.last === last && app.rec.history.gaps.length"), json!(0));
        page.is_well();
    });
}

#[test]
fn names_are_text_whatever_they_hold() {
    in_a_browser(|browser| {
        let program = Program::start("hostile");
        let mut page = browser.page();
        watches(&mut page, &program);
        page.waits_until("document.querySelectorAll('.cell .name').length >= 5");
        for name in ["<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "\"><svg onload=alert(3)>"] {
            let shown =
                format!("[...document.querySelectorAll('.cell .name')].find((c) => c.textContent === {})", json!(name));
            page.waits_until(&shown);
            // The inspector, the queue, the lanes and the sentences show it, too.
            page.value(&format!("{shown}.closest('button').click()"));
            page.waits_until(&format!("document.querySelector('#inspected h3')?.textContent === {}", json!(name)));
        }
        let made = "document.querySelectorAll('img, #app script, #app [onload], #app [onerror]').length";
        assert_eq!(page.value(made), json!(0), "a name became markup");
        page.is_well();
    });
}

#[test]
fn ten_thousand_tasks_are_drawn_with_few_elements() {
    in_a_browser(|browser| {
        let program = Program::start("crowd");
        let mut page = browser.page();
        watches(&mut page, &program);
        page.waits_until("app.view.tasks.size > 10000 && app.rec.events.length > 20000");
        page.waits_until("!document.querySelector('#mosaic').hidden && document.querySelector('#mosaic').height > 0");
        let elements = page.value("document.querySelectorAll('*').length").as_u64().expect("a number");
        assert!(elements < 2500, "{elements} elements");
        // It still answers to a hand.
        page.presses("#by-order");
        page.waits_until("timeline.mode === 'order'");
        page.is_well();
    });
}
