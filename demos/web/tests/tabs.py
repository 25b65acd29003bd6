#!/usr/bin/env python3
"""Two tabs of a browser that play the same game, driven by the Chrome DevTools Protocol.

    python3 tabs.py http://127.0.0.1:8010/            checks, and prints one line
    python3 tabs.py http://127.0.0.1:8010/ pictures   leaves pictures of both sizes and themes in that folder
"""

import asyncio
import base64
import json
import pathlib
import subprocess
import sys
import tempfile

import websockets

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--remote-debugging-port=0"]


class Browser:
    def __init__(self, socket):
        self.socket, self.last = socket, 0

    async def ask(self, session, method, **params):
        self.last += 1
        command = {"id": self.last, "method": method, "params": params}
        await self.socket.send(json.dumps(command | ({"sessionId": session} if session else {})))
        while True:
            answer = json.loads(await asyncio.wait_for(self.socket.recv(), 60))
            if answer.get("id") == self.last:
                assert "error" not in answer, answer
                return answer["result"]

    async def tab(self, url):
        target = await self.ask(None, "Target.createTarget", url="about:blank")
        attached = await self.ask(None, "Target.attachToTarget", targetId=target["targetId"], flatten=True)
        tab = Tab(self, attached["sessionId"])
        await tab.ask("Page.enable")
        await tab.ask("Page.navigate", url=url)
        return tab


class Tab:
    def __init__(self, browser, session):
        self.browser, self.session = browser, session

    async def ask(self, method, **params):
        return await self.browser.ask(self.session, method, **params)

    async def value(self, expression):
        answer = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    async def until(self, expression):
        for _ in range(300):
            found = await self.value(expression)
            if found:
                return found
            await asyncio.sleep(0.1)
        raise AssertionError(f"{expression} never came true: {await self.value('document.body.innerText')}")

    async def press(self, key):
        for kind in ("keyDown", "keyUp"):
            await self.ask("Input.dispatchKeyEvent", type=kind, key=key)

    async def picture(self, path, width, height, theme):
        await self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        await self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                       mobile=width < 600)
        await asyncio.sleep(1)
        shot = await self.ask("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))


async def check(url, first, second):
    me = await first.until("me")
    other = await second.until("me")
    assert me != other, "two tabs are two players"
    await first.until(f"players.has({other})")
    await second.until(f"players.has({me})")
    # One tab sees how the player of the other walks: to the wall, and back from it.
    for key, wall in (("ArrowRight", 71), ("ArrowLeft", 0)):
        await first.press(key)
        await second.until(f"players.get({me}).x === {wall}")
    await second.until(f"owners.includes({me})")
    # A new name keeps the place and the connection.
    await first.value("nameField.value = 'renamed'; at('form').requestSubmit()")
    await second.until(f"names.get({me}) === 'renamed'")
    assert await first.value("me") == me and "gone" not in await first.value("state.textContent")
    # Who loses the connection gets the old place.
    await first.value("me = 0; socket.close()")
    assert await first.until("me") == me, "the place is kept"
    # A name is text, also in the table.
    assert await first.until("best.textContent.includes('<img')")
    assert await first.value("document.querySelectorAll('img').length") == 0
    print("two tabs play one game")


async def main(url, pictures):
    with tempfile.TemporaryDirectory() as profile:
        command = ["chromium", *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        try:
            address = next(line.split()[-1] for line in process.stderr if line.startswith("DevTools listening on "))
            async with websockets.connect(address, max_size=None, compression=None) as socket:
                browser = Browser(socket)
                first = await browser.tab(url)
                if pictures:
                    await first.until("me")
                    for width, height in ((390, 844), (1280, 800)):
                        for theme in ("light", "dark"):
                            await first.picture(pathlib.Path(pictures) / f"{width}-{theme}.png", width, height, theme)
                else:
                    # A tab of its own keeps its place in a session of its own.
                    await check(url, first, await browser.tab(url))
                await browser.ask(None, "Browser.close")
        finally:
            process.terminate()
            process.wait(20)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
