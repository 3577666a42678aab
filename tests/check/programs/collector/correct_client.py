# correct: client tcp
"""Sends its pieces, ends its half, and waits until the server has closed."""

import socket
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        for piece in (b"one", b"two", b"x" * 300_000):
            server.sendall(piece)
        server.shutdown(socket.SHUT_WR)
        while data := server.recv(1024):
            print(data)
except OSError as error:
    sys.exit(f"not sent: {error}")
