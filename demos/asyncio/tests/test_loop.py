"""What a loop of oneloop promises beside what CPython's own tests ask of it.

    python -m unittest discover demos/asyncio/tests
"""

import asyncio
import concurrent.futures
import gc
import multiprocessing
import os
import pathlib
import pickle
import random
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
import weakref

import oneloop

PATIENCE = int(os.environ.get("ONELOOP_TEST_PATIENCE", "1"))


def in_a_process(program, *arguments, seconds=30, **environment):
    """Runs a program in a process of its own. It has to end by itself."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=seconds * PATIENCE,
        env={**os.environ, **environment},
    )
    return done


class Loops(unittest.TestCase):
    def loop(self):
        loop = oneloop.new_event_loop()
        self.addCleanup(loop.close)
        return loop

    def ran(self, program, *arguments, **environment):
        done = in_a_process(program, *arguments, **environment)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def test_timers_of_one_tick_run_by_their_time(self):
        loop, order = self.loop(), []
        now = loop.time() + 0.05
        for n in random.Random(1).sample(range(1000), 1000):
            loop.call_at(now + n * 1e-6, order.append, n)
        loop.call_later(0.1, loop.stop)
        loop.run_forever()
        self.assertEqual(order, list(range(1000)))

    def test_a_timer_that_is_held_back_goes_on_when_the_earlier_one_is_cancelled(self):
        loop, order = self.loop(), []
        now = loop.time() + 0.01
        earlier = [loop.call_at(now + n * 1e-6, order.append, n) for n in reversed(range(100))]
        loop.call_at(now + 200e-6, loop.stop)
        loop.call_at(now - 0.001, lambda: [timer.cancel() for timer in earlier[::2]])
        loop.run_forever()
        self.assertEqual(order, list(range(0, 100, 2)))

    def test_no_timer_fires_early(self):
        loop, early = self.loop(), []
        for n in range(200):
            due = loop.time() + n * 0.00037
            loop.call_at(due, lambda due=due: early.append(loop.time() < due))
        loop.call_later(0.15, loop.stop)
        loop.run_forever()
        self.assertEqual(early, [False] * 200)

    def test_stop_ends_the_batch_and_the_next_run_goes_on_in_order(self):
        loop, order = self.loop(), []
        loop.call_soon(lambda: loop.call_soon(order.append, "next 1"))
        loop.call_soon(loop.stop)
        loop.call_soon(order.append, "same")
        loop.call_soon(lambda: loop.call_soon(order.append, "next 2"))
        loop.run_forever()
        self.assertEqual(order, ["same"])
        loop.call_soon(order.append, "later")
        loop.call_soon(loop.stop)
        loop.run_forever()
        self.assertEqual(order, ["same", "next 1", "next 2", "later"])

    def test_a_batch_of_many_is_ended_by_stop_and_not_cut_short(self):
        loop, order = self.loop(), []
        loop.call_soon(loop.stop)
        for n in range(1000):
            loop.call_soon(order.append, n)
        loop.call_soon(lambda: loop.call_soon(order.append, "next"))
        loop.run_forever()
        self.assertEqual(order, list(range(1000)))
        loop.call_soon(loop.stop)
        loop.run_forever()
        self.assertEqual(order[1000:], ["next"])

    def test_what_was_left_and_what_was_queued_between_two_runs_run_in_their_order(self):
        loop, order = self.loop(), []

        def leave():
            raise SystemExit(3)

        loop.call_soon(leave)
        for n in range(100):
            loop.call_soon(order.append, n)
        with self.assertRaises(SystemExit):
            loop.run_forever()
        for n in range(100, 200):
            loop.call_soon(order.append, n)
        loop.call_soon(loop.stop)
        loop.run_forever()
        self.assertEqual(order, list(range(200)))

    def test_callbacks_that_queue_themselves_starve_neither_timers_nor_descriptors(self):
        loop, seen = self.loop(), []
        here, there = socket.socketpair()
        self.addCleanup(here.close)
        self.addCleanup(there.close)

        def again():
            loop.call_soon(again)

        for _ in range(1000):
            again()
        loop.add_reader(here, lambda: (seen.append(here.recv(10)), loop.stop()))
        loop.call_later(0.005, there.send, b"x")
        loop.run_forever()
        self.assertEqual(seen, [b"x"])
        loop.remove_reader(here)

    def test_a_transport_hands_on_and_sends_all_bytes_in_their_order(self):
        sent = random.Random(3).randbytes(3_000_000)

        async def echo(reader, writer):
            while data := await reader.read(100_000):
                writer.write(data)
                await writer.drain()
            writer.write_eof()
            writer.close()

        async def main(family):
            if family == "unix":
                with __import__("tempfile").TemporaryDirectory() as folder:
                    server = await asyncio.start_unix_server(echo, f"{folder}/s")
                    return await converse(server, *await asyncio.open_unix_connection(f"{folder}/s"))
            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            return await converse(server, *await asyncio.open_connection("127.0.0.1", port))

        async def converse(server, reader, writer):
            async def send():
                for at in range(0, len(sent), 70_001):
                    writer.write(sent[at : at + 70_001])
                writer.write(bytearray(b"end"))
                writer.write(memoryview(b"."))
                writer.write(b"")
                await writer.drain()
                writer.write_eof()

            received, _ = await asyncio.gather(reader.read(-1), send())
            writer.close()
            server.close()
            return received

        for family in ("tcp", "unix"):
            self.assertEqual(oneloop.run(main(family)), sent + b"end.", family)

    def test_a_connection_that_is_reset_is_lost_by_an_error_with_its_number(self):
        lost = []

        class Server(asyncio.Protocol):
            def connection_made(self, transport):
                self.transport = transport

            def data_received(self, data):
                if data == b"fail":
                    raise ValueError("in data_received")

            def connection_lost(self, error):
                lost.append(error)
                asyncio.get_running_loop().stop()

        loop, said = self.loop(), []
        loop.set_exception_handler(lambda loop, context: said.append(context["message"]))
        server = loop.run_until_complete(loop.create_server(Server, "127.0.0.1", 0))
        for sends in (b"reset", b"fail"):
            with socket.create_connection(server.sockets[0].getsockname()) as client:
                client.sendall(sends)
                if sends == b"reset":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    client.close()
                loop.run_forever()
        server.close()
        self.assertEqual(lost[0].args, (104 if sys.platform == "linux" else 54, lost[0].strerror))
        self.assertIsInstance(lost[0], ConnectionResetError)
        self.assertIsInstance(lost[1], ValueError)
        self.assertEqual(said, ["Fatal error: protocol.data_received() call failed."])

    def test_a_stopped_loop_still_looks_at_the_kernel_once(self):
        loop, read = self.loop(), []
        here, there = socket.socketpair()
        self.addCleanup(here.close)
        self.addCleanup(there.close)
        here.setblocking(False)
        loop.add_reader(here, lambda: read.append(here.recv(10)))
        there.send(b"x")
        loop.call_soon(loop.stop)
        loop.run_forever()
        self.assertEqual(read, [b"x"])
        loop.remove_reader(here)

    def test_what_is_queued_after_an_exit_runs_in_the_next_run(self):
        loop, order = self.loop(), []

        def leave():
            raise SystemExit(3)

        loop.call_soon(order.append, 1)
        loop.call_soon(leave)
        loop.call_soon(order.append, 2)
        with self.assertRaises(SystemExit):
            loop.run_forever()
        self.assertEqual(order, [1])
        loop.call_soon(loop.stop)
        loop.run_forever()
        self.assertEqual(order, [1, 2])

    def test_a_descriptor_is_reported_for_as_long_as_it_is_ready(self):
        loop, seen = self.loop(), []
        here, there = socket.socketpair()
        self.addCleanup(here.close)
        self.addCleanup(there.close)

        def reader():
            seen.append("read")
            if len(seen) >= 5:
                here.recv(10)
                loop.remove_reader(here)
                loop.call_later(0.02, loop.stop)

        loop.add_reader(here, reader)
        there.send(b"x")
        loop.run_forever()
        self.assertEqual(seen, ["read"] * 5)

    def test_a_direction_that_is_added_later_is_heard(self):
        loop, seen = self.loop(), []
        here, there = socket.socketpair()
        self.addCleanup(here.close)
        self.addCleanup(there.close)

        def writer():
            seen.append("write")
            loop.remove_writer(here)
            there.send(b"x")

        def reader():
            seen.append(here.recv(10))
            loop.stop()

        loop.add_reader(here, reader)
        loop.call_later(0.01, loop.add_writer, here, writer)
        loop.run_forever()
        self.assertEqual(seen, ["write", b"x"])
        loop.remove_reader(here)

    def test_a_number_that_is_used_again_is_the_new_descriptor_s(self):
        loop = self.loop()
        for _ in range(50):
            here, there = socket.socketpair()
            loop.add_reader(here, lambda here=here: (here.recv(10), loop.stop()))
            there.send(b"x")
            loop.run_forever()
            loop.remove_reader(here)
            here.close()
            there.close()

    def test_a_loop_may_run_on_one_thread_and_then_on_another(self):
        loop, here = self.loop(), threading.get_ident()
        fired = []
        timer = loop.call_later(0.05, lambda: fired.append(threading.get_ident()))
        self.assertIsNotNone(timer)
        loop.run_until_complete(asyncio.sleep(0))
        there, other = socket.socketpair()
        self.addCleanup(there.close)
        self.addCleanup(other.close)
        loop.add_reader(there, lambda: fired.append(there.recv(1)))
        other.send(b"x")
        thread = threading.Thread(target=loop.run_until_complete, args=(asyncio.sleep(0.1),))
        thread.start()
        thread.join()
        self.assertEqual(fired[0], b"x")
        self.assertNotEqual(fired[1], here)
        loop.remove_reader(there)
        loop.run_until_complete(asyncio.sleep(0.01))

    def test_eight_threads_turn_eight_loops(self):
        async def work():
            total = 0
            for n in range(200):
                await asyncio.sleep(0)
                total += await asyncio.get_running_loop().run_in_executor(None, int, n)
            return total

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            totals = list(pool.map(lambda _: oneloop.run(work()), range(8)))
        self.assertEqual(totals, [sum(range(200))] * 8)

    def test_call_soon_threadsafe_wakes_a_loop_that_sleeps_and_keeps_the_order(self):
        loop, order = self.loop(), []

        def other():
            for n in range(1000):
                loop.call_soon_threadsafe(order.append, n)
            loop.call_soon_threadsafe(loop.stop)

        thread = threading.Thread(target=other)
        loop.call_soon(thread.start)
        loop.run_forever()
        thread.join()
        self.assertEqual(order, list(range(1000)))

    def test_what_other_threads_queue_and_what_a_callback_queues_keep_their_order(self):
        program = """
            import threading, oneloop

            def elsewhere(function, *args):
                thread = threading.Thread(target=loop.call_soon_threadsafe, args=(function, *args))
                thread.start()
                thread.join()

            def before_a_callback():
                elsewhere(order.append, 1)
                loop.call_soon(order.append, 2)
                loop.call_soon(loop.call_soon, loop.stop)

            def between_two():
                loop.call_soon(order.append, 1)
                elsewhere(order.append, 2)
                loop.call_soon(order.append, 3)
                elsewhere(order.append, 4)
                loop.call_soon(loop.stop)

            def behind_a_stop():
                loop.call_soon(loop.stop)
                elsewhere(order.append, 1)
                loop.call_soon(order.append, 2)
                elsewhere(order.append, 3)

            def into_the_next_batch():
                elsewhere(order.append, 1)
                loop.stop()

            def among_many():
                for n in range(40):
                    (elsewhere if n % 3 else loop.call_soon)(order.append, n)
                elsewhere(loop.stop)

            expected = {
                before_a_callback: [1, 2],
                between_two: [1, 2, 3, 4],
                behind_a_stop: [1, 2, 3],
                into_the_next_batch: [],
                among_many: list(range(40)),
            }
            loop = oneloop.new_event_loop()
            for debug in (False, True):
                loop.set_debug(debug)
                for queue, then in expected.items():
                    order = []
                    loop.call_soon(queue)
                    loop.run_forever()
                    assert order == then, (queue, debug, order)
                    loop.call_soon(loop.stop)
                    loop.run_forever()
        """
        with tempfile.TemporaryDirectory() as folder:
            for environment in ({}, {"ONELOOP_RECORD": str(pathlib.Path(folder, "run.ndjson"))}):
                with self.subTest(**environment):
                    self.ran(program, **environment)

    def test_unclosed_loops_with_pending_handles_are_collected(self):
        class Loop(oneloop.EventLoop):
            def __del__(self, _warn=None):
                pass

        alive = []
        for _ in range(20):
            loop = Loop()
            loop.call_soon(lambda loop=loop: loop)
            loop.call_later(3600, lambda loop=loop: loop)
            loop.run_until_complete(asyncio.sleep(0))
            loop.call_soon(print, loop)
            alive.append(weakref.ref(loop))
            loop._csock.close(), loop._ssock.close()
            del loop
        gc.collect()
        self.assertEqual([ref for ref in alive if ref() is not None], [])

    def test_a_handle_that_is_kept_keeps_neither_its_loop_nor_its_callback(self):
        class Witness:
            def call(self):
                pass

        loop, witness = self.loop(), Witness()
        kept = [loop.call_soon(witness.call), loop.call_later(0.001, witness.call), loop.call_later(3600, witness.call)]
        loop.run_until_complete(asyncio.sleep(0.01))
        self.assertIsNone(kept[0]._callback)
        self.assertEqual(kept[2]._callback, witness.call)
        kept[2].cancel()
        ref = weakref.ref(witness)
        del witness
        self.assertIsNone(ref())
        loop.close()
        ref = weakref.ref(loop)
        self.doCleanups()
        del loop
        gc.collect()
        self.assertIsNone(ref())
        for handle in kept:
            handle.cancel()
            self.assertIsNone(handle._loop)
            self.assertIn("cancelled", repr(handle))

    def test_a_callback_is_cancelled_wherever_it_waits(self):
        loop, order = self.loop(), []
        outside = [loop.call_soon(order.append, n) for n in range(3)]
        outside[1].cancel()

        def cancel():
            inside = [loop.call_soon(order.append, n) for n in range(10, 13)]
            timers = [loop.call_later(after, order.append, after) for after in (-1, 0.001, 0.002)]
            for handles in (inside, timers):
                handles[1].cancel()
                handles[1].cancel()
            self.assertEqual([handle.cancelled() for handle in inside], [False, True, False])

        loop.call_soon(cancel)
        loop.call_later(0.03, loop.stop)
        loop.run_forever()
        self.assertEqual(order, [0, 2, 10, 12, -1, 0.002])

    def test_a_closed_loop_gives_its_descriptors_back(self):
        def descriptors():
            return len(os.listdir("/proc/self/fd" if os.path.exists("/proc/self/fd") else "/dev/fd"))

        oneloop.run(asyncio.sleep(0))
        before = descriptors()
        for _ in range(30):
            oneloop.run(asyncio.sleep(0))
        self.assertEqual(descriptors(), before)

    def test_a_failed_task_is_let_go_in_debug_mode(self):
        class Witness:
            pass

        async def fail(witness):
            raise ValueError(witness)

        async def main():
            witness = Witness()
            ref = weakref.ref(witness)
            task = asyncio.create_task(fail(witness))
            await asyncio.wait([task])
            task.exception()
            del task, witness
            await asyncio.sleep(0)
            gc.collect()
            return ref

        self.assertIsNone(oneloop.run(main(), debug=True)())

    def test_a_loop_inside_a_loop_is_an_exception_that_pickles(self):
        async def main():
            inner = oneloop.new_event_loop()
            try:
                asyncio._set_running_loop(None)
                inner.run_until_complete(asyncio.sleep(0))
            finally:
                asyncio._set_running_loop(loop)
                inner.close()

        loop = self.loop()
        with self.assertRaises(RuntimeError) as raised:
            loop.run_until_complete(main())
        self.assertIn("one thread runs one loop", str(raised.exception))
        self.assertEqual(str(pickle.loads(pickle.dumps(raised.exception))), str(raised.exception))

    def test_a_child_that_is_forked_off_a_running_loop_runs_its_own(self):
        self.ran("""
            import asyncio, os, oneloop
            async def main():
                await asyncio.sleep(0.01)
                child = os.fork()
                if child == 0:
                    async def inner():
                        await asyncio.sleep(0.01)
                        return await asyncio.to_thread(int, 7)
                    os._exit(oneloop.run(inner()))
                await asyncio.sleep(0.05)
                return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            code = oneloop.run(main())
            assert code == 7, code
        """)

    def test_a_pool_of_processes_works_for_a_loop(self):
        async def main(method):
            loop = asyncio.get_running_loop()
            context = multiprocessing.get_context(method)
            with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
                return await asyncio.gather(*(loop.run_in_executor(pool, abs, -n) for n in range(8)))

        for method in ("fork", "spawn"):
            self.assertEqual(oneloop.run(main(method)), list(range(8)))

    def test_the_interpreter_ends_with_loops_open(self):
        done = self.ran("""
            import asyncio, threading, oneloop
            loops = [oneloop.new_event_loop() for _ in range(3)]
            loops[0].call_later(3600, print)
            loops[1].run_until_complete(asyncio.sleep(0))
            loops[1].call_later(3600, print)
            async def for_ever():
                await asyncio.sleep(3600)
            task = loops[1].create_task(for_ever())
            loops[1].run_until_complete(asyncio.sleep(0))
            threading.Thread(target=loops[2].run_forever, daemon=True).start()
            import time; time.sleep(0.1)
        """)
        self.assertNotIn("panicked", done.stderr)
        self.assertNotIn("Fatal", done.stderr)

    def test_sigint_at_any_moment_ends_a_run_by_keyboard_interrupt(self):
        program = """
            import asyncio, oneloop, os, signal, sys, threading, time
            async def busy():
                while True:
                    await asyncio.sleep(0)
                    await asyncio.sleep(0.0005)
            async def main():
                await asyncio.gather(*(busy() for _ in range(5)))
            signal.signal(signal.SIGINT, signal.default_int_handler)
            random = __import__("random").Random(int(sys.argv[1]))
            for n in range(int(sys.argv[2])):
                def kill():
                    time.sleep(random.random() * 0.02 + 0.002)
                    os.kill(os.getpid(), signal.SIGINT)
                thread = threading.Thread(target=kill)
                try:
                    thread.start()
                    oneloop.run(main())
                except KeyboardInterrupt:
                    pass
                else:
                    raise SystemExit("no KeyboardInterrupt")
                thread.join()
        """
        for see in ("", "1"):
            done = in_a_process(program, "7", os.environ.get("ONELOOP_SIGINTS", "30"), seconds=60, ONELOOP_SEE=see)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_whoever_is_woken_by_signals_stays_so(self):
        self.ran("""
            import asyncio, oneloop, signal, socket
            mine, other = socket.socketpair()
            other.setblocking(False)
            signal.set_wakeup_fd(other.fileno(), warn_on_full_buffer=False)
            oneloop.run(asyncio.sleep(0.01))
            assert signal.set_wakeup_fd(-1) == other.fileno()
            oneloop.run(asyncio.sleep(0.01))
            assert signal.set_wakeup_fd(-1) == -1
        """)

    def test_signal_handlers_are_called(self):
        loop, heard = self.loop(), []
        loop.add_signal_handler(signal.SIGUSR2, lambda: (heard.append(1), loop.stop()))
        loop.call_soon(os.kill, os.getpid(), signal.SIGUSR2)
        loop.run_forever()
        self.assertTrue(loop.remove_signal_handler(signal.SIGUSR2))
        self.assertEqual(heard, [1])

    def test_other_threads_run_while_the_loop_sleeps(self):
        counted = []

        async def main():
            def count():
                for _ in range(20):
                    time.sleep(0.001)
                    counted.append(1)

            thread = threading.Thread(target=count)
            thread.start()
            await asyncio.sleep(1 * PATIENCE)
            return len(counted)

        self.assertEqual(oneloop.run(main()), 20)

    def test_a_script_runs_unchanged_with_its_arguments(self):
        folder = pathlib.Path(self.enterContext(__import__("tempfile").TemporaryDirectory()))
        script = folder / "script.py"
        script.write_text(
            "import asyncio, sys\n"
            "async def main():\n"
            "    print(type(asyncio.get_running_loop()).__module__, sys.argv[1:], __name__)\n"
            "asyncio.run(main())\n"
        )
        command = [sys.executable, "-m", "oneloop"]
        done = subprocess.run([*command, str(script), "a", "-b"], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.stdout, "oneloop._loop ['a', '-b'] __main__\n", done.stderr)
        command_line = [*command, "-c", "import asyncio, sys; print(type(asyncio.new_event_loop()), sys.argv)", "a"]
        done = subprocess.run(command_line, capture_output=True, text=True, timeout=30 * PATIENCE)
        self.assertEqual(done.stdout, "<class 'oneloop._loop.EventLoop'> ['-c', 'a']\n", done.stderr)
        for wrong in ([], ["-c"], ["-m"], ["--nonsense"], [str(folder / "none.py")]):
            done = subprocess.run([*command, *wrong], capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, 2, done.stderr)


if __name__ == "__main__":
    unittest.main()
