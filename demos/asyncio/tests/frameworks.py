"""Unmodified programs of the frameworks on asyncio, each run by `python -m oneloop` and asked by a real client.

    python tests/frameworks.py [name ...]        all that are installed, if none is named

A server is asked 200 times over eight connections at once by http.client, is stopped by SIGINT, and has to end. A framework
that is not installed is said to be left out.
"""

import concurrent.futures
import contextlib
import http.client
import importlib.util
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time

PATIENCE = int(os.environ.get("ONELOOP_TEST_PATIENCE", "1"))

SERVERS = {
    "aiohttp": """
        import asyncio, sys
        from aiohttp import web
        async def hello(request):
            await asyncio.sleep(0.001)
            return web.Response(text=type(asyncio.get_running_loop()).__module__)
        app = web.Application()
        app.router.add_get("/", hello)
        web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
    """,
    "tornado": """
        import asyncio, sys, tornado.web
        class Hello(tornado.web.RequestHandler):
            async def get(self):
                await asyncio.sleep(0.001)
                self.write(type(asyncio.get_running_loop()).__module__)
        async def main():
            tornado.web.Application([("/", Hello)]).listen(int(sys.argv[1]), "127.0.0.1")
            await asyncio.Event().wait()
        asyncio.run(main())
    """,
    "twisted": """
        import asyncio, sys
        from twisted.internet import asyncioreactor
        asyncioreactor.install()
        from twisted.internet import defer, reactor, task
        from twisted.web import server, resource
        class Hello(resource.Resource):
            isLeaf = True
            def render_GET(self, request):
                def answer():
                    request.write(type(asyncio.get_event_loop()).__module__.encode())
                    request.finish()
                reactor.callLater(0.001, answer)
                return server.NOT_DONE_YET
        reactor.listenTCP(int(sys.argv[1]), server.Site(Hello()), interface="127.0.0.1")
        reactor.run()
    """,
    "fastapi": """
        import asyncio, sys, uvicorn
        from fastapi import FastAPI
        from fastapi.responses import PlainTextResponse
        app = FastAPI()
        @app.get("/", response_class=PlainTextResponse)
        async def hello():
            await asyncio.sleep(0.001)
            return type(asyncio.get_running_loop()).__module__
        uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), loop="asyncio", log_level="warning")
    """,
    "quart": """
        import asyncio, sys
        import hypercorn.asyncio, hypercorn.config
        from quart import Quart
        app = Quart(__name__)
        @app.get("/")
        async def hello():
            await asyncio.sleep(0.001)
            return type(asyncio.get_running_loop()).__module__
        config = hypercorn.config.Config()
        config.bind = ["127.0.0.1:" + sys.argv[1]]
        asyncio.run(hypercorn.asyncio.serve(app, config))
    """,
    "sanic": """
        import asyncio, sys
        from sanic import Sanic, text
        app = Sanic("hello")
        app.config.USE_UVLOOP = False
        @app.get("/")
        async def hello(request):
            await asyncio.sleep(0.001)
            return text(type(asyncio.get_running_loop()).__module__)
        if __name__ == "__main__":
            app.run(host="127.0.0.1", port=int(sys.argv[1]), single_process=True, access_log=False, motd=False)
    """,
}

CLIENTS = {
    "aiohttp": """
        import aiohttp, asyncio, sys
        async def main():
            async with aiohttp.ClientSession() as session:
                async def get():
                    async with session.get(sys.argv[1]) as answer:
                        return await answer.text()
                return await asyncio.gather(*(get() for _ in range(50)))
        assert set(asyncio.run(main())) == {"hello"}
    """,
    "httpx": """
        import asyncio, httpx, sys
        async def main():
            async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=8)) as client:
                return await asyncio.gather(*(client.get(sys.argv[1]) for _ in range(50)))
        assert {answer.text for answer in asyncio.run(main())} == {"hello"}
    """,
    "asks": """
        import asks, asyncio, sys
        async def main():
            session = asks.Session(connections=5)
            return await asyncio.gather(*(session.get(sys.argv[1]) for _ in range(50)))
        assert {answer.text for answer in asyncio.run(main())} == {"hello"}
    """,
    "trio": """
        import asyncio, sys, trio
        async def inside():
            async with trio.open_nursery() as nursery:
                for n in range(20):
                    nursery.start_soon(trio.sleep, n / 1000)
            host, port = sys.argv[1].removeprefix("http://").strip("/").split(":")
            stream = await trio.open_tcp_stream(host, int(port))
            await stream.send_all(b"GET / HTTP/1.0\\r\\n\\r\\n")
            return b"".join([part async for part in stream])
        async def main():
            done = asyncio.get_running_loop().create_future()
            trio.lowlevel.start_guest_run(
                inside,
                run_sync_soon_threadsafe=asyncio.get_running_loop().call_soon_threadsafe,
                done_callback=lambda outcome: done.set_result(outcome),
            )
            return (await done).unwrap()
        assert asyncio.run(main()).endswith(b"hello")
    """,
}

NEEDS = {"fastapi": ("fastapi", "uvicorn"), "quart": ("quart", "hypercorn")}
TIMES = {"twisted": 20}


def is_installed(name):
    return all(importlib.util.find_spec(module) for module in NEEDS.get(name, (name,)))


@contextlib.contextmanager
def reserved_port():
    """A port for a server that has to be told one. The socket that keeps it never listens, so the kernel gives the port to
    nobody else. On Linux a server listens beside such a socket; elsewhere it cannot, and the port is let go at once."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        port = kept.getsockname()[1]
        if sys.platform != "linux":
            kept.close()
        yield port


def until_it_listens(server, port):
    end = time.monotonic() + 30 * PATIENCE
    while time.monotonic() < end:
        if server.poll() is not None:
            raise AssertionError(f"the server has ended with {server.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError("the server does not listen")


def ask(port, times):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20 * PATIENCE)
    for _ in range(times):
        connection.request("GET", "/")
        answer = connection.getresponse()
        body = answer.read().decode()
        assert (answer.status, body) == (200, "oneloop._loop"), (answer.status, body)
    connection.close()


def serve(script, times=25):
    with reserved_port() as port:
        serve_at(port, script, times)


def serve_at(port, script, times):
    command = [sys.executable, "-W", "ignore", "-m", "oneloop", script, str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        until_it_listens(server, port)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: ask(port, times), range(8)))
        server.send_signal(signal.SIGINT)
        said, _ = server.communicate(timeout=20 * PATIENCE)
    finally:
        if server.poll() is None:
            server.kill()
            print(server.communicate()[0])
    assert server.returncode in (0, 1, 130, -signal.SIGINT), (server.returncode, said)
    assert "panicked" not in said, said


def fetch(script, url):
    command = [sys.executable, "-W", "ignore", "-m", "oneloop", script, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr


def main():
    wanted = sys.argv[1:]
    failed = 0
    with tempfile.TemporaryDirectory() as folder, reserved_port() as port:
        page = pathlib.Path(folder) / "page"
        page.mkdir()
        (page / "index.html").write_text("hello")
        command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(page), str(port)]
        plain = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until_it_listens(plain, port)
            for kind, programs in (("server", SERVERS), ("client", CLIENTS)):
                for name, program in programs.items():
                    if wanted and name not in wanted:
                        continue
                    if not is_installed(name):
                        print(f"{kind} of {name}: left out, it is not installed")
                        continue
                    script = pathlib.Path(folder) / f"{kind}_{name}_app.py"
                    script.write_text(textwrap.dedent(program))
                    times = TIMES.get(name, 1)
                    try:
                        begun = time.monotonic()
                        for _ in range(times):
                            serve(str(script)) if kind == "server" else fetch(str(script), f"http://127.0.0.1:{port}/")
                        print(f"{kind} of {name}: holds, {times} times, {time.monotonic() - begun:.1f} s", flush=True)
                    except (AssertionError, OSError, http.client.HTTPException, subprocess.TimeoutExpired) as error:
                        print(f"{kind} of {name}: FAILED: {error!r}", flush=True)
                        failed += 1
        finally:
            plain.kill()
            plain.wait()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
