# mistake: no-close; client tcp
"""Waits for an answer, and has not said that it was done."""

import socket
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 60) as server:
        server.sendall(b"one two three")
        print(server.recv(1024).decode("utf-8", "replace"))
except OSError as error:
    sys.exit(f"not sent: {error}")
