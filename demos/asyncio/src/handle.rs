//! A handle: a callback that was asked for, as Python holds it. In debug mode asyncio's own handles are used.

use pyo3::basic::CompareOp;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::core::{Core, Id};

/// The handle that `call_soon` returns. It looks like `asyncio.Handle`.
#[pyclass(subclass, weakref, module = "oneloop._oneloop")]
pub(crate) struct Handle {
    /// The context, the callback and its arguments, as `Context.run` takes them; `None` once it is cancelled.
    call: Option<Py<PyTuple>>,
    owner: Option<Py<Core>>,
}

/// The handle that `call_later` and `call_at` return. It looks like `asyncio.TimerHandle`.
#[pyclass(extends = Handle, module = "oneloop._oneloop")]
pub(crate) struct TimerHandle {
    when: f64,
    id: Option<Id>,
}

impl Handle {
    pub(crate) fn new(
        owner: &Bound<'_, Core>,
        callback: &Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
        context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let py = owner.py();
        let context = match context {
            Some(context) if !context.is_none() => context,
            _ => copy_context(py)?,
        };
        let call = if args.is_empty() {
            PyTuple::new(py, [&context, callback])?
        } else {
            let all = [context, callback.clone()].into_iter().chain(args.iter());
            PyTuple::new(py, all.collect::<Vec<_>>())?
        };
        Ok(Self { call: Some(call.unbind()), owner: Some(owner.clone().unbind()) })
    }

    /// Runs the callback, unless it was cancelled. Its exception is told to the loop's handler of exceptions, as
    /// asyncio does, save for what ends a program.
    pub(crate) fn run(slf: &Bound<'_, Self>, owner: &Bound<'_, Core>) -> PyResult<()> {
        let py = slf.py();
        let call = slf.borrow().call.as_ref().map(|call| call.clone_ref(py));
        let Some(call) = call else { return Ok(()) };
        match context_run(py)?.call1(call.into_bound(py)) {
            Ok(_) => Ok(()),
            Err(error) => owner.call_method1(intern!(py, "_failed"), (slf, error)).map(drop),
        }
    }

    fn part(&self, py: Python<'_>, at: usize) -> Option<Py<PyAny>> {
        self.call.as_ref().and_then(|call| call.bind(py).get_item(at).ok()).map(Bound::unbind)
    }
}

impl TimerHandle {
    pub(crate) fn new(when: f64, handle: Handle) -> PyClassInitializer<Self> {
        PyClassInitializer::from(handle).add_subclass(Self { when, id: None })
    }

    pub(crate) fn is_at(slf: &Bound<'_, Self>, id: Id) {
        slf.borrow_mut().id = Some(id);
    }
}

fn copy_context(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static COPY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    COPY.import(py, "contextvars", "copy_context")?.call0()
}

fn context_run(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static RUN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let run =
        RUN.get_or_try_init(py, || py.import("contextvars")?.getattr("Context")?.getattr("run").map(Bound::unbind));
    run.map(|run| run.bind(py))
}

#[pymethods]
impl Handle {
    fn cancel(slf: &Bound<'_, Self>) {
        let call = slf.borrow_mut().call.take();
        if call.is_none() {
            return;
        }
        if let Ok(timer) = slf.cast_exact::<TimerHandle>() {
            let id = timer.borrow_mut().id.take();
            let owner = slf.borrow().owner.as_ref().map(|owner| owner.clone_ref(slf.py()));
            if let (Some(id), Some(owner)) = (id, owner) {
                Core::not_later(owner.bind(slf.py()), id, slf.as_any());
            }
        }
        // All that it held is let go here, where nothing is borrowed.
        drop(call);
    }

    fn cancelled(&self) -> bool {
        self.call.is_none()
    }

    fn get_context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.part(py, 0)
    }

    fn _run(slf: &Bound<'_, Self>) -> PyResult<()> {
        let owner = slf.borrow().owner.as_ref().map(|owner| owner.clone_ref(slf.py()));
        owner.map_or(Ok(()), |owner| Self::run(slf, owner.bind(slf.py())))
    }

    #[getter]
    fn _cancelled(&self) -> bool {
        self.call.is_none()
    }

    #[getter]
    fn _context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.part(py, 0)
    }

    #[getter]
    fn _callback(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.part(py, 1)
    }

    #[getter]
    fn _args<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyTuple>> {
        self.call.as_ref().map(|call| call.bind(py).get_slice(2, usize::MAX))
    }

    #[getter]
    fn _loop(&self, py: Python<'_>) -> Option<Py<Core>> {
        self.owner.as_ref().map(|owner| owner.clone_ref(py))
    }

    #[getter]
    fn _source_traceback(&self) -> Option<bool> {
        None
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let tell = slf.py().import("oneloop._loop")?.getattr("_handle_in_words")?;
        tell.call1((slf,))?.extract()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.call)?;
        visit.call(&self.owner)
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let parts = {
            let mut handle = slf.borrow_mut();
            (handle.call.take(), handle.owner.take())
        };
        drop(parts);
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
    fn _scheduled(&self) -> bool {
        self.id.is_some()
    }

    fn __hash__(&self) -> u64 {
        self.when.to_bits()
    }

    fn __richcmp__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>, how: CompareOp) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let Ok(that) = other.cast_exact::<Self>() else { return Ok(py.NotImplemented()) };
        let (mine, theirs) = (slf.borrow().when, that.borrow().when);
        let parts = |handle: &Bound<'_, Self>| handle.as_super().borrow().call.as_ref().map(|call| call.clone_ref(py));
        let is_equal = match (parts(slf), parts(that)) {
            _ if mine.to_bits() != theirs.to_bits() => false,
            (None, None) => true,
            (Some(mine), Some(theirs)) => {
                let rest = |call: Py<PyTuple>| call.bind(py).get_slice(1, usize::MAX);
                rest(mine).eq(rest(theirs))?
            }
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
