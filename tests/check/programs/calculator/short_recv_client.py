# mistake: short-recv; client struct9 tcp; arguments: {host} {port} 12 + 34
"""recv(9) is called once, and taken for nine bytes."""

import socket
import struct
import sys

host, port, a, op, b = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        server.sendall(struct.pack("<ii1s", int(a), int(b), op.encode()))
        data = server.recv(9)
        if not data:
            sys.exit("the server has gone")
        result, _, mark = struct.unpack("<ii1s", data)
        print(result if mark == b"R" else "error")
except (OSError, struct.error) as error:
    sys.exit(f"no answer: {error}")
