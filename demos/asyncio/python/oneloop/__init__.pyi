"""Your asyncio program on a loop that can be watched."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")

__all__ = ["EventLoop", "EventLoopPolicy", "install", "new_event_loop", "run"]

class EventLoop(asyncio.SelectorEventLoop):
    """An event loop of asyncio that turns on oneloop."""

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None: ...

class EventLoopPolicy(asyncio.DefaultEventLoopPolicy):
    """A policy whose new loops are oneloop's."""

def new_event_loop() -> EventLoop:
    """A new event loop of oneloop."""

def install() -> None:
    """From here on asyncio's new loops are oneloop's."""

def run(main: Coroutine[Any, Any, _T], *, debug: bool | None = None) -> _T:
    """Runs a coroutine to its end on a new loop, as asyncio.run does, and returns its result."""
