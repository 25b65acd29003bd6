"""What the page is told of a Python program: true causes, places and waits, by the recording of a run."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import textwrap
import unittest

PROGRAM = """
    import asyncio, time

    async def slow():
        time.sleep(0.25)

    async def echo(reader, writer):
        while data := await reader.read(100):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def ping(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello")
        answer = await reader.readexactly(5)
        writer.close()
        return answer

    async def joins(other):
        return await other

    async def sleeps():
        await asyncio.sleep(0.01)

    async def main():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        pinging = asyncio.create_task(ping(port), name="a name\\nof two lines")
        assert await asyncio.create_task(joins(pinging), name="joiner") == b"hello"
        await asyncio.gather(sleeps(), sleeps())
        await asyncio.to_thread(time.sleep, 0.01)
        await asyncio.create_task(slow())
        server.close()

    asyncio.run(main())
"""


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "app.py").write_text(textwrap.dedent(PROGRAM))
            recording = folder / "run.ndjson"
            environment = {**os.environ, "ONELOOP_RECORD": str(recording), "ONELOOP_DIAGNOSE": "1"}
            command = [sys.executable, "-m", "oneloop", "app.py"]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
            cls.said = done.stderr
            assert done.returncode == 0, done.stderr
            cls.events = [json.loads(line) for line in recording.read_text().splitlines()][1:]
        cls.tasks = {event["task"]: event for event in cls.events if event["e"] == "spawn"}

    def named(self, part):
        found = [task for task, event in self.tasks.items() if part in event.get("name", "")]
        self.assertTrue(found, f"no task has {part!r} in its name: {[e.get('name') for e in self.tasks.values()]}")
        return found

    def line(self, text):
        lines = textwrap.dedent(PROGRAM).splitlines()
        return f"app.py:{next(n for n, line in enumerate(lines, 1) if text in line)}:1"

    def waits(self, task):
        return [event for event in self.events if event["e"] == "wait" and event["task"] == task]

    def wakers(self, task):
        """Who woke a task, by name where that was a task."""
        for event in self.events:
            if event["e"] == "wake" and event["task"] == task:
                kind, _, number = event["by"].partition(" ")
                yield self.tasks[int(number)].get("name", "") if kind == "task" else kind

    def test_every_wake_has_the_cause_that_was_there_when_it_happened(self):
        running = fired = ready = None
        for event in self.events:
            kind = event["e"]
            if kind == "poll_start":
                running = event["task"]
            elif kind in ("poll_end", "finish"):
                running = None
            elif kind == "timer_fired":
                fired = event["timer"]
            elif kind == "source_ready":
                ready = event["source"]
            elif kind == "wake":
                what, _, number = event["by"].partition(" ")
                true = {"task": running, "timer": fired, "source": ready}.get(what, number)
                self.assertNotEqual(what, "outside", event)
                self.assertEqual(str(true), number, event)

    def test_every_place_is_a_line_of_python(self):
        places = {event["at"].rsplit(":", 2)[0] for event in self.events if "at" in event}
        self.assertEqual({place for place in places if not place.endswith(".py")}, set())
        self.assertIn("app.py", places)

    def test_each_asyncio_task_is_one_task_with_its_name_and_its_line(self):
        for text, line in (
            ("main (app.py:", "asyncio.run(main())"),
            ("a name of two lines ping (app.py:", "pinging = "),
            ("joiner joins (app.py:", "assert await asyncio.create_task(joins"),
            ("slow (app.py:", "create_task(slow())"),
        ):
            (task,) = self.named(text)
            self.assertEqual(self.tasks[task]["at"], self.line(line), text)
        self.assertEqual(len(self.named("sleeps (app.py:")), 2)

    def test_what_a_task_awaits_is_told_with_its_line(self):
        (joiner,), (ping,), (main,) = self.named("joiner"), self.named("ping (app.py"), self.named("main (app.py")
        self.assertEqual([(e["on"], e["at"]) for e in self.waits(joiner)], [(f"join {ping}", self.line("await other"))])
        self.assertIn((f"join {joiner}", self.line("assert await")), [(e["on"], e["at"]) for e in self.waits(main)])
        reads = [e for e in self.waits(ping) if e["at"] == self.line("readexactly")]
        self.assertTrue(reads)
        for read in reads:
            what, number = read["on"].split()
            self.assertEqual(what, "join")
            self.assertIn("reader of fd", self.tasks[int(number)]["name"])

    def test_a_timer_and_its_callback_stand_between_cause_and_task(self):
        for sleeper in self.named("sleeps (app.py:"):
            (wait,) = self.waits(sleeper)
            self.assertEqual(wait["at"], self.line("asyncio.sleep(0.01)"))
            callback = int(wait["on"].removeprefix("join "))
            self.assertIn("call_later", self.tasks[callback]["name"])
            self.assertEqual(list(self.wakers(callback)), ["timer"])
            (woken_by,) = self.wakers(sleeper)
            self.assertIn("call_later", woken_by)
            self.assertTrue(all(wait["on"].startswith("timer") for wait in self.waits(callback)))

    def test_a_source_and_its_reader_stand_between_cause_and_task(self):
        (echo,) = self.named("echo (app.py:")
        self.assertTrue(any("reader of fd" in waker for waker in self.wakers(echo)))
        for reader in self.named("reader of fd"):
            self.assertLessEqual(set(self.wakers(reader)), {"source"})

    def test_each_wait_is_over_before_the_task_runs_on(self):
        waiting = {}
        for event in self.events:
            if event["e"] == "wait":
                waiting.setdefault(event["task"], set()).add(event["on"])
            elif event["e"] == "wait_dropped":
                waiting[event["task"]].discard(event["on"])
            elif event["e"] == "poll_end" and event["outcome"] == "ready":
                left = {on for on in waiting.get(event["task"], ()) if on.startswith(("other", "join"))}
                self.assertEqual(left, set(), event)

    def test_a_slow_coroutine_is_named_by_the_diagnosis(self):
        line = textwrap.dedent(PROGRAM).splitlines().index("async def slow():") + 1
        self.assertRegex(
            self.said, rf'task \d+ "Task-\d+ slow \(app\.py:{line}\)" .*ran for [2-9]\d\d ms in one poll, and nothing else could'
        )

    def test_a_task_that_is_ended_from_the_page_is_cancelled_as_asyncio_does(self):
        program = """
            import asyncio
            async def waits():
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    print("cleaned up", flush=True)
                    raise
            async def main():
                task = asyncio.create_task(waits(), name="patient")
                await asyncio.wait([task])
                print(task.cancelled(), flush=True)
            import oneloop
            oneloop.run(main())
        """
        environment = {**os.environ, "ONELOOP_SEE": "1"}
        command = [sys.executable, "-u", "-c", textwrap.dedent(program)]
        with subprocess.Popen(command, env=environment, stdout=-1, stderr=-1, text=True) as process:
            try:
                port = int(re.search(r"127\.0\.0\.1:(\d+)", process.stderr.readline()).group(1))
                with socket.create_connection(("127.0.0.1", port), 20) as monitor:
                    monitor.settimeout(20)
                    table, task = "", None
                    while task is None:
                        monitor.sendall(b"ps\n")
                        table += monitor.recv(65536).decode(errors="replace")
                        task = re.search(r"^(\d+) +patient", table, re.M)
                    monitor.sendall(f"cancel {task.group(1)}\n".encode())
                    said, _ = process.communicate(timeout=30)
                self.assertEqual(said, "cleaned up\nTrue\n")
            finally:
                process.kill()


if __name__ == "__main__":
    unittest.main()
