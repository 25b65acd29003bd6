//! Python's asyncio on oneloop.
//!
//! A Python event loop is two objects here. `EventLoop`, in `python/oneloop/_loop.py`, is asyncio's own loop for
//! Unix with its queue, its timers and its selector taken out. Behind it stands a [`Core`](core::Core), which
//! keeps the Python objects, and a runtime of oneloop, which keeps their order and their time:
//!
//! ```text
//!     call_soon(f)            a task that runs f once                       bodies::Soon
//!     call_later(1, f)        a task that sleeps, and then runs f           bodies::Later
//!     add_reader(fd, f)       a task that runs f whenever fd is ready       bodies::Watcher
//!     create_task(c())        a task that makes a step of c when woken      bodies::Stepper, while somebody looks
//!     run_forever()           block_on of a root that ends at stop()        home::run
//! ```
//!
//! Read `core.rs` first, then `bodies.rs`; `callback.rs` is a call and how it is made, `handle.rs` its number as Python
//! holds it; `home.rs` is a runtime on its thread, and how it sleeps without the interpreter's lock; `stream.rs` reads
//! and writes sockets for asyncio's transports; `told.rs` is what the page is told of a Python program.

mod bodies;
mod callback;
mod core;
mod handle;
mod home;
mod stream;
mod told;

use pyo3::prelude::*;

/// The part of `oneloop` that is not Python.
#[pymodule]
mod _oneloop {
    #[pymodule_export]
    use crate::core::Core;
    #[pymodule_export]
    use crate::handle::{Handle, TimerHandle};
    #[pymodule_export]
    use crate::stream::Stream;
}
