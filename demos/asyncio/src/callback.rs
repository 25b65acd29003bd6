//! A callback: what the core keeps of a call that was asked for, and how it is made.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::core::{Core, is_true};

/// A function to call, and its context.
pub(crate) struct Call {
    context: Py<PyAny>,
    pub(crate) function: Py<PyAny>,
    pub(crate) args: Py<PyTuple>,
}

/// A call, or a handle of asyncio's: those stand in debug mode, and for calls from other threads.
pub(crate) enum Callback {
    Call(Call),
    Handle(Py<PyAny>),
}

/// The callback of a descriptor, which runs again and again: asyncio's handle, and the call that is in it.
pub(crate) struct Watching {
    handle: Py<PyAny>,
    call: Call,
}

impl Call {
    /// A call in a context, or in a copy of the one that is current.
    pub(crate) fn new<'py>(
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let context = match context {
            Some(context) if !context.is_none() => context,
            _ => copy_context(function.py())?,
        };
        Ok(Self { context: context.unbind(), function: function.clone().unbind(), args: args.clone().unbind() })
    }

    /// Makes it. Its exception is told to the loop's handler of exceptions, as asyncio does, save for what ends a
    /// program.
    fn make(&self, slf: &Bound<'_, Core>) -> PyResult<()> {
        let py = slf.py();
        let Err(error) = self.run(py) else { return Ok(()) };
        let Self { context, function, args } = self;
        slf.call_method1(intern!(py, "_failed"), (function, args, context, error)).map(drop)
    }

    /// `Context.run`, which calls it. The tuple of its arguments is made here, and lives as long as the call: one
    /// that waits would be looked through by the garbage collector.
    fn run<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (run, args) = (context_run(py)?, self.args.bind(py));
        match args.len() {
            0 => run.call1((&self.context, &self.function)),
            1 => run.call1((&self.context, &self.function, args.get_item(0)?)),
            _ => {
                let first = [self.context.bind(py).clone(), self.function.bind(py).clone()];
                run.call1(PyTuple::new(py, first.into_iter().chain(args.iter()).collect::<Vec<_>>())?)
            }
        }
    }

    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.context)?;
        visit.call(&self.function)?;
        visit.call(&self.args)
    }

    /// A part of it, by the name that `asyncio.Handle` has for it.
    pub(crate) fn part(&self, py: Python<'_>, name: &str) -> Py<PyAny> {
        match name {
            "_context" => self.context.clone_ref(py),
            "_callback" => self.function.clone_ref(py),
            _ => self.args.clone_ref(py).into_any(),
        }
    }
}

impl Callback {
    /// Runs it, unless it was cancelled. An exception that leaves it leaves the loop.
    pub(crate) fn run(&self, slf: &Bound<'_, Core>) {
        let py = slf.py();
        let ran = match self {
            Self::Call(call) => call.make(slf),
            Self::Handle(handle) if slf.get().is_slow() => {
                slf.call_method1(intern!(py, "_run_handle"), (handle,)).map(drop)
            }
            Self::Handle(handle) if is_true(handle.bind(py).getattr(intern!(py, "_cancelled"))) => Ok(()),
            Self::Handle(handle) => handle.call_method0(py, intern!(py, "_run")).map(drop),
        };
        if let Err(error) = ran {
            slf.get().raise(error);
        }
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Call(Call { context, function, args }) => Self::Call(Call {
                context: context.clone_ref(py),
                function: function.clone_ref(py),
                args: args.clone_ref(py),
            }),
            Self::Handle(handle) => Self::Handle(handle.clone_ref(py)),
        }
    }

    /// Its function and arguments, as `asyncio.Handle` has them.
    pub(crate) fn parts<'py>(&self, py: Python<'py>) -> PyResult<[Bound<'py, PyAny>; 2]> {
        match self {
            Self::Call(call) => Ok(["_callback", "_args"].map(|name| call.part(py, name).into_bound(py))),
            Self::Handle(handle) => parts_of(handle.bind(py)),
        }
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Call(call) => call.visit(visit),
            Self::Handle(handle) => visit.call(handle),
        }
    }
}

impl Watching {
    pub(crate) fn new(handle: Bound<'_, PyAny>) -> PyResult<Self> {
        let [function, args] = parts_of(&handle)?;
        let context = handle.getattr(intern!(handle.py(), "_context"))?;
        // One that was cancelled has lost them.
        let args = args.cast_into::<PyTuple>().unwrap_or_else(|_| PyTuple::empty(handle.py()));
        let call = Call::new(&function, &args, Some(context))?;
        Ok(Self { handle: handle.unbind(), call })
    }

    pub(crate) fn is_of(&self, handle: &Bound<'_, PyAny>) -> bool {
        self.handle.is(handle)
    }

    pub(crate) fn is_cancelled(&self, py: Python<'_>) -> bool {
        is_true(self.handle.bind(py).getattr(intern!(py, "_cancelled")))
    }

    /// Runs it. An exception that leaves it leaves the loop.
    pub(crate) fn run(&self, slf: &Bound<'_, Core>) {
        let ran = if slf.get().is_slow() {
            slf.call_method1(intern!(slf.py(), "_run_handle"), (&self.handle,)).map(drop)
        } else {
            self.call.make(slf)
        };
        if let Err(error) = ran {
            slf.get().raise(error);
        }
    }

    pub(crate) fn parts<'py>(&self, py: Python<'py>) -> PyResult<[Bound<'py, PyAny>; 2]> {
        parts_of(self.handle.bind(py))
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.handle)?;
        self.call.visit(visit)
    }
}

fn parts_of<'py>(handle: &Bound<'py, PyAny>) -> PyResult<[Bound<'py, PyAny>; 2]> {
    let py = handle.py();
    Ok([handle.getattr(intern!(py, "_callback"))?, handle.getattr(intern!(py, "_args"))?])
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
