//! `cargo stage doctor`: whether a machine has what the workshop needs, and the one thing to do if not.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use crate::Said;
use crate::stages::project;

/// The oldest Rust that builds the crate of a learner: as the project's own manifest says.
const OLDEST: (u32, u32) = (1, 85);
/// How many files the stage with two hundred clients opens, and some to spare.
const FILES: u64 = 1000;

/// A look at one thing: what was found, or what is to do.
type Look = fn() -> Said<String>;

/// `cargo stage doctor`.
pub(crate) fn doctor() -> Said<()> {
    let looks: [(&str, Look); 5] = [
        ("Rust", toolchain),
        ("the libraries, offline", libraries),
        ("the loopback", loopback),
        ("open files", files),
        ("a browser", browser),
    ];
    for (what, look) in looks {
        match look() {
            Ok(found) => println!("  good  {what}: {found}"),
            Err(todo) => {
                println!("  no    {what}");
                return Err(format!("one thing to do: {todo}"));
            }
        }
    }
    println!("ready");
    Ok(())
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(project()).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn toolchain() -> Said<String> {
    let todo = || format!("install Rust {}.{} or newer from https://rustup.rs", OLDEST.0, OLDEST.1);
    let said = output("rustc", &["--version"]).ok_or_else(todo)?;
    let mut numbers = said.split([' ', '.']).filter_map(|word| word.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= OLDEST { Ok(said) } else { Err(todo()) }
}

fn libraries() -> Said<String> {
    let fetched = output("cargo", &["fetch", "--offline", "--locked"]);
    fetched.map(|_| "they are here".to_owned()).ok_or("run `cargo fetch` once while you are online".to_owned())
}

fn loopback() -> Said<String> {
    let talk = || -> std::io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut client = TcpStream::connect(listener.local_addr()?)?;
        client.write_all(b"x")?;
        listener.accept()?.0.read_exact(&mut [0])
    };
    talk().map_err(|error| format!("let programs use sockets on 127.0.0.1, which said: {error}"))?;
    Ok("a byte went through 127.0.0.1".to_owned())
}

fn files() -> Said<String> {
    let limit = output("sh", &["-c", "ulimit -n"]).unwrap_or_default();
    match limit.parse::<u64>() {
        Ok(files) if files < FILES => Err(format!("allow more open files in this shell: ulimit -n {FILES}")),
        Ok(files) => Ok(format!("{files} are allowed")),
        Err(_) => Ok("no limit".to_owned()),
    }
}

fn browser() -> Said<String> {
    let names = ["xdg-open", "open", "wslview", "firefox", "chromium", "google-chrome", "chromium-browser"];
    let found = names.into_iter().find(|name| output("sh", &["-c", &format!("command -v {name}")]).is_some());
    match found {
        Some(name) => Ok(format!("{name} opens the page")),
        None => Err("install a browser, or copy .stage/see.html to where one is".to_owned()),
    }
}
