//! A handle: a callback that was asked for, as Python holds it. In debug mode asyncio's own handles are used.
//!
//! It is a number. The core has the function and its arguments, so a handle that nobody keeps is gone before its
//! callback runs, and the garbage collector has nothing to look for in it.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::basic::CompareOp;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyWeakrefMethods, PyWeakrefReference};

use crate::callback::Call;
use crate::core::Core;

/// The handle that `call_soon` returns. It looks like `asyncio.Handle`.
#[pyclass(frozen, subclass, weakref, freelist = 256, module = "oneloop._oneloop")]
pub(crate) struct Handle {
    /// The loop. To hold it for good would make a ring that the garbage collector cannot see.
    owner: Py<PyWeakrefReference>,
    /// The number of the callback, in the order of all.
    seq: u64,
    is_cancelled: AtomicBool,
}

/// The handle that `call_later` and `call_at` return. It looks like `asyncio.TimerHandle`.
#[pyclass(frozen, extends = Handle, freelist = 256, module = "oneloop._oneloop")]
pub(crate) struct TimerHandle {
    when: f64,
}

impl Handle {
    pub(crate) fn new(owner: Py<PyWeakrefReference>, seq: u64) -> Self {
        Self { owner, seq, is_cancelled: AtomicBool::new(false) }
    }

    fn owner<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Core>> {
        self.owner.bind(py).upgrade_as::<Core>().ok().flatten()
    }

    /// A part of the call, as long as it waits.
    fn part(slf: &Bound<'_, Self>, name: &str) -> Option<Py<PyAny>> {
        let (py, handle) = (slf.py(), slf.get());
        let when = slf.cast_exact::<TimerHandle>().ok().map(|timer| timer.get().when);
        let part = |call: &Call| call.part(py, name);
        handle.owner(py)?.get().state().find(handle.seq, when).map(part)
    }
}

impl TimerHandle {
    pub(crate) fn new(when: f64, handle: Handle) -> PyClassInitializer<Self> {
        PyClassInitializer::from(handle).add_subclass(Self { when })
    }

    /// Function and arguments, if it waits.
    fn parts<'py>(slf: &Bound<'py, Self>) -> Option<[Bound<'py, PyAny>; 2]> {
        let [function, args] = ["_callback", "_args"].map(|name| Handle::part(slf.as_super(), name));
        Some([function?.into_bound(slf.py()), args?.into_bound(slf.py())])
    }
}

#[pymethods]
impl Handle {
    fn cancel(slf: &Bound<'_, Self>) {
        let handle = slf.get();
        if handle.is_cancelled.swap(true, Ordering::Relaxed) {
            return;
        }
        let when = slf.cast_exact::<TimerHandle>().ok().map(|timer| timer.get().when);
        if let Some(owner) = handle.owner(slf.py()) {
            Core::cancel(&owner, handle.seq, when);
        }
    }

    fn cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    fn get_context(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        Self::part(slf, "_context")
    }

    #[getter]
    fn _cancelled(&self) -> bool {
        self.cancelled()
    }

    #[getter]
    fn _context(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        Self::part(slf, "_context")
    }

    #[getter]
    fn _callback(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        Self::part(slf, "_callback")
    }

    #[getter]
    fn _args(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        Self::part(slf, "_args")
    }

    #[getter]
    fn _loop(slf: &Bound<'_, Self>) -> Option<Py<Core>> {
        slf.get().owner(slf.py()).map(Bound::unbind)
    }

    #[getter]
    fn _source_traceback(&self) -> Option<bool> {
        None
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let tell = slf.py().import("oneloop._loop")?.getattr("_handle_in_words")?;
        tell.call1((slf,))?.extract()
    }
}

#[pymethods]
impl TimerHandle {
    fn when(&self) -> f64 {
        self.when
    }

    #[getter]
    fn _when(&self) -> f64 {
        self.when
    }

    #[getter]
    fn _scheduled(slf: &Bound<'_, Self>) -> bool {
        let handle = slf.as_super().get();
        handle.owner(slf.py()).is_some_and(|owner| owner.get().state().is_set(handle.seq, slf.get().when))
    }

    fn __hash__(&self) -> u64 {
        self.when.to_bits()
    }

    fn __richcmp__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>, how: CompareOp) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let Ok(that) = other.cast_exact::<Self>() else { return Ok(py.NotImplemented()) };
        let (mine, theirs) = (slf.get().when, that.get().when);
        let is_equal = match (Self::parts(slf), Self::parts(that)) {
            _ if slf.is(that) => true,
            (Some([f, with]), Some([g, by])) if mine.to_bits() == theirs.to_bits() => f.eq(g)? && with.eq(by)?,
            _ => false,
        };
        let answer = match how {
            CompareOp::Eq => is_equal,
            CompareOp::Ne => !is_equal,
            CompareOp::Lt => mine < theirs,
            CompareOp::Le => mine < theirs || is_equal,
            CompareOp::Gt => mine > theirs,
            CompareOp::Ge => mine > theirs || is_equal,
        };
        Ok(answer.into_pyobject(py)?.to_owned().into_any().unbind())
    }
}

/// The arguments for the slow way of asyncio: in debug mode, and for a loop that is closed.
pub(crate) fn slowly(
    owner: &Bound<'_, Core>,
    what: &str,
    first: Option<&Bound<'_, PyAny>>,
    callback: &Bound<'_, PyAny>,
    args: &Bound<'_, PyTuple>,
    context: Option<Bound<'_, PyAny>>,
) -> PyResult<Py<PyAny>> {
    let py = owner.py();
    let named = PyDict::new(py);
    named.set_item("context", context)?;
    let all: Vec<_> = first.into_iter().cloned().chain([callback.clone()]).chain(args.iter()).collect();
    Ok(owner.call_method(what, PyTuple::new(py, all)?, Some(&named))?.unbind())
}
