//! How quick the page is, and how little it costs while nothing happens. Each test prints what it measured.
//!
//! Frames are judged by how long they compute: on a busy machine they are interrupted, and few are drawn.

use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::chrome::in_a_browser;
use crate::page::Page;
use crate::program::Program;

/// Counts for two seconds how many frames are drawn in one.
const FRAMES: &str = "new Promise((done) => { let count = 0; const drawn = paint, began = performance.now(); \
    paint = (...now) => { count += 1; drawn(...now); }; \
    setTimeout(() => { paint = drawn; done(count / ((performance.now() - began) / 1000)) }, 2000); })";

/// Draws what `count` frames of a second would show, one after the other. To ask for a pixel, and for a height, has
/// the browser really draw, and lay out the page.
fn a_second_of(count: u32) -> String {
    format!(
        "(() => {{ const began = performance.now() + 1000, drawn = ['canvas', 'mosaic'].map($).filter((node) => !node.hidden); \
         for (let i = 0; i < {count}; i++) {{ app.server.at -= 1000 / {count}; paint(began + i * 1000 / {count}, true); \
         for (const node of drawn) node.getContext('2d').getImageData(0, 0, 1, 1); document.body.offsetHeight; }} \
         app.server.at += 1000; }})()"
    )
}

/// Pauses, and says how many milliseconds passed until the page said so.
const PAUSE: &str = "(async () => { const until = (is) => new Promise((done) => { \
    const look = () => is() ? done() : setTimeout(look, 2); look(); }); const began = performance.now(); toggle(); \
    await until(() => document.querySelector('#pill').textContent === 'Paused'); window.paused = performance.now() - began; })()";

/// Goes on, until that is seen.
const GO_ON: &str = "(async () => { toggle(); while (app.held) await new Promise((done) => setTimeout(done, 2)); \
    await new Promise((done) => setTimeout(done, 300)); })()";

fn says(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// How much longer a step may take on a machine with other things to do.
fn patience() -> f64 {
    std::env::var("ONELOOP_TEST_PATIENCE").ok().and_then(|times| times.parse().ok()).unwrap_or(1.0)
}

/// How much longer the page takes than it computes, because others have the processor meanwhile.
fn crowding(page: &mut Page<'_>) -> f64 {
    let began = Instant::now();
    let computes = page.computes("(() => { let sum = 0; for (let i = 0; i < 2e8; i++) sum += i; return sum; })()");
    (began.elapsed().as_secs_f64() * 1000.0 / computes).max(1.0)
}

/// Opens the page of a program that is busy, and measures frames and pauses. A second of `frames` frames may
/// compute for three quarters of a second, so that time is left for taking in what happens.
fn measures(page: &mut Page<'_>, program: &str, tasks: u32, frames: u32) {
    let shown = Program::start(program);
    page.opens(&shown.address);
    page.waits_until(&format!("app.view.tasks.size >= {tasks} && app.rec.events.length > 2000"));
    page.value("new Promise((done) => setTimeout(done, 1000))");
    let seen = page.value(FRAMES).as_f64().expect("a number");
    let costs = page.computes(&a_second_of(frames));
    let before = crowding(page);
    let (mut pause, mut computes) = (f64::MAX, f64::MAX);
    for round in 0..3 {
        if round > 0 {
            page.value(GO_ON);
        }
        computes = page.computes(PAUSE).min(computes);
        pause = page.value("paused").as_f64().expect("a number").min(pause);
    }
    let crowded = before.max(crowding(page));
    says(&format!(
        "{tasks} tasks: {seen:.0} frames a second on this machine now; {frames} of them compute for {costs:.0} ms; \
         a pause computes for {computes:.0} ms, and takes {pause:.0} ms where all takes {crowded:.1} times as long"
    ));
    assert!(costs < 750.0, "{frames} frames compute for {costs} ms");
    assert!(computes < 100.0 * patience(), "a pause computes for {computes} ms");
    // On a busy machine the time is that of others.
    assert!(crowded > 1.5 || pause < 100.0 * patience(), "a pause takes {pause} ms");
}

#[test]
fn a_frame_fits_its_budget_with_a_hundred_tasks_and_with_twelve_thousand() {
    in_a_browser(|browser| {
        let mut page = browser.page();
        measures(&mut page, "hundred", 100, 60);
        measures(&mut page, "multitude", 12_000, 30);
        page.is_well();
    });
}

/// Every one of twelve thousand squares, as after a change of the theme, or of the window's size.
#[test]
fn all_squares_are_drawn_within_a_frame() {
    const ROUNDS: f64 = 20.0;
    in_a_browser(|browser| {
        let mut page = browser.page();
        page.is_sized(1280, 800);
        let shown = Program::start("multitude");
        page.opens(&shown.address);
        page.waits_until("app.view.slots.length >= 12000 && !$('mosaic').hidden");
        page.value(PAUSE);
        let costs = page.computes(&format!(
            "(() => {{ for (let i = 0; i < {ROUNDS}; i++) {{ slab.tiles.fill(-1); slab.paint(); \
             $('mosaic').getContext('2d').getImageData(0, 0, 1, 1); }} }})()"
        )) / ROUNDS;
        says(&format!("12000 squares: the page computes for {costs:.1} ms to draw them all"));
        assert!(costs < 16.0 * patience(), "all squares compute for {costs} ms");
        page.is_well();
    });
}

#[test]
fn a_page_costs_next_to_nothing_while_the_loop_is_held_or_sleeps() {
    const LOOK: Duration = Duration::from_secs(4);
    const REST: &str = "new Promise((done) => setTimeout(done, 4000))";
    in_a_browser(|browser| {
        let mut page = browser.page();
        page.value("new Promise((done) => setTimeout(done, 2000))");
        let Some(empty) = page.load(LOOK) else { return };
        let mut loads = Vec::new();
        for (program, held) in [("hundred", true), ("resting", false)] {
            let shown = Program::start(program);
            page.opens(&shown.address);
            page.waits_until("app.view.tasks.size > 30 && app.link === 'live'");
            if held {
                page.value(PAUSE);
            }
            page.value("new Promise((done) => setTimeout(done, 2000))");
            page.value("window.drawn = 0; const draw = paint; paint = (...now) => { drawn += 1; draw(...now); }; 0");
            let (whole, computes) = (page.load(LOOK).unwrap_or_default() - empty, page.computes(REST) / 40.0);
            let (drawn, state) = (page.value("drawn"), if held { "held" } else { "idle" });
            says(&format!(
                "{state}: the page computes for {computes:.1} % of a core; all of the browser for {whole:.1} % more than \
                 the {empty:.1} % with an empty page; {drawn} frames in 8 s"
            ));
            // Nothing is redrawn that has not changed; while the loop sleeps only the time goes on.
            assert!(drawn.as_u64() <= Some(if held { 0 } else { 12 }), "{drawn} frames while {state}");
            loads.push(computes);
        }
        assert!(loads.iter().all(|load| *load < 2.0 * patience()), "{loads:?} percent");
        page.is_well();
    });
}
