//! The promises that every demo's server keeps, whatever it serves. A demo's test says how it is started.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::manners::has_manners;
use super::{Demo, LIMIT, connect, run, together};

/// How much a client may send that never comes to an end, and how much memory that may take of a server, in bytes.
const ENDLESS: usize = 16 << 20;
const MEMORY: u64 = 8 << 20;
/// So many idle connections are held at once, and how much memory each may take of a server, in bytes.
const IDLE: u64 = 200;
const MEMORY_OF_ONE: u64 = 40 << 10;

/// A server, and how it is started.
pub(crate) struct Server<'a> {
    pub(crate) program: &'a str,
    /// The flags that make a server of it, if it is none without them.
    pub(crate) args: &'a [&'a str],
    /// Its flags for addresses, in the order in which its first line names them.
    pub(crate) ports: &'a [&'a str],
    /// Flags by which each wait, and a connection as a whole, takes about a second at most.
    pub(crate) hurry: &'a [&'a str],
    /// Which of its addresses speaks HTTP.
    pub(crate) http: Option<usize>,
}

impl Server<'_> {
    /// Each promise is asked of a process of its own. Most of them wait, so they do it together.
    pub(crate) fn keeps_the_promises(&self) {
        let free = self.ports.iter().flat_map(|flag| [*flag, "127.0.0.1:0"]);
        let brief: Vec<&str> = self.args.iter().copied().chain(free).chain(["--seconds", "0"]).collect();
        let promises: [&(dyn Fn() + Sync); 10] = [
            &|| has_manners(self.program, &brief),
            &|| self.says_what_is_wrong_and_the_way_out(),
            &|| self.is_on_loopback_unless_told(),
            &|| self.hangs_up_on_clients_that_stall(),
            &|| self.bounds_the_heads_of_requests(),
            &|| self.takes_no_request_for_two(),
            &|| self.holds_many_who_say_nothing_more(),
            &|| self.stops_in_order(Signal::TERM),
            &|| self.stops_in_order(Signal::INT),
            &|| self.names_its_tasks(),
        ];
        together(promises, |promise| promise());
    }

    fn start(&self, args: &[&str], record: Option<&Path>) -> (Demo, Vec<String>) {
        let free: Vec<&str> = self.ports.iter().flat_map(|flag| [*flag, "127.0.0.1:0"]).collect();
        let record = record.map(|path| format!("ONELOOP_RECORD={}", path.display()));
        let command: Vec<&str> = record.iter().map(String::as_str).chain([self.program]).collect();
        let mut demo = Demo::start("env", &[&command, self.args, &free[..], args].concat());
        let line = demo.line();
        let addrs = line.split([' ', ',', ';', '/', '\n']).filter(|word| word.parse::<SocketAddr>().is_ok());
        let mut addrs: Vec<String> = addrs.map(str::to_owned).collect();
        addrs.dedup();
        assert!(addrs.len() >= self.ports.len(), "{}: {line:?} names no address for each of its flags", self.program);
        addrs.truncate(self.ports.len());
        (demo, addrs)
    }

    fn says_what_is_wrong_and_the_way_out(&self) {
        run(self.program, &["--nonsense"]).assert_complains(2, &["--nonsense"]);
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = holder.local_addr().unwrap().to_string();
        for flag in self.ports {
            let free = self.ports.iter().filter(|other| *other != flag).flat_map(|other| [*other, "127.0.0.1:0"]);
            let args: Vec<&str> = self.args.iter().copied().chain(free).chain([*flag, &*taken]).collect();
            run(self.program, &args).assert_complains(1, &[&taken, flag]);
            run(self.program, &[flag, "nowhere"]).assert_complains(2, &[flag]);
        }
    }

    fn is_on_loopback_unless_told(&self) {
        let help = run(self.program, &["--help"]);
        help.assert_code(0);
        let defaults = help.stdout.split("[default: ").skip(1).filter_map(|rest| rest.split(']').next());
        let addrs: Vec<SocketAddr> = defaults.filter_map(|default| default.parse().ok()).collect();
        assert!(addrs.len() >= self.ports.len(), "{}: {}", self.program, help.stdout);
        assert!(addrs.iter().all(|addr| addr.ip().is_loopback()), "{}: {addrs:?}", self.program);
    }

    fn hangs_up_on_clients_that_stall(&self) {
        let (demo, addrs) = self.start(self.hurry, None);
        for addr in &addrs {
            // One client says nothing; another says a little now and then, so that no single wait is long.
            assert_is_hung_up_on(&mut connect(addr), || Ok(()), &format!("{} lets one be silent", self.program));
            let mut slow = connect(addr);
            let mut sends = slow.try_clone().unwrap();
            let trickle = || sends.write_all(b"a");
            assert_is_hung_up_on(&mut slow, trickle, &format!("{} lets one trickle", self.program));
            // A request that never comes to an end is not kept.
            let before = resident(demo.child.id());
            let mut endless = connect(addr);
            endless.set_write_timeout(Some(LIMIT)).unwrap();
            let sent = (0..ENDLESS / 4096).take_while(|_| endless.write_all(&[b'a'; 4096]).is_ok()).count();
            if let Some((before, now)) = before.zip(resident(demo.child.id())) {
                let took = now.saturating_sub(before);
                assert!(took < MEMORY, "{} keeps {took} bytes of {} that were sent", self.program, sent * 4096);
            }
        }
        demo.signal(Signal::TERM);
        demo.end().assert_code(0);
    }

    /// A head that is too long is refused at the bound, and costs no more than reading it. One that comes byte by byte
    /// is answered as any other.
    fn bounds_the_heads_of_requests(&self) {
        let Some(http) = self.http else { return };
        let (demo, addrs) = self.start(&[], None);
        let (addr, before) = (&addrs[http], computed(demo.child.id()));
        let begin = format!("GET / HTTP/1.1\r\nhost: {addr}\r\n");
        for (begin, more, times) in [
            ("GET /".to_owned(), "x".repeat(1024), 1024),
            (format!("{begin}x: "), "y".repeat(1 << 16), 320),
            (begin.clone(), "a: b\r\n".repeat(100), 1000),
        ] {
            let mut client = connect(addr);
            let mut sends = client.try_clone().unwrap();
            sends.set_write_timeout(Some(LIMIT)).unwrap();
            let sending = std::thread::spawn(move || {
                let _ = sends.write_all(begin.as_bytes());
                (0..times).all(|_| sends.write_all(more.as_bytes()).is_ok())
            });
            let mut answer = Vec::new();
            let _ = client.read_to_end(&mut answer);
            drop(client);
            let _ = sending.join();
            let answer = String::from_utf8_lossy(&answer).into_owned();
            let status = answer.split(' ').nth(1).unwrap_or_default();
            assert!(["414", "431"].contains(&status), "{}: {answer:?}", self.program);
        }
        let mut slow = connect(addr);
        slow.set_nodelay(true).unwrap();
        for byte in format!("{begin}connection: close\r\n\r\n").bytes() {
            slow.write_all(&[byte]).unwrap();
        }
        let mut answer = [0; 9];
        slow.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 ", "{}", self.program);
        if let Some(computed) = before.zip(computed(demo.child.id())).map(|(before, now)| now - before) {
            assert!(computed < 200, "{} computed for {computed} hundredths of a second", self.program);
        }
        demo.signal(Signal::TERM);
        demo.end().assert_code(0);
    }

    /// A request that says twice how long it is, or says it badly, is refused, or is the last one of its connection:
    /// what stands behind it is answered in no case.
    fn takes_no_request_for_two(&self) {
        let Some(http) = self.http else { return };
        let (demo, addrs) = self.start(&[], None);
        for (framing, body) in [
            ("content-length: 5\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
            ("transfer-encoding: chunked\r\ncontent-length: 5", "0\r\n\r\n"),
            ("transfer-encoding: gzip, chunked", "0\r\n\r\n"),
            ("transfer-encoding: chunked\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
            ("transfer-encoding:\r\n chunked", "0\r\n\r\n"),
            ("content-length: 3\r\ncontent-length: 4", "abcd"),
            ("content-length: 3, 3", "abc"),
            ("content-length: +3", "abc"),
            ("content-length : 3", "abc"),
        ] {
            let mut client = connect(&addrs[http]);
            let behind = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
            let request = format!("POST / HTTP/1.1\r\nhost: localhost\r\n{framing}\r\n\r\n{body}{behind}");
            client.write_all(request.as_bytes()).unwrap();
            let mut answers = Vec::new();
            let _ = client.read_to_end(&mut answers);
            let answers = String::from_utf8_lossy(&answers);
            let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
            let is_alone = statuses.len() == 1;
            assert!(is_alone || statuses.first() == Some(&"400"), "{}: {framing:?}: {answers}", self.program);
        }
        demo.signal(Signal::TERM);
        demo.end().assert_code(0);
    }

    fn holds_many_who_say_nothing_more(&self) {
        let Some(http) = self.http else { return };
        let (demo, addrs) = self.start(&[], None);
        let visit = || {
            let mut client = connect(&addrs[http]);
            client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
            assert!(client.read(&mut [0; 64]).unwrap() > 0, "{} does not answer", self.program);
            client
        };
        // The first few pay for what all share.
        let first: Vec<TcpStream> = (0..20).map(|_| visit()).collect();
        let before = resident(demo.child.id());
        let idle: Vec<TcpStream> = (0..IDLE).map(|_| visit()).collect();
        if let Some((before, now)) = before.zip(resident(demo.child.id())) {
            let each = now.saturating_sub(before) / IDLE;
            // A thread has a stack.
            let most = if self.args.contains(&"threads") { 5 * MEMORY_OF_ONE } else { MEMORY_OF_ONE };
            assert!(each < most, "{} takes {each} bytes for a connection that is idle", self.program);
        }
        drop((first, idle));
        demo.signal(Signal::TERM);
        demo.end().assert_code(0);
    }

    fn stops_in_order(&self, signal: Signal) {
        let (demo, addrs) = self.start(&[], None);
        let silent: Vec<TcpStream> = addrs.iter().map(|addr| connect(addr)).collect();
        demo.signal(signal);
        let ended = demo.end();
        ended.assert_code(0);
        let last = ended.stdout.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("stopped") || last.ends_with("is over"),
            "{} has no account: {}",
            self.program,
            ended.stdout
        );
        drop(silent);
        assert!(addrs.iter().all(|addr| TcpStream::connect(addr).is_err()), "{} listens still", self.program);
    }

    fn names_its_tasks(&self) {
        let name = Path::new(self.program).file_name().unwrap().to_string_lossy();
        let record = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-tasks-{}.ndjson", self.hurry.len()));
        let (demo, addrs) = self.start(&[], Some(&record));
        for addr in &addrs {
            let mut client = connect(addr);
            let _ = client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
            client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let _ = client.read(&mut [0; 64]);
        }
        demo.signal(Signal::TERM);
        demo.end().assert_code(0);
        let record = std::fs::read_to_string(record).unwrap();
        let spawned: Vec<&str> = record.lines().filter(|line| line.contains("\"e\":\"spawn\"")).collect();
        assert!(!spawned.is_empty(), "{}: {record}", self.program);
        for line in spawned {
            let is_named = line.contains("\"name\":\"") || is_a_job(line);
            assert!(is_named, "{} has a task without a name: {line}", self.program);
        }
    }
}

/// Whether a task that was spawned is a job of the blocking pool, which has no name of its own.
fn is_a_job(spawned: &str) -> bool {
    let place = spawned.split("\"at\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let mut place = place.split(':');
    let (Some(file), Some(Ok(line))) = (place.next(), place.next().map(str::parse::<usize>)) else { return false };
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join(file).exists());
    let source = top.and_then(|top| std::fs::read_to_string(top.join(file)).ok()).unwrap_or_default();
    source.lines().nth(line - 1).is_some_and(|line| line.contains("spawn_blocking("))
}

/// Asserts that the server ends the connection, while the client does something now and then.
#[track_caller]
fn assert_is_hung_up_on(client: &mut TcpStream, mut does: impl FnMut() -> std::io::Result<()>, complaint: &str) {
    client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let until = std::time::Instant::now() + LIMIT / 2;
    while std::time::Instant::now() < until {
        match client.read(&mut [0; 4096]) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
        if does().is_err() {
            return;
        }
    }
    panic!("{complaint}");
}

/// The most memory that a process has had, in bytes, where Linux tells.
fn resident(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// How long a process has computed, in hundredths of a second, where Linux tells.
fn computed(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}
