"""Your asyncio program on a loop that can be watched.

    import oneloop
    oneloop.run(main())                 # in place of asyncio.run(main())

    python -m oneloop script.py         # any script, unchanged

Set ONELOOP_SEE=1 to see the loop turn in a browser, or ONELOOP_RECORD=run.ndjson to keep the run.
"""

from ._loop import EventLoop, EventLoopPolicy, install, new_event_loop, run

__all__ = ["EventLoop", "EventLoopPolicy", "install", "new_event_loop", "run"]
