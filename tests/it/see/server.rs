//! A loop that is shown: viewers see it, may hold it, and can do nothing else to it.
//!
//! Each test talks to the server through real sockets, as a browser or `nc` would. The loop under test runs
//! on a thread of its own, and the test is its viewer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use oneloop::see::{serve, serve_with_token};
use oneloop::task::{Builder, yield_now};
use oneloop::time::sleep;
use oneloop::{Handle, Metrics, Runtime};

use super::guests::{MILLISECOND, Shown, Viewer, ask, number, read_all, spinners};
use crate::kit::support::{Count, UNSEEN_BY_LEAK_SANITIZER, alone, alone_with, child_with, open_files, panic_of};
use crate::kit::watch::{quiet_builder, runtime, watch};

#[test]
fn the_page_is_served_and_lives_on_nothing_from_elsewhere() {
    watch(|| {
        let shown = Shown::new(|| async {});
        let mut browser = TcpStream::connect(shown.address).unwrap();
        let (host, mut page) = (shown.address, Vec::new());
        write!(browser, "GET / HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: br;q=1.0, gzip;q=0.8\r\n\r\n").unwrap();
        browser.read_to_end(&mut page).unwrap();
        let end = page.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let (head, body) = (std::str::from_utf8(&page[..end]).unwrap(), &page[end..]);
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("text/html; charset=utf-8"), "{head}");
        assert!(head.contains("default-src 'none'") && head.contains("frame-ancestors 'none'"), "{head}");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
        assert!(head.contains("Content-Encoding: gzip") && body.starts_with(b"\x1f\x8b"), "{head}");
        assert!(shown.ask("GET / HTTP/1.0\nHost: elsewhere:1\n\n").starts_with("HTTP/1.1 403 "));
    });
}

#[test]
fn a_guest_that_cannot_unpack_the_page_is_told_so_in_a_line() {
    watch(|| {
        let shown = Shown::new(|| async {});
        for accepts in ["", "Accept-Encoding: identity\r\n", "Accept-Encoding: gzip;q=0, br\r\n"] {
            let answer = shown.ask(&format!("GET / HTTP/1.1\r\nHost: {}\r\n{accepts}\r\n", shown.address));
            assert!(answer.starts_with("HTTP/1.1 406 ") && answer.contains("curl --compressed"), "{accepts}: {answer}");
        }
    });
}

#[test]
fn a_late_viewer_is_told_of_the_findings_before_it_came() {
    watch(|| {
        oneloop::Runtime::builder().diagnose(true).build().unwrap().block_on(async {
            let address = serve("127.0.0.1:0").unwrap().address();
            let lost = Builder::new().name("lost").spawn(std::future::pending::<()>());
            // The loop sleeps, and the diagnosis looks before that.
            sleep(5 * MILLISECOND).await;
            let viewer = oneloop::task::spawn_blocking(move || {
                Viewer::new(address, "").until(&[
                    r#"{"found":{"n":"#,
                    r#""e":"finding","kind":"nobody_can_wake""#,
                    "lost",
                ]);
            });
            viewer.await.unwrap();
            lost.abort();
        });
    });
}

#[test]
fn a_late_viewer_gets_a_header_facts_and_then_what_happens() {
    watch(|| {
        let (go, wait) = channel::<()>();
        let shown = Shown::new(move || async move {
            Builder::new().name("sleeper").spawn(sleep(Duration::from_secs(1000)));
            yield_now().await;
            drop(oneloop::task::spawn_blocking(move || wait.recv()).await);
            Builder::new().name("later").spawn(async {});
        });
        let mut viewer = shown.viewer();
        let run = viewer.line();
        assert!(run.starts_with(r#"{"status":"run","run":""#), "{run}");
        assert_eq!(viewer.line(), r#"{"status":"running","delay":0}"#);
        assert_eq!(shown.viewer().line(), run, "who comes back sees the same run");
        let header = viewer.until(&[r#""oneloop":"events""#]);
        assert!(header.contains(r#""version":1"#) && header.contains(r#""clock":"real""#), "{header}");
        // It was there before the server, or is told of by an event; either way it is on the page.
        viewer.until(&[r#""fact":"task""#, r#""name":"main""#]);
        viewer.until(&[r#""name":"sleeper""#]);
        go.send(()).unwrap();
        let spawned = viewer.until(&[r#""e":"spawn""#, r#""name":"later""#]);
        assert!(spawned.contains("see/server.rs:"), "{spawned}");
        viewer.until(&[r#""status":"clock","t":"#]);
    });
}

#[test]
fn a_viewer_of_a_loop_that_rests_is_shown_its_whole_past() {
    watch(|| {
        let ((tell, told), (go_on, wait)) = (channel(), channel::<()>());
        let shown = Shown::new(move || async move {
            for _ in 0..3000 {
                yield_now().await;
            }
            // The loop waits for a thread's answer from here on, and tells nothing.
            let answer = oneloop::task::spawn_blocking(move || wait.recv());
            tell.send(()).unwrap();
            drop(answer.await);
        });
        told.recv().unwrap();
        thread::sleep(MILLISECOND * 400);
        let (mut viewer, mut polls) = (shown.viewer(), 0);
        while polls < 3000 {
            let line = viewer.line();
            let is_late = line.contains(r#""status":"clock""#) && polls == 0;
            assert!(!is_late, "the clock is told before the first event, so its past is missing");
            polls += u32::from(line.contains(r#""e":"poll_start""#));
        }
        go_on.send(()).unwrap();
    });
}

#[test]
fn events_come_once_each_and_in_order() {
    watch(|| {
        let shown = Shown::new(|| async {
            for _ in 0..3000 {
                yield_now().await;
            }
        });
        let mut viewer = shown.viewer();
        let number = |line: &str| line.strip_prefix(r#"{"n":"#)?.split(',').next()?.parse::<u64>().ok();
        let mut last = None;
        let mut seen = 0;
        while seen < 2000 {
            let line = viewer.line();
            if line.contains(r#""oneloop":"events""#) {
                last = None;
            }
            let Some(n) = number(&line) else { continue };
            assert!(last.is_none_or(|last| n == last + 1), "{n} after {last:?}");
            (last, seen) = (Some(n), seen + 1);
        }
    });
}

#[test]
fn a_paused_loop_stands_and_each_step_is_exactly_one_poll() {
    watch(|| {
        let count = Count::default();
        let counted = count.clone();
        let shown = Shown::with_polls_counted(&count, move || async move { spinners(&counted, 3) });
        let mut viewer = shown.viewer();
        shown.post("/pause");
        let held = viewer.until_held();
        assert!(number(&held, "next").is_some_and(|task| task > 0) && held.contains(r#""at":"poll""#), "{held}");
        let before = count.get();
        for step in 1..=20 {
            shown.post("/step/poll");
            viewer.until_held();
            assert_eq!(count.get(), before + step);
        }
        assert_eq!(shown.monitor("ps").matches("a viewer holds the loop").count(), 1);
        shown.post("/resume");
        viewer.until(&[r#""status":"running""#]);
        while count.get() < before + 1000 {
            thread::yield_now();
        }
    });
}

/// A tab of a browser: it comes again when its stream is over, and says where it was.
struct Tab {
    address: SocketAddr,
    last_event: String,
    /// The numbers of the events that it has seen, and how often it began anew.
    seen: Vec<u64>,
    begun: usize,
}

impl Tab {
    fn new(address: SocketAddr) -> Self {
        Self { address, last_event: String::new(), seen: Vec::new(), begun: 0 }
    }

    fn come(&self) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let again =
            if self.last_event.is_empty() { String::new() } else { format!("Last-Event-ID: {}\r\n", self.last_event) };
        write!(stream, "GET /events HTTP/1.1\r\nHost: {}\r\n{again}\r\n", self.address).unwrap();
        BufReader::new(stream)
    }

    /// Takes a line of the stream; `None` when that is over.
    fn take(&mut self, lines: &mut BufReader<TcpStream>) -> Option<String> {
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        if let Some(id) = line.strip_prefix("id: ") {
            self.last_event = id.trim_end().to_owned();
        }
        self.begun += usize::from(line.contains(r#""oneloop":"events""#));
        self.seen.extend(line.strip_prefix("data: ").and_then(|line| number(line, "n")));
        Some(line)
    }

    fn until_the_end(&mut self, mut lines: BufReader<TcpStream>) {
        while self.take(&mut lines).is_some() {}
    }
}

#[test]
fn with_any_number_of_tabs_a_browser_has_connections_left_for_commands() {
    watch(|| {
        let count = Count::default();
        let counted = count.clone();
        let shown = Shown::with_polls_counted(&count, move || async move { spinners(&counted, 1) });
        shown.post("/pause");
        let come = |_| {
            let mut tab = Tab::new(shown.address);
            let mut lines = tab.come();
            tab.take(&mut lines);
            (lines, tab)
        };
        let mut streams: Vec<_> = (0..20).map(come).collect();
        // All but four have to make room for those who came later; those go on.
        for (lines, mut tab) in streams.drain(..16) {
            tab.until_the_end(lines);
            assert!(tab.begun == 1 && !tab.last_event.is_empty());
            tab.until_the_end(tab.come());
            assert_eq!(tab.begun, 1, "it goes on where it was");
        }
        let before = count.get();
        for (lines, tab) in &mut streams {
            while !tab.take(lines).unwrap().contains(r#""status":"held""#) {}
        }
        shown.post("/step/poll");
        while count.get() == before {
            thread::yield_now();
        }
        shown.post("/resume");
        // A seat that is given up is had by who comes next, also again: a stream without one tells the time once.
        let (gone, mut again) = streams.pop().unwrap();
        drop(gone);
        let mut told = 0;
        while told < 3 {
            told = 0;
            let mut lines = again.come();
            while let Some(line) = again.take(&mut lines).filter(|_| told < 3) {
                told += usize::from(line.contains(r#""status":"clock""#));
            }
        }
    });
}

#[test]
fn a_tab_that_comes_again_and_again_misses_nothing_and_keeps_a_loop_held() {
    watch(|| {
        let shown = Shown::new(|| async {});
        let mut tab = Tab::new(shown.address);
        let mut lines = tab.come();
        // A browser has taken a message when the empty line behind it has come.
        while tab.last_event.is_empty() || !tab.take(&mut lines).unwrap().trim().is_empty() {
            if tab.last_event.is_empty() {
                tab.take(&mut lines);
            }
        }
        drop(lines);
        let others: Vec<_> = (0..4).map(|_| shown.viewer()).collect();
        for _ in 0..10 {
            tab.until_the_end(tab.come());
        }
        assert!(tab.begun == 1 && tab.seen.windows(2).all(|two| two[1] == two[0] + 1), "{:?}", tab.seen);
        assert!(tab.seen.len() > 20, "{:?}", tab.seen);
        // Nobody who was there before had to leave for it.
        for mut other in others {
            other.until(&[r#""status":"clock""#]);
        }
        let elsewhere = tab.last_event.replace('-', "0-");
        let mut stranger = Tab { last_event: elsewhere, ..Tab::new(shown.address) };
        while stranger.begun == 0 {
            let mut lines = stranger.come();
            while stranger.begun == 0 && stranger.take(&mut lines).is_some() {}
        }
    });
}

#[test]
fn as_many_steps_are_made_as_were_asked_for_at_once() {
    watch(|| {
        let count = Count::default();
        let counted = count.clone();
        let shown = Shown::with_polls_counted(&count, move || async move { spinners(&counted, 3) });
        let mut viewer = shown.viewer();
        shown.post("/pause");
        viewer.until_held();
        let before = count.get();
        for _ in 0..50 {
            shown.post("/step/poll");
        }
        while count.get() < before + 50 {
            viewer.until_held();
        }
        // It would go on here, if it went on.
        assert_eq!(shown.get("/").split(' ').nth(1), Some("200"));
        assert_eq!(count.get(), before + 50);
    });
}

#[test]
fn what_comes_next_is_not_told_before_it_comes() {
    watch(|| {
        let shown = Shown::new(|| async { spinners(&Count::default(), 2) });
        let mut viewer = shown.viewer();
        shown.post("/pause");
        viewer.until_held();
        // The clock comes behind all that there was to tell.
        let mut last = String::new();
        for _ in 0..2 {
            loop {
                let line = viewer.line();
                if line.contains(r#""status":"clock""#) {
                    break;
                }
                last = line;
            }
        }
        assert!(!last.contains("poll_start"), "{last}");
    });
}

#[test]
fn a_step_of_a_turn_goes_from_one_turn_s_start_to_the_next() {
    watch(|| {
        let shown = Shown::new(|| async { spinners(&Count::default(), 3) });
        let mut viewer = shown.viewer();
        shown.post("/step/turn");
        assert_eq!(viewer.until_held(), r#"{"status":"held","at":"turn"}"#);
        for _ in 0..10 {
            let before = shown.handle.metrics();
            shown.post("/step/turn");
            viewer.until_held();
            let after = shown.handle.metrics();
            assert_eq!((after.turns, after.polls > before.polls), (before.turns + 1, true));
        }
        shown.post("/step/poll");
        let held = viewer.until_held();
        assert!(held.starts_with(r#"{"status":"held","at":"poll","next":"#), "{held}");
        // It is that task which is polled next.
        let next = number(&held, "next");
        shown.post("/resume");
        assert_eq!(number(&viewer.until(&[r#""e":"poll_start""#]), "task"), next);
    });
}

#[test]
fn a_loop_goes_on_until_a_task_is_woken_and_no_further() {
    watch(|| {
        let (slept, counted) = (Count::default(), Count::default());
        let (sleeps, spins) = (slept.clone(), counted.clone());
        let shown = Shown::new(move || async move {
            spinners(&spins, 2);
            drop(Builder::new().name("sleeper").spawn(async move {
                loop {
                    sleeps.add();
                    sleep(MILLISECOND * 5).await;
                }
            }));
        });
        // It answers before the program has begun.
        while slept.get() == 0 {
            thread::yield_now();
        }
        let sleeper = shown.monitor("ps");
        let sleeper = sleeper.lines().find(|line| line.contains(" sleeper ")).unwrap_or_else(|| panic!("{sleeper}"));
        let sleeper = sleeper.split_whitespace().next().unwrap();
        let mut viewer = shown.viewer();
        shown.post("/pause");
        viewer.until_held();
        for _ in 0..5 {
            let before = slept.get();
            shown.post(&format!("/until/wake?task={sleeper}"));
            let held = viewer.until_held();
            assert!(held.starts_with(&format!(r#"{{"status":"held","at":"wake","task":{sleeper},"next":"#)), "{held}");
            // Its last wake may have waited in the queue: then it was polled once on the way.
            assert!(slept.get() <= before + 1, "{} after {before}", slept.get());
            let why = shown.monitor(&format!("why {sleeper}"));
            assert!(why.contains(r#""sleeper" was woken by timer"#) && why.contains("see/server.rs"), "{why}");
        }
        shown.post("/resume");
        let nobody = format!("POST /until/wake?task=987654 HTTP/1.1\r\nHost: {}\r\n\r\n", shown.address);
        assert!(shown.ask(&nobody).starts_with("HTTP/1.1 404 "));
    });
}

#[test]
fn slow_motion_lets_time_pass_before_each_poll() {
    watch(|| {
        let count = Count::default();
        let counted = count.clone();
        let shown = Shown::with_polls_counted(&count, move || async move { spinners(&counted, 2) });
        let mut viewer = shown.viewer();
        shown.post("/slow?ms=20");
        viewer.until(&[r#"{"status":"running","delay":20}"#]);
        // The poll that is under way may have begun before.
        let (start, before) = (Instant::now(), count.get());
        while count.get() < before + 11 {
            thread::sleep(MILLISECOND);
        }
        assert!(start.elapsed() >= MILLISECOND * 200, "{:?}", start.elapsed());
        shown.post("/slow?ms=0");
        viewer.until(&[r#"{"status":"running","delay":0}"#]);
    });
}

#[test]
fn a_loop_that_is_held_or_slowed_down_has_no_long_polls() {
    const LONG: u64 = 400_000_000;
    watch(|| {
        let shown = Shown::new(|| async { spinners(&Count::default(), 3) });
        let mut viewer = shown.viewer();
        shown.post("/pause");
        for _ in 0..3 {
            viewer.until_held();
            let held = number(&viewer.until(&[r#""status":"clock""#]), "t").unwrap();
            while number(&viewer.until(&[r#""status":"clock""#]), "t").unwrap() < held + LONG {}
            shown.post("/step/poll");
        }
        viewer.until_held();
        shown.post("/slow?ms=500");
        shown.post("/resume");
        let (mut began, mut ended, mut pauses) = (None, None, 0);
        while pauses < 2 {
            let line = viewer.until(&[r#""e":"poll_"#]);
            let at = number(&line, "t").unwrap();
            if line.contains(r#""e":"poll_start""#) {
                pauses += u32::from(ended.is_some_and(|ended| at - ended > LONG));
                began = Some(at);
            } else {
                assert!(began.is_none_or(|began| at - began < LONG), "it began at {began:?}: {line}");
                ended = Some(at);
            }
        }
        shown.post("/slow?ms=0");
    });
}

#[test]
fn nobody_is_blamed_for_what_a_viewer_held_up() {
    const LONG: u64 = 100_000_000;
    watch(|| {
        let diagnosed = || quiet_builder().diagnose(true).build().unwrap();
        let (tell, asleep) = channel();
        let shown = Shown::on(diagnosed, &Count::default(), || async move {
            for _ in 0..30 {
                drop(oneloop::spawn(async {
                    loop {
                        sleep(MILLISECOND * 20).await;
                    }
                }));
            }
            sleep(MILLISECOND).await;
            tell.send(()).unwrap();
        });
        asleep.recv().unwrap();
        let mut viewer = shown.viewer();
        shown.post("/pause");
        viewer.until_held();
        // Nobody is ready where a turn starts: all thirty sleep, and become late.
        shown.post("/step/turn");
        viewer.until(&[r#""status":"held","at":"turn""#]);
        let held = number(&viewer.until(&[r#""status":"clock""#]), "t").unwrap();
        while number(&viewer.until(&[r#""status":"clock""#]), "t").unwrap() < held + 3 * LONG {}
        shown.post("/resume");
        // Everything from here on counts, until slow motion has made timers very late. The machine may hold up the
        // loop, too: then blame is right, and the time between two events, less what was held, tells of it.
        let (mut late, mut lasted, mut stalled, mut before) = (0, 0, 0, None);
        while late < 90 {
            let line = viewer.line();
            let (hold, at) = (number(&line, "lasted").unwrap_or(0), number(&line, "t"));
            let passed = at.zip(before).map_or(0, |(at, before): (u64, u64)| at.saturating_sub(before + hold));
            let stalled_now = stalled + if passed > LONG / 20 { passed } else { 0 };
            let blamed = line.contains(r#""e":"finding""#) || line.contains("culprit");
            assert!(!blamed || stalled_now > LONG / 2, "stalled for {stalled_now}: {line}");
            if line.contains(r#""e":"#) {
                (stalled, before) = (stalled_now, at);
            }
            late += u32::from(number(&line, "late").is_some_and(|late| late > LONG));
            lasted = lasted.max(hold);
            if late == 16 {
                shown.post("/slow?ms=10");
            }
        }
        assert!(lasted >= 3 * LONG, "{lasted}");
    });
}

#[test]
fn a_held_loop_goes_on_when_nobody_has_watched_for_two_seconds() {
    watch(|| {
        let count = Count::default();
        let counted = count.clone();
        let shown = Shown::with_polls_counted(&count, move || async move { spinners(&counted, 2) });
        let mut viewer = shown.viewer();
        shown.post("/slow?ms=1");
        shown.post("/pause");
        viewer.until_held();
        let (left, before) = (Instant::now(), count.get());
        drop(viewer);
        while count.get() < before + 1000 {
            thread::sleep(MILLISECOND);
        }
        assert!(left.elapsed() >= Duration::from_secs(2), "{:?}", left.elapsed());
    });
}

#[test]
fn a_stuck_loop_is_still_shown_and_who_sticks_is_named() {
    watch(|| {
        let (go_on, stuck) = channel::<()>();
        let shown = Shown::new(move || async move {
            drop(Builder::new().name("hog").spawn(async move {
                sleep(MILLISECOND).await;
                let _ = stuck.recv();
            }));
        });
        let mut viewer = shown.viewer();
        let first =
            viewer.until(&[r#""status":"clock""#, r#""culprit":"task "#, r#"\"hog\" has been in one poll for "#]);
        assert!(
            first.contains("last waited at ") && first.contains(r#","awaited":"tests/it/see/server.rs:"#),
            "{first}"
        );
        let time = |line: &str| {
            let t = line.split(r#""t":"#).nth(1).unwrap();
            t.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse::<u64>().unwrap()
        };
        assert!(time(&viewer.until(&["culprit"])) > time(&first), "time stands");
        let said = shown.monitor("ps\nhelp");
        assert!(said.contains(r#""hog" has been in one poll for "#) && said.contains("wheel"), "{said}");
        assert!(shown.get("/").starts_with("HTTP/1.1 200 "));
        go_on.send(()).unwrap();
        loop {
            let line = viewer.until(&[r#""status":"clock""#]);
            if !line.contains("culprit") {
                break;
            }
        }
    });
}

#[test]
fn who_has_no_right_to_ask_is_refused_and_told_why() {
    watch(|| {
        let count = Count::default();
        let counted = count.clone();
        let shown = Shown::with_polls_counted(&count, move || async move { spinners(&counted, 1) });
        let host = format!("Host: {}", shown.address);
        let long = format!("GET / HTTP/1.1\r\n{host}\r\nX: {}\r\n\r\n", "x".repeat(10_000));
        let cases: &[(&str, &str)] = &[
            ("403", "POST /pause HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
            ("403", "GET / HTTP/1.1\r\nHost: evil.example:6061\r\n\r\n"),
            ("403", "GET /events HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n"),
            ("400", "POST /pause HTTP/1.1\r\n\r\n"),
            ("400", "POST /pause HTTP/1.1\r\nHOST\r\nHost: evil\r\n\r\n"),
            ("400", "POST /pause HTTP/1.1\r\nHOST\r\nHost: HOST\r\n\r\n"),
            ("403", "POST /pause HTTP/1.1\r\nHOST\r\nOrigin: http://evil.example\r\n\r\n"),
            ("403", "POST /pause HTTP/1.1\r\nHOST\r\nOrigin: null\r\n\r\n"),
            ("403", "GET /events HTTP/1.1\r\nHOST\r\nOrigin: http://evil.example\r\n\r\n"),
            ("403", "GET /events HTTP/1.1\r\nHOST\r\nSec-Fetch-Site: cross-site\r\n\r\n"),
            ("405", "GET /pause HTTP/1.1\r\nHOST\r\n\r\n"),
            ("405", "GET /until/wake?task=1 HTTP/1.1\r\nHOST\r\n\r\n"),
            ("405", "OPTIONS /pause HTTP/1.1\r\nHOST\r\n\r\n"),
            ("405", "POST / HTTP/1.1\r\nHOST\r\n\r\n"),
            ("404", "GET /favicon.ico HTTP/1.1\r\nHOST\r\n\r\n"),
            ("404", "POST /pause/ HTTP/1.1\r\nHOST\r\n\r\n"),
            ("400", "POST /slow HTTP/1.1\r\nHOST\r\n\r\n"),
            ("400", "POST /slow?ms=-1 HTTP/1.1\r\nHOST\r\n\r\n"),
            ("400", "POST /slow?ms=60001 HTTP/1.1\r\nHOST\r\n\r\n"),
            ("400", "POST /until/wake?task=x HTTP/1.1\r\nHOST\r\n\r\n"),
            ("400", "POST http://127.0.0.1/pause HTTP/1.1\r\nHOST\r\n\r\n"),
            ("400", "POST  /pause HTTP/1.1\r\nHOST\r\n\r\n"),
            ("400", "POST /pause HTTP/1.1\r\nHOST\r\n folded: yes\r\n\r\n"),
            ("400", "POST /pause HTTP/1.1\r\nHOST\r\nno colon\r\n\r\n"),
            ("413", "POST /pause HTTP/1.1\r\nHOST\r\nContent-Length: 5\r\n\r\nhello"),
            ("413", "POST /pause HTTP/1.1\r\nHOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            ("505", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            ("431", &long),
        ];
        for (status, request) in cases {
            let request = request.replace("HOST", &host).replace("Host: Host: ", "Host: ");
            let answer = shown.ask(&request);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}\n{answer}");
            let (_, why) = answer.split_once("\r\n\r\n").unwrap();
            assert!(why.len() > 10 && why.ends_with('\n') && why.lines().count() == 1, "{request}\n{answer}");
        }
        assert!(shown.monitor("\u{1}\u{2}").contains("try help"));
        let before = count.get();
        while count.get() < before + 100 {
            thread::yield_now();
        }
        for (name, origin) in [("localhost", "localhost"), ("[::1]", "[::1]"), ("127.0.0.1", "127.0.0.1")] {
            let port = shown.address.port();
            let request = format!("POST /resume HTTP/1.1\nhost: {name}:{port}\nOrigin: http://{origin}:{port}\n\n");
            assert!(shown.ask(&request).starts_with("HTTP/1.1 204 "), "{request}");
        }
    });
}

/// Whether a command is done that comes with this `Host`, and with this `Origin` where there is one.
fn is_obeyed(address: SocketAddr, host: &str, origin: &str) -> bool {
    let origin = if origin.is_empty() { String::new() } else { format!("Origin: {origin}\r\n") };
    let answer = ask(address, &format!("POST /resume HTTP/1.1\r\nHost: {host}\r\n{origin}\r\n"));
    let status = answer.split(' ').nth(1).unwrap();
    assert!(["204", "400", "403"].contains(&status), "{host:?}, {origin:?}: {answer}");
    status == "204"
}

#[test]
fn own_names_are_heard_with_any_port_or_none_and_foreign_names_never() {
    watch(|| {
        let shown = Shown::new(|| async {});
        let obeyed = |host: &str, origin: &str| is_obeyed(shown.address, host, origin);
        let own = ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.0.0.7", "127.0.0.1.", "[::1]"];
        let own = own.into_iter().chain(["[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]"]);
        for name in own {
            for port in ["", ":", ":80", ":7000"] {
                assert!(obeyed(&format!("{name}{port}"), ""), "{name}{port}");
            }
            assert!(!obeyed(&format!("{name}:x"), "") && !obeyed(&format!("{name}:65536"), ""), "{name}");
        }
        for name in [
            "evil.example",
            "localhost.evil.example",
            "localhost..",
            "evil.localhost",
            "127.0.0.1.evil.example",
            "localhost@evil.example",
            "evil.example:80@localhost",
            "127.1",
            "0.0.0.0",
            "10.0.0.1",
            "[::]",
            "[::1",
            "::1",
            "[::1].evil.example",
            "[127.0.0.1]",
            "",
            ".",
            ":80",
        ] {
            assert!(!obeyed(name, "") && !obeyed(&format!("{name}:6061"), ""), "{name:?}");
        }
    });
}

#[test]
fn an_origin_must_lead_where_the_request_goes_however_both_are_written() {
    watch(|| {
        let shown = Shown::new(|| async {});
        let obeyed = |host: &str, origin: &str| is_obeyed(shown.address, host, origin);
        for (host, origin) in [
            ("localhost", "http://localhost"),
            ("localhost:80", "http://localhost"),
            ("localhost", "http://LocalHost:80"),
            ("localhost.", "HTTP://localhost"),
            ("localhost", "https://localhost"),
            ("localhost", "https://localhost:443"),
            ("[::1]:7000", "http://[0:0:0:0:0:0:0:1]:7000"),
        ] {
            assert!(obeyed(host, origin), "{host:?} {origin:?}");
        }
        for (host, origin) in [
            ("localhost", "http://localhost:3000"),
            ("localhost", "https://localhost:80"),
            ("localhost:6061", "http://localhost"),
            ("localhost", "http://127.0.0.1"),
            ("localhost", "http://localhost.evil.example"),
            ("localhost", "http://localhost@evil.example"),
            ("localhost", "ftp://localhost"),
            ("localhost", "localhost"),
            ("localhost", "null"),
            ("localhost", "http://"),
        ] {
            assert!(!obeyed(host, origin), "{host:?} {origin:?}");
        }
    });
}

#[test]
fn a_guest_who_asks_too_slowly_is_sent_away() {
    watch(|| {
        let shown = Shown::new(|| async {});
        let mut slow: Vec<_> = (0..10).map(|_| TcpStream::connect(shown.address).unwrap()).collect();
        for stream in &mut slow {
            stream.write_all(b"GET / HT").unwrap();
        }
        assert!(shown.get("/").starts_with("HTTP/1.1 200 "));
        for mut stream in slow {
            assert!(read_all(&mut stream).starts_with("HTTP/1.1 408 "));
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn any_number_of_hostile_guests_keeps_out_neither_viewers_nor_the_loop() {
    alone(|| {
        let before = (threads(), open_files());
        let shown = Shown::new(|| async { spinners(&Count::default(), 2) });
        let mut viewer = shown.viewer();
        let mut hostile: Vec<_> = (0..50).map(|_| TcpStream::connect(shown.address).unwrap()).collect();
        for (n, stream) in hostile.iter_mut().enumerate() {
            let garbage: &[u8] = match n % 5 {
                0 => b"",
                1 => b"GET /events",
                2 => b"\xff\xfe\x00\n",
                3 => b"ps\nps\nps\nwhy 1\nwheel\n",
                _ => &[b'x'; 9000],
            };
            // Some have been sent away already.
            let _ = stream.write_all(garbage);
        }
        for _ in 0..5 {
            assert!(shown.get("/").starts_with("HTTP/1.1 200 "));
        }
        viewer.until(&[r#""status":"clock""#]);
        // Those who were sent away may still be on their way out.
        while threads() >= before.0 + 45 {
            thread::yield_now();
        }
        let turns = shown.handle.metrics().turns;
        while shown.handle.metrics().turns < turns + 100 {
            thread::yield_now();
        }
        drop(shown);
        drop((viewer, hostile));
        until_all_is_as(before);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn viewers_however_many_and_slow_lock_out_neither_nc_nor_a_browser() {
    watch(|| {
        let shown = Shown::new(|| async {});
        let mut viewers: Vec<_> = (0..40).map(|_| shown.viewer()).collect();
        assert!(shown.monitor("help").contains("every task"), "nc is answered");
        assert!(shown.get("/").starts_with("HTTP/1.1 200 "), "the page loads");
        viewers.push(shown.viewer());
        viewers.last_mut().unwrap().until(&["\"oneloop\":\"events\""]);
    });
}

#[test]
fn a_viewer_who_takes_nothing_holds_up_nobody_and_costs_little() {
    alone(|| {
        let shown = Shown::new(|| async { spinners(&Count::default(), 2) });
        let idle: Vec<_> = (0..5).map(|_| shown.viewer()).collect();
        let mut awake = shown.viewer();
        let before = (shown.handle.metrics().turns, crate::kit::support::resident_kb());
        while shown.handle.metrics().turns < before.0 + 2_000 {
            awake.line();
        }
        let grown = crate::kit::support::resident_kb().saturating_sub(before.1);
        assert!(grown < 60_000, "{grown} kB more");
        drop(idle);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn the_drop_of_a_runtime_frees_port_threads_and_descriptors() {
    alone(|| {
        let before = (threads(), open_files());
        for _ in 0..3 {
            let shown = Shown::new(|| async {});
            let (address, mut viewer) = (shown.address, shown.viewer());
            let mut idle = TcpStream::connect(address).unwrap();
            let mut monitor = BufReader::new(TcpStream::connect(address).unwrap());
            monitor.get_mut().write_all(b"help\n").unwrap();
            viewer.line();
            // All three are inside when their host goes.
            monitor.read_line(&mut String::new()).unwrap();
            drop(shown);
            drop(std::net::TcpListener::bind(address).unwrap());
            assert_eq!(read_all(&mut idle), "");
            let mut rest = String::new();
            assert!(monitor.read_to_string(&mut rest).is_ok() && rest.contains("wheel"), "{rest}");
            drop((idle, monitor, viewer));
            until_all_is_as(before);
        }
    });
}

/// Waits until as many threads and descriptors are left as there were. A thread that was joined is over,
/// but the kernel may list it for a moment more.
#[cfg(target_os = "linux")]
fn until_all_is_as(before: (usize, usize)) {
    while (threads(), open_files()) != before {
        thread::yield_now();
    }
}

#[cfg(target_os = "linux")]
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn the_server_is_no_task_no_timer_and_no_source_of_the_loop() {
    watch(|| {
        runtime().block_on(async {
            let here = || {
                let Metrics { tasks, timers, sources, blocking_threads, .. } = Handle::current().metrics();
                (tasks, timers, sources, blocking_threads)
            };
            yield_now().await;
            let before = here();
            let server = serve("127.0.0.1:0").unwrap();
            let address = server.address();
            let asked = thread::spawn(move || (Viewer::new(address, ""), ask(address, "ps\nquit\n")));
            while !asked.is_finished() {
                yield_now().await;
            }
            assert_eq!(here(), before);
            let (_viewer, said) = asked.join().unwrap();
            assert!(said.contains("; tasks 1 (ready "), "{said}");
            assert!(said.contains("timers 0, sources 0"), "{said}");
        });
    });
}

#[test]
fn names_are_text_whatever_is_in_them() {
    watch(|| {
        let shown = Shown::new(|| async {
            let name = "<img src=x onerror=alert(1)>\n\ndata: \"evil\\\u{1b}[31m\u{2028}";
            Builder::new().name(name).spawn(std::future::pending::<()>());
        });
        let line = shown.viewer().until(&["onerror"]);
        assert!(line.contains(r#""name":"<img src=x onerror=alert(1)>\u000a\u000adata: \"evil\\\u001b[31m"#), "{line}");
        let table = shown.monitor("ps");
        assert!(table.contains("onerror") && !table.contains('\u{1b}'), "{table:?}");
        assert!(!shown.monitor("where \u{1b}[31m").contains('\u{1b}'));
    });
}

#[test]
fn with_a_token_only_who_knows_it_may_ask_and_then_by_any_name() {
    watch(|| {
        runtime().block_on(async {
            let server = serve_with_token("0.0.0.0:0", "open-sesame").unwrap();
            let address = SocketAddr::from(([127, 0, 0, 1], server.address().port()));
            let viewer = thread::spawn(move || {
                let get = |path: &str, host: &str| {
                    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: gzip\r\n\r\n"))
                };
                assert!(ask(address, "cancel 2\n").contains("token"), "a line without it is not obeyed");
                for path in ["/", "/?token=", "/?token=open-sesamE", "/?token=open-sesame1", "/events"] {
                    assert!(get(path, &address.to_string()).starts_with("HTTP/1.1 403 "), "{path}");
                }
                assert!(get("/?token=open-sesame", "studio.example:1234").starts_with("HTTP/1.1 200 "));
                Viewer::new(address, "?token=open-sesame").until(&[r#""oneloop":"events""#]);
                let post = |origin: &str| {
                    let request = format!(
                        "POST /resume?token=open-sesame HTTP/1.1\r\nHost: studio.example\r\nOrigin: {origin}\r\n\r\n"
                    );
                    ask(address, &request)
                };
                assert!(post("http://evil.example").starts_with("HTTP/1.1 403 "));
                assert!(post("http://studio.example").starts_with("HTTP/1.1 204 "));
                assert!(!ask(address, "ps\nps\n").contains("spawned at"));
                assert!(ask(address, "open-sesame\nps\nquit\n").contains("spawned at"));
            });
            while !viewer.is_finished() {
                sleep(MILLISECOND).await;
            }
            viewer.join().unwrap();
        });
    });
}

#[test]
fn an_address_that_cannot_be_had_is_named_with_the_way_out() {
    watch(|| {
        runtime().block_on(async {
            let open = serve("0.0.0.0:0").unwrap_err().to_string();
            assert!(open.contains("0.0.0.0:0") && open.contains("serve_with_token"), "{open}");
            let short = serve_with_token("127.0.0.1:0", "short").unwrap_err().to_string();
            assert!(short.contains("at least 8 letters"), "{short}");
            assert!(serve_with_token("127.0.0.1:0", "with spaces in it").is_err());
            let server = serve("127.0.0.1:0").unwrap();
            let taken = serve(server.address()).unwrap_err();
            assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
            assert!(taken.to_string().contains(&server.address().to_string()), "{taken}");
            assert!(serve("no port").is_err());
            // A second door to the same loop.
            let second = serve("127.0.0.1:0").unwrap();
            assert_ne!(second.address(), server.address());
        });
        assert!(panic_of(|| serve("127.0.0.1:0")).contains("see::serve needs a running oneloop runtime"));
    });
}

#[test]
fn the_environment_shows_every_runtime_of_a_program() {
    let output = child_with(&[("ONELOOP_SEE", "127.0.0.1:0")], || {
        let (one, two) = (Runtime::new().unwrap(), Runtime::new().unwrap());
        one.block_on(yield_now());
        two.block_on(yield_now());
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("oneloop: see it turn at http://127.0.0.1:").count(), 2, "{said}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().map(|address| (address, taken)).unwrap();
    let output = child_with(&[("ONELOOP_SEE", &taken.0.to_string())], || Runtime::new().unwrap().block_on(yield_now()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("({} is taken)", taken.0)), "{said}");
}

#[test]
fn a_wish_that_cannot_be_granted_is_one_line_and_the_program_runs() {
    for (value, part) in [
        ("yes", "\"yes\" is neither 1 nor an address such as 127.0.0.1:6061"),
        ("0.0.0.0:6061", "0.0.0.0:6061 can be reached from other machines"),
        ("192.0.2.1:0", "can be reached from other machines"),
        ("", ""),
        ("0", ""),
    ] {
        let output = child_with(&[("ONELOOP_SEE", value)], || Runtime::new().unwrap().block_on(yield_now()));
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<_> = said.lines().filter(|line| line.starts_with("oneloop: ")).collect();
        assert_eq!(output.status.code(), Some(42), "{said}");
        assert_eq!(lines.len(), usize::from(!part.is_empty()), "{value:?}: {said}");
        assert!(lines.iter().all(|line| line.contains(part)), "{value:?}: {said}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_forked_child_that_drops_a_shown_loop_leaves_its_viewers_alone() {
    alone_with(&[UNSEEN_BY_LEAK_SANITIZER], || {
        let runtime = runtime();
        let address = runtime.block_on(async {
            Builder::new().name("sleeper").spawn(sleep(Duration::from_secs(1000)));
            serve("127.0.0.1:0").unwrap().address()
        });
        let mut viewer = Viewer::new(address, "");
        let mut runtime = Some(runtime);
        let ended = crate::process::system_faults::fork_and_wait(|| drop(runtime.take()));
        assert!(matches!(ended, nix::sys::wait::WaitStatus::Exited(_, 0)), "{ended:?}");
        viewer.until(&[r#""status":"clock""#]);
        assert!(ask(address, "ps\nquit\n").contains("sleeper"));
        drop(runtime);
    });
}
