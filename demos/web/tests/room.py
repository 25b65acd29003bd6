#!/usr/bin/env python3
"""The page of the chat, whose server is started anew while it is open.

    python3 room.py http://127.0.0.1:8000/            says when the page is in the room, and then all it shows at the end
    python3 room.py http://127.0.0.1:8000/ pictures   leaves pictures of both sizes and themes in that folder
"""

import asyncio
import json
import pathlib
import subprocess
import sys
import tempfile

import websockets

from tabs import FLAGS, Browser

# A new name, and at once a word: nothing is lost, and nothing looks as if it were.
RENAME = """
    const states = [];
    new MutationObserver(() => states.push(state.textContent)).observe(state, { childList: true });
    name.value = "tim";
    name.dispatchEvent(new Event("change"));
    word.value = "before 4";
    at("form").requestSubmit();
"""
LINES = "[...document.querySelectorAll('#lines li')].map(line => line.textContent)"


async def main(url, pictures):
    with tempfile.TemporaryDirectory() as profile:
        command = ["chromium", *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        try:
            address = next(line.split()[-1] for line in process.stderr if line.startswith("DevTools listening on "))
            async with websockets.connect(address, max_size=None, compression=None) as socket:
                browser = Browser(socket)
                tab = await browser.tab(url)
                await tab.until("document.querySelector('#state')?.textContent === 'in the room'")
                if pictures:
                    for width, height in ((390, 844), (1280, 800)):
                        for theme in ("light", "dark"):
                            await tab.picture(pathlib.Path(pictures) / f"{width}-{theme}.png", width, height, theme)
                else:
                    await tab.until(f"{LINES}.some(line => line.includes('before 3'))")
                    await tab.value(RENAME)
                    await tab.until(f"{LINES}.includes('tim before 4')")
                    states = await tab.value("states")
                    assert states == ["connecting", "in the room"], states
                    print("open", flush=True)
                    await tab.until(f"{LINES}.some(line => line.includes('after 2'))")
                    print(json.dumps(await tab.value(LINES)))
                await browser.ask(None, "Browser.close")
        finally:
            process.terminate()
            process.wait(20)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
