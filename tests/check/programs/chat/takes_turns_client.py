# mistake: takes-turns; client plain tcp
"""Reads a line, then a message, then a line."""

import socket
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        server.settimeout(None)
        while True:
            data = server.recv(1024)
            if not data:
                break
            print(data.decode(errors="replace"))
            if "joined" not in data.decode(errors="replace"):
                line = sys.stdin.readline().strip()
                if not line or line == "/quit":
                    break
                server.sendall(line.encode())
            else:
                server.sendall(sys.stdin.readline().strip().encode() or b"/quit")
except OSError as error:
    sys.exit(f"no connection: {error}")
