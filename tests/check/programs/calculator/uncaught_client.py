# mistake: uncaught; client struct9 tcp; arguments: {host} {port} 12 + 34
"""No exception is caught."""

import socket
import struct
import sys

host, port, a, op, b = sys.argv[1:]
with socket.create_connection((host, int(port)), 10) as server:
    server.sendall(struct.pack("<ii1s", int(a), int(b), op.encode()))
    data = server.makefile("rb").read(9)
    if len(data) < 9:
        sys.exit("the server has gone")
    result, _, mark = struct.unpack("<ii1s", data)
    print(result if mark == b"R" else "error")
