# mistake: byte-order; client struct9 tcp; arguments: {host} {port} 12 + 34
"""Network order, where the protocol says little-endian."""

import socket
import struct
import sys

host, port, a, op, b = sys.argv[1:]
with socket.create_connection((host, int(port)), 10) as server:
    server.sendall(struct.pack("!ii1s", int(a), int(b), op.encode()))
    print(struct.unpack("!ii1s", server.makefile("rb").read(9))[0])
