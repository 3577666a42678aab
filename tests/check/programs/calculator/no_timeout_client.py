# mistake: no-timeout; client struct9 udp; arguments: {host} {port} 12 + 34
"""Waits for an answer for ever."""

import socket
import struct
import sys

host, port, a, op, b = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.connect((host, int(port)))
    asking.send(struct.pack("<ii1s", int(a), int(b), op.encode()))
    try:
        result, _, mark = struct.unpack("<ii1s", asking.recv(100))
        print(result if mark == b"R" else "error")
    except (OSError, struct.error) as error:
        sys.exit(f"no answer: {error}")
