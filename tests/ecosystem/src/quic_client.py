"""A client by aioquic: sends a word on a stream of its own, and prints what comes back.

    python3 quic_client.py PORT CERTIFICATE.pem WORD
"""

import asyncio
import sys

from aioquic.asyncio import connect
from aioquic.quic.configuration import QuicConfiguration


async def main(port, certificate, word):
    configuration = QuicConfiguration(is_client=True, server_name="localhost")
    configuration.load_verify_locations(cafile=certificate)
    async with connect("127.0.0.1", int(port), configuration=configuration) as connection:
        reader, writer = await connection.create_stream()
        writer.write(word.encode())
        writer.write_eof()
        print((await asyncio.wait_for(reader.read(), 20)).decode())


asyncio.run(main(*sys.argv[1:]))
