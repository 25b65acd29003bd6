"""What a loop costs beside asyncio's own, uvloop and rloop, in one run. Those that are not installed are left out.

    python tests/speed.py [rounds]

Each figure is the best of its rounds, each round in a process of its own, the loops by turns. Costs are CPU time of
the process; requests are counted by a client in another process, which sends 1 KiB, waits for it, and sends again.
aiohttp is asked by wrk, where it is installed. The CPU time that the server takes for each request stands beside it:
the client is on the same machine, and may be what is slow.
"""

import asyncio
import functools
import importlib.util
import multiprocessing
import re
import shutil
import socket
import subprocess
import sys
import time

LOOPS = ["asyncio", "uvloop", "rloop", "oneloop"]
SECONDS = 2
KIB = b"x" * 1024


def new_loop(name):
    if name == "asyncio":
        return asyncio.SelectorEventLoop()
    module = __import__(name)
    return module.new_event_loop()


def cpu(work, loop):
    begun = time.process_time()
    work(loop)
    return time.process_time() - begun


def sleep_zero(loop):
    async def main():
        for _ in range(100_000):
            await asyncio.sleep(0)

    return cpu(lambda loop: loop.run_until_complete(main()), loop)


def call_soon(loop):
    left = 400

    def nothing():
        pass

    def batch():
        nonlocal left
        for _ in range(500):
            loop.call_soon(nothing)
        left -= 1
        loop.call_soon(batch if left else loop.stop)

    def work(loop):
        loop.call_soon(batch)
        loop.run_forever()

    return cpu(work, loop)


def call_later(loop):
    left = 100_000

    def fired():
        nonlocal left
        left -= 1
        if not left:
            loop.stop()

    def work(loop):
        for n in range(left):
            loop.call_later(n * 7919 % 100_000 / 200_000, fired)
        loop.run_forever()

    return cpu(work, loop)


def client(port, connections, seconds, request, told):
    import selectors

    selector = selectors.DefaultSelector()
    for _ in range(connections):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ)
        connection.sendall(request)
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        for key, _ in selector.select(1):
            if key.fileobj.recv(65536):
                count += 1
                key.fileobj.sendall(request)
    told.put(count / seconds)


def counted(loop, ask):
    """The rate of requests, and how much CPU each takes of this process."""
    begun = time.process_time()
    rate = loop.run_until_complete(loop.run_in_executor(None, ask))
    return rate, (time.process_time() - begun) / (rate * SECONDS)


def served(loop, start, request=KIB, connections=32):
    port = loop.run_until_complete(start())
    told = multiprocessing.get_context("spawn").Queue()
    process = multiprocessing.get_context("spawn").Process(target=client, args=(port, connections, SECONDS, request, told))
    process.start()
    return counted(loop, told.get)


def echo_protocols(loop):
    class Echo(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            self.transport.write(data)

    async def start():
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        return server.sockets[0].getsockname()[1]

    return served(loop, start)


def echo_streams(loop):
    async def echo(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    async def start():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        return server.sockets[0].getsockname()[1]

    return served(loop, start)


def aiohttp(loop):
    from aiohttp import web

    async def hello(request):
        return web.Response(text="hello")

    async def start():
        app = web.Application()
        app.router.add_get("/", hello)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return site._server.sockets[0].getsockname()[1]

    if shutil.which("wrk"):
        port = loop.run_until_complete(start())
        command = ["wrk", "--threads", "1", "--connections", "32", "--duration", str(SECONDS), f"http://127.0.0.1:{port}/"]
        run = functools.partial(subprocess.run, command, capture_output=True, text=True, timeout=60)
        return counted(loop, lambda: float(re.search(r"Requests/sec: *([\d.]+)", run().stdout).group(1)))
    return served(loop, start, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")


COSTS = [sleep_zero, call_soon, call_later]
RATES = [echo_protocols, echo_streams, aiohttp]


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    loops = [name for name in LOOPS if importlib.util.find_spec(name)]
    print(f"CPython {sys.version.split()[0]}; against asyncio's own loop\n\n| | {' | '.join(loops)} |")
    print("|---" * (len(loops) + 1) + "|")
    for work in COSTS + RATES:
        if work is aiohttp and not importlib.util.find_spec("aiohttp"):
            continue
        best, cheapest = {}, {}
        for _ in range(rounds):
            for name in loops:
                command = [sys.executable, "-W", "ignore", __file__, "--one", name, work.__name__]
                done = subprocess.run(command, capture_output=True, text=True, timeout=120)
                if done.returncode != 0:
                    continue
                figure, *cost = map(float, done.stdout.split())
                best[name] = (min if work in COSTS else max)(figure, best.get(name, figure))
                if cost:
                    cheapest[name] = min(*cost, cheapest.get(name, *cost))
        cells = []
        for name in loops:
            if name not in best:
                cells.append("fails")
            elif work in COSTS:
                cells.append(f"{best[name] * 1000:.0f} ms ({best[name] / best['asyncio']:.2f})")
            else:
                cells.append(
                    f"{best[name]:,.0f}/s ({best[name] / best['asyncio']:.2f}), {cheapest[name] * 1e6:.1f} us"
                    f" ({cheapest[name] / cheapest['asyncio']:.2f})"
                )
        print(f"| {work.__name__} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        figures = globals()[sys.argv[3]](new_loop(sys.argv[2]))
        print(*figures if isinstance(figures, tuple) else [figures])
    else:
        main()
