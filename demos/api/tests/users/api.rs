//! The API as its users meet it: what is wrong is named by its field, what was acknowledged survives a kill -9, and
//! the document says what the server does.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Demo, LIMIT, connect, has, has_a_browser, run};

const API: &str = env!("CARGO_BIN_EXE_api");

struct Api {
    demo: Demo,
    addr: String,
}

impl Api {
    fn start(args: &[&str]) -> Self {
        let mut demo = Demo::start(API, &[&["--addr", "127.0.0.1:0"], args].concat());
        let line = demo.line();
        let addr = line.split([' ', ';']).nth(2).unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
        Self { demo, addr }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        ask(&self.addr, method, path, body).expect("the server answers")
    }

    fn stop(self) -> String {
        self.demo.signal(Signal::TERM);
        let ended = self.demo.end();
        ended.assert_code(0);
        ended.stdout
    }
}

/// Status and body, if the answer came whole.
fn ask(addr: &str, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    let answer = raw(addr, &head)?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, if body.is_empty() { Value::Null } else { serde_json::from_str(body).ok()? }))
}

fn raw(addr: &str, request: &str) -> Option<String> {
    let mut stream = std::net::TcpStream::connect(addr).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// A file of this test's own.
fn file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder.join("notes.sqlite")
}

#[test]
fn a_note_is_added_shown_changed_listed_and_removed() {
    let api = Api::start(&[]);
    let (status, note) = api.ask("POST", "/notes", r#"{"title":"milk","stars":2}"#);
    assert_eq!((status, &note), (201, &json!({"id": 1, "title": "milk", "text": "", "stars": 2})));
    assert_eq!(api.ask("GET", "/notes/1", ""), (200, note));
    let (status, note) = api.ask("PUT", "/notes/1", r#"{"title":"bread","text":"two"}"#);
    assert_eq!((status, &note), (200, &json!({"id": 1, "title": "bread", "text": "two", "stars": 0})));
    api.ask("POST", "/notes", r#"{"title":"'); DROP TABLE notes; --"}"#);
    let (status, all) = api.ask("GET", "/notes", "");
    assert_eq!((status, all.as_array().unwrap().len()), (200, 2));
    let (_, second) = api.ask("GET", "/notes?after=1&limit=5", "");
    assert_eq!(second[0]["title"], "'); DROP TABLE notes; --");
    assert_eq!(api.ask("DELETE", "/notes/1", ""), (204, Value::Null));
    assert_eq!(api.ask("DELETE", "/notes/1", "").0, 404);
    assert_eq!(api.ask("GET", "/notes/1", "").0, 404);
    assert!(api.stop().contains(" HTTP/1.1 PUT /notes/1 200 "));
}

#[test]
fn what_is_wrong_is_named_by_its_field() {
    let api = Api::start(&[]);
    let long = "x".repeat(101);
    for (body, field, words) in [
        (r"{}", "title", "missing field"),
        (r#"{"title":""}"#, "title", "1 to 100"),
        (r#"{"title":7}"#, "title", "expected a string"),
        (r#"{"title":null}"#, "title", "expected a string"),
        (&format!(r#"{{"title":"{long}"}}"#), "title", "1 to 100"),
        (r#"{"title":"a\nb"}"#, "title", "a line"),
        (r#"{"title":"a","stars":6}"#, "stars", "from 0 to 5"),
        (r#"{"title":"a","stars":-1}"#, "stars", "whole number"),
        (r#"{"title":"a","stars":1.5}"#, "stars", "whole number"),
        (r#"{"title":"a","stars":1000}"#, "stars", "whole number"),
        (r#"{"title":"a","stars":"5"}"#, "stars", "invalid type"),
        (r#"{"title":"a","colour":"red"}"#, "colour", "unknown field"),
        (r#"{"title":"a","title":"b"}"#, "title", "duplicate field"),
        (r#"{"title":"a"} more"#, "", "trailing"),
        (r#"{"title":"#, "title", "EOF"),
        ("", "", "expected an object"),
        (r"[1]", "", "expected an object"),
        (r#"["milk"]"#, "", "expected an object"),
        (r#""title""#, "", "expected an object"),
    ] {
        let (status, told) = api.ask("POST", "/notes", body);
        let problem = &told["errors"][0];
        assert_eq!(status, 422, "{body}: {told}");
        assert_eq!(problem["field"], field, "{body}: {told}");
        assert!(problem["problem"].as_str().unwrap().contains(words), "{body}: {told}");
    }
    // All of them at once, where the type is right.
    let (_, told) = api.ask("PUT", "/notes/1", r#"{"title":"","stars":9}"#);
    assert_eq!(told["errors"].as_array().unwrap().len(), 2, "{told}");
    for (path, field) in [
        ("/notes?limit=0", "limit"),
        ("/notes?limit=101", "limit"),
        ("/notes?limit=many", "limit"),
        ("/notes?limit=-1", "limit"),
        ("/notes?after=x", "after"),
        ("/notes?colour=red", "colour"),
        ("/notes/seven", "id"),
        ("/notes/99999999999999999999", "id"),
    ] {
        let (status, told) = api.ask("GET", path, "");
        assert_eq!((status, told["errors"][0]["field"].as_str()), (422, Some(field)), "{path}: {told}");
    }
    assert_eq!(api.ask("POST", "/notes", &format!(r#"{{"title":"{}"}}"#, "x".repeat(140_000))).0, 413);
    assert_eq!(api.ask("PATCH", "/notes", "").0, 405);
    assert_eq!(api.ask("GET", "/nowhere", "").0, 404);
    assert_eq!(api.ask("GET", "/notes", ""), (200, json!([])), "nothing of it was kept");
    api.stop();
}

#[test]
fn a_body_that_does_not_come_is_a_fault_of_the_clients() {
    let api = Api::start(&["--answer", "0.2"]);
    for body in ["", r#"{"title":"#] {
        let mut client = connect(&api.addr);
        let heads = "host: localhost\r\ncontent-type: application/json\r\ncontent-length: 13\r\n";
        client.write_all(format!("POST /notes HTTP/1.1\r\n{heads}\r\n{body}").as_bytes()).unwrap();
        let mut status = [0; 13];
        client.read_exact(&mut status).unwrap();
        assert_eq!(String::from_utf8_lossy(&status), "HTTP/1.1 408 ");
    }
    api.stop();
}

#[test]
fn a_note_that_is_as_the_document_says_is_kept() {
    let api = Api::start(&[]);
    // The longest one has twelve bytes a letter, as JSON may write it, and 5.0 is a whole number there.
    let longest = format!(
        r#"{{"title":"{0}","text":"{1}","stars":5.0}}"#,
        r"\ud83d\ude00".repeat(100),
        r"\ud83d\ude00".repeat(10_000)
    );
    let (status, note) = api.ask("POST", "/notes", &longest);
    assert_eq!((status, &note["stars"]), (201, &json!(5)));
    assert_eq!(note["text"].as_str().map(|text| text.chars().count()), Some(10_000));
    // The document says, too, that a title is a line.
    let title = &api.ask("GET", "/openapi.json", "").1["components"]["schemas"]["Draft"]["properties"]["title"];
    assert!(title["pattern"].as_str().unwrap().contains(r"\u001f"), "{title}");
    api.stop();
}

#[test]
fn a_page_of_another_server_can_neither_read_nor_write() {
    let api = Api::start(&["--host", "notes.example"]);
    let send = |heads: &str| {
        let body = r#"{"title":"a"}"#;
        let all = format!("POST /notes HTTP/1.1\r\n{heads}connection: close\r\ncontent-length: 13\r\n\r\n{body}");
        raw(&api.addr, &all).unwrap()
    };
    let json = "content-type: application/json\r\n";
    for (heads, status) in [
        (format!("host: evil.example\r\n{json}"), 403),
        (format!("host: localhost\r\norigin: http://evil.example\r\n{json}"), 403),
        (format!("host: localhost\r\norigin: null\r\n{json}"), 403),
        (format!("host: localhost\r\nhost: localhost\r\n{json}"), 400),
        (json.to_owned(), 400),
        // A form of another page can be sent without asking first: so JSON has to say that it is JSON.
        ("host: localhost\r\ncontent-type: text/plain\r\n".to_owned(), 415),
        ("host: localhost\r\n".to_owned(), 415),
        (format!("host: notes.example\r\norigin: http://notes.example\r\n{json}"), 201),
    ] {
        let answer = send(&heads);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{heads}: {answer}");
    }
    api.stop();
}

#[test]
fn a_kill_in_the_middle_of_writes_loses_nothing_that_was_acknowledged() {
    let path = file("killed");
    let db = path.to_str().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let mut api = Api::start(&["--db", db]);
        let (sender, kept) = channel();
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (addr, sender) = (api.addr.clone(), sender.clone());
                thread::spawn(move || {
                    for n in 0.. {
                        let title = format!("round {round} writer {writer} note {n}");
                        match ask(&addr, "POST", "/notes", &format!(r#"{{"title":"{title}"}}"#)) {
                            Some((201, note)) => sender.send((note["id"].as_i64().unwrap(), title)).unwrap(),
                            // It was killed.
                            _ => break,
                        }
                    }
                })
            })
            .collect();
        drop(sender);
        let some: Vec<_> = kept.iter().take(50 + round * 20).collect();
        api.demo.child.kill().unwrap();
        acknowledged.extend(some);
        acknowledged.extend(kept.iter());
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        api.demo.child.wait().unwrap();
    }
    let api = Api::start(&["--db", db]);
    assert!(acknowledged.len() >= 210);
    for (id, title) in &acknowledged {
        let (status, note) = api.ask("GET", &format!("/notes/{id}"), "");
        assert_eq!((status, note["title"].as_str()), (200, Some(title.as_str())));
    }
    api.stop();
}

#[test]
fn a_stop_lets_what_is_being_written_finish() {
    let path = file("stopped");
    let api = Api::start(&["--db", path.to_str().unwrap()]);
    assert_eq!(api.ask("POST", "/notes", r#"{"title":"kept"}"#).0, 201);
    assert!(api.stop().ends_with("stopping\nstopped\n"));
    let api = Api::start(&["--db", path.to_str().unwrap()]);
    assert_eq!(api.ask("GET", "/notes/1", "").1["title"], "kept");
    api.stop();
}

#[test]
fn the_page_and_its_document_come_without_a_network() {
    let api = Api::start(&[]);
    let (status, document) = api.ask("GET", "/openapi.json", "");
    assert_eq!(status, 200);
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(paths, ["/notes", "/notes/{id}"]);
    let draft = &document["components"]["schemas"]["Draft"];
    assert_eq!((&draft["required"], &draft["properties"]["stars"]["maximum"]), (&json!(["title"]), &json!(5)));
    let get =
        |path: &str| raw(&api.addr, &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"));
    let page = get("/docs/").unwrap();
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("swagger-ui"), "{page}");
    let elsewhere = page.split('"').find(|word| word.starts_with("http"));
    assert_eq!(elsewhere, None, "the page asks elsewhere");
    // A name without a path leads there, and a dark theme is ours.
    assert!(get("/").unwrap().contains("location: /docs/"));
    assert!(page.contains("docs.css") && get("/docs/docs.css").unwrap().contains("prefers-color-scheme: dark"));
    // A phone shows it in the phone's width, and what is loaded comes from here.
    assert!(page.contains("width=device-width") && page.contains("default-src 'none'"), "{page}");
    for path in ["/docs", "/docs/index.html", "/docs/swagger-initializer.js", "/docs/nothing"] {
        let status = if path == "/docs" {
            303
        } else if path == "/docs/nothing" {
            404
        } else {
            200
        };
        assert!(get(path).unwrap().starts_with(&format!("HTTP/1.1 {status} ")), "{path}");
    }
    let mut script = Vec::new();
    let mut stream = connect(&api.addr);
    let ask = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(ask.as_bytes()).unwrap();
    stream.read_to_end(&mut script).unwrap();
    assert!(script.starts_with(b"HTTP/1.1 200 ") && script.len() > 500_000, "{} bytes", script.len());
    api.stop();
}

#[test]
fn curl_speaks_http2_and_http1_to_the_same_port() {
    if !has("curl", "HTTP/2") {
        return;
    }
    let api = Api::start(&[]);
    for (flag, version) in [("--http2-prior-knowledge", "2"), ("--http1.1", "1.1")] {
        let url = format!("http://{}/notes", api.addr);
        let args = [
            "-s",
            flag,
            "-H",
            "content-type: application/json",
            "-d",
            r#"{"title":"a"}"#,
            "-w",
            " %{http_version} %{http_code}",
        ];
        let said = Command::new("curl").args(args).arg(&url).output().unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains(r#""title":"a""#) && said.ends_with(&format!(" {version} 201")), "{said}");
    }
    assert!(api.stop().contains(" HTTP/2.0 POST /notes 201 "));
}

#[test]
fn the_document_is_valid_and_the_server_does_what_it_says() {
    let has_module = |module: &str| {
        let import = format!("import {module}");
        let status = Command::new("python3").args(["-c", &import]).stderr(Stdio::null()).status();
        let there = status.is_ok_and(|status| status.success());
        if !there {
            eprintln!("skipped, as python3 has no {module} here: the API's document");
        }
        there
    };
    let api = Api::start(&[]);
    let url = format!("http://{}/openapi.json", api.addr);
    if has_module("openapi_spec_validator") {
        let script = "import json, sys, urllib.request, openapi_spec_validator as v\n\
                      v.validate(json.load(urllib.request.urlopen(sys.argv[1])))\nprint('valid')";
        let said = Command::new("python3").args(["-c", script, &url]).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
    if has_module("schemathesis") {
        let checks = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,positive_data_acceptance";
        let args = ["-m", "schemathesis.cli", "run", "--max-examples", "20", "--checks", checks, &url];
        let said = Command::new("python3").args(args).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    }
    api.stop();
}

#[test]
fn the_page_of_the_api_shows_in_a_browser() {
    if !has_a_browser("the Swagger page") {
        return;
    }
    let api = Api::start(&[]);
    let profile = format!("--user-data-dir={}/api-profile", env!("CARGO_TARGET_TMPDIR"));
    let url = format!("http://{}/docs/", api.addr);
    let args = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=8000",
        "--timeout=8000",
        &profile,
        "--dump-dom",
        &url,
    ];
    let seen = || String::from_utf8(Command::new("chromium").args(args).output().unwrap().stdout).unwrap();
    // A busy machine may not have drawn it all when the browser's time is up.
    let page = (0..6).map(|_| seen()).find(|page| page.contains("id=\"operations-notes-add\""));
    assert!(page.is_some(), "the page shows no operation");
    api.stop();
}

#[test]
fn a_database_that_cannot_be_opened_is_named() {
    run(API, &["--db", "/no/such/folder/notes.sqlite"]).assert_complains(1, &["--db /no/such/folder/notes.sqlite"]);
    let path = file("junk");
    fs::write(&path, "this is no database, however long it may be. ".repeat(100)).unwrap();
    run(API, &["--db", path.to_str().unwrap()]).assert_complains(1, &["--db", "not a database"]);
}
