# mistake: trusts-length; server framed tcp
"""Makes room for whatever length is announced."""

import asyncio
import struct
import sys


async def serve(reader, writer):
    try:
        while True:
            (length,) = struct.unpack("<i", await reader.readexactly(4))
            room = bytearray(length)
            room[:] = await reader.readexactly(length)
            a, b, op = struct.unpack("<ii1s", room)
            result = {b"+": a + b, b"-": a - b, b"*": a * b, b"/": a // b if b else 0}.get(op, 0)
            fits = -(2**31) <= result < 2**31
            writer.write(struct.pack("<ii1s", result if fits else 0, 0, b"R" if fits else b"E"))
            await writer.drain()
    except (asyncio.IncompleteReadError, OSError, struct.error):
        writer.close()
    except ValueError:
        sys.exit("a negative length")


async def main():
    async with await asyncio.start_server(serve, sys.argv[1], int(sys.argv[2])) as server:
        await server.serve_forever()


asyncio.run(main())
