# correct: client tcp
"""Reads to the end, and decodes all of it together."""

import socket
import sys

greeting = b""
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        while data := server.recv(1024):
            greeting += data
except OSError as error:
    sys.exit(f"no greeting: {error}")
print(greeting.decode("utf-8", "replace") or "nothing was said")
