# mistake: no-end; client tcp
"""A loop that waits for the server's last word, and does not see the end."""

import socket
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        for piece in (b"one", b"two", b"three"):
            server.sendall(piece)
        server.shutdown(socket.SHUT_WR)
        answer = b""
        while not answer.endswith(b"\n"):
            answer += server.recv(1024)
except OSError as error:
    sys.exit(f"not sent: {error}")
