# mistake: extra; server tcp
"""Says how much it was: nobody has asked."""

import asyncio
import sys


async def serve(reader, writer):
    try:
        data = await reader.read()
        writer.write(b"thank you for %d bytes\n" % len(data))
        await writer.drain()
    except OSError:
        pass
    writer.close()


async def main():
    async with await asyncio.start_server(serve, sys.argv[1], int(sys.argv[2])) as server:
        await server.serve_forever()


asyncio.run(main())
