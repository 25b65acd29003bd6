"""A client by websockets: sends a word, and prints what comes back.

    python3 websocket_client.py PORT WORD
"""

import asyncio
import sys

from websockets.asyncio.client import connect


async def main(port, word):
    async with connect(f"ws://127.0.0.1:{port}/") as socket:
        await socket.send(word)
        print(await asyncio.wait_for(socket.recv(), 20))


asyncio.run(main(*sys.argv[1:]))
