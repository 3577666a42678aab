# mistake: one-recv; client tcp
"""One recv is the greeting."""

import socket
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        print(server.recv(65536).decode("utf-8", "replace") or "nothing was said")
except OSError as error:
    sys.exit(f"no greeting: {error}")
