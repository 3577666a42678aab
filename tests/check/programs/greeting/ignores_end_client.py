# mistake: ignores-end; client tcp
"""Prints what comes, for ever."""

import socket
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        while True:
            sys.stdout.buffer.write(server.recv(1024))
            sys.stdout.flush()
except OSError as error:
    sys.exit(f"no greeting: {error}")
