#!/usr/bin/env python3
"""Many clients of one room, by the library websockets: each hears every word of three.

    python3 crowd.py ws://127.0.0.1:8000/ws 5000
"""

import asyncio
import json
import sys

import websockets

WORDS = ["one", "two", "three"]


async def client(url, places, entered, gate):
    async with places:
        socket = await websockets.connect(url, open_timeout=60, compression=None, max_queue=64)
    entered.append(socket)
    await gate.wait()
    heard = [json.loads(await asyncio.wait_for(socket.recv(), 60))["text"] for _ in WORDS]
    assert heard == WORDS, heard
    return socket


async def main(url, count):
    places, entered, gate = asyncio.Semaphore(200), [], asyncio.Event()
    clients = [asyncio.create_task(client(url, places, entered, gate)) for _ in range(count)]
    while len(entered) < count:
        await asyncio.sleep(0.05)
        for task in clients:
            if task.done():
                task.result()
    gate.set()
    for word in WORDS:
        await entered[0].send(word)
    sockets = await asyncio.gather(*clients)
    print(f"{len(sockets)} clients heard {len(WORDS)} words each")
    await asyncio.gather(*(socket.close() for socket in sockets))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
