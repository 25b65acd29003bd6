//! Serving: a loop shown to browsers, and to a terminal, while it turns.
//!
//! ```text
//!      the loop's thread                       threads of the server
//!      -----------------                       ---------------------
//!      event --> gate --> ring  <------------  door: a thread for each guest
//!                 |  ^                           http.rs     the page, the stream, commands
//!                 |  '---- pause, step, slow --  monitor.rs  for nc: ps, where, why, wheel, fds, cancel
//!                 '------- held, running ----->  a bell: the table on SIGUSR1 and SIGQUIT
//! ```
//!
//! All of it is blocking sockets on threads of its own. It takes no task, no timer and no source of the loop. So it is
//! not in the picture that it shows, and it answers while the loop is stuck. The loop writes into the ring and asks
//! the gate. It waits for the ring's lock while a viewer copies some events, and for a viewer who holds the loop on
//! purpose. It never waits for a socket, or for a viewer to read.

mod answer;
pub(crate) mod bell;
mod caller;
mod clock;
mod door;
mod gate;
mod guest;
mod house;
mod http;
mod kernel;
mod monitor;
mod names;
mod page;
mod report;
mod request;
mod seats;
mod watched;
mod why;

use std::cell::{OnceCell, RefCell};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::rc::Rc;
use std::sync::Arc;

use self::door::Door;
use self::guest::{Guest, Trouble, a_head, a_line};
use self::request::{Refusal, Rules, is_http};
use self::watched::{Passing, Watched};
use crate::ground::observers::Checkpoint;
use crate::ground::wishes::wish;
use crate::heart::core::Core;
use crate::heart::current::expect_current;
use crate::see::serve::bell::SignalBell;
use crate::see::stderr::say;

/// The address at which `ONELOOP_SEE=1` shows a loop.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 6061);

/// A token shorter than this can be guessed.
const SHORTEST_TOKEN: usize = 8;

/// Shows the runtime of this thread at an address: open it in a browser, or with `nc`.
///
/// The page shows every turn as it happens. It can pause the loop, step it and slow it down; `nc` finds a monitor there
/// that answers `help`. Both are served from threads of their own with plain sockets, so they answer also while the
/// loop is stuck. They take no task, no timer and no source of the loop. While a loop is shown, SIGUSR1 and SIGQUIT
/// (Ctrl-\ on the terminal) print its task table on stderr. Afterwards they do again what they did before.
///
/// The address must be a loopback one: anybody who reaches the page can stop the program. For others, see
/// [`serve_with_token`]. Port 0 takes any that is free. The server goes on until the runtime is dropped.
///
/// `ONELOOP_SEE=1` does the same for every runtime of a program, at 127.0.0.1:6061 or another free port.
///
/// # Errors
///
/// `InvalidInput` if the address is not a loopback one; and if the port is taken or a thread is refused.
///
/// # Panics
///
/// If no runtime runs on this thread.
///
/// ```
/// oneloop::run(async {
///     let server = oneloop::see::serve("127.0.0.1:0")?;
///     println!("see it turn at http://{}/", server.address());
///     # std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn serve(addr: impl ToSocketAddrs) -> io::Result<Server> {
    let core = expect_current("oneloop::see::serve");
    show(&core, listener(addr, false)?, None)
}

/// Shows the runtime as [`serve`] does, at any address, to those who know the token. The token has at least eight
/// letters, digits, dashes, dots, underscores and tildes. In a browser, add `?token=…` to the address; with `nc`, send
/// the token as the first line.
///
/// Everything is sent unencrypted, the token too. Across a network that is not your own, use [`serve`] and a tunnel,
/// such as `ssh -L 6061:localhost:6061`.
///
/// # Errors
///
/// `InvalidInput` if the token is none; and if the port is taken or a thread is refused.
///
/// # Panics
///
/// If no runtime runs on this thread.
#[track_caller]
pub fn serve_with_token(addr: impl ToSocketAddrs, token: &str) -> io::Result<Server> {
    let core = expect_current("oneloop::see::serve_with_token");
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
    if token.len() < SHORTEST_TOKEN || !token.chars().all(fits) {
        return Err(invalid(format!(
            "a token is a word of at least {SHORTEST_TOKEN} letters, digits, dashes, dots, underscores and tildes"
        )));
    }
    show(&core, listener(addr, true)?, Some(token.to_owned()))
}

/// Says where a loop is shown. Dropping it changes nothing: the server goes on until its runtime ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Server {
    address: SocketAddr,
}

impl Server {
    /// The address, with the port that was found if any was asked for.
    pub fn address(self) -> SocketAddr {
        self.address
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}/", self.address)
    }
}

/// The value of `ONELOOP_SEE`, if it asks for anything.
fn asked_for() -> Option<OsString> {
    wish("ONELOOP_SEE").filter(|value| value != "0")
}

pub(crate) fn is_asked_for() -> bool {
    asked_for().is_some()
}

/// Shows a new runtime if `ONELOOP_SEE` asks for it. A program runs also where it cannot be seen, so that
/// is said in a line, and all goes on.
pub(crate) fn show_if_asked(core: &Rc<Core>) {
    let Some(value) = asked_for() else { return };
    let shown = address_in(&value).and_then(|wished| show_near(core, wished));
    say(match shown {
        Ok((server, None)) => format!("oneloop: see it turn at {server}\n"),
        Ok((server, Some(taken))) => format!("oneloop: see it turn at {server} ({taken} is taken)\n"),
        Err(error) => format!("oneloop: ONELOOP_SEE shows nothing: {error}\n"),
    });
}

/// The address that a value of `ONELOOP_SEE` names.
fn address_in(value: &OsStr) -> io::Result<SocketAddr> {
    if value == "1" {
        return Ok(USUAL);
    }
    let address: Option<SocketAddr> = value.to_str().and_then(|text| text.parse().ok());
    address.ok_or_else(|| invalid(format!("{value:?} is neither 1 nor an address such as {USUAL}")))
}

/// Shows a loop at this address, or at another port if that is taken, which is returned then. A program may
/// have several runtimes, and may run several times.
fn show_near(core: &Rc<Core>, wished: SocketAddr) -> io::Result<(Server, Option<SocketAddr>)> {
    match listener(wished, false) {
        Ok(listener) => Ok((show(core, listener, None)?, None)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let listener = listener(SocketAddr::new(wished.ip(), 0), false)?;
            Ok((show(core, listener, None)?, Some(wished)))
        }
        Err(error) => Err(error),
    }
}

fn listener(addr: impl ToSocketAddrs, for_all: bool) -> io::Result<TcpListener> {
    let addresses: Vec<_> = addr.to_socket_addrs()?.collect();
    if let Some(open) = addresses.iter().find(|address| !for_all && !address.ip().is_loopback()) {
        return Err(invalid(format!(
            "{open} can be reached from other machines, and everybody who reaches it can stop this program: \
             use a loopback address such as {USUAL}, or see::serve_with_token"
        )));
    }
    TcpListener::bind(&*addresses).map_err(|error| {
        let names: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        let names = names.join(" or ");
        io::Error::new(error.kind(), format!("cannot listen at {names}: {error}; port 0 takes any that is free"))
    })
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

/// The server's part of a core. It ends with the core, on the loop's thread.
#[derive(Default)]
struct Shown {
    watched: OnceCell<Arc<Watched>>,
    doors: RefCell<Vec<Door>>,
    bell: RefCell<Option<SignalBell>>,
}

fn show(core: &Rc<Core>, listener: TcpListener, token: Option<String>) -> io::Result<Server> {
    let shown = core.annex.get::<Shown>();
    if shown.watched.get().is_none() {
        let watched = Arc::new(Watched::new(core));
        shown.bell.replace(Some(table_on_signals(&watched)?));
        let gate = Arc::clone(&watched);
        let is_wanted = gate.gate.engaged();
        core.observers.put_checkpoint(Checkpoint { is_wanted, pass: Box::new(move |event| gate.pass(event)) });
        if core.timers.is_virtual() {
            core.observers.add(Rc::new(Passing(Arc::clone(&watched))), core.timers.uptime());
        }
        core.observers.add(Rc::new(watched.ring.clone()), core.timers.uptime());
        shown.watched.get_or_init(|| watched);
    }
    let Some(watched) = shown.watched.get().map(Arc::clone) else { unreachable!("it was put there just now") };
    let address = listener.local_addr()?;
    let rules = Rules::new(address, token);
    let door = Door::open(listener, Arc::new(move |guest: &mut Guest| talk(guest, &rules, &watched)))?;
    shown.doors.borrow_mut().push(door);
    Ok(Server { address })
}

/// While a loop is shown, SIGUSR1, and SIGQUIT, which Ctrl-\ on the terminal sends, print its task table.
fn table_on_signals(watched: &Arc<Watched>) -> io::Result<SignalBell> {
    let watched = Arc::clone(watched);
    let print = move |_| {
        // A terminal has shown the keys on a line that is not over.
        say(format!("\n{}", monitor::table(&watched)));
    };
    SignalBell::hang(vec![libc::SIGUSR1, libc::SIGQUIT], Box::new(print))
}

/// Finds out what a guest speaks, and answers in its language.
fn talk(guest: &mut Guest, rules: &Rules, watched: &Watched) -> io::Result<()> {
    if guest.is_silent_at_a_terminal() {
        guest.say(monitor::greeting(rules))?;
    }
    let heard = match guest.hear_first(a_line).map(is_http) {
        Ok(true) => guest.hear_first(a_head).map(|head| Some(head.to_owned())),
        Ok(false) => Ok(None),
        Err(trouble) => Err(trouble),
    };
    match heard {
        Ok(Some(request)) => {
            guest.heard(a_head);
            http::respond(guest, &request, rules, watched)
        }
        Ok(None) => monitor::converse(guest, rules, watched),
        Err(Trouble::Refused(why)) if guest.seems_to_speak_http() => http::refuse(guest, why),
        Err(Trouble::Refused(Refusal(_, why))) => guest.say_last(format!("{why}\n")),
        Err(Trouble::Gone(error)) => Err(error),
    }
}
