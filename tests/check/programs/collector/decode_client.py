# mistake: uncaught; client tcp
"""Believes that what a server says is text."""

import socket
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        server.sendall(b"one two three")
        server.shutdown(socket.SHUT_WR)
        answer = b""
        while data := server.recv(1024):
            answer += data
except OSError as error:
    sys.exit(f"not sent: {error}")
print(answer.decode("utf-8"))
