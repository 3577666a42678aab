# mistake: decode-split; client tcp
"""Prints each piece as soon as it is there."""

import socket
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        while data := server.recv(1024):
            print(data.decode("utf-8", "replace"), end="")
        print()
except OSError as error:
    sys.exit(f"no greeting: {error}")
