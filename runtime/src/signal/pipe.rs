//! The pipe of a runtime: what the handler writes into, and listeners wait on.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::panic::Location;
use std::rc::Rc;

use mio::unix::pipe::{self, Receiver};

use crate::ground::event::Resource;
use crate::ground::signals::Reached;
use crate::net::socket::{Socket, WAIT_FIRST};

/// The pipe that a runtime keeps for those who listen, as long as there are any.
#[derive(Default)]
pub(super) struct Listening {
    listeners: Cell<usize>,
    pipe: RefCell<Option<Rc<Pipe>>>,
}

pub(super) struct Pipe {
    /// Given back first: then no handler writes any more, and the other end may close.
    _reached: Reached,
    pub(super) socket: Socket<Receiver>,
}

impl Listening {
    pub(super) fn pipe(&self) -> Option<Rc<Pipe>> {
        self.pipe.borrow().clone()
    }

    pub(super) fn begin(&self, at: &'static Location<'static>) -> io::Result<()> {
        if self.listeners.get() == 0 {
            let (sender, receiver) = pipe::new()?;
            let socket = Socket::new(receiver, WAIT_FIRST, Resource::Signals, at)?;
            self.pipe.replace(Some(Rc::new(Pipe { _reached: Reached::by(sender), socket })));
        }
        self.listeners.set(self.listeners.get() + 1);
        Ok(())
    }

    pub(super) fn end(&self) {
        self.listeners.set(self.listeners.get() - 1);
        if self.listeners.get() == 0 {
            drop(self.pipe.take());
        }
    }
}

/// Reads until nothing is left. The bytes that are read say nothing: the counts do.
pub(super) fn empty(mut pipe: &Receiver) -> io::Result<()> {
    let mut bytes = [0; 512];
    loop {
        match pipe.read(&mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
