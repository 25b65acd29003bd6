//! smol: a `LocalExecutor` driven by `block_on`, which also turns async-io's reactor.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use smol::net::{TcpListener, TcpStream};
use smol::{LocalExecutor, Timer};

use crate::adapter::{Boxed, Listener, Part, Runtime, Stream};

thread_local! {
    /// smol's spawn is a method of the executor; the suite calls a function.
    static EXECUTOR: RefCell<Option<Rc<LocalExecutor<'static>>>> = const { RefCell::new(None) };
}

/// smol, on one thread.
pub struct Smol;

/// Takes the executor away at the end of a run, also when the root panics.
struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        // The root future and the executor are dropped after this, outside of the borrow.
        drop(EXECUTOR.take());
    }
}

impl Runtime for Smol {
    const NAME: &'static str = "smol";
    const HAS: &'static [Part] = &[Part::Sleep, Part::Sockets];

    fn run(root: impl Future<Output = ()> + Send + 'static) {
        let executor = Rc::new(LocalExecutor::new());
        EXECUTOR.set(Some(Rc::clone(&executor)));
        let _running = Running;
        smol::block_on(executor.run(root));
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        let executor = EXECUTOR.with_borrow(Option::clone).expect("spawn is called from inside of run");
        executor.spawn(task).detach();
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        let timer = Timer::after(duration);
        async move {
            timer.await;
        }
    }

    async fn listen() -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(TcpListener::bind("127.0.0.1:0").await?))
    }

    async fn connect(addr: SocketAddr) -> io::Result<Stream> {
        Ok(Box::pin(TcpStream::connect(addr).await?))
    }
}

impl Listener for TcpListener {
    fn addr(&self) -> SocketAddr {
        self.local_addr().expect("a listener has an address")
    }

    fn accept(&mut self) -> Boxed<'_, io::Result<Stream>> {
        Box::pin(async { Ok(Box::pin(TcpListener::accept(self).await?.0) as Stream) })
    }
}
