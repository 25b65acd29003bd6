//! The monitor of a loop that is shown: what `nc` is answered, and what a signal prints.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use oneloop::see::serve;
use oneloop::task::{Builder, yield_now};
use oneloop::time::sleep;

use super::guests::{MILLISECOND, Shown, read_all};
use crate::kit::support::{Folder, child_with};
use crate::kit::watch::{runtime, watch};

#[test]
fn the_monitor_greets_whoever_presses_enter_in_two_lines() {
    watch(|| {
        let shown = Shown::new(|| async {});
        let greeting = shown.monitor("");
        assert_eq!(greeting.lines().count(), 2, "{greeting}");
        assert!(greeting.contains("browser") && greeting.contains("Ask: ps"), "{greeting}");
    });
}

/// `nc` is a shell here, by another name: the monitor knows its guests by that.
#[test]
#[cfg(target_os = "linux")]
fn nc_is_greeted_before_it_has_said_a_word() {
    watch(|| {
        let shown = Shown::new(|| async {});
        let folder = Folder::new();
        let nc = folder.file("nc");
        let shell = ["/bin/bash", "/usr/bin/bash"].into_iter().find(|shell| std::path::Path::new(shell).exists());
        std::os::unix::fs::symlink(shell.expect("bash is installed"), &nc).unwrap();
        let (ip, port) = (shown.address.ip(), shown.address.port());
        let script = format!("exec 3<>/dev/tcp/{ip}/{port}; read -r a <&3; read -r b <&3; echo \"$a\"; echo \"$b\"");
        let output = std::process::Command::new(&nc).arg("-c").arg(script).output();
        let output = output.unwrap();
        let greeting = String::from_utf8_lossy(&output.stdout);
        assert!(greeting.lines().nth(1).is_some_and(|line| line.starts_with("Ask: ps")), "{greeting:?} {output:?}");
    });
}

/// A browser opens connections ahead of its requests, and takes what comes first for the answer.
#[test]
fn a_silent_guest_that_is_not_nc_hears_nothing_before_its_answer() {
    watch(|| {
        let shown = Shown::new(|| async {});
        let mut early = TcpStream::connect(shown.address).unwrap();
        early.set_read_timeout(Some(600 * MILLISECOND)).unwrap();
        let unasked = early.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(unasked, Err(ErrorKind::WouldBlock));
        early.set_read_timeout(None).unwrap();
        early
            .write_all(format!("GET / HTTP/1.1\r\nHost: {}\r\nAccept-Encoding: gzip\r\n\r\n", shown.address).as_bytes())
            .unwrap();
        assert!(read_all(&mut early).starts_with("HTTP/1.1 "));
    });
}

#[test]
fn a_task_with_an_endless_name_widens_no_table_and_ends_no_answer() {
    watch(|| {
        let shown = Shown::new(|| async {
            let names = ["n".repeat(65_536), "\u{202e}gnp.live\u{1b}[2J\n".repeat(9_000), "short".to_owned()];
            for name in names {
                oneloop::task::Builder::new().name(name).spawn(std::future::pending::<()>());
            }
        });
        while !shown.monitor("ps").contains("short") {
            thread::yield_now();
        }
        // The second answer shows that the first one has ended no thread.
        for _ in 0..2 {
            let table = shown.monitor("ps\nwhere 2\nwhy 3");
            assert!(table.contains("nnnn"), "{table}");
            assert!(table.lines().all(|line| line.chars().count() < 400), "{table}");
            assert!(!table.contains(['\u{202e}', '\u{1b}']), "{table:?}");
        }
    });
}

#[test]
fn the_monitor_answers_what_it_promises_in_its_help() {
    watch(|| {
        let shown = Shown::new(|| async {
            let listener = oneloop::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            drop(Builder::new().name("acceptor").spawn(async move { drop(listener.accept().await) }));
            let sleeper = Builder::new().name("sleeper").spawn(sleep(Duration::from_secs(3600)));
            drop(Builder::new().name("joiner").spawn(sleeper));
            yield_now().await;
            yield_now().await;
        });
        let table = loop {
            let table = shown.monitor("ps");
            if table.matches("waiting").count() >= 3 {
                break table;
            }
        };
        let number = |name: &str| {
            let line = table.lines().find(|line| line.contains(name)).unwrap();
            line.split_whitespace().next().unwrap().to_owned()
        };
        assert!(table.contains("see/monitor.rs:") && table.contains("woken by"), "{table}");
        let sleeper = shown.monitor(&format!("where {}", number("sleeper")));
        assert!(sleeper.contains("waits for timer") && sleeper.contains("due in 59 min 59 s"), "{sleeper}");
        let joiner = shown.monitor(&format!("where {}", number("joiner")));
        assert!(joiner.contains(&format!("waits for join {} (\"sleeper\")", number("sleeper"))), "{joiner}");
        let wheel = shown.monitor("wheel");
        assert!(wheel.contains("level  3") && wheel.contains("\"sleeper\" due in"), "{wheel}");
        let fds = shown.monitor("fds");
        assert!(fds.contains("\"acceptor\" waits to read"), "{fds}");
        #[cfg(all(target_os = "linux", not(mio_unsupported_force_poll_poll)))]
        assert!(fds.contains("the kernel watches fd") && fds.contains("in pri out rdhup et"), "{fds}");
        let odd = shown.monitor("where\nwhy x\nwhere 98765\nsing\n\n  help ");
        for part in ["such as: where 7", "such as: why 7", "there is no task 98765", "try help", "wheel"] {
            assert!(odd.contains(part), "{part:?} is not in {odd}");
        }
    });
}

/// The number of a task, as `ps` tells it.
fn numbered(shown: &Shown, name: &str) -> String {
    loop {
        let table = shown.monitor("ps");
        for line in table.lines() {
            let mut words = line.split_whitespace();
            if let (Some(number), Some(of)) = (words.next(), words.next()) {
                if of == name {
                    return number.to_owned();
                }
            }
        }
    }
}

#[test]
fn the_monitor_cancels_a_task_and_says_in_a_line_why_it_will_not() {
    watch(|| {
        let (tell, told) = channel();
        let shown = Shown::new(move || async move {
            let sleeper = Builder::new().name("sleeper").spawn(sleep(Duration::from_secs(3600)));
            tell.send(sleeper.await.unwrap_err().to_string()).unwrap();
        });
        let sleeper = numbered(&shown, "sleeper");
        for (question, part) in [
            ("cancel", "such as: cancel 7"),
            ("cancel sleeper", "such as: cancel 7"),
            ("cancel -1", "such as: cancel 7"),
            ("cancel 7 8", "such as: cancel 7"),
            ("cancel 98765", "there is no task 98765; ps lists the tasks"),
            (&*format!("cancel {}", numbered(&shown, "main")), "Ctrl-C ends the program"),
        ] {
            let answer = shown.monitor(question);
            assert!(answer.contains(part) && answer.lines().count() == 1, "{question}: {answer}");
        }
        assert!(shown.monitor("ps").contains("sleeper") && told.try_recv().is_err(), "nobody was to end");
        let answer = shown.monitor(&format!("cancel {sleeper}"));
        assert_eq!(answer, format!("task {sleeper} \"sleeper\" is cancelled: it ends when its turn comes\n"));
        let error = told.recv().unwrap();
        assert!(error.contains("\"sleeper\"") && error.contains("was aborted by another thread"), "{error}");
        while shown.monitor(&format!("cancel {sleeper}")) != format!("there is no task {sleeper}; ps lists the tasks\n")
        {
        }
    });
}

#[test]
fn a_cancel_while_the_loop_is_stuck_takes_effect_when_it_is_back() {
    watch(|| {
        let ((go_on, stuck), (tell, told)) = (channel::<()>(), channel());
        let shown = Shown::new(move || async move {
            let wedge = Builder::new().name("wedge").spawn(async move {
                sleep(MILLISECOND).await;
                let _ = stuck.recv();
                // It is polled no more, although it is ready.
                loop {
                    yield_now().await;
                }
            });
            tell.send(wedge.await.is_err_and(|error| error.is_cancelled())).unwrap();
        });
        // A busy machine may hold up another for a moment.
        while !shown.monitor("ps").contains(r#""wedge" has been in one poll for"#) {}
        let wedge = numbered(&shown, "wedge");
        let answer = shown.monitor(&format!("cancel {wedge}"));
        let culprit = format!("it ends when the loop is back; task {wedge} \"wedge\" has been in one poll for ");
        assert!(answer.contains(&culprit) && answer.contains("see/monitor.rs:"), "{answer}");
        assert!(answer.lines().count() == 1 && told.try_recv().is_err(), "{answer}");
        go_on.send(()).unwrap();
        assert!(told.recv().unwrap());
    });
}

#[test]
fn the_monitor_refuses_in_a_line_and_not_in_the_browser_s_language() {
    watch(|| {
        let shown = Shown::new(|| async {});
        let refused = |bytes: &[u8]| {
            let mut stream = TcpStream::connect(shown.address).unwrap();
            stream.write_all(bytes).unwrap();
            read_all(&mut stream)
        };
        assert_eq!(refused(&[b'x'; 9000]), "that is more than anybody has to say here\n");
        assert_eq!(refused(b"\xff\xfe\n"), "this is no text\n");
        assert!(refused(&[&b"GET /"[..], &[b'x'; 9000]].concat()).starts_with("HTTP/1.1 431 "));
    });
}

#[test]
fn the_monitor_answers_a_last_question_with_or_without_a_line_end() {
    watch(|| {
        let shown = Shown::new(|| async {});
        for question in ["help\n", "help", "ps\nhelp"] {
            let mut stream = TcpStream::connect(shown.address).unwrap();
            stream.write_all(question.as_bytes()).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let answer = read_all(&mut stream);
            assert!(answer.ends_with("goodbye\n"), "{question:?}: {answer}");
        }
    });
}

#[test]
fn signals_print_the_table_also_while_the_loop_is_stuck() {
    let output = child_with(&[], || {
        // The output goes to a file, so that who holds up the loop can wait for it.
        let folder = Folder::new();
        let path = folder.file("stderr");
        let file = std::fs::File::create(&path).unwrap();
        nix::unistd::dup2(std::os::fd::AsRawFd::as_raw_fd(&file), 2).unwrap();
        runtime().block_on(async {
            serve("127.0.0.1:0").unwrap();
            Builder::new().name("waits").spawn(std::future::pending::<()>());
            let hog = Builder::new().name("hog").spawn(async move {
                let said = || std::fs::read_to_string(&path).unwrap();
                for (printed, signal) in ["USR1", "QUIT"].iter().enumerate() {
                    let kill = format!("kill -{signal} $PPID");
                    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
                    let is_hog = |line: &&str| line.contains(" hog ") && line.contains("running");
                    while said().lines().filter(is_hog).count() <= printed {
                        thread::yield_now();
                    }
                }
                print!("{}", said());
            });
            hog.await.unwrap();
        });
    });
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(42), "{said}");
    assert_eq!(said.matches("woken by").count(), 2, "{said}");
    assert!(said.contains("waits"), "{said}");
}
