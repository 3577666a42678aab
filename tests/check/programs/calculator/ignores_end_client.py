# mistake: ignores-end; client struct9 tcp; arguments: {host} {port} 12 + 34
"""Reads on when recv has returned b''."""

import socket
import struct
import sys

host, port, a, op, b = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        server.sendall(struct.pack("<ii1s", int(a), int(b), op.encode()))
        data = b""
        while len(data) < 9:
            data += server.recv(9 - len(data))
        result, _, mark = struct.unpack("<ii1s", data)
        print(result if mark == b"R" else "error")
except OSError as error:
    sys.exit(f"no answer: {error}")
