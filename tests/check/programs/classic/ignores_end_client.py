# mistake: ignores-end; client time tcp
"""Reads on when recv has returned b''."""

import socket
import struct
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        data = b""
        while len(data) < 4:
            data += server.recv(4 - len(data))
    print(struct.unpack("!I", data)[0], "seconds since 1900")
except OSError as error:
    sys.exit(f"no answer: {error}")
