# mistake: extra; server prefix tcp
"""A newline behind each answer, because that looks better."""

import asyncio
import sys


async def serve(reader, writer):
    try:
        while data := await reader.read(1024):
            writer.write(b"Echo: " + data + b"\n")
            await writer.drain()
    except OSError:
        pass
    writer.close()


async def main():
    async with await asyncio.start_server(serve, sys.argv[1], int(sys.argv[2])) as server:
        await server.serve_forever()


asyncio.run(main())
