# mistake: error-as-result; client struct9 tcp; arguments: {host} {port} 12 + 34
"""Does not look at the mark."""

import socket
import struct
import sys

host, port, a, op, b = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        server.sendall(struct.pack("<ii1s", int(a), int(b), op.encode()))
        print(struct.unpack("<ii1s", server.makefile("rb").read(9))[0])
except (OSError, struct.error) as error:
    sys.exit(f"no answer: {error}")
