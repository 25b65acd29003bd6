//! A stream: the transport of a socket. It is asyncio's own but for the two steps that programs take most often: to
//! hand on what has arrived, and to send what can be sent at once. All else that may happen is left to asyncio.

use std::cell::RefCell;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError, PySystemExit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PySlice, PyTuple};

use crate::core::is_true;
use crate::home;

/// How much is read at a time. A longer read would ask the system for memory each time.
const MOST: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; MOST]);
}

/// It stands before asyncio's class of a transport: `Transport`, in Python, inherits both. Its knowledge is in that
/// class's attributes, because two classes with fields of their own have no common heir.
#[pyclass(frozen, subclass, module = "oneloop._oneloop")]
pub(crate) struct Stream;

/// asyncio's own class of a transport.
fn asyncio_s(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    CLASS.import(py, "asyncio.selector_events", "_SelectorSocketTransport").map(Bound::as_any)
}

/// The number of the socket. asyncio's own note of it may be older than the socket's end.
fn number_of(slf: &Bound<'_, Stream>) -> PyResult<i32> {
    let py = slf.py();
    slf.getattr(intern!(py, "_sock"))?.call_method0(intern!(py, "fileno"))?.extract()
}

/// An error of the kernel's as Python has it: of the class that its number stands for.
fn numbered(error: Errno) -> PyErr {
    PyOSError::new_err((error as i32, error.desc()))
}

/// Ends the connection as asyncio does, unless the error is one that ends a program.
fn fatal(slf: &Bound<'_, Stream>, error: PyErr, says: &str) -> PyResult<()> {
    let py = slf.py();
    if error.is_instance_of::<PySystemExit>(py) || error.is_instance_of::<PyKeyboardInterrupt>(py) {
        return Err(error);
    }
    slf.call_method1(intern!(py, "_fatal_error"), (error, says)).map(drop)
}

#[pymethods]
impl Stream {
    #[new]
    #[pyo3(signature = (*_args, **_named))]
    fn new(_args: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) -> Self {
        Self
    }

    /// Hands what has arrived to a protocol. One that brings its own buffer is asyncio's matter.
    fn _read_ready(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        if is_true(slf.getattr(intern!(py, "_is_buffered"))) {
            return asyncio_s(py)?.call_method1(intern!(py, "_read_ready"), (slf,)).map(drop);
        }
        if is_true(slf.getattr(intern!(py, "_conn_lost"))) {
            return Ok(());
        }
        let fd = number_of(slf)?;
        let most = slf.getattr(intern!(py, "max_size"))?.extract::<usize>()?.min(MOST);
        let read = BUFFER.with_borrow_mut(|buffer| {
            let length = recv(fd, &mut buffer[..most], MsgFlags::empty())?;
            Ok(PyBytes::new(py, &buffer[..length]))
        });
        let data = match read {
            Ok(data) => data,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(()),
            Err(error) => return fatal(slf, numbered(error), "Fatal read error on socket transport"),
        };
        let length = data.as_bytes().len();
        if length == 0 {
            return slf.call_method0(intern!(py, "_read_ready__on_eof")).map(drop);
        }
        if is_true(slf.getattr(intern!(py, "_short_is_all"))) {
            home::has_read(fd, length, most);
        }
        let protocol = slf.getattr(intern!(py, "_protocol"))?;
        match protocol.call_method1(intern!(py, "data_received"), (data,)) {
            Ok(_) => Ok(()),
            Err(error) => fatal(slf, error, "Fatal error: protocol.data_received() call failed."),
        }
    }

    /// Sends at once what the kernel takes. The rest goes into asyncio's buffer, and so does all that stands behind
    /// something in it.
    fn write(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        let asyncio_s = |data: Bound<'_, PyAny>| -> PyResult<()> {
            asyncio_s(py)?.call_method1(intern!(py, "write"), (slf, data)).map(drop)
        };
        let is_in_the_way = |name| slf.getattr(name)?.is_truthy();
        let Ok(bytes) = data.cast_exact::<PyBytes>() else { return asyncio_s(data.clone()) };
        if bytes.as_bytes().is_empty()
            || is_in_the_way(intern!(py, "_buffer"))?
            || is_in_the_way(intern!(py, "_conn_lost"))?
            || is_in_the_way(intern!(py, "_eof"))?
            || !slf.getattr(intern!(py, "_empty_waiter"))?.is_none()
        {
            return asyncio_s(data.clone());
        }
        match send(number_of(slf)?, bytes.as_bytes(), MsgFlags::MSG_NOSIGNAL) {
            Ok(sent) if sent == bytes.as_bytes().len() => Ok(()),
            Ok(sent) => {
                let view = py.import("builtins")?.getattr("memoryview")?.call1((data,))?;
                asyncio_s(view.get_item(PySlice::new(py, sent as isize, isize::MAX, 1))?)
            }
            Err(Errno::EAGAIN | Errno::EINTR) => asyncio_s(data.clone()),
            Err(error) => fatal(slf, numbered(error), "Fatal write error on socket transport"),
        }
    }
}
