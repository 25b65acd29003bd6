"""Runs the tests that uvloop and rloop have of themselves, on loops of oneloop.

    python tests/others.py

It needs uvloop, rloop, pytest, pytest-timeout, aiohttp, psutil and pyopenssl, and pip to fetch the sources into a folder
that is thrown away. For that pip asks for setuptools and maturin, too. rloop's tests have to pass. uvloop has most of
its tests twice, once for itself and once for asyncio. Both kinds are run, as of asyncio: a test counts as lost if it
passes on asyncio's own loop and fails on this one, in two runs. LEFT_OUT names those that are not run, and says why.
"""

import asyncio
import collections
import importlib.util
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile

PATIENCE = int(os.environ.get("ONELOOP_TEST_PATIENCE", "1"))
NEEDS = ["uvloop", "rloop", "pytest", "pytest_timeout", "aiohttp", "psutil", "OpenSSL", "setuptools", "maturin"]

LIBRARIES = ["uvloop", "rloop"]

# uvloop's tests that are left out, by name, and why.
LEFT_OUT = {
    "test_libuv_get_loop_t_ptr": "asks for libuv's pointer",
    "test_socket_sync_remove": "looks into libuv's epoll",
    "test_fs_event_change": "events of files, which only uvloop has",
    "test_fs_event_rename": "events of files, which only uvloop has",
    "test_process_streams_redirect": "uvloop's children follow a sys.stdout that was replaced, asyncio's do not",
    "test_process_delayed_stdio__paused__no_stdin": "an argument of subprocess that only uvloop has",
    "test_process_delayed_stdio__paused__stdin_pipe": "an argument of subprocess that only uvloop has",
    "test_signals_no_SIGCHLD": "uvloop keeps SIGCHLD for itself, asyncio does not",
    "test_pseudosocket": "how uvloop prints its sockets, which are no sockets",
    "test_socket_close_loop_and_close": "uvloop hears of a socket closed under an operation, asyncio does not",
    "test_socket_connect_and_close": "uvloop hears of a socket closed under an operation, asyncio does not",
    "test_socket_recv_and_close": "uvloop hears of a socket closed under an operation, asyncio does not",
    "test_socket_recv_into_and_close": "uvloop hears of a socket closed under an operation, asyncio does not",
    "test_create_server_buffered_1": "uvloop knows a buffered protocol by its methods, asyncio by its class",
    "test_create_server_buffered_2": "uvloop knows a buffered protocol by its methods, asyncio by its class",
    "test_epollhup": "uvloop knows a buffered protocol by its methods, asyncio by its class",
    "test_many_small_writes": "queues a gigabyte; asyncio's transport takes minutes for it, on its own loop, too",
    "test_tcp_handle_abort_in_connection_made": "uvloop's transport forgets its socket after abort(), asyncio's does not",
    "test_send_after_close": "uvloop's datagram transport is silent after its end, asyncio's is not",
    "test_udp_sendto_dns": "uvloop's own words in an error",
    "test_flake8": "the style of uvloop's source",
    "test_mypy": "the types of uvloop's source",
}


def fetch(library, folder):
    """The tests of a library as it was released, and their version; `None` and the reason if they cannot be had."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    done = subprocess.run(
        [*command, "--no-build-isolation", "--dest", folder, library],
        capture_output=True,
        text=True,
        timeout=120 * PATIENCE,
        env={**os.environ, "PATH": path},
    )
    found = sorted(pathlib.Path(folder).glob(f"{library}-*.tar.gz"))
    if not found:
        return None, (done.stderr.strip().splitlines() or ["no source was fetched"])[-1]
    name = found[-1].name.removesuffix(".tar.gz")
    with tarfile.open(found[-1]) as archive:
        archive.extractall(folder, filter="data")
    tests = pathlib.Path(folder) / f"of_{library}" / "tests"
    # Beside the source of the library, its own folder would be imported in place of the installed one.
    shutil.move(pathlib.Path(folder) / name / "tests", tests)
    return tests, name


def run_here(loop, library, tests, names):
    """In a process of its own: runs tests of a library, and prints each outcome."""
    import pytest

    # A shell ignores it for what it runs in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if library == "uvloop":
        import uvloop._testbase as base

        base.BaseTestCase.is_asyncio_loop = lambda self: True
        base.UVTestCase.implementation = "asyncio"
        base.UVTestCase.new_loop = base.AIOTestCase.new_loop
        base.UVTestCase.new_policy = lambda self: asyncio.DefaultEventLoopPolicy()
    made = []
    if loop == "oneloop":
        import oneloop

        class EventLoop(oneloop.EventLoop):
            def __init__(self):
                super().__init__()
                made.append(os.environ["PYTEST_CURRENT_TEST"])

        if library == "uvloop":
            for case in (base.AIOTestCase, base.UVTestCase):
                case.new_loop = lambda self: EventLoop()
                case.new_policy = lambda self: oneloop.EventLoopPolicy()
        else:
            import rloop

            rloop.new_event_loop = EventLoop

    class Outcomes:
        def pytest_pycollect_makeitem(self, collector, name, obj):
            # Programs of other processes make their loop by these words.
            if getattr(obj, "NEW_LOOP", None) in ("asyncio.new_event_loop()", "uvloop.new_event_loop()"):
                obj.NEW_LOOP = f"__import__('{loop}').new_event_loop()"

        def pytest_collection_modifyitems(self, items):
            if library == "uvloop":
                items[:] = [item for item in items if item.originalname not in LEFT_OUT or "AIO" in item.nodeid]

        def pytest_runtest_logreport(self, report):
            if report.when == "call" or report.outcome != "passed":
                said = str(report.longrepr or "")[-3000:]
                print("\n" + json.dumps([report.nodeid, report.outcome, said]), file=out, flush=True)

    out = os.fdopen(os.dup(1), "w")
    os.chdir(tests.parent)
    options = ["-q", "-p", "no:cacheprovider", "--timeout", str(20 * PATIENCE)]
    pytest.main([*options, "--rootdir", str(tests.parent), *(names or ["tests"])], plugins=[Outcomes()])
    print("\n" + json.dumps(["tests/made", "made", len(set(made))]), file=out, flush=True)


def run(loop, library, tests, *names):
    """Outcomes by test, each with what was said."""
    command = [sys.executable, "-W", "ignore", __file__, "--run", loop, library, str(tests), *names]
    # Some of its tests leave their sockets behind, which end with the folder.
    env = {**os.environ, "TMPDIR": str(tests.parent)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=240 * PATIENCE, env=env)
        said = done.stdout
    except subprocess.TimeoutExpired as over:
        said = (over.stdout or b"").decode(errors="replace")
    outcomes = {}
    for line in said.splitlines():
        if line.startswith('["tests/'):
            name, outcome, why = json.loads(line)
            # A failure of the end of a test stands after the test's own outcome.
            outcomes[name] = (outcome, why)
    return outcomes


def main():
    missing = [module for module in NEEDS if not importlib.util.find_spec(module)]
    if missing:
        print(f"the tests of uvloop and rloop: left out, {' and '.join(missing)} cannot be imported")
        return 0
    failed = 0
    for library in LIBRARIES:
        with tempfile.TemporaryDirectory() as folder:
            tests, name = fetch(library, folder)
            if tests is None:
                print(f"the tests of {library}: left out, {name}")
                continue
            ours = run("oneloop", library, tests)
            made = ours.pop("tests/made", ("none", 0))[1]
            lost, theirs_too = {}, []
            for test, (outcome, why) in ours.items():
                if outcome != "failed" or run("oneloop", library, tests, test).get(test, ("none",))[0] == "passed":
                    continue
                if library == "uvloop" and run("asyncio", library, tests, test).get(test, ("none",))[0] != "passed":
                    theirs_too.append(test)
                    continue
                lost[test] = why
            counts = collections.Counter(outcome for outcome, _ in ours.values())
            print(
                f"the tests of {name}: of {len(ours)} {counts['passed']} pass, {counts['skipped']} skip themselves,"
                f" {len(theirs_too)} fail on asyncio's own loop, too, {len(lost)} are lost; {made} made a loop of ours;"
                f" {len(LEFT_OUT) if library == 'uvloop' else 0} are left out by name",
                flush=True,
            )
            for test, why in lost.items():
                print(f"    lost: {test}\n{why}")
            failed += bool(lost) or made == 0
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run_here(sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4]), sys.argv[5:])
    else:
        sys.exit(main())
