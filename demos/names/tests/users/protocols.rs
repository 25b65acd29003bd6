//! The four protocols as their clients meet them: a word left at one door is found at the others, and nobody
//! holds up anybody.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Demo, LIMIT, connect, has, run};

const PROTOCOLS: &str = env!("CARGO_BIN_EXE_protocols");

struct House {
    demo: Demo,
    dns: String,
    lines: String,
    smtp: String,
    http: String,
}

impl House {
    fn open(args: &[&str]) -> Self {
        let any = ["--dns", "--lines", "--smtp", "--http"].map(|flag| [flag, "127.0.0.1:0"]);
        let mut demo = Demo::start(PROTOCOLS, &[any.as_flattened(), args].concat());
        let line = demo.line();
        let words: Vec<String> = line.split([' ', ',', ';', '/', '\n']).map(str::to_owned).collect();
        let after = |word: &str| words[words.iter().position(|other| other == word).unwrap() + 1].clone();
        let (dns, lines, smtp) = (after("dns"), after("lines"), after("smtp"));
        let http = words.iter().rfind(|word| word.contains(':')).unwrap().clone();
        Self { demo, dns, lines, smtp, http }
    }

    fn stop(self) -> String {
        self.demo.signal(Signal::TERM);
        let ended = self.demo.end();
        ended.assert_code(0);
        ended.stdout
    }

    fn line(&self, command: &str) -> String {
        let mut lines = BufReader::new(connect(&self.lines));
        writeln!(lines.get_mut(), "{command}").unwrap();
        hear(&mut lines)
    }

    /// Greets, and gives the client with its greeting read.
    fn mail(&self) -> BufReader<TcpStream> {
        let mut mail = BufReader::new(connect(&self.smtp));
        assert!(hear(&mut mail).starts_with("220 words.test"));
        mail
    }

    fn send_mail(&self, name: &str, text: &str) -> String {
        let mut mail = self.mail();
        let head = format!("MAIL FROM:<me@here.test>\r\nRCPT TO:<{name}@words.test>\r\nDATA\r\n");
        mail.get_mut().write_all(head.as_bytes()).unwrap();
        for code in ["250", "250", "354"] {
            let reply = hear(&mut mail);
            assert!(reply.starts_with(code), "{reply}");
        }
        mail.get_mut().write_all(text.as_bytes()).unwrap();
        hear(&mut mail)
    }

    /// The whole answer to a request on a connection of its own.
    fn http(&self, request: &str, heads: &str, body: &str) -> String {
        let mut stream = connect(&self.http);
        let head = format!("{request} HTTP/1.1\r\nconnection: close\r\n{}\r\n", heads.replace('\n', "\r\n"));
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    fn get(&self, path: &str) -> String {
        self.http(&format!("GET {path}"), &format!("host: {}\n", self.http), "")
    }

    fn put(&self, name: &str, word: &str) -> String {
        self.http(
            &format!("PUT /words/{name}"),
            &format!("host: {}\ncontent-length: {}\n", self.http, word.len()),
            word,
        )
    }

    /// The answers of DNS to a question for the TXT record of a name, by UDP and by TCP.
    fn dns(&self, name: &str) -> [Vec<u8>; 2] {
        let question = question(name);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        socket.send_to(&question, &self.dns).unwrap();
        let mut datagram = vec![0; 2048];
        let length = socket.recv(&mut datagram).unwrap();
        datagram.truncate(length);
        let mut stream = connect(&self.dns);
        // A byte at a time, the length too.
        for byte in [&(question.len() as u16).to_be_bytes()[..], &question].concat() {
            stream.write_all(&[byte]).unwrap();
        }
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut message = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut message).unwrap();
        [datagram, message]
    }
}

/// A question for the TXT record of NAME.words.test, as it goes over the wire.
fn question(name: &str) -> Vec<u8> {
    let mut message = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in [name, "words", "test", ""] {
        message.push(label.len() as u8);
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 16, 0, 1]);
    message
}

/// The code of an answer of DNS, and whether it holds a text.
fn is_answer(message: &[u8], code: u8, text: &str) -> bool {
    message[..2] == [0, 7]
        && message[2] & 0x80 != 0
        && message[3] & 0x0f == code
        && (text.is_empty() || message.windows(text.len()).any(|part| part == text.as_bytes()))
}

fn hear(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn is_hung_up_on(stream: &mut impl Read) -> bool {
    // Bytes that it had sent and nobody read may turn the end into a reset.
    let mut rest = Vec::new();
    !stream.read_to_end(&mut rest).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Asserts that a word is found at every door, under a name in any case.
fn assert_found(house: &House, name: &str, word: &str) {
    for message in house.dns(&name.to_uppercase()) {
        assert!(is_answer(&message, 0, word), "{message:?}");
    }
    assert_eq!(house.line(&format!("get {name}")), word);
    let page = house.get(&format!("/words/{name}"));
    assert!(page.starts_with("HTTP/1.1 200") && page.ends_with(&format!("\r\n\r\n{word}\n")), "{page}");
    let mut mail = house.mail();
    write!(mail.get_mut(), "VRFY {name}\r\n").unwrap();
    assert_eq!(hear(&mut mail), format!("250 {word} <{name}@words.test>"));
}

#[test]
fn a_word_left_at_one_door_is_found_at_the_others_beside_1000_idle() {
    let house = House::open(&[]);
    let doors = [&house.dns, &house.lines, &house.smtp, &house.http];
    let idle: Vec<TcpStream> = (0..1000).map(|n| connect(doors[n % 4])).collect();
    assert_eq!(house.line("set by-line one"), "left");
    assert_eq!(house.send_mail("by-mail", "Subject: two\r\n\r\ntext\r\n.\r\n"), "250 left for by-mail");
    assert!(house.put("by-http", "three\n").starts_with("HTTP/1.1 201"));
    for (name, word) in [("by-line", "one"), ("by-mail", "two"), ("by-http", "three")] {
        assert_found(&house, name, word);
    }
    let page = house.get("/");
    assert!(page.contains("<th scope=row>by-mail<td>two") && page.contains("lines left by-line: one"), "{page}");
    // None of them was hung up on: each greeted, or still waits.
    let connected: usize = page.split("words, ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(connected >= 1000, "{connected}");
    drop(idle);
    let said = house.stop();
    assert!(said.contains("3 words left, 15 found\n"), "{said}");
}

#[test]
fn dig_and_nsupdate_find_words_and_leave_them() {
    if !has("dig", "DNS by UDP and by TCP") {
        return;
    }
    let house = House::open(&[]);
    let port = house.dns.rsplit_once(':').unwrap().1;
    let dig = |args: &[&str]| {
        let output = Command::new("dig").args(["@127.0.0.1", "-p", port, "+tries=1"]).args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(house.line(&format!("set greeting {}", "é\"\\".repeat(50))), "left");
    assert_eq!(house.line("set greeting hello, you"), "left");
    for how in ["+notcp", "+tcp"] {
        assert_eq!(dig(&["greeting.words.test", "TXT", "+short", how]), "\"hello, you\"\n");
        assert!(dig(&["nobody.words.test", "TXT", how]).contains("status: NXDOMAIN"));
        assert!(dig(&["greeting.words.test", "A", how]).contains("status: NOERROR"));
        assert!(dig(&["greeting.example.com", "TXT", how]).contains("status: REFUSED"));
        assert!(dig(&["words.test", "SOA", how]).contains("ANSWER: 1"));
        assert!(dig(&["words.test", "TXT", how, "+edns=1", "+noednsneg"]).contains("status: BADVERS"));
    }
    assert!(dig(&["words.test", "AXFR"]).contains("Transfer failed"));
    if has("nsupdate", "an update of DNS") {
        let mut nsupdate = Command::new("nsupdate").stdin(Stdio::piped()).spawn().unwrap();
        let script = format!(
            "server 127.0.0.1 {port}\nzone words.test\nupdate delete greeting.words.test TXT\n\
             update add updated.words.test 60 TXT \"by an update\"\nsend\n"
        );
        nsupdate.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(nsupdate.wait().unwrap().success());
        assert_found(&house, "updated", "by an update");
        assert!(is_answer(&house.dns("greeting")[0], 3, ""));
    }
    house.stop();
}

#[test]
fn nc_curl_and_pythons_smtplib_leave_words_and_find_them() {
    let house = House::open(&[]);
    if has("nc", "a word by nc") {
        let (host, port) = house.lines.rsplit_once(':').unwrap();
        let mut nc = Command::new("nc");
        let mut nc = nc.args(["-N", host, port]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        nc.stdin.take().unwrap().write_all(b"set nc heard\nget nc\nlist\nquit\n").unwrap();
        let said = nc.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), "left\nheard\nnc heard\n.\nbye\n");
        assert_found(&house, "nc", "heard");
    }
    if has("curl", "a word by curl") {
        let url = format!("http://{}/words/curl", house.http);
        let curl = |args: &[&str]| Command::new("curl").args(["-s", &url]).args(args).output().unwrap().stdout;
        assert_eq!(curl(&["-X", "PUT", "-d", "uploaded"]), b"left\n");
        assert_eq!(curl(&[]), b"uploaded\n");
        assert_found(&house, "curl", "uploaded");
    }
    if has("python3", "a mail by smtplib") {
        let script = "import smtplib, sys\nfrom email.message import EmailMessage\nmail = EmailMessage()\n\
                      mail['Subject'], mail['From'], mail['To'] = 'mailed', 'me@here.test', 'python@words.test'\n\
                      mail.set_content('.a dot begins this line\\n.\\n')\n\
                      with smtplib.SMTP('127.0.0.1', int(sys.argv[1])) as server:\n    server.send_message(mail)\n    \
                      print(server.verify('python'))\n";
        let port = house.smtp.rsplit_once(':').unwrap().1;
        let said = run("python3", &["-c", script, port]);
        said.assert_code(0);
        assert_eq!(said.stdout, "(250, b'mailed <python@words.test>')\n");
        assert_found(&house, "python", "mailed");
    }
    house.stop();
}

#[test]
fn the_commands_on_the_page_leave_a_word_at_each_door_and_find_it() {
    if !["nc", "curl", "dig", "nsupdate"].iter().all(|program| has(program, "the commands on the page")) {
        return;
    }
    let house = House::open(&[]);
    let page = house.get("/");
    let commands = page.split("<pre>").skip(1).map(|rest| rest.split("</pre>").next().unwrap());
    let plain = |command: &str| {
        let marks = [(34, "\""), (38, "&"), (39, "'"), (60, "<"), (62, ">"), (123, "{"), (125, "}")];
        marks.iter().fold(command.to_owned(), |text, (number, mark)| text.replace(&format!("&#{number};"), mark))
    };
    let said: Vec<String> = commands.map(|command| run("sh", &["-c", &plain(command)]).stdout).collect();
    assert_eq!(said.len(), 5, "{page}");
    for (name, way) in [("line", "a line"), ("mail", "mail"), ("dns", "DNS"), ("http", "HTTP")] {
        assert_found(&house, name, &format!("hello by {way}"));
    }
    let found = said[4].replace('\r', "");
    for word in ["hello by a line\n", "\"hello by mail\"\n", "hello by DNS\n", "hello by HTTP <http@words.test>\n"] {
        assert!(found.contains(word), "{word:?} is not in {found}");
    }
    house.stop();
}

#[test]
fn markup_and_control_letters_in_a_word_are_shown_as_text() {
    let house = House::open(&[]);
    assert_eq!(house.line("set evil <script>alert(1)</script>\u{1b}[2J{events}&\"'"), "left");
    assert!(house.line("set <b> bold").starts_with("a name has 1 to 63"));
    let page = house.get("/");
    assert!(!page.contains("<script>") && !page.contains('\u{1b}') && !page.contains("{events}"), "{page}");
    assert!(page.contains("&#60;script&#62;alert(1)&#60;/script&#62;[2J&#123;events&#125;&#38;&#34;&#39;"), "{page}");
    assert_eq!(house.line("get evil"), "<script>alert(1)</script>[2J{events}&\"'");
    house.stop();
}

#[test]
fn a_page_of_another_server_and_a_foreign_name_come_to_nothing() {
    let house = House::open(&["--host", "words.example"]);
    let own = &house.http;
    for heads in [
        "host: evil.example\n".to_owned(),
        String::new(),
        format!("host: {own}\nhost: {own}\n"),
        format!("host: {own}.evil.example\n"),
        format!("host: {own}\norigin: http://evil.example\n"),
        format!("host: {own}\norigin: null\n"),
    ] {
        for request in ["GET /", "GET /words/a", "PUT /words/a"] {
            let answer = house.http(request, &format!("{heads}content-length: 0\n"), "");
            assert!(answer.starts_with("HTTP/1.1 403") || answer.starts_with("HTTP/1.1 400"), "{heads:?}: {answer}");
        }
    }
    for heads in ["", "host: a b\n", "host:\n", "host: you@localhost\n", "host: localhost\nhost: localhost\n"] {
        let answer = house.http("GET /", heads, "");
        assert!(answer.starts_with("HTTP/1.1 400"), "{heads:?}: {answer}");
    }
    // The first line may name a host, too.
    let answer = house.http("GET http://evil.example/", &format!("host: {own}\n"), "");
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    for host in [own, "words.example", "localhost:1"] {
        let answer = house.http("GET /", &format!("host: {host}\norigin: http://{host}\n"), "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert!(house.http("DELETE /words/a", &format!("host: {own}\n"), "").starts_with("HTTP/1.1 405"));
    assert!(house.stop().contains(" 0 words left"));
}

#[test]
fn what_is_too_long_is_refused_before_it_is_kept() {
    let house = House::open(&[]);
    let long = "x".repeat(1 << 20);
    let mut lines = connect(&house.lines);
    // It may be hung up on while it still sends.
    let _ = lines.write_all(long.as_bytes());
    assert!(is_hung_up_on(&mut lines));
    assert!(house.line(&format!("set name {}", "w".repeat(256))).starts_with("a word has 1 to 255"));
    let mut mail = house.mail();
    let _ = mail.get_mut().write_all(long.as_bytes());
    assert!(is_hung_up_on(&mut mail));
    let reply = house.send_mail("much", &"a line of a long mail\r\n".repeat(4_000));
    assert!(reply.starts_with("552"), "{reply}");
    let mut mail = house.mail();
    mail.get_mut().write_all(b"MAIL FROM:<a@b> SIZE=99999999999999999999\r\n").unwrap();
    assert!(hear(&mut mail).starts_with("552"));
    // A length that is only promised takes no memory.
    let mut dns = connect(&house.dns);
    dns.write_all(&[0xff, 0xff, 1, 2, 3]).unwrap();
    assert!(is_hung_up_on(&mut dns));
    assert!(house.put("a", &long[..300]).starts_with("HTTP/1.1 413"));
    let promise =
        house.http("PUT /words/a", &format!("host: {}\ncontent-length: 18446744073709551000\n", house.http), "");
    assert!(promise.starts_with("HTTP/1.1 413"), "{promise}");
    for request in [format!("GET /{long}"), format!("GET / HTTP/1.1\r\nx: {long}\r\ny:")] {
        let answer = house.http(&request, "", "");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert!(house.stop().contains(" 0 words left"));
}

/// A connection that is closed over bytes that nobody has read is reset, and the words that were on their way are lost.
#[test]
fn a_client_that_sends_too_much_hears_why_it_is_hung_up_on() {
    let house = House::open(&[]);
    // All of it is there when it is refused: the kernel takes so much at once.
    let long = "x".repeat(20_000);
    let rest_of = |client: &mut dyn Read| {
        let mut rest = String::new();
        client.read_to_string(&mut rest).map(|_| rest)
    };
    let mut lines = connect(&house.lines);
    lines.write_all(long.as_bytes()).unwrap();
    assert_eq!(rest_of(&mut lines).unwrap(), "a line has 512 bytes at most\n");
    let mut mail = house.mail();
    mail.get_mut().write_all(long.as_bytes()).unwrap();
    assert_eq!(rest_of(&mut mail).unwrap(), "500 a line has 512 bytes at most\r\n");
    for text in [&*long, &"bare\n".repeat(4_000)] {
        let reply = house.send_mail("much", text);
        assert!(reply.starts_with("552 a mail has 65536 bytes at most"), "{reply}");
    }
    house.stop();
}

#[test]
fn mail_whose_lines_end_in_a_bare_line_feed_leaves_no_word() {
    let house = House::open(&[]);
    let smuggled = "Subject: one\r\n\r\ntext\n.\nMAIL FROM:<x@y>\r\n.\r\n";
    assert!(house.send_mail("one", smuggled).starts_with("552"));
    let reply = house.send_mail("one", "Subject: one\r\n\r\na\rb\r\n.\r\n");
    assert!(reply.starts_with("552"), "{reply}");
    let mut mail = house.mail();
    mail.get_mut().write_all(b"NOOP\nNOOP\n").unwrap();
    assert!(hear(&mut mail).starts_with("500") && is_hung_up_on(&mut mail));
    // Many mistakes are many, and a mail without names or sender is none.
    let mut mail = house.mail();
    mail.get_mut().write_all("DATA\r\n".repeat(11).as_bytes()).unwrap();
    let mut said = String::new();
    let _ = mail.read_to_string(&mut said);
    assert!(said.matches("503 ").count() == 10 && said.ends_with("421 too many mistakes\r\n"), "{said}");
    let mut mail = house.mail();
    mail.get_mut().write_all(b"MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<a b@words.test>\r\n").unwrap();
    let replies = [(); 3].map(|()| hear(&mut mail)[..3].to_owned());
    assert_eq!(replies, ["250", "550", "553"]);
    assert!(house.stop().contains(" 0 words left"));
}

#[test]
fn who_drips_or_says_nothing_is_hung_up_on_at_every_door() {
    let house = House::open(&["--patience", "0.4", "--idle", "0.4"]);
    for door in [&house.dns, &house.lines, &house.smtp, &house.http] {
        let began = Instant::now();
        let mut silent = connect(door);
        assert!(is_hung_up_on(&mut silent), "{door}");
        let mut drips = connect(door);
        // A byte now and then is no word.
        while drips.write_all(b"G").is_ok() {
            assert!(began.elapsed() < Duration::from_secs(20), "{door}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    house.stop();
    let house = House::open(&["--lifetime", "0.4"]);
    let mut busy = connect(&house.lines);
    while busy.write_all(b"list\n").is_ok() && busy.read(&mut [0; 64]).is_ok_and(|length| length > 0) {}
    house.stop();
}

#[test]
fn silent_clients_that_fill_the_house_give_way_to_newcomers() {
    let house = House::open(&["--connections", "4"]);
    let mut silent: Vec<_> = (0..8).map(|_| connect(&house.lines)).collect();
    assert_eq!(house.line("set a b"), "left");
    assert!(is_hung_up_on(&mut silent[0]));
    assert_found(&house, "a", "b");
    house.stop();
}

#[test]
fn who_has_not_begun_may_be_silent_by_http_as_long_as_elsewhere() {
    let house = House::open(&["--patience", "0.2", "--idle", "50"]);
    let mut idle = [&house.dns, &house.lines, &house.smtp, &house.http].map(|door| connect(door));
    // A mail that has begun and does not go on is over after the patience.
    let mut drips = house.mail();
    drips.get_mut().write_all(b"N").unwrap();
    assert!(is_hung_up_on(&mut drips));
    for client in &mut idle {
        client.set_nonblocking(true).unwrap();
        let heard = client.read(&mut [0; 256]);
        assert!(heard.as_ref().is_ok_and(|length| *length > 0) || heard.is_err(), "{client:?} is hung up on");
    }
    house.stop();
}

#[test]
fn a_stop_says_goodbye_at_the_doors_that_can() {
    let house = House::open(&[]);
    let mut mail = house.mail();
    let mut lines = BufReader::new(connect(&house.lines));
    writeln!(lines.get_mut(), "list").unwrap();
    assert_eq!(hear(&mut lines), ".");
    let mut dns = connect(&house.dns);
    dns.shutdown(Shutdown::Write).unwrap();
    house.demo.signal(Signal::INT);
    assert_eq!(hear(&mut mail), "421 words.test stops");
    assert_eq!(hear(&mut lines), "the server stops");
    assert!(is_hung_up_on(&mut dns) && TcpStream::connect(&house.lines).is_err());
    let ended = house.demo.end();
    ended.assert_code(0);
    assert!(ended.stdout.ends_with("stopped: 3 connections to 4 doors, 0 words left, 0 found\n"), "{}", ended.stdout);
}

#[test]
fn a_port_that_is_taken_is_named_with_the_way_out() {
    let house = House::open(&[]);
    let ports = [("--dns", &house.dns), ("--lines", &house.lines), ("--smtp", &house.smtp), ("--http", &house.http)];
    for (flag, addr) in ports {
        let others: Vec<&str> =
            ports.iter().filter(|(other, _)| *other != flag).flat_map(|(other, _)| [*other, "127.0.0.1:0"]).collect();
        run(PROTOCOLS, &[&[flag, addr], &others[..]].concat()).assert_complains(1, &[addr, flag]);
    }
    run(PROTOCOLS, &["--patience", "0"]).assert_complains(2, &["--patience"]);
    let help = run(PROTOCOLS, &["--help"]);
    help.assert_code(0);
    assert!(help.stdout.contains("--smtp"));
    house.stop();
}
