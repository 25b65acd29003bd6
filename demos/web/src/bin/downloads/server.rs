//! The server: forty files, each of its own length, sent at its own speed.

use std::convert::Infallible;
use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_lite::future::or;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, ETAG, EXPECT, HeaderMap, HeaderValue, IF_NONE_MATCH, IF_RANGE,
    RANGE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use oneloop::interop::hyper::{Io, Timer};
use oneloop::net::TcpListener;
use oneloop::task::{Builder, spawn_blocking};
use oneloop::time::{Sleep, sleep, timeout};
use oneloop_demos::Guests;

const FILES: usize = 40;
/// How many may be connected at a time: more than the most files that are on their way at one time.
const GUESTS: u32 = 300;
/// How often a file's next piece is sent.
const BEAT: Duration = Duration::from_millis(20);
/// How long a client may stay, and take to ask.
const LIFETIME: Duration = Duration::from_secs(300);
const HEAD: Duration = Duration::from_secs(10);

/// Starts it on a free port of loopback.
pub(crate) async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let addr = listener.local_addr()?;
    let list = spawn_blocking(list).await.map_err(io::Error::other)?;
    drop(Builder::new().name("server").spawn(serve(listener, list.into())));
    Ok(addr)
}

async fn serve(listener: TcpListener, list: Rc<str>) {
    let guests = Guests::at_most(GUESTS);
    while let Ok((stream, peer)) = listener.accept().await {
        let (list, guest) = (Rc::clone(&list), guests.enter());
        let connection = async move {
            let answer = service_fn(async |request| {
                guest.has_spoken();
                Ok::<_, Infallible>(answer(&request, &list))
            });
            let mut http = http1::Builder::new();
            http.timer(Timer).header_read_timeout(HEAD).max_buf_size(16 * 1024);
            let served = async { drop(timeout(LIFETIME, http.serve_connection(Io::new(stream), answer)).await) };
            or(served, guest.has_to_go()).await;
        };
        drop(Builder::new().name(format!("server of {peer}")).spawn(connection));
    }
}

/// A file, a part of it, or only what is to be known of it. Source: RFC 9110, sections 9.3, 13.1 and 14.
fn answer<B>(request: &Request<B>, list: &str) -> Response<Slowly> {
    let (method, headers) = (request.method(), request.headers());
    if method != Method::GET && method != Method::HEAD {
        let mut response = told(StatusCode::METHOD_NOT_ALLOWED, "files are here to be read\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    if headers.get(EXPECT).is_some_and(|expected| !expected.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return told(StatusCode::EXPECTATION_FAILED, "nothing but 100-continue can be expected here\n");
    }
    let name = request.uri().path().trim_start_matches('/');
    let (mut bytes, speed) = match name.strip_prefix("file-").and_then(|number| number.parse().ok()) {
        Some(number @ 1..=FILES) => (Bytes::from(content(number)), speed(number)),
        _ if name == "SHA256SUMS" => (Bytes::copy_from_slice(list.as_bytes()), usize::MAX),
        _ => return told(StatusCode::NOT_FOUND, "there is no such file\n"),
    };
    // A file's sum is a good name for what is in it.
    let sum = list.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix("  "));
    let tag = format!("\"{}\"", sum.unwrap_or("list"));
    let (status, content_range) = match asked_for(headers, &tag, bytes.len()) {
        Asked::Whole => (StatusCode::OK, None),
        Asked::Nothing => {
            bytes.clear();
            (StatusCode::NOT_MODIFIED, None)
        }
        Asked::Part(start, end) => {
            let range = format!("bytes {start}-{}/{}", end - 1, bytes.len());
            bytes = bytes.slice(start..end);
            (StatusCode::PARTIAL_CONTENT, Some(range))
        }
        Asked::Beyond => {
            let range = format!("bytes */{}", bytes.len());
            bytes = Bytes::from_static(b"the file is not as long as that\n");
            (StatusCode::RANGE_NOT_SATISFIABLE, Some(range))
        }
    };
    let length = bytes.len();
    if method == Method::HEAD {
        bytes.clear();
    }
    let mut response = Response::new(Slowly { bytes, speed, pause: None });
    *response.status_mut() = status;
    let head = response.headers_mut();
    head.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let mut insert =
        |name, text: String| HeaderValue::try_from(text).map(|value| drop(head.insert(name, value))).is_ok();
    insert(ETAG, tag);
    content_range.map(|range| insert(CONTENT_RANGE, range));
    if method == Method::HEAD && status != StatusCode::NOT_MODIFIED {
        insert(CONTENT_LENGTH, length.to_string());
    }
    response
}

fn told(status: StatusCode, text: &'static str) -> Response<Slowly> {
    let mut response = Response::new(Slowly { bytes: text.into(), speed: usize::MAX, pause: None });
    *response.status_mut() = status;
    response
}

/// How much of a file a request wants.
#[derive(Debug, PartialEq)]
enum Asked {
    Whole,
    /// It has the file already.
    Nothing,
    /// From here to before there.
    Part(usize, usize),
    Beyond,
}

fn asked_for(headers: &HeaderMap, tag: &str, length: usize) -> Asked {
    let mut known = headers.get_all(IF_NONE_MATCH).iter().flat_map(|value| value.to_str().unwrap_or("").split(','));
    if known.any(|known| known.trim() == "*" || known.trim().trim_start_matches("W/") == tag) {
        return Asked::Nothing;
    }
    if headers.get(IF_RANGE).is_some_and(|known| known.as_bytes() != tag.as_bytes()) {
        return Asked::Whole;
    }
    let mut ranges = headers.get_all(RANGE).iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else { return Asked::Whole };
    // One range is served. Many ask for the same bytes again and again: they get the whole, once.
    let range = range.to_str().ok().and_then(|range| range.strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|range| range.split_once('-')) else { return Asked::Whole };
    // Numbers of digits alone: parse() would take a sign as well. One that is too large is as good as the end.
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(usize::MAX))
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Asked::Whole,
        (Some(first), Some(_)) if first >= length => Asked::Beyond,
        (Some(first), Some(last)) => Asked::Part(first, last.saturating_add(1).min(length)),
        (Some(first), None) if last.is_empty() && first < length => Asked::Part(first, length),
        (Some(_), None) if last.is_empty() => Asked::Beyond,
        (None, Some(0)) if first.is_empty() => Asked::Beyond,
        (None, Some(last)) if first.is_empty() => Asked::Part(length.saturating_sub(last), length),
        _ => Asked::Whole,
    }
}

/// The lines that `sha256sum` would write of all files.
fn list() -> String {
    (1..=FILES).fold(String::new(), |mut text, number| {
        let name = format!("file-{number}");
        let sum = crate::hash_and_keep(&name, &content(number), None).unwrap_or_default();
        let _ = writeln!(text, "{sum}  {name}");
        text
    })
}

/// Bytes that look random, and are the same in every run. (Marsaglia, "Xorshift RNGs", 2003.)
fn content(number: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ number as u64;
    let length = 20_000 + number * number * 300 % 400_000;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

/// Bytes a beat: some files trickle.
fn speed(number: usize) -> usize {
    2_000 + number * 7_919 % 13_000
}

/// A body that is sent a piece a beat.
struct Slowly {
    bytes: Bytes,
    speed: usize,
    pause: Option<Sleep>,
}

impl Body for Slowly {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Some(pause) = &mut self.pause {
            ready!(Pin::new(pause).poll(cx));
        }
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.speed.min(self.bytes.len());
        let piece = self.bytes.split_to(length);
        self.pause = Some(sleep(BEAT));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::AsyncReadExt;
    use hyper::Request;
    use hyper::body::Body;
    use oneloop::net::TcpStream;

    use super::{answer, content, list, start};

    #[test]
    fn ranges_and_conditions_have_the_right_answer_and_a_bound() {
        let list = list();
        let length = content(3).len();
        let tag = format!("\"{}\"", &list.lines().nth(2).unwrap()[..64]);
        let (old, many) = (format!("\"{}\"", "0".repeat(64)), format!("bytes={}", "0-,".repeat(1000)));
        let (whole, ten) = (format!("{length}"), format!("bytes 0-9/{length}"));
        let end = format!("bytes {}-{}/{length}", length - 5, length - 1);
        let all = format!("bytes 0-{}/{length}", length - 1);
        let beyond = format!("bytes */{length}");
        // Method, headers, status, length of the body, Content-Range.
        for (method, headers, status, body, range) in [
            ("GET", vec![], 200, length, ""),
            ("HEAD", vec![], 200, 0, ""),
            ("GET", vec![("range", "bytes=0-9")], 206, 10, &*ten),
            ("HEAD", vec![("range", "bytes=0-9")], 206, 0, &ten),
            ("GET", vec![("range", "bytes=-5")], 206, 5, &end),
            ("GET", vec![("range", "bytes=0-")], 206, length, &all),
            ("GET", vec![("range", "bytes=0-99999999999999999999999")], 206, length, &all),
            ("GET", vec![("range", "bytes=-99999999999999999999999")], 206, length, &all),
            ("GET", vec![("range", "bytes=99999999-")], 416, 32, &beyond),
            ("GET", vec![("range", "bytes=99999999999999999999999-99999999999999999999999")], 416, 32, &beyond),
            ("GET", vec![("range", "bytes=-0")], 416, 32, &beyond),
            ("GET", vec![("range", "bytes=9-0")], 200, length, ""),
            ("GET", vec![("range", "bytes=+1-9")], 200, length, ""),
            ("GET", vec![("range", "bytes=--5")], 200, length, ""),
            ("GET", vec![("range", "bytes=-")], 200, length, ""),
            ("GET", vec![("range", "lines=0-9")], 200, length, ""),
            ("GET", vec![("range", "bytes=0-9"), ("range", "bytes=0-9")], 200, length, ""),
            ("GET", vec![("range", &many)], 200, length, ""),
            ("GET", vec![("range", "bytes=0-9"), ("if-range", &tag)], 206, 10, &ten),
            ("GET", vec![("range", "bytes=0-9"), ("if-range", &old)], 200, length, ""),
            ("GET", vec![("if-none-match", &tag)], 304, 0, ""),
            ("HEAD", vec![("if-none-match", &tag)], 304, 0, ""),
            ("GET", vec![("if-none-match", &tag), ("range", "bytes=0-9")], 304, 0, ""),
            ("GET", vec![("if-none-match", &format!("{old}, W/{tag}"))], 304, 0, ""),
            ("GET", vec![("if-none-match", "*")], 304, 0, ""),
            ("GET", vec![("if-none-match", &old)], 200, length, ""),
            ("GET", vec![("expect", "100-continue")], 200, length, ""),
            ("GET", vec![("expect", "a miracle")], 417, 46, ""),
            ("POST", vec![], 405, 26, ""),
            ("DELETE", vec![], 405, 26, ""),
        ] {
            let mut request = Request::builder().method(method).uri("/file-3");
            for (name, value) in &headers {
                request = request.header(*name, *value);
            }
            let response = answer(&request.body(()).unwrap(), &list);
            let text = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
            assert_eq!(response.status().as_u16(), status, "{method} {headers:?}");
            assert_eq!(response.body().size_hint().exact(), Some(body as u64), "{method} {headers:?}");
            assert_eq!(text("content-range"), range, "{method} {headers:?}");
            match (method, status) {
                ("HEAD", 200) => assert_eq!(text("content-length"), whole),
                ("HEAD", 206) => assert_eq!(text("content-length"), "10"),
                (_, 405) => assert_eq!(text("allow"), "GET, HEAD"),
                (_, 200 | 206 | 304) => assert_eq!(text("etag"), tag),
                _ => {}
            }
        }
    }

    #[test]
    fn who_expects_100_continue_is_not_kept_waiting() {
        oneloop::run(async {
            let mut stream = TcpStream::connect(start().await.unwrap()).await.unwrap();
            let request = "HEAD /SHA256SUMS HTTP/1.1\r\nhost: a\r\nconnection: close\r\nexpect: 100-continue\r\n\r\n";
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
            assert!(answer.contains("HTTP/1.1 200 OK\r\n") && answer.contains("content-length: 2"), "{answer}");
            assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        });
    }
}
