//! Mail: a sink (RFC 5321). The subject of a mail to NAME@words.test is the word that it leaves.
//!
//! Lines end in CR LF, and in nothing else: a sink that guesses can be told two mails where there is one.

use std::io;
use std::rc::Rc;

use oneloop_demos::server::Client;

use crate::house::House;
use crate::lines::{Lines, Said};

/// How long a command, a line of a mail, and a whole mail may be, in bytes; and to how many it may go.
const COMMAND_MAX: usize = 512;
const LINE_MAX: usize = 1_000;
const MAIL_MAX: usize = 64 * 1024;
const NAMES_MAX: usize = 10;
/// How many commands may be wrong.
const MISTAKES_MAX: u32 = 10;

pub(crate) async fn serve(guest: Client, house: Rc<House>) -> io::Result<()> {
    let mut lines = Lines::new(&guest.stream, &house);
    lines.say("220 words.test takes mail and keeps its subject\r\n").await?;
    let mut mail = Mail::default();
    let mut mistakes = 0;
    loop {
        let line = match lines.next(COMMAND_MAX).await? {
            Said::Line(line) => line,
            Said::Nothing => return Ok(()),
            Said::TooMuch => return lines.part_with(&format!("500 a line has {COMMAND_MAX} bytes at most\r\n")).await,
            Said::Stop => return lines.part_with("421 words.test stops\r\n").await,
        };
        let Some(line) = line.strip_suffix(b"\r\n") else {
            return lines.part_with("500 lines end in CR LF\r\n").await;
        };
        let command = String::from_utf8_lossy(line);
        if command.trim().eq_ignore_ascii_case("data") && mail.can_begin() {
            lines.say("354 go on, and end with a line that is a dot\r\n").await?;
            let Some(word) = take(&mut lines).await? else {
                let bounds = format!("{MAIL_MAX} bytes at most, in lines of {LINE_MAX} that end in CR LF");
                return lines.part_with(&format!("552 a mail has {bounds}\r\n")).await;
            };
            lines.say(&mail.leave(&word, &house)).await?;
            guest.was_heard();
            mail = Mail::default();
            continue;
        }
        let reply = answer(&command, &mut mail, &house);
        lines.say(&reply).await?;
        if reply.starts_with('5') {
            mistakes += 1;
        } else {
            guest.was_heard();
        }
        if reply.starts_with("221") {
            return Ok(());
        }
        if mistakes >= MISTAKES_MAX {
            return lines.part_with("421 too many mistakes\r\n").await;
        }
    }
}

/// A mail before its text.
#[derive(Default)]
struct Mail {
    has_sender: bool,
    names: Vec<String>,
}

impl Mail {
    fn can_begin(&self) -> bool {
        self.has_sender && !self.names.is_empty()
    }

    fn leave(&self, word: &str, house: &House) -> String {
        for name in &self.names {
            if let Err(why) = house.board.leave("smtp", name, word) {
                return format!("554 {why}\r\n");
            }
        }
        format!("250 left for {}\r\n", self.names.join(" "))
    }
}

/// The reply to any command but DATA.
fn answer(command: &str, mail: &mut Mail, house: &House) -> String {
    let (verb, rest) = command.split_once(' ').unwrap_or((command.trim_end(), ""));
    match verb.to_ascii_uppercase().as_str() {
        "HELO" => "250 words.test\r\n".to_owned(),
        "EHLO" => format!("250-words.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE {MAIL_MAX}\r\n"),
        "MAIL" if mail.has_sender => "503 one mail at a time\r\n".to_owned(),
        "MAIL" => match address_after(rest, "FROM:") {
            Some(_) if promised(rest).is_some_and(|size| size > MAIL_MAX) => {
                format!("552 a mail has {MAIL_MAX} bytes at most\r\n")
            }
            Some(_) => {
                mail.has_sender = true;
                "250 whose mail it is does not matter\r\n".to_owned()
            }
            None => "501 MAIL FROM:<address>\r\n".to_owned(),
        },
        "RCPT" if !mail.has_sender => "503 MAIL comes first\r\n".to_owned(),
        "RCPT" if mail.names.len() == NAMES_MAX => format!("452 {NAMES_MAX} at a time\r\n"),
        "RCPT" => match address_after(rest, "TO:").and_then(|address| address.rsplit_once('@')) {
            Some((name, zone)) if zone.eq_ignore_ascii_case("words.test") => match crate::good_name(name) {
                Ok(name) => {
                    mail.names.push(name);
                    "250 so be it\r\n".to_owned()
                }
                Err(why) => format!("553 {why}\r\n"),
            },
            Some(_) => "550 mail for words.test only\r\n".to_owned(),
            None => "501 RCPT TO:<name@words.test>\r\n".to_owned(),
        },
        "VRFY" => {
            let name = rest.trim().trim_start_matches('<').trim_end_matches('>');
            let name = name.split('@').next().unwrap_or_default();
            match house.board.find("smtp", name) {
                Some(word) => format!("250 {word} <{name}@words.test>\r\n"),
                None => "550 no such name\r\n".to_owned(),
            }
        }
        "RSET" => {
            *mail = Mail::default();
            "250 forgotten\r\n".to_owned()
        }
        "NOOP" => "250 nothing done\r\n".to_owned(),
        "QUIT" => "221 bye\r\n".to_owned(),
        "DATA" => "503 MAIL and RCPT come first\r\n".to_owned(),
        _ => "502 HELO, EHLO, MAIL, RCPT, DATA, VRFY, RSET, NOOP or QUIT\r\n".to_owned(),
    }
}

/// The address of `FROM:<address>`, which may be empty.
fn address_after<'a>(rest: &'a str, word: &str) -> Option<&'a str> {
    let rest = rest.trim_start();
    let begin = rest.get(..word.len()).filter(|begin| begin.eq_ignore_ascii_case(word))?;
    let address = rest[begin.len()..].trim_start().strip_prefix('<')?;
    Some(address.split_once('>')?.0)
}

/// How long a mail will be, if the client says so.
fn promised(rest: &str) -> Option<usize> {
    let size =
        rest.split_whitespace().find_map(|word| word.to_ascii_uppercase().strip_prefix("SIZE=").map(str::to_owned));
    size.map(|size| size.parse().unwrap_or(usize::MAX))
}

/// Reads a mail, and keeps its word: the subject, or else the first line of its text. None if it is too long, or
/// not in lines that end in CR LF.
async fn take(lines: &mut Lines<'_>) -> io::Result<Option<String>> {
    let (mut length, mut is_head) = (0, true);
    let (mut subject, mut first) = (None, None);
    loop {
        let line = match lines.next(LINE_MAX).await? {
            Said::Line(line) => line,
            Said::TooMuch => return Ok(None),
            Said::Nothing | Said::Stop => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        let Some(line) = line.strip_suffix(b"\r\n").filter(|line| !line.contains(&b'\r')) else { return Ok(None) };
        if line == b"." {
            let word: Option<String> = subject.filter(|subject: &String| !subject.is_empty()).or(first);
            return Ok(Some(word.unwrap_or_default()));
        }
        length += line.len() + 2;
        if length > MAIL_MAX {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(line.strip_prefix(b".").unwrap_or(line)).into_owned();
        if is_head && text.is_empty() {
            is_head = false;
        } else if is_head {
            let field = text.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("subject"));
            subject = subject.or(field.map(|(_, subject)| subject.trim().to_owned()));
        } else if first.is_none() && !text.trim().is_empty() {
            first = Some(text);
        }
    }
}
