# mistake: waits-for-end; client tcp; arguments: {host} {port} 1
"""Reads to the end of the stream."""

import socket
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as server:
        server.sendall(b"KI|" + sys.argv[3].encode())
        length, _, checksum = server.makefile("rb").read().partition(b"|")
        print(checksum.decode())
except (OSError, ValueError) as error:
    sys.exit(f"no answer: {error}")
