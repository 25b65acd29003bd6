"""The event loop: asyncio's own for Unix, on another queue, other timers and another selector.

What asyncio does with sockets, transports, subprocesses and signals is asyncio's own code. It asks three things
of a loop underneath: to call something soon, later, or when a descriptor is ready. Those three are oneloop's.
"""

import asyncio
import asyncio.unix_events
import os
import selectors
import signal
import socket
import sys
import threading
from asyncio import base_events, coroutines, events, format_helpers, futures, protocols, selector_events, tasks

from ._oneloop import Core, Stream

_ASYNCIO = os.path.dirname(asyncio.__file__) + os.sep
_HERE = os.path.dirname(__file__) + os.sep


class TimerHandle(events.TimerHandle):
    """asyncio's handle of a timer, and its number in the loop."""

    __slots__ = ("_seq",)


class _Selector(selectors._BaseSelectorImpl):
    """What asyncio takes for a selector. It keeps asyncio's callbacks; the loop waits."""

    def __init__(self, loop):
        super().__init__()
        self._loop = loop

    def register(self, fileobj, events, data=None):
        key = super().register(fileobj, events, data)
        try:
            self._loop._watch(key.fd, *data)
        except BaseException:
            super().unregister(fileobj)
            self._loop._unwatch(key.fd)
            raise
        return key

    def modify(self, fileobj, events, data=None):
        key = self.get_key(fileobj)._replace(events=events, data=data)
        self._fd_to_key[key.fd] = key
        try:
            self._loop._watch(key.fd, *data)
        except BaseException:
            self.unregister(fileobj)
            raise
        return key

    def unregister(self, fileobj):
        key = super().unregister(fileobj)
        self._loop._unwatch(key.fd)
        return key

    def select(self, timeout=None):
        raise NotImplementedError("oneloop waits by itself")


class Transport(Stream, selector_events._SelectorSocketTransport):
    """asyncio's transport of a socket, whose reads and writes are made by the loop where that can be done at once."""

    # A longer read asks the system for memory each time.
    max_size = 64 * 1024

    def __init__(self, loop, sock, protocol, waiter=None, extra=None, server=None):
        # A read that brings less than it could has brought all. On a Unix socket it may end at a descriptor instead,
        # which was sent along.
        self._short_is_all = sock.family != socket.AF_UNIX
        super(Stream, self).__init__(loop, sock, protocol, waiter, extra, server)

    def set_protocol(self, protocol):
        super().set_protocol(protocol)
        # asyncio reads for a protocol that has a buffer of its own.
        self._is_buffered = isinstance(protocol, protocols.BufferedProtocol)


class EventLoop(Core, asyncio.unix_events._UnixSelectorEventLoop):
    """An event loop of asyncio that turns on oneloop."""

    def __init__(self, selector=None):
        if selector is not None:
            # The maker of a SelectorEventLoop may give it one. This loop waits by itself.
            selector.close()
        super(Core, self).__init__(_Selector(self))

    # What is called soon and later.

    def _call_soon(self, callback, args, context):
        handle = events.Handle(callback, args, self, context)
        if handle._source_traceback:
            del handle._source_traceback[-1]
        self._soon(handle)
        return handle

    def _add_callback(self, handle):
        if not handle._cancelled:
            self._soon(handle)

    # Core has call_soon, call_later and call_at. These stand behind it in debug mode, where asyncio looks at
    # each call, for a loop that is closed, and where a subclass has a clock of its own.

    def _call_soon_slowly(self, callback, *args, context=None):
        handle = base_events.BaseEventLoop.call_soon(self, callback, *args, context=context)
        if handle._source_traceback:
            del handle._source_traceback[-1]
        return handle

    def _call_later_slowly(self, delay, callback, *args, context=None):
        if delay is None:
            raise TypeError("delay must not be None")
        timer = self.call_at(self.time() + delay, callback, *args, context=context)
        if timer._source_traceback:
            del timer._source_traceback[-1]
        return timer

    def _call_at_slowly(self, when, callback, *args, context=None):
        if when is None:
            raise TypeError("when cannot be None")
        self._check_closed()
        if self._debug:
            self._check_thread()
            self._check_callback(callback, "call_at")
        timer = TimerHandle(when, callback, args, self, context)
        if timer._source_traceback:
            del timer._source_traceback[-1]
        from_now = when - self.time()
        timer._scheduled = True
        if from_now > 0:
            timer._seq = self._later(timer, when, from_now)
        else:
            timer._seq = self._soon(timer)
        return timer

    def set_debug(self, enabled):
        super(Core, self).set_debug(enabled)
        is_own_clock = type(self).time is base_events.BaseEventLoop.time
        self._be_slow(bool(self._debug or self._closed), self.time() if is_own_clock else None)

    def _timer_handle_cancelled(self, handle):
        if handle._scheduled:
            handle._scheduled = False
            self._not_later(handle._when, handle._seq)

    def _run_handle(self, handle):
        if handle._cancelled:
            return
        if not self._debug:
            handle._run()
            return
        try:
            self._current_handle = handle
            begun = self.time()
            handle._run()
            lasted = self.time() - begun
            if lasted >= self.slow_callback_duration:
                base_events.logger.warning(
                    "Executing %s took %.3f seconds", base_events._format_handle(handle), lasted
                )
        finally:
            self._current_handle = None
            # The frame is kept by an exception's traceback.
            del handle

    def _failed(self, callback, args, context, error):
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise error
        name = format_helpers._format_callback_source(callback, args)
        handle = events.Handle(callback, args, self, context)
        self.call_exception_handler(
            {"message": f"Exception in callback {name}", "exception": error, "handle": handle}
        )

    # Runs, and their ends.

    def _run_once(self):
        woken_by_signals = self._hear_signals()
        try:
            self._turn(self._stopping, self._csock.fileno())
        finally:
            if woken_by_signals:
                self._hear_no_signals()

    def stop(self):
        super().stop()
        self._stop()

    def close(self):
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        if self.is_closed():
            return
        super().close()
        self._be_slow(True, None)
        self._shut()

    def _write_to_self(self):
        self._wake()

    # Signals: the interpreter writes a byte, and the loop wakes.

    def _hear_signals(self):
        if threading.current_thread() is not threading.main_thread():
            return False
        try:
            before = signal.set_wakeup_fd(self._csock.fileno(), warn_on_full_buffer=False)
        except ValueError:
            return False
        if before not in (-1, self._csock.fileno()):
            # Somebody else is woken by signals, and stays so.
            signal.set_wakeup_fd(before)
            return False
        return True

    def _hear_no_signals(self):
        if self._signal_handlers or self._csock is None:
            return
        now = signal.set_wakeup_fd(-1)
        if now not in (-1, self._csock.fileno()):
            signal.set_wakeup_fd(now)

    def remove_signal_handler(self, sig):
        removed = super().remove_signal_handler(sig)
        if removed and not self._signal_handlers and self.is_running():
            self._hear_signals()
        return removed

    # Sockets.

    def _make_socket_transport(self, sock, protocol, waiter=None, *, extra=None, server=None):
        self._ensure_fd_no_transport(sock)
        return Transport(self, sock, protocol, waiter, extra, server)

    # What the page is told, while somebody looks.

    def _caller(self):
        """The line of the program that is running, or else of asyncio's."""
        frame, ours = sys._getframe(1), None
        while frame is not None and _is_inside(frame.f_code.co_filename):
            if frame.f_code is _RUN_ONCE and ours is not None:
                # The loop called asyncio's own code. The caller of the loop did not.
                break
            ours = ours or (None if frame.f_code.co_filename.startswith(_HERE) else frame)
            frame = frame.f_back
        if frame is None or _is_inside(frame.f_code.co_filename):
            frame = ours or sys._getframe(1)
        return _shortened(frame.f_code.co_filename), frame.f_lineno or 1

    def _describe(self, callback, args, kind):
        """Of a callback: name, file, line, the task that it is a step of, the future that it brings about."""
        file, line = self._caller()
        task = getattr(callback, "__self__", None)
        if isinstance(task, (tasks.Task, tasks._PyTask)) and not kind:
            return _one_line(_name_of_task(task)), file, line, task, None
        future = args[0] if args and futures.isfuture(args[0]) else None
        return _one_line(kind + _name_of(callback)), file, line, None, future

    def _awaits(self, task):
        """What a task waits for, and at which line: nothing if it only lets others run."""
        future = task._fut_waiter
        if future is None:
            return None
        best = coroutine = task.get_coro()
        fd = None
        while coroutine is not None:
            frame = _frame_of(coroutine)
            if frame is not None and frame.f_code is _WAIT_FOR_DATA:
                fd = getattr(getattr(frame.f_locals["self"], "_transport", None), "_sock_fd", None)
            if frame is not None and not _is_inside(frame.f_code.co_filename):
                best = coroutine
            coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None) \
                or getattr(coroutine, "ag_await", None)
        frame = _frame_of(best)
        if frame is None:
            return future, "?", 1, fd
        return future, _shortened(frame.f_code.co_filename), frame.f_lineno or 1, fd


_RUN_ONCE = EventLoop._run_once.__code__
_WAIT_FOR_DATA = asyncio.StreamReader._wait_for_data.__code__


def _handle_in_words(handle):
    parts = [type(handle).__name__]
    if handle._cancelled:
        parts.append("cancelled")
    if hasattr(handle, "_when"):
        parts.append(f"when={handle._when}")
    if handle._callback is not None:
        parts.append(format_helpers._format_callback_source(handle._callback, handle._args))
    return f"<{' '.join(parts)}>"


def _frame_of(coroutine):
    for name in ("cr_frame", "gi_frame", "ag_frame"):
        if hasattr(coroutine, name):
            return getattr(coroutine, name)
    return None


def _is_inside(file):
    return file.startswith((_ASYNCIO, _HERE, "<frozen"))


def _shortened(file):
    for folder in (os.getcwd() + os.sep, os.path.dirname(_ASYNCIO[:-1]) + os.sep):
        if file.startswith(folder):
            return file[len(folder):]
    return file


def _one_line(name):
    return " ".join(name.split())


def _name_of(callback):
    while hasattr(callback, "func"):
        callback = callback.func
    return getattr(callback, "__qualname__", None) or type(callback).__qualname__


def _name_of_task(task):
    coroutine = task.get_coro()
    # asyncio.create_task names a task after it has made it.
    frame, given = sys._getframe(2), None
    while frame is not None and given is None and _is_inside(frame.f_code.co_filename):
        given = frame.f_locals.get("name") if frame.f_code.co_name == "create_task" else None
        frame = frame.f_back
    name = f"{given or task.get_name()} {getattr(coroutine, '__qualname__', type(coroutine).__qualname__)}"
    code = getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)
    if code is not None:
        name += f" ({os.path.basename(code.co_filename)}:{code.co_firstlineno})"
    return name


def new_event_loop():
    """A new event loop of oneloop."""
    return EventLoop()


class EventLoopPolicy(asyncio.DefaultEventLoopPolicy):
    """A policy whose new loops are oneloop's."""

    def _loop_factory(self):
        return EventLoop()


def install():
    """From here on asyncio's new loops are oneloop's, also where a program makes a SelectorEventLoop."""
    asyncio.set_event_loop_policy(EventLoopPolicy())
    for module in (asyncio, asyncio.unix_events):
        for name in ("SelectorEventLoop", "EventLoop"):
            if hasattr(module, name):
                setattr(module, name, EventLoop)


def run(main, *, debug=None):
    """Runs a coroutine to its end on a new loop, as asyncio.run does, and returns its result."""
    if events._get_running_loop() is not None:
        raise RuntimeError("oneloop.run() cannot be called from a running event loop")
    if not coroutines.iscoroutine(main):
        raise ValueError(f"a coroutine was expected, got {main!r}")
    with asyncio.Runner(debug=debug, loop_factory=new_event_loop) as runner:
        return runner.run(main)
