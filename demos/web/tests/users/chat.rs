//! The chat as its guests meet it: what is said at one door is heard at the others, nobody holds up the rest,
//! and nobody comes in who is not meant.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use async_tungstenite::tungstenite::{Message, WebSocket, client};
use rustix::process::Signal;

use crate::support::{self, Demo, connect, has, has_a_browser, has_websockets};

const CHAT: &str = env!("CARGO_BIN_EXE_chat");

/// A room on free ports.
struct Room {
    demo: Demo,
    web: String,
    tcp: String,
}

impl Room {
    fn open(args: &[&str]) -> Self {
        Self::open_at("127.0.0.1:0", args)
    }

    fn open_at(web: &str, args: &[&str]) -> Self {
        let mut demo = Demo::start(CHAT, &[&["--addr", web, "--tcp", "127.0.0.1:0"], args].concat());
        let line = demo.line();
        let words: Vec<&str> = line.split([' ', ';']).collect();
        let (web, tcp) = (words[2].to_owned(), words[4].to_owned());
        Self { demo, web, tcp }
    }

    fn websocket(&self, query: &str) -> WebSocket<TcpStream> {
        let url = format!("ws://{}/ws?{query}", self.web);
        client(url, connect(&self.web)).unwrap().0
    }

    /// Comes in by TCP, under this name, and has been welcomed.
    fn enter(&self, name: &str) -> BufReader<TcpStream> {
        let mut guest = BufReader::new(connect(&self.tcp));
        assert_eq!(line(&mut guest), "your name?");
        writeln!(guest.get_mut(), "{name}").unwrap();
        assert!(line(&mut guest).starts_with("* welcome"));
        guest
    }

    /// The whole answer to a request on a connection of its own.
    fn ask(&self, request: &str) -> String {
        let mut stream = connect(&self.web);
        stream.write_all(request.replace('\n', "\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    fn get(&self, path: &str, heads: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\nconnection: close\n{heads}\n"))
    }

    fn say(&self, name: &str, text: &str) -> String {
        let (web, length) = (&self.web, text.len());
        self.ask(&format!(
            "POST /say?name={name} HTTP/1.1\nhost: {web}\nconnection: close\ncontent-length: {length}\n\n{text}"
        ))
    }

    fn stop(self) -> String {
        self.demo.signal(Signal::TERM);
        let ended = self.demo.end();
        ended.assert_code(0);
        ended.stdout
    }
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// The next text that a client of the room is sent.
fn heard(socket: &mut WebSocket<TcpStream>) -> String {
    loop {
        if let Message::Text(text) = socket.read().unwrap() {
            return text.to_string();
        }
    }
}

/// The id of a line as JSON, of which the rest begins with this.
#[track_caller]
fn told(line: &str, rest: &str) -> String {
    let (id, after) = line.strip_prefix(r#"{"id":""#).and_then(|line| line.split_once(r#"","#)).expect(line);
    assert!(after.starts_with(rest), "{line}");
    id.to_owned()
}

/// A client program that ends with its test.
struct Program(Child);

impl Program {
    fn start(program: &str, args: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_is_said_at_one_door_is_heard_at_every_other() {
    let room = Room::open(&[]);
    let mut tcp = room.enter("tim");
    let mut socket = room.websocket("name=wendy");
    // Both are in the room from here on: the first has heard the second.
    socket.send(Message::text("by websocket")).unwrap();
    assert_eq!(line(&mut tcp), "wendy: by websocket");
    assert!(heard(&mut socket).contains("by websocket"));
    writeln!(tcp.get_mut(), "by tcp").unwrap();
    let second = told(&heard(&mut socket), r#""from":"tim","text":"by tcp""#);
    assert!(room.say("paula", "by post").starts_with("HTTP/1.1 200"));
    assert_eq!(line(&mut tcp), "tim: by tcp");
    assert_eq!(line(&mut tcp), "paula: by post");
    told(&heard(&mut socket), r#""from":"paula","text":"by post""#);
    // A latecomer hears what was said before, if it asks.
    assert!(heard(&mut room.websocket(&format!("name=late&since={second}"))).contains("by post"));
    assert!(heard(&mut room.websocket("name=late&since=0")).contains("by websocket"));
    let answer = room.get(&format!("/poll?since={second}"), &format!("host: {}\n", room.web));
    assert!(answer.contains("by post") && !answer.contains("by tcp"), "{answer}");
    let said = room.stop();
    assert!(said.contains("3 lines were said, 0 lost their place\n"), "{said}");
}

#[test]
fn curl_listens_polls_and_speaks() {
    if !has("curl", "events, long poll and a word by POST") {
        return;
    }
    let room = Room::open(&[]);
    let url = |path: &str| format!("http://{}{path}", room.web);
    let mut listener = Program::start("curl", &["-sN", &url("/events")]);
    let mut events = BufReader::new(listener.0.stdout.take().unwrap());
    let said = Command::new("curl").args(["-s", "-d", "hello & goodbye", &url("/say?name=Ann%20B")]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "said\n");
    let (id, event) = (line(&mut events), line(&mut events));
    let first = told(event.strip_prefix("data: ").unwrap(), r#""from":"Ann B","text":"hello & goodbye""#);
    assert_eq!(id, format!("id: {first}"));
    // It waits for what comes after the first line.
    let mut waiting = Program::start("curl", &["-s", &url(&format!("/poll?since={first}"))]);
    let mut answer = BufReader::new(waiting.0.stdout.take().unwrap());
    let until = Instant::now() + Duration::from_secs(20);
    while !line(&mut events).is_empty() {}
    assert!(Instant::now() < until);
    room.say("bob", "later");
    let answer = line(&mut answer);
    let later = answer.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap();
    let second = told(later, r#""from":"bob","text":"later""#);
    assert_eq!([line(&mut events), line(&mut events)], [format!("id: {second}"), format!("data: {later}")]);
    // A browser that comes back says what it has heard last.
    let mut back = Program::start("curl", &["-sN", "-H", &format!("Last-Event-ID: {first}"), &url("/events")]);
    assert_eq!(line(&mut BufReader::new(back.0.stdout.take().unwrap())), format!("id: {second}"));
    room.stop();
}

#[test]
fn a_page_of_another_server_and_a_foreign_name_come_to_nothing() {
    let room = Room::open(&["--host", "chat.example"]);
    let (own, port) = (&room.web, room.web.rsplit_once(':').unwrap().1);
    for path in ["/", "/ws", "/events", "/poll?since=0"] {
        for heads in [
            "host: evil.example\n".to_owned(),
            format!("host: evil.example:{port}\n"),
            format!("host: {own}.evil.example\n"),
            format!("host: {own}\nhost: {own}\n"),
            format!("host: {own}\norigin: http://evil.example\n"),
            format!("host: {own}\norigin: null\n"),
            format!("host: {own}\norigin: http://localhost:1\n"),
        ] {
            let answer = room.get(path, &heads);
            let refused = answer.starts_with("HTTP/1.1 403") || answer.starts_with("HTTP/1.1 400");
            assert!(refused, "{path} with {heads:?}: {answer}");
        }
        // The first line may name a host, too.
        let answer = room.get(&format!("http://evil.example{path}"), &format!("host: {own}\n"));
        assert!(answer.starts_with("HTTP/1.1 400"), "{path} of evil.example: {answer}");
    }
    for heads in ["", "host: a b\n", "host:\n", "host: you@localhost\n", "host: localhost\nhost: localhost\n"] {
        let answer = room.get("/", heads);
        assert!(answer.starts_with("HTTP/1.1 400"), "{heads:?}: {answer}");
    }
    let word = format!("POST /say HTTP/1.1\nhost: {own}\norigin: http://evil.example\ncontent-length: 2\n\nhi");
    assert!(room.ask(&word.replace("length: 2\n", "length: 2\nconnection: close\n")).starts_with("HTTP/1.1 403"));
    for host in [own.clone(), format!("localhost:{port}"), "localhost".into(), format!("chat.example:{port}")] {
        let answer = room.get("/", &format!("host: {host}\norigin: http://{host}\n"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    }
    assert!(room.stop().contains(" 0 lines were said"));
}

#[test]
fn a_handshake_that_is_none_is_refused_with_the_reason() {
    let room = Room::open(&["--patience", "1"]);
    let web = room.web.clone();
    let upgrade = format!("host: {web}\nconnection: keep-alive, Upgrade\nupgrade: WebSocket\n");
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\n";
    for (heads, status) in [
        (format!("host: {web}\n{key}sec-websocket-version: 13\n"), "426"),
        (format!("{upgrade}{key}"), "426"),
        (format!("{upgrade}{key}sec-websocket-version: 8\n"), "426"),
        (format!("{upgrade}sec-websocket-version: 13\n"), "400"),
        (format!("{upgrade}sec-websocket-version: 13\nsec-websocket-key: short\n"), "400"),
        (format!("{upgrade}sec-websocket-version: 13\nsec-websocket-key: {}\n", "x".repeat(6000)), "400"),
    ] {
        let answer = room.ask(&format!("GET /ws HTTP/1.1\n{heads}\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{heads}: {answer}");
        assert!(status != "426" || answer.contains("sec-websocket-version: 13"), "{answer}");
    }
    // One that is never finished is hung up on, also when a byte comes now and then.
    let mut stream = connect(&web);
    let began = Instant::now();
    let head = format!("GET /ws HTTP/1.1\r\nhost: {web}\r\nx: {}", "y".repeat(1000));
    let is_hung_up = head.bytes().any(|byte| {
        thread::sleep(Duration::from_millis(20));
        stream.write_all(&[byte]).is_err()
    });
    assert!(is_hung_up && began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    room.stop();
}

#[test]
fn what_is_too_long_is_refused_before_it_is_kept() {
    let room = Room::open(&[]);
    let web = &room.web;
    let long = "x".repeat(1 << 20);
    for (request, status) in [
        (format!("GET /{long} HTTP/1.1\nhost: {web}\n\n"), ["414", "431"]),
        (format!("GET / HTTP/1.1\nhost: {web}\nx: {long}\n\n"), ["431", "431"]),
        (format!("GET / HTTP/1.1\nhost: {web}\n{}\n", "a: b\n".repeat(5000)), ["431", "431"]),
        (format!("POST /say HTTP/1.1\nhost: {web}\ncontent-length: 1048576\n\n{long}"), ["413", "413"]),
    ] {
        let mut stream = connect(web);
        // It may be hung up on while it still sends.
        let _ = stream.write_all(request.replace('\n', "\r\n").as_bytes());
        let mut answer = [0; 12];
        if stream.read_exact(&mut answer).is_ok() {
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(status.iter().any(|status| answer == format!("HTTP/1.1 {status}")), "{answer}");
        }
    }
    // A length that is only promised takes no memory and is refused at once.
    let promise = room.ask(&format!(
        "POST /say HTTP/1.1\nhost: {web}\nconnection: close\ncontent-length: 18446744073709551000\n\nhi"
    ));
    assert!(promise.starts_with("HTTP/1.1 413"), "{promise}");
    // All of it is there when it is refused: the kernel takes so much at once.
    let line = "x".repeat(20_000);
    let mut tcp = room.enter("tim");
    writeln!(tcp.get_mut(), "{line}").unwrap();
    let mut rest = String::new();
    tcp.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("* a line has 4096 bytes at most\n"), "{rest}");
    let mut nameless = connect(&room.tcp);
    nameless.write_all(line.as_bytes()).unwrap();
    rest.clear();
    nameless.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "your name?\n* a line has 4096 bytes at most\n");
    let mut socket = room.websocket("name=wendy");
    socket.send(Message::text(line)).unwrap();
    let end = std::iter::repeat_with(|| socket.read().unwrap()).find_map(|message| match message {
        Message::Close(why) => why,
        _ => None,
    });
    assert_eq!(end.unwrap().reason, "the message is too long");
    assert!(room.stop().contains(" 0 lines were said"));
}

#[test]
fn who_does_not_read_loses_the_place_and_nobody_else_does() {
    let room = Room::open(&["--patience", "2"]);
    let mut good = room.websocket("name=good");
    let mut idle = [room.websocket("name=idle"), room.websocket("name=idle2")];
    let text = "z".repeat(4000);
    // More than the kernel keeps for one connection.
    let mut lines = 0;
    'talk: for _ in 0..200 {
        let mut stream = connect(&room.web);
        for _ in 0..25 {
            let head = format!("POST /say?name=loud HTTP/1.1\r\nhost: {}\r\ncontent-length: 4000\r\n\r\n", room.web);
            stream.write_all([head.as_bytes(), text.as_bytes()].concat().as_slice()).unwrap();
            let number = heard(&mut good);
            lines += 1;
            let id = told(&number, r#""from":"loud","text":"zzz"#);
            assert!(id.ends_with(&format!("-{lines}")), "{id}");
        }
        // The room tells of it only at its end, so this goes by what a queue and two buffers can hold.
        if lines * text.len() > 32 << 20 {
            break 'talk;
        }
    }
    for socket in &mut idle {
        let end = loop {
            match socket.read() {
                Ok(Message::Close(why)) => break why.map(|why| why.reason.to_string()).unwrap_or_default(),
                Ok(_) => {}
                Err(error) => break error.to_string(),
            }
        };
        assert!(!end.is_empty());
    }
    let said = room.stop();
    assert!(said.contains(" 2 lost their place"), "{said}");
}

#[test]
fn many_who_talk_at_once_cost_nobody_the_place() {
    let room = Room::open(&[]);
    let mut crowd: Vec<_> = (0..100).map(|n| room.enter(&format!("{n}"))).collect();
    for guest in &mut crowd {
        guest.get_mut().write_all("at once\n".repeat(20).as_bytes()).unwrap();
    }
    for guest in &mut crowd {
        assert_eq!(
            std::iter::repeat_with(|| line(guest)).take(2000).filter(|line| line.ends_with(": at once")).count(),
            2000
        );
    }
    let said = room.stop();
    assert!(said.contains("100 came, 2000 lines were said, 0 lost their place"), "{said}");
}

#[test]
fn who_answers_no_ping_is_hung_up_on_and_who_does_stays() {
    let room = Room::open(&["--ping", "0.2"]);
    let mut answers = room.websocket("name=there");
    let mut silent = room.websocket("name=gone");
    let until = Instant::now() + Duration::from_secs(2);
    // Reading is what answers.
    answers.get_mut().set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    while Instant::now() < until {
        let _ = answers.read();
    }
    let mut rest = Vec::new();
    silent.get_mut().read_to_end(&mut rest).expect("the server has closed it");
    answers.send(Message::text("still here")).unwrap();
    answers.get_mut().set_read_timeout(None).unwrap();
    assert!(heard(&mut answers).contains("still here"));
    room.stop();
}

#[test]
fn a_stop_says_goodbye_at_every_door() {
    let room = Room::open(&[]);
    let mut tcp = room.enter("tim");
    let mut socket = room.websocket("name=wendy");
    let mut events = connect(&room.web);
    write!(events, "GET /events HTTP/1.1\r\nhost: {}\r\n\r\n", room.web).unwrap();
    socket.send(Message::text("all here?")).unwrap();
    assert_eq!(line(&mut tcp), "wendy: all here?");
    assert!(heard(&mut socket).contains("all here?"));
    room.demo.signal(Signal::INT);
    assert_eq!(line(&mut tcp), "* the room is closed");
    assert_eq!(tcp.read(&mut [0; 8]).unwrap(), 0);
    let Message::Close(Some(why)) = socket.read().unwrap() else { panic!("no goodbye") };
    assert_eq!(why.reason.as_str(), "the room is closed");
    let _ = socket.read();
    let mut rest = String::new();
    events.read_to_string(&mut rest).expect("the stream of events ends");
    let ended = room.demo.end();
    ended.assert_code(0);
    assert!(ended.stdout.ends_with("3 came, 1 lines were said, 0 lost their place\n"), "{}", ended.stdout);
}

#[test]
fn who_talks_too_fast_is_told_and_nobody_hears_it() {
    let room = Room::open(&[]);
    let mut loud = room.enter("loud");
    let mut quiet = room.enter("quiet");
    loud.get_mut().write_all("again\n".repeat(200).as_bytes()).unwrap();
    let told =
        std::iter::repeat_with(|| line(&mut loud)).take_while(|line| !line.contains("you talk too fast")).count();
    assert!((30..=60).contains(&told), "{told} lines were let through at once");
    writeln!(quiet.get_mut(), "at last").unwrap();
    let before = std::iter::repeat_with(|| line(&mut quiet)).take_while(|line| line != "quiet: at last").count();
    assert!(before < 100, "{before} lines of 200");
    room.stop();
}

#[test]
fn nobody_can_speak_with_the_rooms_own_voice() {
    let room = Room::open(&[]);
    let mut tim = room.enter("tim");
    let mut socket = room.websocket("name=room");
    socket.send(Message::text("the server stops")).unwrap();
    assert!(line(&mut tim).starts_with("guest "));
    for name in [
        "room",
        "Room",
        "ROOM",
        " room ",
        "r o o m",
        "*room",
        "room:",
        "r00m",
        "ro\u{200b}om",
        "r\u{43e}\u{43e}m",
        "\u{ff32}oom",
        "RO\u{39f}M",
        "RO\u{39f}\u{41c}",
        "ro\u{301}om",
        "\u{1d42b}oom",
        "\u{202e}room",
        "*",
        "* ",
        "\u{2217}",
        "\u{1}",
        "\u{200b}",
        "\u{2800}",
    ] {
        let mut guest = BufReader::new(connect(&room.tcp));
        assert_eq!(line(&mut guest), "your name?");
        writeln!(guest.get_mut(), "{name}").unwrap();
        let welcome = line(&mut guest);
        assert!(welcome.starts_with("* welcome, guest "), "{name:?}: {welcome}");
        writeln!(guest.get_mut(), "the room is closed").unwrap();
        let heard = line(&mut tim);
        assert!(heard.starts_with("guest ") && heard.ends_with(": the room is closed"), "{name:?}: {heard}");
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert!(room.say(&encoded, "closed").starts_with("HTTP/1.1 200"));
        assert_eq!(line(&mut tim), "somebody: closed", "{name:?}");
    }
    // A star does not make a line of the room, and other names are left as they are.
    for (name, shown) in [
        ("* ann", "ann"),
        ("roman", "roman"),
        ("Zo\u{eb}", "Zo\u{eb}"),
        ("\u{1f980}", "\u{1f980}"),
        ("\u{433}\u{43e}\u{441}\u{442}\u{44c}", "\u{433}\u{43e}\u{441}\u{442}\u{44c}"),
    ] {
        let mut guest = room.enter(name);
        writeln!(guest.get_mut(), "hello").unwrap();
        assert_eq!(line(&mut tim), format!("{shown}: hello"));
    }
    room.stop();
}

#[test]
fn names_and_words_cannot_steer_the_terminal_of_others() {
    let room = Room::open(&[]);
    let mut tim = room.enter("tim");
    let mut rogue = room.enter("\u{1b}[31mrogue\u{7}\u{202e}");
    writeln!(rogue.get_mut(), "\u{1b}[2Jgone\u{0}\u{9b}1m?\u{2066}\u{202e}sdrawkcab\u{2028}ann: hi").unwrap();
    assert_eq!(line(&mut tim), "[31mrogue: [2Jgone1m?sdrawkcabann: hi");
    room.stop();
}

#[test]
fn markup_in_a_name_or_a_word_is_shown_as_text_in_a_browser() {
    if !has_a_browser("the page in a browser") {
        return;
    }
    let room = Room::open(&[]);
    room.say("%3Cimg%20src=x%20onerror=alert(1)%3E", "<script>document.title='taken'</script><b id=markup>bold</b>");
    let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chat-profile");
    let url = format!("http://{}/", room.web);
    let profile = format!("--user-data-dir={}", profile.display());
    let args = ["--headless", "--no-sandbox", "--disable-gpu", "--timeout=4000", &profile, "--dump-dom", &url];
    let seen = || String::from_utf8(Command::new("chromium").args(args).output().unwrap().stdout).unwrap();
    // A busy machine may not have drawn what was said when the browser's time is up.
    let page = (0..8).map(|_| seen()).find(|page| page.contains("taken")).expect("the page shows what was said");
    assert!(page.contains("&lt;script&gt;document.title='taken'") && page.contains("&lt;img src=x"), "{page}");
    assert!(page.contains("<title>oneloop: a room</title>") && !page.contains("<b id="), "{page}");
    room.stop();
}

#[test]
fn a_browser_shows_each_line_once_under_a_new_name_and_a_new_server() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/room.py");
    if !has_websockets("the page and a server that is started anew") || !has_a_browser("such a page") {
        return;
    }
    let room = Room::open(&[]);
    let web = room.web.clone();
    for number in 1..=3 {
        room.say("ann", &format!("before {number}"));
    }
    let mut page = Demo::start("python3", &[script, &format!("http://{web}/")]);
    assert_eq!(page.line(), "open\n");
    room.stop();
    // The new run has fewer lines than the old one had.
    let room = Room::open_at(&web, &[]);
    for number in 1..=2 {
        room.say("room", &format!("after {number}"));
    }
    let ended = page.end();
    ended.assert_code(0);
    let before = (1..=3).map(|number| format!("ann before {number}"));
    let renamed = ["tim before 4".to_owned()];
    let after = (1..=2).map(|number| format!("somebody after {number}"));
    let lines: Vec<String> = before.chain(renamed).chain(after).collect();
    assert_eq!(serde_json::from_str::<Vec<String>>(&ended.stdout).unwrap(), lines);
    room.stop();
}

#[test]
fn two_thousand_clients_of_pythons_websockets_hear_one_word() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/crowd.py");
    if !has_websockets("two thousand clients") {
        return;
    }
    let room = Room::open(&[]);
    let crowd = Command::new("python3").args([script, &format!("ws://{}/ws", room.web), "2000"]).output().unwrap();
    let said = String::from_utf8_lossy(&crowd.stdout);
    assert!(crowd.status.success(), "{said}{}", String::from_utf8_lossy(&crowd.stderr));
    assert_eq!(said, "2000 clients heard 3 words each\n");
    let said = room.stop();
    assert!(said.contains("2000 came, 3 lines were said, 0 lost their place"), "{said}");
}

#[test]
fn a_port_that_is_taken_is_named_with_the_way_out() {
    let room = Room::open(&[]);
    support::run(CHAT, &["--addr", &room.web]).assert_complains(1, &[&room.web, "--addr"]);
    support::run(CHAT, &["--addr", "127.0.0.1:0", "--tcp", &room.tcp]).assert_complains(1, &[&room.tcp, "--tcp"]);
    support::run(CHAT, &["--ping", "0"]).assert_complains(2, &["--ping"]);
    room.stop();
}

#[test]
fn silent_clients_that_take_all_places_of_the_chat_give_way_to_a_newcomer() {
    let room = Room::open(&["--connections", "6", "--patience", "50"]);
    // Without a name, without a request, with half a head, and as listeners of two kinds.
    let mut nameless = BufReader::new(connect(&room.tcp));
    assert_eq!(line(&mut nameless), "your name?");
    let mut mute = connect(&room.web);
    let mut half = connect(&room.web);
    half.write_all(b"GET / HTTP/1.1\r\nhost: local").unwrap();
    let mut listener = room.enter("listener");
    let mut socket = room.websocket("name=browser");
    let mut speaker = room.enter("speaker");
    // All six places are taken, and those who speak stay.
    let mut newcomers = Vec::new();
    for number in 0..5 {
        writeln!(speaker.get_mut(), "here, {number}").unwrap();
        while !line(&mut speaker).ends_with(&format!("here, {number}")) {}
        newcomers.push(room.enter("newcomer"));
    }
    let mut rest = String::new();
    assert_eq!(nameless.read_to_string(&mut rest).unwrap(), 0, "{rest}");
    assert_eq!(mute.read(&mut [0]).unwrap(), 0);
    assert_eq!(half.read(&mut [0]).unwrap(), 0);
    while listener.read_line(&mut rest).unwrap() > 0 {}
    while socket.read().is_ok() {}
    room.stop();
}

#[test]
fn every_phase_before_the_room_has_a_deadline_however_slowly_bytes_come() {
    let room = Room::open(&["--patience", "0.4"]);
    let began = Instant::now();
    let head = format!("POST /say?name=slow HTTP/1.1\r\nhost: {}\r\ncontent-length: 400\r\n", room.web);
    for (addr, all_at_once, then) in [
        (&room.tcp, "", "n"),
        (&room.web, "GET / HTTP/1.1\r\nx-slow: ", "x"),
        (&room.web, &*(head + "\r\n"), "x"),
        (&room.web, "", "\r\n"),
    ] {
        let mut client = connect(addr);
        client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        client.write_all(all_at_once.as_bytes()).unwrap();
        // A byte now and then, until the server has hung up or answers that this took too long.
        while client.write_all(then.as_bytes()).is_ok() {
            match client.read(&mut [0; 512]) {
                Ok(length) if length == 0 || all_at_once.starts_with("POST") => break,
                Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
                _ => {}
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{all_at_once:?} may go on for ever");
        }
    }
    room.stop();
}
