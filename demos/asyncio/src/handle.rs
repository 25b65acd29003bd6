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
    /// `None` once it is cancelled.
    call: Option<Call>,
    owner: Option<Py<Core>>,
}

/// The function to call, and its context.
struct Call {
    context: Py<PyAny>,
    callback: Py<PyAny>,
    args: Py<PyTuple>,
}

impl Call {
    fn clone_ref(&self, py: Python<'_>) -> Self {
        let Self { context, callback, args } = self;
        Self { context: context.clone_ref(py), callback: callback.clone_ref(py), args: args.clone_ref(py) }
    }

    /// `Context.run`, which calls it. The tuple of its arguments is made here, and lives as long as the call: one
    /// that waits would be looked through by the garbage collector.
    fn run<'py>(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (run, args) = (context_run(py)?, self.args.bind(py));
        match args.len() {
            0 => run.call1((self.context, self.callback)),
            1 => run.call1((self.context, self.callback, args.get_item(0)?)),
            _ => {
                let first = [self.context.into_bound(py), self.callback.into_bound(py)];
                run.call1(PyTuple::new(py, first.into_iter().chain(args.iter()).collect::<Vec<_>>())?)
            }
        }
    }
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
        let call = Call { context: context.unbind(), callback: callback.clone().unbind(), args: args.clone().unbind() };
        Ok(Self { call: Some(call), owner: Some(owner.clone().unbind()) })
    }

    /// Runs the callback, unless it was cancelled. Its exception is told to the loop's handler of exceptions, as
    /// asyncio does, save for what ends a program.
    pub(crate) fn run(slf: &Bound<'_, Self>, owner: &Bound<'_, Core>) -> PyResult<()> {
        let py = slf.py();
        let call = slf.borrow().call.as_ref().map(|call| call.clone_ref(py));
        let Some(call) = call else { return Ok(()) };
        match call.run(py) {
            Ok(_) => Ok(()),
            Err(error) => owner.call_method1(intern!(py, "_failed"), (slf, error)).map(drop),
        }
    }

    fn context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.call.as_ref().map(|call| call.context.clone_ref(py))
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
        self.context(py)
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
        self.context(py)
    }

    #[getter]
    fn _callback(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.call.as_ref().map(|call| call.callback.clone_ref(py))
    }

    #[getter]
    fn _args(&self, py: Python<'_>) -> Option<Py<PyTuple>> {
        self.call.as_ref().map(|call| call.args.clone_ref(py))
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
        if let Some(Call { context, callback, args }) = &self.call {
            visit.call(context)?;
            visit.call(callback)?;
            visit.call(args)?;
        }
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
                mine.callback.bind(py).eq(&theirs.callback)? && mine.args.bind(py).eq(&theirs.args)?
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
