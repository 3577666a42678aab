# mistake: ignores-end; client tcp
"""Reads for ever."""

import socket
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        greeting = b""
        while True:
            data = server.recv(1024)
            if data:
                greeting += data
            if greeting.endswith((b".", b"!")):
                print(greeting.decode("utf-8", "replace"))
                greeting = b""
except OSError as error:
    sys.exit(f"no greeting: {error}")
