//! Happy eyeballs: the first address to answer wins, and the others leave nothing.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use oneloop::event::{Event, Observer, Resource};
use oneloop::net::{TcpListener, happy_eyeballs};
use oneloop::time::sleep;
use oneloop::{Handle, Runtime};

use crate::kit::sockets::{ANY_PORT, on_a_loop, poll_once, soon, turns};
use crate::kit::watch::{builder, runtime, watch};

/// An address that refuses: bound, so that nobody else gets it, but not listening.
fn refusing() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&ANY_PORT.parse::<SocketAddr>().unwrap().into()).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, addr)
}

/// An address that does not answer: its backlog is full of the connections that come with it.
fn silent() -> (socket2::Socket, Vec<std::net::TcpStream>, SocketAddr) {
    let (socket, addr) = refusing();
    socket.listen(0).unwrap();
    let mut clients = Vec::new();
    while let Ok(client) = std::net::TcpStream::connect_timeout(&addr, Duration::from_millis(30)) {
        clients.push(client);
    }
    (socket, clients, addr)
}

/// Writes down which connections were begun, and how many timers fired.
#[derive(Clone, Default)]
struct Seen {
    begun: Rc<RefCell<Vec<SocketAddr>>>,
    fired: Rc<Cell<usize>>,
}

impl Observer for Seen {
    fn on_event(&self, _at: Duration, event: &Event<'_>) {
        match event {
            Event::SourceOpened { resource: Resource::TcpStream(peer), .. } => self.begun.borrow_mut().push(*peer),
            Event::TimerFired { .. } => self.fired.set(self.fired.get() + 1),
            _ => {}
        }
    }
}

fn seen_by(seen: &Seen) -> Runtime {
    builder().observer(seen.clone()).build().expect("the system gives an event queue")
}

#[test]
fn an_address_that_refuses_costs_no_time() {
    watch(|| {
        let seen = Seen::default();
        seen_by(&seen).block_on(async {
            let ((_a, refuses), (_b, refuses_too)) = (refusing(), refusing());
            let listener = TcpListener::bind(ANY_PORT).await.unwrap();
            let answers = listener.local_addr().unwrap();
            let stream = happy_eyeballs([refuses, refuses_too, answers]).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), answers);
            assert_eq!(*seen.begun.borrow(), [refuses, refuses_too, answers]);
            assert_eq!(seen.fired.get(), 0, "it waited for nothing");
        });
    });
}

#[test]
fn an_address_that_does_not_answer_costs_a_head_start() {
    watch(|| {
        let seen = Seen::default();
        seen_by(&seen).block_on(async {
            let (_socket, _clients, is_silent) = silent();
            let listener = TcpListener::bind(ANY_PORT).await.unwrap();
            let answers = listener.local_addr().unwrap();
            let start = Instant::now();
            let stream = soon(happy_eyeballs([is_silent, answers, is_silent])).await.unwrap();
            assert!(start.elapsed() >= Duration::from_millis(250));
            assert_eq!(stream.peer_addr().unwrap(), answers);
            assert_eq!(*seen.begun.borrow(), [is_silent, answers], "the third is not needed");
            turns(1).await;
            assert_eq!(Handle::current().metrics().sources, 2, "the listener and the winner");
        });
    });
}

#[test]
fn where_nobody_answers_every_address_is_named() {
    on_a_loop(async {
        let ((_a, one), (_b, other)) = (refusing(), refusing());
        let error = soon(happy_eyeballs([one, other])).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let says = error.to_string();
        assert!(says.contains(&one.to_string()) && says.contains(&other.to_string()), "{says}");
        let error = happy_eyeballs(Vec::<SocketAddr>::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn given_up_it_leaves_nothing() {
    watch(|| {
        let runtime = runtime();
        let (_socket, _clients, is_silent) = silent();
        runtime.block_on(async {
            let mut race = pin!(happy_eyeballs([is_silent, is_silent, is_silent]));
            assert!(poll_once(race.as_mut()).await.is_pending());
            sleep(Duration::from_millis(300)).await;
            assert!(poll_once(race.as_mut()).await.is_pending());
            turns(1).await;
            assert_eq!(Handle::current().metrics().sources, 2);
        });
        assert_eq!((runtime.metrics().sources, runtime.metrics().timers), (0, 0));
    });
}
