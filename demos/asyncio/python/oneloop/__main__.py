"""python -m oneloop script.py ARGUMENTS: runs a script, unchanged, whose loops are oneloop's."""

import runpy
import sys

from . import install

USAGE = """usage: python -m oneloop script.py [argument ...]
       python -m oneloop -m module [argument ...]
       python -m oneloop -c program [argument ...]

Runs a script or a module as it is. Its asyncio loops are oneloop's: set ONELOOP_SEE=1 to watch them,
ONELOOP_RECORD=FILE to keep the run, ONELOOP_TRACE=FILE for Perfetto, ONELOOP_DIAGNOSE=1 for findings."""


def main():
    arguments = sys.argv[1:]
    if arguments[:1] in (["-h"], ["--help"]):
        print(USAGE)
        return
    if arguments[:1] == ["-c"] and len(arguments) > 1:
        install()
        sys.argv = ["-c", *arguments[2:]]
        sys.path.insert(0, "")
        exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
        return
    is_module = arguments[:1] == ["-m"]
    arguments = arguments[is_module:]
    if not arguments or arguments[0].startswith("-"):
        print(USAGE, file=sys.stderr)
        sys.exit(2)
    install()
    sys.argv = arguments
    if is_module:
        sys.path.insert(0, "")
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    else:
        import os

        if not os.path.exists(arguments[0]):
            print(f"python -m oneloop: no file {arguments[0]!r}: name a script, or a module after -m", file=sys.stderr)
            sys.exit(2)
        sys.path.insert(0, os.path.dirname(os.path.abspath(arguments[0])))
        runpy.run_path(arguments[0], run_name="__main__")


main()
