# mistake: half-answer; client tcp
"""Prints what has come, whether it is all or not."""

import socket
import sys

host, port = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        server.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        with server.makefile("rb") as stream:
            sys.stdout.buffer.write(stream.read())
except OSError as error:
    sys.exit(f"no page: {error}")
