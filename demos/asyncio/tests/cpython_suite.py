"""Runs CPython's own tests of asyncio twice, on asyncio's loop and on oneloop's, and compares: nothing may be lost.

    python tests/cpython_suite.py [module ...]       as in test_events test_streams; all, if none is named

A test counts as lost if it passes on asyncio's own loop, twice if need be, and fails on this one, twice as well.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

PATIENCE = 240 * int(os.environ.get("ONELOOP_TEST_PATIENCE", "1"))
# They test other systems' loops.
OTHERS = {"test_windows_events", "test_windows_utils", "test_proactor_events"}


def modules():
    import test.test_asyncio

    folder = pathlib.Path(test.test_asyncio.__file__).parent
    return sorted(path.stem for path in folder.glob("test_*.py") if path.stem not in OTHERS)


def run_here(loop, names):
    """In a process of its own: runs tests, and prints each outcome and the number of tests that made a loop."""
    import unittest

    makers = set()
    current = [None]
    if loop == "oneloop":
        import asyncio

        import oneloop

        class SelectorEventLoop(oneloop.EventLoop):
            def __init__(self, selector=None):
                super().__init__(selector)
                makers.add(current[0])

        for module in (asyncio, asyncio.unix_events):
            module.SelectorEventLoop = SelectorEventLoop
        asyncio.unix_events._UnixDefaultEventLoopPolicy._loop_factory = SelectorEventLoop
        if hasattr(asyncio, "EventLoop"):
            asyncio.EventLoop = asyncio.unix_events.EventLoop = SelectorEventLoop

    class Outcomes(unittest.TextTestResult):
        def startTest(self, test):
            super().startTest(test)
            current[0] = test.id()
            self.tell(test, "ok")

        def tell(self, test, outcome):
            print(json.dumps([test.id(), outcome]), file=out, flush=True)

        def addError(self, test, error):
            super().addError(test, error)
            self.tell(test, "error")

        def addFailure(self, test, error):
            super().addFailure(test, error)
            self.tell(test, "failure")

        def addSkip(self, test, reason):
            super().addSkip(test, reason)
            self.tell(test, "skip")

        def addSubTest(self, test, subtest, error):
            super().addSubTest(test, subtest, error)
            if error is not None:
                self.tell(test, "failure")

    # A shell ignores it for what it runs in the background, and the tests of SIGINT would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Tests may close the standard descriptors.
    out = os.fdopen(os.dup(1), "w")
    from test import support

    support.use_resources = []
    loader = unittest.TestLoader()
    suite = unittest.TestSuite()
    for name in names:
        suite.addTest(loader.loadTestsFromName(f"test.test_asyncio.{name}"))
    unittest.TextTestRunner(stream=sys.stderr, resultclass=Outcomes, verbosity=2).run(suite)
    print(json.dumps(["made", len(makers - {None})]), file=out, flush=True)


def run(loop, *names):
    """Outcomes by test, how many tests made a loop of ours, and what was said."""
    command = [sys.executable, "-W", "ignore", "-X", "faulthandler", __file__, "--run", loop, *names]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PATIENCE)
        said, cried, code = done.stdout, done.stderr, done.returncode
    except subprocess.TimeoutExpired as over:
        said, cried, code = (over.stdout or b"").decode(), (over.stderr or b"").decode(), "no end"
    outcomes, made, last = {}, 0, None
    for line in said.splitlines():
        try:
            name, outcome = json.loads(line)
        except ValueError:
            continue
        if name == "made":
            made = outcome
        else:
            outcomes[name] = last = outcome
            last = name
    if code != 0 and last:
        outcomes[last] = f"ended the process: {code}"
    return outcomes, made, cried


def short(name):
    return name.removeprefix("test.test_asyncio.")


def compare(name):
    """Of a module: how many tests, pass, fail and made a loop of ours; what is lost; how many were run again."""
    ours, made, cried = run("oneloop", name)
    failed = [test for test, outcome in ours.items() if outcome != "ok"]
    # Their loop is asked only where ours has failed or left something out.
    theirs = run("asyncio", name)[0] if failed or not ours else {}
    lost, again = {}, 0
    for test in theirs:
        if theirs[test] != "ok" or ours.get(test) == "ok":
            continue
        if run("oneloop", short(test))[0].get(test) == "ok" or run("asyncio", short(test))[0].get(test) != "ok":
            again += 1
        else:
            lost[test] = ours.get(test, "did not run")
    counts = {"tests": len(ours), "pass": len(ours) - len(failed), "made": made, "lost": len(lost), "again": again}
    return name, collections.Counter(counts), lost, cried


def main():
    names = sys.argv[1:] or modules()
    begun = time.monotonic()
    total = collections.Counter()
    # Most of them sleep most of the time.
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for name, counts, lost, cried in pool.map(compare, names):
            total.update(counts)
            print(
                f"{name:28} {counts['tests']:5} tests, {counts['pass']:5} pass, {counts['lost']} lost,"
                f" {counts['made']} made a loop of ours",
                flush=True,
            )
            for test, outcome in lost.items():
                print(f"    lost: {short(test)} ({outcome})", flush=True)
            if lost:
                print(cried[-6000:])
    version = ".".join(map(str, sys.version_info[:3]))
    print(
        f"CPython {version}: of {total['tests']} tests {total['pass']} pass on oneloop, {total['lost']} are lost against"
        f" asyncio's own loop; {total['made']} tests made a loop of ours; {total['again']} were run again;"
        f" {time.monotonic() - begun:.0f} s"
    )
    if total["made"] == 0:
        print("no test made a loop of ours: the harness is broken")
    return 1 if total["lost"] or total["made"] == 0 else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run_here(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(main())
