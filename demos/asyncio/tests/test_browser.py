"""The page of a Python program in a browser: names, lines and findings are there, at each width. Left out without chromium."""

import fcntl
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

PATIENCE = int(os.environ.get("ONELOOP_TEST_PATIENCE", "1"))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

PROGRAM = """
    import asyncio, time

    async def sleeper():
        while True:
            await asyncio.sleep(0.5)

    async def blocks():
        while True:
            await asyncio.sleep(1)
            time.sleep(0.3)

    async def main():
        async with asyncio.TaskGroup() as group:
            for n in range(30):
                group.create_task(sleeper(), name=f"sleeper {n}")
            group.create_task(blocks(), name="the blocker")

    asyncio.run(main())
"""


class Browser:
    """A page of chromium, by its protocol over two pipes."""

    def __init__(self, address, profile):
        to_it, self.write = os.pipe()
        self.read, from_it = os.pipe()
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (to_it, from_it)]
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        # It speaks on the descriptors 3 and 4, and only there.
        self.process = subprocess.Popen(
            [CHROMIUM, *options, "about:blank"],
            pass_fds=(3, 4),
            preexec_fn=lambda: [os.dup2(fd, number) for fd, number in zip(high, (3, 4))],
            stderr=subprocess.DEVNULL,
        )
        for fd in (to_it, from_it, *high):
            os.close(fd)
        self.number, self.rest, self.session = 0, b"", {}
        target = self.ask("Target.createTarget", url=address)["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.session = {"sessionId": session}

    def ask(self, method, **parameters):
        self.number += 1
        os.write(self.write, json.dumps({"id": self.number, "method": method, "params": parameters, **self.session}).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                more = os.read(self.read, 1 << 16)
                if not more:
                    raise AssertionError("chromium has ended")
                self.rest += more
            message, _, self.rest = self.rest.partition(b"\0")
            answer = json.loads(message)
            if answer.get("id") == self.number:
                return answer["result"]

    def value(self, expression):
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def until(self, expression, what):
        end = time.monotonic() + 20 * PATIENCE
        while not self.value(expression):
            if time.monotonic() > end:
                raise AssertionError(f"{what}; the page says: {self.value('document.body.innerText')[:3000]}")
            time.sleep(0.1)

    def close(self):
        self.process.terminate()
        self.process.wait()
        os.close(self.read), os.close(self.write)


@unittest.skipUnless(CHROMIUM, "no chromium is here")
class PageInABrowser(unittest.TestCase):
    def test_the_page_names_coroutines_lines_and_the_one_that_blocks_at_each_width(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        (folder / "app.py").write_text(textwrap.dedent(PROGRAM))
        environment = {**os.environ, "ONELOOP_SEE": "1"}
        command = [sys.executable, "-m", "oneloop", "app.py"]
        program = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
        self.addCleanup(program.communicate)
        self.addCleanup(program.kill)
        address = re.search(r"http://127\.0\.0\.1:\d+/", program.stderr.readline()).group()
        browser = Browser(address, folder / "profile")
        self.addCleanup(browser.close)
        text = "document.body.innerText"
        browser.until(f"{text}.includes('sleeper 29')", "a sleeper's name is not there")
        browser.until(f"/the blocker blocks/.test({text})", "the blocking task's name is not there")
        browser.until(rf"/blocks \(app\.py:8\)[^]* ran for 3\d\d/.test({text})", "nobody says who blocks")
        browser.until(f"{text}.includes('spawned at app.py:17')", "the line that made the task is not there")
        for width in (390, 1280, 1920):
            size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False}
            browser.ask("Emulation.setDeviceMetricsOverride", **size)
            fits = "document.documentElement.scrollWidth <= innerWidth"
            browser.until(f"innerWidth === {width} && {fits}", f"the page is wider than {width}")


if __name__ == "__main__":
    unittest.main()
