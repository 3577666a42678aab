# mistake: padding; client struct9 tcp; arguments: {host} {port} 12 + 34
"""The operator stands between the operands, with pad bytes behind it."""

import socket
import struct
import sys

host, port, a, op, b = sys.argv[1:]
with socket.create_connection((host, int(port)), 10) as server:
    server.sendall(struct.pack("i1si", int(a), op.encode(), int(b)))
    print(struct.unpack("<ii1s", server.makefile("rb").read(9))[0])
