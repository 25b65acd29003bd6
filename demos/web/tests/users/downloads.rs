//! The downloads as their users meet them: every sum is checked by `sha256sum`, and no server is trusted.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Demo, Process, connect, has, reserved, run, until};

const DOWNLOADS: &str = env!("CARGO_BIN_EXE_downloads");

/// A folder of this test's own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_file_that_is_kept_has_the_sum_that_is_printed() {
    let folder = Folder::new("kept");
    let ended = run(DOWNLOADS, &["--to", folder.text()]);
    ended.assert_code(0);
    assert_eq!(ended.stdout.lines().count(), 40);
    assert!(ended.stderr.contains("40 files, ") && ended.stderr.contains(" ms late at most"), "{}", ended.stderr);
    if !has("sha256sum", "its check of the files") {
        return;
    }
    fs::write(folder.0.join("SUMS"), &ended.stdout).unwrap();
    let checked = Command::new("sha256sum").args(["--check", "--strict", "SUMS"]).current_dir(&folder.0).output();
    let checked = checked.unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success() && said.matches(": OK").count() == 40, "{said}");
}

#[test]
fn files_come_from_a_server_of_python_as_well() {
    if !has("python3", "downloads from its http.server") || !has("sha256sum", "the list of files") {
        return;
    }
    let folder = Folder::new("python");
    for n in 0..12_u32 {
        fs::write(folder.0.join(format!("part-{n}.bin")), vec![n as u8; 10_000 * n as usize]).unwrap();
    }
    let script = "sha256sum part-* > SHA256SUMS && exec python3 -u -m http.server --bind 127.0.0.1 0";
    let mut server = Command::new("sh");
    let server = server.args(["-c", script]).current_dir(&folder.0).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Process::start(server);
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.split_whitespace().find_map(|word| word.parse::<u16>().ok()).unwrap();
    let ended = run(DOWNLOADS, &["--from", &format!("127.0.0.1:{port}"), "--at-once", "4"]);
    drop(server);
    ended.assert_code(0);
    let sums = fs::read_to_string(folder.0.join("SHA256SUMS")).unwrap();
    let (mut printed, mut listed): (Vec<_>, Vec<_>) = (ended.stdout.lines().collect(), sums.lines().collect());
    printed.sort_unstable();
    listed.sort_unstable();
    assert_eq!(printed, listed);
}

#[test]
fn a_stop_gives_the_account_so_far() {
    let mut demo = Demo::start(DOWNLOADS, &["--json", "--at-once", "2"]);
    let first = demo.line();
    assert!(first.starts_with("{\"file\":\"file-") && first.contains("\"sha256\":\""), "{first}");
    demo.signal(Signal::INT);
    let ended = demo.end();
    ended.assert_complains(130, &["stopped before all files were there"]);
    let last = ended.stdout.lines().last().unwrap();
    for word in ["{\"files\":", "\"bytes\":", "\"seconds\":", "\"late_ms_max\":"] {
        assert!(last.contains(word), "{word} is not in {last}");
    }
}

/// A server of two files: a list that names `name`, and that file as `answer` sends it.
fn serve(name: &str, answer: impl Fn(&mut TcpStream) + Send + Sync + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let list = format!("{}  {name}\n", "0".repeat(64));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer, list) = (stream.unwrap(), answer.clone(), list.clone());
            thread::spawn(move || {
                let mut asked = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                reader.read_line(&mut asked).unwrap();
                let mut header = String::from("more");
                while header.trim() != "" {
                    header.clear();
                    reader.read_line(&mut header).unwrap();
                }
                if asked.contains("SHA256SUMS") {
                    let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{list}", list.len());
                } else {
                    answer(&mut stream);
                }
                let _ = stream.read(&mut [0; 64]);
            });
        }
    });
    addr
}

#[test]
fn a_file_that_is_not_what_was_promised_is_named_with_the_reason() {
    let short = |stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551000\r\n\r\nshort");
        let _ = stream.shutdown(std::net::Shutdown::Both);
    };
    let endless = |stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunk = [b"100000\r\n".as_slice(), &[b'x'; 0x10_0000], b"\r\n"].concat();
        while stream.write_all(&chunk).is_ok() {}
    };
    let absent = |stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 302 Found\r\nlocation: /a-file\r\ncontent-length: 0\r\n\r\n");
    };
    let other = |stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother");
    };
    for (addr, words) in [
        (serve("a-file", short), "a-file: "),
        (serve("a-file", endless), "longer than 67108864 bytes"),
        (serve("a-file", absent), "302 Found"),
        (serve("a-file", other), "but the server's list says 0000"),
        (serve("../a-file", other), "name a file elsewhere"),
        (serve("/etc/passwd", other), "name a file elsewhere"),
        (serve(".bashrc", other), "name a file elsewhere"),
    ] {
        run(DOWNLOADS, &["--from", &addr]).assert_complains(1, &[words]);
    }
}

#[test]
fn a_server_that_sends_a_byte_now_and_then_is_given_up_in_time() {
    let trickle = |stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    };
    let addr = serve("a-file", trickle);
    let began = Instant::now();
    run(DOWNLOADS, &["--from", &addr, "--limit", "0.5"]).assert_complains(1, &["a-file: it took longer than 0.5 s"]);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_folder_that_is_not_there_and_a_server_that_is_not_are_named() {
    run(DOWNLOADS, &["--to", "no/such/folder"]).assert_complains(1, &["no/such/folder", "--to"]);
    let (free, _kept) = reserved();
    run(DOWNLOADS, &["--from", &free]).assert_complains(1, &[&free]);
    run(DOWNLOADS, &["--at-once", "0"]).assert_complains(2, &["--at-once"]);
}

/// The port of a process that listens, as Linux tells by its files.
#[cfg(target_os = "linux")]
fn port_of(process: u32) -> Option<String> {
    let table = std::fs::read_to_string(format!("/proc/{process}/net/tcp")).ok()?;
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    let sockets: Vec<_> = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok()).collect();
    table.lines().skip(1).find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_its = sockets.iter().any(|socket| socket.to_str() == Some(&*format!("socket:[{}]", words[9])));
        let port = u16::from_str_radix(words[1].rsplit_once(':')?.1, 16).ok()?;
        (words[3] == "0A" && is_its).then(|| format!("127.0.0.1:{port}"))
    })
}

#[cfg(target_os = "linux")]
#[test]
fn strangers_who_say_nothing_to_the_server_of_the_downloads_give_way() {
    let demo = Demo::start(DOWNLOADS, &["--at-once", "1"]);
    let mut addr = None;
    until("it listens", || {
        addr = port_of(demo.child.id());
        addr.is_some()
    });
    let addr = addr.unwrap();
    let began = Instant::now();
    let mut crowd: Vec<_> = (0..310).map(|_| connect(&addr)).collect();
    let mut fresh = connect(&addr);
    fresh.write_all(b"GET /SHA256SUMS HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut sums = String::new();
    fresh.read_to_string(&mut sums).unwrap();
    assert!(sums.starts_with("HTTP/1.1 200 ") && sums.contains("  file-40"), "{sums}");
    assert_eq!(crowd[0].read(&mut [0]).unwrap(), 0, "the one that was silent the longest is hung up on");
    // A client that sends no head would be hung up on after ten seconds in any case.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    demo.signal(rustix::process::Signal::TERM);
    let _ = demo.end();
}
