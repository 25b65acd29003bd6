//! The standard input: read line by line, from whatever it is, without holding up the loop.

use std::any::type_name_of_val;
use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, Read, Seek, Write};
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_lite::{AsyncReadExt, StreamExt};
use oneloop::io::stdin;
use oneloop::spawn;
use oneloop::task::cancel_at_every_await;
use oneloop::time::{Instant, interval, sleep, timeout};

use crate::heart::leftovers::{Strangers, poll_with};
use crate::kit::support::one_wake;
use crate::kit::watch::{Watch, in_order, runtime, watch};

const CAME_TO_ITS_END: i32 = 42;

/// Runs a test's body in a process of its own, with this standard input. Meanwhile `feed` runs here. As
/// with `support::child`, the body must be a closure in the test's own function.
fn fed<F: FnOnce()>(input: impl Into<Stdio>, feed: impl FnOnce(&mut Child), body: F) {
    const INSIDE: &str = "ONELOOP_TEST_FED";
    if std::env::var_os(INSIDE).is_some() {
        watch(body);
        std::process::exit(CAME_TO_ITS_END);
    }
    let _watch = Watch::new(Duration::from_secs(40));
    let path = type_name_of_val(&body);
    let test = path.split_once("::").and_then(|(_crate, path)| path.split("::{{closure}}").next()).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .stdin(input)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    feed(&mut child);
    // A pipe that is still open stays so: waiting would close it.
    let _open = child.stdin.take();
    assert_eq!(child.wait().unwrap().code(), Some(CAME_TO_ITS_END));
}

/// Writes this, and ends the input.
fn with(text: &'static [u8]) -> impl FnOnce(&mut Child) {
    move |child| child.stdin.take().unwrap().write_all(text).unwrap()
}

/// Tells the process that feeds this one.
fn say(word: &str) {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "\n{word}").unwrap();
    stdout.flush().unwrap();
}

/// Waits until the body says this. Its words after that are left for the next who waits.
fn hear(child: &mut Child, word: &str) {
    let stdout = child.stdout.as_mut().unwrap();
    let (mut line, mut byte) = (Vec::new(), [0]);
    while stdout.read(&mut byte).unwrap() == 1 {
        match byte {
            [b'\n'] if line == word.as_bytes() => return,
            [b'\n'] => line.clear(),
            [byte] => line.push(byte),
        }
    }
    panic!("it ended without saying {word}");
}

#[test]
fn lines_come_without_their_ends_and_the_last_one_needs_none() {
    fed(Stdio::piped(), with(b"one\n\ntwo\r\nth\rree"), || {
        runtime().block_on(async {
            let lines: Vec<String> = stdin().lines().map(Result::unwrap).collect().await;
            assert_eq!(lines, ["one", "", "two", "th\rree"]);
            assert_eq!(stdin().lines().next_line().await.unwrap(), None);
        });
    });
}

#[test]
fn the_loop_turns_while_nobody_types() {
    let feed = |child: &mut Child| {
        hear(child, "ticked");
        child.stdin.as_mut().unwrap().write_all(b"half a li").unwrap();
        hear(child, "ticked");
        with(b"ne\n")(child);
    };
    fed(Stdio::piped(), feed, || {
        runtime().block_on(async {
            let reads = spawn(async { stdin().lines().next_line().await });
            for _ in 0..2 {
                let mut ticks = interval(Duration::from_millis(1));
                for _ in 0..20 {
                    ticks.tick().await;
                }
                assert!(!reads.is_finished());
                say("ticked");
            }
            assert_eq!(reads.await.unwrap().unwrap().unwrap(), "half a line");
        });
    });
}

#[test]
fn a_file_is_read_like_a_pipe() {
    let text: String = (0..50_000).map(|number| format!("line {number}\n")).collect();
    // It has no name, so nothing is left of it.
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    fed(
        file,
        |_| {},
        || {
            runtime().block_on(async {
                let mut lines = stdin().lines();
                for number in 0..50_000 {
                    assert_eq!(lines.next_line().await.unwrap().unwrap(), format!("line {number}"));
                }
                assert_eq!(lines.next_line().await.unwrap(), None);
            });
        },
    );
}

#[test]
fn an_empty_input_ends_at_once_again_and_again() {
    fed(
        Stdio::null(),
        |_| {},
        || {
            runtime().block_on(async {
                for _ in 0..3 {
                    assert_eq!(stdin().read(&mut [0; 8]).await.unwrap(), 0);
                    assert_eq!(stdin().lines().next_line().await.unwrap(), None);
                }
                assert_eq!(stdin().read(&mut []).await.unwrap(), 0);
            });
        },
    );
}

#[test]
fn a_read_that_was_given_up_loses_nothing_not_even_with_its_runtime() {
    let feed = |child: &mut Child| {
        hear(child, "given up");
        with(b"first\nsecond\n")(child);
    };
    fed(Stdio::piped(), feed, || {
        runtime().block_on(async {
            let mut lines = stdin().lines();
            timeout(Duration::from_millis(5), lines.next_line()).await.unwrap_err();
            let mut waits = pin!(lines.next_line());
            assert!(poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx).is_pending())).await);
        });
        say("given up");
        runtime().block_on(async {
            assert_eq!(stdin().lines().next_line().await.unwrap().unwrap(), "first");
            let mut rest = String::new();
            stdin().read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, "second\n");
        });
    });
}

#[test]
fn each_line_goes_to_one_of_those_who_ask() {
    fed(Stdio::piped(), with(b"1\n2\n3\n4\n5\n6\n7\n8\n"), || {
        runtime().block_on(async {
            let sum = Rc::new(Cell::new(0));
            let readers: Vec<_> = (0..3)
                .map(|_| {
                    let sum = Rc::clone(&sum);
                    spawn(async move {
                        let mut lines = stdin().lines();
                        while let Some(line) = lines.next_line().await.unwrap() {
                            sum.set(sum.get() + line.parse::<u32>().unwrap());
                            oneloop::task::yield_now().await;
                        }
                    })
                })
                .collect();
            for reader in readers {
                reader.await.unwrap();
            }
            assert_eq!(sum.get(), 36);
        });
    });
}

#[test]
fn a_line_that_is_no_text_is_an_error_and_the_next_one_comes() {
    fed(Stdio::piped(), with(b"\xff\xfe\nnext\n"), || {
        runtime().block_on(async {
            let mut lines = stdin().lines();
            assert_eq!(lines.next_line().await.unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert_eq!(lines.next_line().await.unwrap().unwrap(), "next");
        });
    });
}

#[test]
fn input_that_nobody_asked_for_is_left_to_a_child() {
    fed(Stdio::piped(), with(b"for the child\n"), || {
        runtime().block_on(async {
            let _unused = stdin().lines();
            let mut cat = oneloop::process::Command::new("cat");
            let output = cat.stdin(Stdio::inherit()).output().await.unwrap();
            assert_eq!(output.stdout, b"for the child\n");
        });
    });
}

#[test]
fn a_read_in_progress_keeps_no_process_from_its_end() {
    // The input stays open and silent until the process has ended.
    fed(
        Stdio::piped(),
        |_| {},
        || {
            runtime().block_on(async {
                timeout(Duration::from_millis(5), stdin().read(&mut [0; 8])).await.unwrap_err();
            });
        },
    );
}

#[test]
fn with_the_virtual_clock_input_is_waited_for() {
    let feed = |child: &mut Child| {
        hear(child, "waiting");
        with(b"now\n")(child);
    };
    fed(Stdio::piped(), feed, || {
        in_order().block_on(async {
            let hour = spawn(oneloop::time::sleep(Duration::from_secs(3600)));
            say("waiting");
            assert_eq!(stdin().lines().next_line().await.unwrap().unwrap(), "now");
            assert!(!hour.is_finished(), "the clock jumped while the input was read");
            hour.await.unwrap();
        });
    });
}

#[cfg(target_os = "linux")]
#[test]
fn the_input_stays_blocking_for_those_who_share_it() {
    const O_NONBLOCK: u32 = 0o4000;
    fed(Stdio::piped(), with(b"line\n"), || {
        runtime().block_on(async {
            assert_eq!(stdin().lines().next_line().await.unwrap().unwrap(), "line");
        });
        let info = std::fs::read_to_string("/proc/self/fdinfo/0").unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        assert_eq!(u32::from_str_radix(flags.trim(), 8).unwrap() & O_NONBLOCK, 0);
    });
}

#[test]
fn no_line_is_lost_wherever_a_read_is_dropped() {
    let feed = |child: &mut Child| {
        let said = io::BufReader::new(child.stdout.take().unwrap());
        let mut stdin = child.stdin.take().unwrap();
        let mut lines = 0;
        for word in io::BufRead::lines(said).map(Result::unwrap) {
            match word.as_str() {
                "next" => {
                    lines += 1;
                    writeln!(stdin, "{lines}").unwrap();
                }
                "over" => return,
                _ => {}
            }
        }
        panic!("it ended without saying that it is over");
    };
    fed(Stdio::piped(), feed, || {
        let mut lines = 0;
        let places = runtime().block_on(cancel_at_every_await(
            async || {
                spawn(async {
                    sleep(Duration::from_millis(2)).await;
                    say("next");
                })
            },
            async |_| stdin().lines().next_line().await.unwrap().unwrap(),
            async |asked, read| {
                asked.await.unwrap();
                lines += 1;
                let line = match read {
                    Some(line) => line,
                    None => stdin().lines().next_line().await.unwrap().unwrap(),
                };
                assert_eq!(line, lines.to_string());
            },
        ));
        assert!(places >= 3, "it was dropped in {places} places only");
        say("over");
    });
}

#[test]
fn the_virtual_clock_waits_for_input_that_another_runtime_asked_for() {
    let feeds = |child: &mut Child| {
        hear(child, "asleep");
        child.stdin.take().unwrap().write_all(b"x").unwrap();
    };
    fed(Stdio::piped(), feeds, || {
        // The thread that this starts outlives its runtime.
        in_order().block_on(poll_fn(|cx| Poll::Ready(pin!(stdin().read(&mut [0; 8])).poll(cx).is_pending())));
        let runtime = in_order();
        let handle = runtime.handle();
        let says = std::thread::spawn(move || {
            while handle.metrics().parks == 0 {
                std::thread::yield_now();
            }
            say("asleep");
        });
        runtime.block_on(async {
            let (start, hour) = (Instant::now(), Duration::from_secs(3600));
            assert_eq!(timeout(hour, stdin().read(&mut [0; 8])).await.unwrap().unwrap(), 1);
            assert!(start.elapsed() < Duration::from_secs(60), "{:?} passed", start.elapsed());
            let waited = start.elapsed();
            sleep(hour).await;
            assert_eq!((start.elapsed() - waited).as_secs(), hour.as_secs(), "nothing is read any more");
        });
        says.join().unwrap();
    });
}

#[test]
fn an_empty_buffer_does_not_take_the_end_of_the_input() {
    // From a terminal, an end is told once. So it is from a socket to which an empty datagram comes.
    let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
    fed(
        std::os::fd::OwnedFd::from(theirs),
        move |_| assert_eq!(ours.send(b"").unwrap(), 0),
        || {
            runtime().block_on(async {
                let mut stdin = stdin();
                let nothing = poll_fn(|cx| Poll::Ready(pin!(stdin.read(&mut [])).poll(cx))).await;
                assert!(matches!(nothing, Poll::Ready(Ok(0))), "{nothing:?}");
                let (mut other, mut unused) = (oneloop::io::stdin(), [0; 8]);
                let mut begun = pin!(other.read(&mut unused));
                assert!(poll_fn(|cx| Poll::Ready(begun.as_mut().poll(cx).is_pending())).await);
                one_wake().await;
                for _ in 0..3 {
                    assert_eq!(stdin.read(&mut []).await.unwrap(), 0);
                }
                let end = timeout(Duration::from_secs(5), stdin.read(&mut [0; 8])).await;
                assert_eq!(end.expect("the end is still there").unwrap(), 0);
            });
        },
    );
}

#[test]
fn whoever_waits_for_input_and_gives_up_leaves_no_waker() {
    fed(
        Stdio::piped(),
        |_| {},
        || {
            runtime().block_on(async {
                let mut strangers = Strangers::default();
                for _ in 0..100 {
                    let (mut input, mut lines) = (stdin(), stdin().lines());
                    assert!(poll_with(&strangers.next(), pin!(input.read(&mut [0]))).is_pending());
                    assert!(poll_with(&strangers.next(), pin!(lines.next_line())).is_pending());
                    assert!(poll_with(&strangers.next(), pin!(AsyncReadExt::read(&mut input, &mut [0]))).is_pending());
                    assert!(poll_with(&strangers.next(), pin!(lines.next())).is_pending());
                    assert_eq!(strangers.kept(), 2, "those of the handle and of the lines, which live");
                }
                assert_eq!(strangers.kept(), 0);
            });
        },
    );
}
