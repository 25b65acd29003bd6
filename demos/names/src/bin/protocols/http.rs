//! HTTP: a page of what happened, and the words one by one.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::rc::Rc;

use futures_lite::future::or;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN,
    TRANSFER_ENCODING,
};
use hyper::http::uri::Authority;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use oneloop::interop::hyper::{Io, Timer};
use oneloop::time::timeout;
use oneloop_demos::Patient;
use oneloop_demos::server::{Client, is_at_home};

use crate::WORD_MAX;
use crate::house::{Doors, House};

/// How long the head of a request may be, in bytes.
const HEAD_MAX: usize = 16 * 1024;

pub(crate) async fn serve(guest: Client, house: Rc<House>) -> io::Result<()> {
    // Some connect ahead of time: before its first byte, a client may be silent for as long as at the other doors.
    let speaks = async { guest.stream.peek(&mut [0]).await.is_ok_and(|length| length > 0) };
    let stopped = async {
        house.stopped().await;
        false
    };
    if !timeout(house.args.idle, or(stopped, speaks)).await.unwrap_or(false) {
        return Ok(());
    }
    let mut http = http1::Builder::new();
    http.timer(Timer).header_read_timeout(house.args.patience).max_buf_size(HEAD_MAX);
    let stream = Patient::new(&*guest.stream, house.args.patience);
    let respond = service_fn(|request| {
        guest.was_heard();
        respond(request, &house)
    });
    let mut connection = pin!(http.serve_connection(Io::new(stream), respond));
    let stopped = async {
        house.stopped().await;
        None
    };
    if or(async { Some(connection.as_mut().await) }, stopped).await.is_none() {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
    Ok(())
}

type Reply = Response<Full<Bytes>>;

/// A host without its port.
fn host_of(host: &str) -> &str {
    let is_a_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
    host.rsplit_once(':').filter(|(_, port)| is_a_port(port)).map_or(host, |(name, _)| name)
}

async fn respond(request: Request<Incoming>, house: &House) -> Result<Reply, Infallible> {
    let all = |name: HeaderName| {
        let values = request.headers().get_all(name).iter();
        values.map(|value| value.to_str().unwrap_or("")).collect::<Vec<_>>()
    };
    // As RFC 9112 asks, section 3.2: else two servers in a row may take it for different hosts.
    let says_well = |host: &str| host.parse::<Authority>().is_ok_and(|named| named.host() == host_of(host));
    if request.version() == Version::HTTP_11 && !matches!(all(HOST)[..], [host] if says_well(host)) {
        return Ok(text(StatusCode::BAD_REQUEST, "a request of HTTP/1.1 has one Host: a name or an address\n"));
    }
    // One server's guess at the end of a message is another's next message (RFC 9112, section 6.3).
    let coding = all(TRANSFER_ENCODING).join(", ");
    if !coding.is_empty() && !coding.eq_ignore_ascii_case("chunked") {
        return Ok(text(StatusCode::BAD_REQUEST, "chunked is the one transfer coding that is read here\n"));
    }
    // A request line may name a host, too.
    let mut hosts = all(HOST);
    hosts.extend(request.uri().authority().map(Authority::as_str).filter(|target| !hosts.contains(target)));
    if let Err(why) = is_at_home(&hosts, all(ORIGIN).first().copied(), house.args.http, &house.args.host) {
        return Ok(text(StatusCode::FORBIDDEN, why));
    }
    let path = request.uri().path().to_owned();
    let name = path.strip_prefix("/words/");
    Ok(match (request.method(), name) {
        (&Method::GET | &Method::HEAD, None) if path == "/" => page(house),
        (&Method::GET | &Method::HEAD, None) if path == "/page.js" => script(),
        (&Method::GET | &Method::HEAD, Some(name)) => match house.board.find("http", name) {
            Some(word) => text(StatusCode::OK, word + "\n"),
            None => text(StatusCode::NOT_FOUND, "no such name\n"),
        },
        (&Method::PUT, Some(name)) => leave(name, request, house).await,
        _ if path == "/" || name.is_some() => {
            let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, "not by this method\n");
            let allowed = if name.is_some() { "GET, PUT" } else { "GET" };
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            reply
        }
        _ => text(StatusCode::NOT_FOUND, "there is the page /, and /words/NAME\n"),
    })
}

async fn leave(name: &str, request: Request<Incoming>, house: &House) -> Reply {
    let too_long = || text(StatusCode::PAYLOAD_TOO_LARGE, format!("a word has {WORD_MAX} bytes at most\n"));
    // A promise of more is refused as it stands.
    if request.body().size_hint().lower() > WORD_MAX as u64 + 2 {
        return too_long();
    }
    let body = async { Ok(Limited::new(request.into_body(), WORD_MAX + 2).collect().await) };
    let word = match house.patiently(body).await {
        Ok(Ok(word)) => word.to_bytes(),
        Ok(Err(_)) => return too_long(),
        Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "that took too long\n"),
    };
    match house.board.leave("http", name, &String::from_utf8_lossy(&word)) {
        Ok(()) => text(StatusCode::CREATED, "left\n"),
        Err(why) => text(StatusCode::BAD_REQUEST, why + "\n"),
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(text.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// The page: everything that came from outside is escaped.
fn page(house: &House) -> Reply {
    let board = &house.board;
    let words = board.words.borrow();
    let rows = words.iter().map(|(name, word)| format!("<tr><th scope=row>{}<td>{}", escaped(name), escaped(word)));
    let events: String = board.history.borrow().iter().map(|event| format!("<li>{}", escaped(event))).collect();
    let connected = house.guests.inside();
    let html = include_str!("page.html")
        .replace("{words}", &rows.collect::<String>())
        .replace("{how}", &how_to_leave(&house.doors))
        .replace(
            "{state}",
            &format!(
                "{} {}, {connected} connected, one thread",
                words.len(),
                if words.len() == 1 { "word" } else { "words" }
            ),
        )
        // Last of all: what somebody said is not searched for places to fill.
        .replace("{events}", &events);
    let mut reply = text(StatusCode::OK, html);
    let head = reply.headers_mut();
    head.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let policy = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; \
                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    head.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    reply
}

fn script() -> Reply {
    let mut reply = text(StatusCode::OK, include_str!("page.js"));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    reply
}

/// A command for each door that leaves a word, to be copied, and how the others find it.
fn how_to_leave(doors: &Doors) -> String {
    let Doors { dns, lines, smtp, http } = doors;
    let (dns_ip, dns_port) = (dns.ip(), dns.port());
    let commands = [
        ("by a line", format!("printf 'set line hello by a line\\nquit\\n' | nc -N {} {}", lines.ip(), lines.port())),
        (
            "by a mail: its subject is the word",
            format!(
                "printf 'Subject: hello by mail\\n\\n' | \
                 curl smtp://{smtp} --crlf --mail-from me@words.test --mail-rcpt mail@words.test -T -"
            ),
        ),
        (
            "by DNS",
            format!(
                "printf 'server {dns_ip} {dns_port}\\nzone words.test\\n\
                 update add dns.words.test 0 TXT \"hello by DNS\"\\nsend\\n' | nsupdate"
            ),
        ),
        ("by HTTP", format!("curl -X PUT -d 'hello by HTTP' http://{http}/words/http")),
        (
            "find them again, at any other door",
            format!(
                "curl http://{http}/words/line\n\
                 dig @{dns_ip} -p {dns_port} mail.words.test TXT +short\n\
                 printf 'get dns\\nquit\\n' | nc -N {} {}\n\
                 printf 'HELO me\\r\\nVRFY http\\r\\nQUIT\\r\\n' | nc -N {} {}",
                lines.ip(),
                lines.port(),
                smtp.ip(),
                smtp.port()
            ),
        ),
    ];
    commands.iter().map(|(way, command)| format!("<dt>{way}<dd><pre>{}</pre>", escaped(command))).collect()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '<' | '>' | '&' | '"' | '\'' | '{' | '}' => escaped += &format!("&#{};", u32::from(letter)),
            _ => escaped.push(letter),
        }
    }
    escaped
}
