//! Child processes: their output arrives whole, their end is told, and nothing of them stays behind.

#[cfg(target_os = "linux")]
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_lite::future::zip;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use oneloop::process::{Child, Command, ExitStatus, Stdio};
use oneloop::task::yield_now;
use oneloop::time::timeout;
use oneloop::{Handle, Runtime, spawn};

use crate::kit::support::alone;
use crate::kit::watch::{runtime, spawn_thread, watch};

const SIGKILL: i32 = 9;

fn on_a_loop<T>(body: impl Future<Output = T>) -> T {
    watch(|| runtime().block_on(body))
}

/// A shell that runs a script.
fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// A process that goes on until its standard input ends, or it is killed.
fn cat() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

/// Whether the system's table has this process, be it as a zombie. A user may always ask after its own.
fn is_in_the_table(process: u32) -> bool {
    let answer = std::process::Command::new("sh")
        .args(["-c", &format!("kill -0 {process}")])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    answer.success()
}

/// To be used alone: every child that another test starts has the orphans asked for.
async fn until_gone_from_the_table(process: u32) {
    while is_in_the_table(process) {
        yield_now().await;
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/dev/fd").expect("the system lists descriptors").count()
}

async fn is_pending<F: Future>(future: F) -> bool {
    let mut future = pin!(future);
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

#[test]
fn output_and_status_tell_what_the_child_did() {
    on_a_loop(async {
        let output = shell("echo out; echo err >&2; exit 3").output().await.unwrap();
        assert_eq!((output.stdout, output.stderr), (b"out\n".to_vec(), b"err\n".to_vec()));
        assert_eq!(output.status.code(), Some(3));
        assert!(shell("exit 0").status().await.unwrap().success());
        assert_eq!(shell("kill -9 $$").status().await.unwrap().signal(), Some(SIGKILL));
    });
}

#[test]
fn what_is_set_on_a_command_reaches_the_child() {
    on_a_loop(async {
        let mut command = shell("echo \"$0 $1 $A $B ${C-unset}\"; pwd; cat");
        command.args(["zero", "one"]).env("A", "a").envs([("B", "b"), ("C", "c")]).env_remove("C").current_dir("/");
        let output = command.output().await.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "zero one a b unset\n/\n", "and there is no input");

        // output() does not set again what was set.
        let output = shell("echo gone; echo kept >&2").stdout(Stdio::null()).output().await.unwrap();
        assert_eq!((output.stdout, output.stderr), (vec![], b"kept\n".to_vec()));
    });
}

#[test]
fn ten_megabytes_on_both_outputs_arrive_whole_while_the_input_is_not_read() {
    const MEGABYTES: usize = 10 << 20;
    on_a_loop(async {
        let script = format!("head -c {MEGABYTES} /dev/zero >&2 & head -c {MEGABYTES} /dev/zero; wait");
        let mut child =
            shell(&script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let more_than_fits = vec![b'x'; 1 << 20];
        let (output, written) = zip(child.wait_with_output(), stdin.write_all(&more_than_fits)).await;
        let output = output.unwrap();
        assert_eq!((output.stdout.len(), output.stderr.len()), (MEGABYTES, MEGABYTES));
        assert!(output.status.success());
        // The child has ended with the write still waiting.
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn ten_megabytes_go_in_and_come_back() {
    on_a_loop(async {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let sent: Vec<u8> = (0..10_u32 << 20).map(|byte| (byte % 251) as u8).collect();
        let sends = async {
            AsyncWriteExt::write_all(&mut stdin, &sent).await?;
            AsyncWriteExt::close(&mut stdin).await
        };
        // Not by read_to_end, which fills the whole buffer with zeros each time it looks.
        let receives = async {
            let (mut received, mut chunk) = (Vec::new(), vec![0; 1 << 16]);
            while let length @ 1.. = AsyncReadExt::read(&mut stdout, &mut chunk).await.unwrap() {
                received.extend_from_slice(&chunk[..length]);
            }
            received
        };
        let (sent_it, received) = zip(sends, receives).await;
        sent_it.unwrap();
        assert!(received == sent);
        let closed = stdin.write(b"x").await.unwrap_err();
        assert_eq!(closed.kind(), io::ErrorKind::BrokenPipe);
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn small_reads_of_a_child_that_writes_in_drops_lose_nothing() {
    on_a_loop(async {
        let mut child = shell("for i in 1 2 3 4 5 6 7 8 9; do echo $i; done").stdout(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut text = Vec::new();
        let mut byte = [0];
        while stdout.read(&mut byte).await.unwrap() == 1 {
            text.push(byte[0]);
        }
        assert_eq!(String::from_utf8(text).unwrap(), "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn one_child_reads_what_another_writes() {
    on_a_loop(async {
        let mut first = shell("echo through a pipe").stdout(Stdio::piped()).spawn().unwrap();
        let between: Stdio = first.stdout.take().unwrap().try_into().unwrap();
        let output = Command::new("cat").stdin(between).output().await.unwrap();
        assert_eq!(output.stdout, b"through a pipe\n");
        assert!(first.wait().await.unwrap().success());
    });
}

#[test]
fn waiting_closes_the_input_and_may_be_repeated_or_given_up() {
    on_a_loop(async {
        let mut child = cat();
        let id = child.id().unwrap();
        let kept = child.stdin.take();
        assert!(child.try_wait().unwrap().is_none());
        for _ in 0..3 {
            assert!(is_pending(child.wait()).await);
        }
        child.stdin = kept;
        assert!(child.wait().await.unwrap().success());
        assert!(child.wait().await.unwrap().success() && child.try_wait().unwrap().unwrap().success());
        assert_eq!((child.id(), is_in_the_table(id)), (None, false));
        child.start_kill().unwrap();
        child.kill().await.unwrap();
    });
}

#[test]
fn each_of_many_children_gets_its_own_status() {
    watch(|| {
        let runtime = runtime();
        runtime.block_on(async {
            let children: Vec<_> = (0..60).map(|code| (code, spawn(shell(&format!("exit {code}")).status()))).collect();
            for (code, status) in children {
                assert_eq!(status.await.unwrap().unwrap().code(), Some(code));
            }
        });
        assert_eq!((runtime.metrics().sources, runtime.metrics().tasks), (0, 0));
    });
}

#[test]
fn runtimes_in_several_threads_wait_for_their_own_children() {
    watch(|| {
        let body = |code| async move {
            for _ in 0..10 {
                assert_eq!(shell(&format!("exit {code}")).status().await.unwrap().code(), Some(code));
            }
        };
        let threads: Vec<_> = (1..4).map(|code| spawn_thread(move || runtime().block_on(body(code)))).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn children_of_other_code_are_left_to_it() {
    alone(|| {
        runtime().block_on(async {
            let mut foreign = std::process::Command::new("sh").args(["-c", "exit 9"]).spawn().unwrap();
            drop(shell("exit 1").spawn().unwrap());
            for _ in 0..5 {
                assert_eq!(shell("exit 5").status().await.unwrap().code(), Some(5));
            }
            assert_eq!(foreign.wait().unwrap().code(), Some(9));
        });
    });
}

#[test]
fn killing_ends_a_child() {
    on_a_loop(async {
        let mut child = cat();
        let _open = child.stdin.take();
        child.kill().await.unwrap();
        assert_eq!(child.try_wait().unwrap().and_then(|status: ExitStatus| status.signal()), Some(SIGKILL));
    });
}

#[test]
fn a_child_that_takes_too_long_can_be_killed_by_dropping_it() {
    alone(|| {
        runtime().block_on(async {
            let mut command = Command::new("cat");
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
            let (id, open) = (child.id().unwrap(), child.stdin.take());
            timeout(Duration::from_millis(20), child.wait_with_output()).await.unwrap_err();
            until_gone_from_the_table(id).await;
            drop(open);
        });
    });
}

#[test]
fn a_dropped_child_goes_on_and_leaves_no_zombie() {
    alone(|| {
        runtime().block_on(async {
            let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let (id, stdin, stdout) = (child.id().unwrap(), child.stdin.take().unwrap(), child.stdout.take().unwrap());
            drop(child);
            stdin.write_all(b"still here").await.unwrap();
            let mut buffer = [0; 64];
            let read = stdout.read(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..read], b"still here");
            drop(stdin);
            until_gone_from_the_table(id).await;
            drop(stdout);
            while Handle::current().metrics().tasks > 0 {
                yield_now().await;
            }
        });
    });
}

#[test]
fn children_dropped_without_their_runtime_leave_no_zombie() {
    alone(|| {
        let runtime = runtime();
        let (here, there) = runtime.block_on(async { (shell("exit 0").spawn().unwrap(), cat()) });
        let (here_id, there_id) = (here.id().unwrap(), there.id().unwrap());
        drop(here);
        spawn_thread(move || drop(there)).join().unwrap();
        runtime.block_on(async {
            until_gone_from_the_table(here_id).await;
            until_gone_from_the_table(there_id).await;
        });
    });
}

#[test]
fn a_runtime_that_ends_kills_what_it_was_told_to_and_keeps_no_descriptor() {
    alone(|| {
        let before = descriptors();
        for _ in 0..20 {
            let runtime = Runtime::new().unwrap();
            let (to_kill, to_spare) = runtime.block_on(async {
                let mut command = Command::new("cat");
                let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true);
                let mut spared = shell("exec sleep 60");
                let spared = spared.stdout(Stdio::null()).stderr(Stdio::null());
                let (mut to_kill, mut to_spare) = (command.spawn().unwrap(), spared.spawn().unwrap());
                let ids = (to_kill.id().unwrap(), to_spare.id().unwrap());
                let open = to_kill.stdin.take();
                drop(spawn(async move { (to_kill.wait().await, open) }));
                drop(spawn(async move { to_spare.wait().await }));
                yield_now().await;
                ids
            });
            drop(runtime);
            assert!(!is_in_the_table(to_kill), "it was not killed, or is a zombie");
            assert!(is_in_the_table(to_spare), "it was killed");
            assert_eq!(descriptors(), before);
            let kill = ["-c", &format!("kill -9 {to_spare}")];
            assert!(std::process::Command::new("sh").args(kill).status().unwrap().success());
            // The next runtime that starts a child asks for those that have outlived theirs.
            oneloop::run(async {
                while is_in_the_table(to_spare) {
                    shell("exit 0").status().await.unwrap();
                }
            });
        }
    });
}

#[test]
fn a_grandchild_that_holds_the_output_does_not_delay_the_childs_end() {
    on_a_loop(async {
        let mut child = shell("sleep 60 & echo $!").stdout(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        assert!(child.wait().await.unwrap().success());
        let mut buffer = [0; 64];
        let read = stdout.read(&mut buffer).await.unwrap();
        let grandchild: u32 = String::from_utf8_lossy(&buffer[..read]).trim().parse().unwrap();
        // It can still write there, so this is not the end.
        assert!(is_pending(stdout.read(&mut buffer)).await);
        shell(&format!("kill -9 {grandchild}")).status().await.unwrap();
        assert_eq!(stdout.read(&mut buffer).await.unwrap(), 0);
    });
}

#[test]
fn a_program_that_cannot_be_started_is_named_with_the_reason() {
    on_a_loop(async {
        let said = |result: io::Result<Child>, kind: io::ErrorKind| {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            error.to_string()
        };
        let missing = said(Command::new("no-such-program").spawn(), io::ErrorKind::NotFound);
        assert!(missing.starts_with("cannot run \"no-such-program\": "), "{missing}");
        let forbidden = said(Command::new("/dev/null").spawn(), io::ErrorKind::PermissionDenied);
        assert!(forbidden.starts_with("cannot run \"/dev/null\": "), "{forbidden}");
        let nowhere = said(Command::new("sh").current_dir("/no/such/dir").spawn(), io::ErrorKind::NotFound);
        assert!(nowhere.starts_with("cannot run \"sh\" in /no/such/dir, which is no directory: "), "{nowhere}");
        assert!(Command::new("no-such-program").output().await.is_err());
        assert!(Command::new("no-such-program").status().await.is_err());
        assert_eq!(Handle::current().metrics().sources, 0);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn with_few_descriptors_a_start_succeeds_or_fails_and_leaks_none() {
    alone(|| {
        runtime().block_on(async {
            let limited = shell("prlimit --pid $PPID --nofile=100:100").status().await.unwrap();
            assert!(limited.success());
            let take_all = || Vec::from_iter(std::iter::from_fn(|| File::open("/dev/null").ok()));
            let mut taken = take_all();
            let (mut failed, mut started) = (0, 0);
            for free in 0..16 {
                let mut command = Command::new("true");
                let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
                match command.spawn() {
                    Ok(mut child) => {
                        started += 1;
                        child.wait().await.unwrap();
                    }
                    Err(error) => {
                        failed += 1;
                        assert!(error.to_string().starts_with("cannot run \"true\": "), "{error}");
                    }
                }
                let refilled = take_all().len();
                assert_eq!(refilled, free, "descriptors are free again");
                drop(taken.pop());
            }
            assert!(failed > 0 && started > 0, "{failed} failed, {started} started");
        });
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_inherits_no_descriptor_of_ours_and_default_signals() {
    const SIGPIPE: i32 = 13;
    alone(|| {
        // The system passes on what others left to this process and did not mark to be closed.
        let before = std::process::Command::new("ls").arg("/proc/self/fd").output().unwrap();
        runtime().block_on(async {
            let _listener = oneloop::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let (_signal, _other) = (oneloop::signal::ctrl_c(), cat());
            let descriptors = Command::new("ls").arg("/proc/self/fd").output().await.unwrap();
            assert_eq!(String::from_utf8(descriptors.stdout).unwrap(), String::from_utf8(before.stdout).unwrap());

            let status = Command::new("cat").arg("/proc/self/status").output().await.unwrap();
            let status = String::from_utf8(status.stdout).unwrap();
            let set = |name: &str| {
                let set = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
                u64::from_str_radix(set.trim(), 16).unwrap()
            };
            assert_eq!((set("SigBlk:"), set("SigIgn:") >> (SIGPIPE - 1) & 1), (0, 0), "{status}");
        });
    });
}

#[test]
fn arguments_arrive_as_they_are() {
    on_a_loop(async {
        let output = Command::new("printf").args(["%s|", "a b", "$HOME", "*"]).output().await.unwrap();
        assert_eq!(output.stdout, b"a b|$HOME|*|");
    });
}
