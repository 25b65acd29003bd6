//! A gateway: a reverse proxy that keeps its connections, holds back a side that is too fast, and traces each request.
//!
//! ```text
//! cargo run --release -p oneloop-web-demos --bin gateway                   brings an upstream of its own
//! cargo run --release -p oneloop-web-demos --bin gateway -- --to http://10.0.0.7:9000 --to http://10.0.0.8:9000
//! curl http://127.0.0.1:8080/             curl http://127.0.0.1:8080/slow
//! curl --limit-rate 10M -o /dev/null http://127.0.0.1:8080/big/100000000
//! ```
//!
//! Watch: a line a request, with the milliseconds that it spent in each phase. The first one pays for `dns`
//! and `connect`; the next says `reuse`. While `/big` trickles into curl, `grep VmRSS /proc/PID/status` stays flat:
//! no byte is read from the upstream before the client has room for it. Ctrl-C stops it in order.
//!
//! A request with a Content-Length and a Transfer-Encoding goes on as chunked, without its length, and is the last of
//! its connection, as RFC 9112 (6.1) has it. Refusing it is allowed, too; but hyper removes the length unseen.
//!
//! It prints: `127.0.0.1:50000 GET / 200 | queue 0.0 | reuse 1 | first byte 0.4 | total 0.5 ms | 24 bytes`.
//! This answers aiohttp: a client session and a server in one program.

mod bodies;
mod origin;
mod rules;
mod trace;
mod upstream;

use std::cell::Cell;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use futures_lite::future::or;
use hyper::body::{Body, Incoming};
use hyper::header::{EXPECT, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING, VIA};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use oneloop::task::Builder;
use oneloop::time::{interval, sleep, timeout};
use oneloop_demos::server::{listen, stop_asked_for};
use oneloop_demos::{end_of, flags, print, seconds, whole};
use oneloop_web_demos::house::{House, Limits, is_own_host, why_misframed, why_refused};
use oneloop_web_demos::pool::Lease;

use crate::bodies::{Download, Upload};
use crate::trace::{Refusal, Trace};
use crate::upstream::Upstream;

struct Gateway {
    addr: SocketAddr,
    args: Args,
    upstreams: Vec<Upstream>,
    /// The upstream whose turn it is.
    next: Cell<usize>,
    /// How this gateway is called in `Via`.
    name: String,
}

impl Gateway {
    /// One request: refused, or sent on by a connection that may have served others. The answer's body goes to the
    /// client piece by piece, and takes connection and trace along.
    async fn answer(self: Rc<Self>, request: Request<Incoming>, peer: SocketAddr) -> Response<Download> {
        let mut trace = Trace::begin(peer, &request, self.args.json);
        let exchanged = match self.why_not(&request) {
            Some(refusal) => Err(refusal),
            None => self.exchange(request, peer, &mut trace).await,
        };
        match exchanged {
            Ok((response, lease, upload)) => {
                let (mut head, body) = response.into_parts();
                head.version = Version::HTTP_11; // Each hop speaks for itself.
                rules::remove_hop_by_hop(&mut head.headers);
                self.sign(&mut head.headers);
                trace.status = head.status;
                let body = Download::of(body, self.args.limits.patience, lease, upload, trace);
                Response::from_parts(head, body)
            }
            Err(refusal) => Download::refused(refusal, trace),
        }
    }

    /// Sends the request on, and waits for the head of the answer.
    async fn exchange(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        trace: &mut Trace,
    ) -> Result<(Response<Incoming>, Lease<Upload>, bodies::Sent), Refusal> {
        let (head, body) = request.into_parts();
        // A connection that was idle may die just when it is used. This is asked once more on a new one, if that cannot do harm.
        let mut may_go_again = body.is_end_stream() && head.method.is_safe();
        let (mut upload, sent) = Upload::of(body, self.args.limits.patience);
        loop {
            let (upstream, mut lease) = self.lease(trace).await?;
            let is_reused = lease.line.served > 0;
            let mut dressed = self.dressed(head.clone(), peer, upstream);
            if upload.size_hint().exact().is_none() {
                // hyper takes it that a GET of unknown length has no body, unless it is told of one.
                dressed.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
            let request = Request::from_parts(dressed, upload);
            let answered = or(async { Some(lease.line.sender.try_send_request(request).await) }, async {
                sent.wait().await;
                sleep(self.args.answer).await;
                None
            });
            let Some(answered) = answered.await else {
                return Err(Refusal::late(format!("{} did not answer", upstream.name)));
            };
            let mut error = match answered {
                Ok(response) => {
                    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                        return Err(Refusal::bad(format!("{} switches protocols unasked", upstream.name)));
                    }
                    if let Some(why) = why_misframed(response.headers()) {
                        return Err(Refusal::bad(format!("{}: {}", upstream.name, why.trim_end())));
                    }
                    trace.first_byte();
                    return Ok((response, lease, sent));
                }
                Err(error) => error,
            };
            upload = match error.take_message() {
                // Not a byte of it was sent.
                Some(unsent) => unsent.into_body(),
                None if is_reused && may_go_again => {
                    may_go_again = false;
                    Upload::nothing()
                }
                None => {
                    let client = sent.failure().map(|status| {
                        Refusal::new(status, "the client did not send all of its request, or not as it said")
                    });
                    return Err(
                        client.unwrap_or_else(|| Refusal::bad(format!("{}: {}", upstream.name, error.into_error())))
                    );
                }
            };
        }
    }

    /// A connection to one of the upstreams. One that cannot be reached is passed over.
    async fn lease(&self, trace: &mut Trace) -> Result<(&Upstream, Lease<Upload>), Refusal> {
        let first = self.next.replace((self.next.get() + 1) % self.upstreams.len());
        let (after, before) = (&self.upstreams[first..], &self.upstreams[..first]);
        let mut refusal = Refusal::bad("there is no upstream");
        for upstream in after.iter().chain(before) {
            let waits = timeout(self.args.queue, upstream.pool.place()).await;
            let Ok(place) = waits else {
                return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "no connection came free in time"));
            };
            trace.queued();
            match upstream.pool.reuse(place).await {
                Ok(lease) => {
                    trace.reused(lease.line.served);
                    return Ok((upstream, lease));
                }
                Err(place) => match upstream.connect(&self.args, self.addr, trace).await {
                    Ok(line) => return Ok((upstream, upstream.pool.lend(line, place))),
                    Err(why) => refusal = why,
                },
            }
        }
        Err(refusal)
    }

    /// Why a request is not sent on.
    fn why_not(&self, request: &Request<Incoming>) -> Option<Refusal> {
        if let Some(why) = why_refused(request) {
            return Some(Refusal::new(StatusCode::BAD_REQUEST, why.trim_end()));
        }
        if let Err(why) = is_own_host(request, self.addr, &self.args.host) {
            return Some(Refusal::new(StatusCode::MISDIRECTED_REQUEST, why.trim_end()));
        }
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            let why = "this gateway leads to its upstreams only: no CONNECT, and no TRACE";
            return Some(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, why));
        }
        rules::goes_round(request.headers(), &self.name).then(|| {
            Refusal::new(StatusCode::LOOP_DETECTED, "this request has been here before, or goes round elsewhere")
        })
    }

    /// The head as the upstream gets it.
    fn dressed(&self, mut head: Parts, peer: SocketAddr, upstream: &Upstream) -> Parts {
        let headers = &mut head.headers;
        let asked = headers.get(HOST).cloned();
        rules::remove_hop_by_hop(headers);
        // The client is told to go on by this server, when the upstream has room.
        headers.remove(EXPECT);
        headers.insert(HOST, upstream.host.clone());
        // A client may say who it is as it likes: it is believed in nothing of that.
        headers.remove("forwarded");
        let text = |text: String| HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        headers.insert("x-forwarded-for", text(peer.ip().to_string()));
        headers.insert("x-forwarded-proto", HeaderValue::from_static("http"));
        if let Some(asked) = asked {
            headers.insert("x-forwarded-host", asked);
        }
        self.sign(headers);
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = path.parse().unwrap_or_else(|_| Uri::from_static("/"));
        head.version = Version::HTTP_11;
        head
    }

    fn sign(&self, headers: &mut HeaderMap) {
        if let Ok(via) = HeaderValue::from_str(&format!("1.1 {}", self.name)) {
            headers.append(VIA, via);
        }
    }

    /// Closes connections that nobody has asked for in a while.
    async fn sweep(self: Rc<Self>) {
        let mut ticks = interval(Duration::from_secs(5));
        loop {
            ticks.tick().await;
            self.upstreams.iter().for_each(|upstream| upstream.pool.sweep());
        }
    }
}

/// A reverse proxy on one thread. Ctrl-C stops it gracefully, a second one at once.
#[derive(Parser, Clone)]
struct Args {
    #[command(flatten)]
    limits: Limits,
    /// An upstream, such as http://10.0.0.7:9000; more than one take turns. Without any, one of its own
    #[arg(long, value_name = "URL", value_parser = upstream::parse)]
    to: Vec<upstream::Place>,
    /// Allow upstreams on loopback. Those on link-local addresses are never allowed
    #[arg(long)]
    allow_loopback: bool,
    /// A host name, beside those of loopback, under which the gateway may be asked
    #[arg(long, value_name = "NAME", value_parser = oneloop_demos::host_name)]
    host: Vec<String>,
    /// How many connections there may be to one upstream
    #[arg(long, value_name = "N", default_value = "32", value_parser = whole(1..=1000_u16))]
    upstream_connections: u16,
    /// Answer 503 if no connection comes free for so many seconds
    #[arg(long, value_name = "F", default_value = "5", value_parser = seconds)]
    queue: Duration,
    /// Answer 504 if an upstream's name is not found, or its connection not made, in so many seconds
    #[arg(long, value_name = "F", default_value = "3", value_parser = seconds)]
    connect: Duration,
    /// Answer 504 if an upstream, once it has the request, does not answer for so many seconds
    #[arg(long, value_name = "F", default_value = "10", value_parser = seconds)]
    answer: Duration,
    /// Keep an idle connection for so many seconds
    #[arg(long, value_name = "F", default_value = "30", value_parser = seconds)]
    keep: Duration,
    /// Print the traces as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    end_of(serve(flags()))
}

async fn serve(mut args: Args) -> Result<(), String> {
    let (listener, addr) = listen(args.limits.addr, "--addr").await?;
    let stop = stop_asked_for(args.limits.seconds); // from here on it is heard
    if args.to.is_empty() {
        let own = origin::start().await.map_err(|error| format!("cannot listen on loopback: {error}"))?;
        args.allow_loopback = true;
        args.to.push(upstream::parse(&format!("http://{own}"))?);
    }
    for place in &args.to {
        place.check(args.allow_loopback, addr)?;
    }
    let to: Vec<_> = args.to.iter().map(|place| place.name.as_str()).collect();
    print(format_args!("listening on {addr}; leads to {}; try: curl http://{addr}/", to.join(", ")));
    let upstreams = args.to.iter().map(|place| Upstream::at(place, &args)).collect();
    let name = format!("oneloop-{:016x}", fastrand::u64(..));
    let gateway = Rc::new(Gateway { addr, args, upstreams, next: Cell::new(0), name });
    let sweeper = Builder::new().name("sweeper").spawn(Rc::clone(&gateway).sweep());
    let house = House::new(gateway.args.limits.clone());
    let answer = move |request, peer| Rc::clone(&gateway).answer(request, peer);
    let lived = house.live(listener, stop, answer).await;
    sweeper.abort();
    lived
}
